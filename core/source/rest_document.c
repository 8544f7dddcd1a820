/* The gate through which every answer goes, whatever it holds. The order matters: an error document
 * is judged as one before anything in it is looked at, so that `"success":false,"positions":[]` and
 * an error told with status 200 never come near the mapping. */
#include "source/rest_document.h"

#include "source/rest_read.h"

#include <string.h>

static int malformed(struct tg_rest_verdict *v, const char *why)
{
    return tg_rest_fail(v, TG_POLL_FAILED, "BAD_DOCUMENT", "the source's document: %s", why);
}

/* Told as a string or, by services that use logins, as a number. */
static bool same_account(const struct tg_json *json, uint32_t object, const char *account_id)
{
    uint32_t at = tg_json_get(json, object, "account_id");
    const struct tg_json_token *token = &json->tokens[at];
    if (!at || token->type == TG_JSON_NULL) return true;
    if (token->type == TG_JSON_NUMBER)
        return token->len == strlen(account_id) && !memcmp(token->text, account_id, token->len);
    return tg_json_is(token, account_id);
}

/* Checks one object's account_id, cached and cache_age_seconds; `*age_ms` receives the age. */
static int check(const struct tg_json *json, uint32_t object, const struct tg_rest_demand *demand,
                 int64_t *age_ms, struct tg_rest_verdict *v)
{
    uint32_t cached = tg_json_get(json, object, "cached");
    uint32_t age = tg_json_get(json, object, "cache_age_seconds");
    int type = cached ? json->tokens[cached].type : TG_JSON_NULL;
    double seconds;
    if (!same_account(json, object, demand->account_id))
        return tg_rest_fail(v, TG_POLL_STALE, "WRONG_ACCOUNT",
                            "the source answered for another account than %s", demand->account_id);
    if (type == TG_JSON_NULL || type == TG_JSON_FALSE) return 0;
    if (type != TG_JSON_TRUE) return malformed(v, "\"cached\" is neither true nor false");
    if (!age || tg_json_read_double(&json->tokens[age], &seconds) || seconds < 0)
        return tg_rest_fail(v, TG_POLL_STALE, "STALE",
                            "the source's state is cached, and it does not say since when");
    if (seconds * 1000 > (double)demand->max_stale_ms)
        return tg_rest_fail(v, TG_POLL_STALE, "STALE", "the source's state is %.0f seconds old",
                            seconds);
    *age_ms = (int64_t)(seconds * 1000);
    return 0;
}

static int64_t time_of(const struct tg_json *json, int64_t age_ms)
{
    int64_t time_ms;
    uint32_t at = tg_json_get(json, 0, "timestamp");
    if (!at || tg_rest_read_time(&json->tokens[at], &time_ms)) return 0;
    return time_ms > age_ms ? time_ms - age_ms : 0;
}

int tg_rest_document_parse(struct tg_json *json, const struct tg_rest_answer *answer,
                           struct tg_rest_verdict *verdict)
{
    struct tg_err err = {0};
    int rc = tg_json_parse(json, answer->body, answer->len, &err);
    if (rc == -TG_ENOMEM)
        return tg_rest_fail(verdict, TG_POLL_FAILED, "NO_MEMORY", "out of memory");
    if (answer->status / 100 != 2) {
        bool object = !rc && json->tokens[0].type == TG_JSON_OBJECT;
        tg_rest_error_read(verdict, answer->status, object ? json : NULL, answer->retry_after_ms);
        return -TG_EPROTO;
    }
    return rc ? malformed(verdict, err.text) : 0;
}

int tg_rest_document_open(struct tg_json *json, const struct tg_rest_answer *answer,
                          const struct tg_rest_demand *demand, int64_t *time_ms,
                          struct tg_rest_verdict *verdict)
{
    struct tg_err err = {0};
    int64_t age_ms = 0;
    int rc = tg_json_parse(json, answer->body, answer->len, &err);
    bool object = !rc && json->tokens[0].type == TG_JSON_OBJECT;
    if (rc == -TG_ENOMEM)
        return tg_rest_fail(verdict, TG_POLL_FAILED, "NO_MEMORY", "out of memory");
    if (answer->status != 200 || (object && tg_rest_reports_error(json))) {
        tg_rest_error_read(verdict, answer->status, object ? json : NULL, answer->retry_after_ms);
        return -TG_EPROTO;
    }
    if (rc) return malformed(verdict, err.text);
    if (!object) return malformed(verdict, "not an object");
    uint32_t success = tg_json_get(json, 0, "success");
    if (!success || json->tokens[success].type != TG_JSON_TRUE)
        return malformed(verdict, "\"success\" is not true");
    uint32_t data = tg_json_get(json, 0, "data");
    rc = check(json, 0, demand, &age_ms, verdict);
    if (!rc && data) rc = check(json, data, demand, &age_ms, verdict);
    if (rc) return rc;
    *time_ms = time_of(json, age_ms);
    return 0;
}
