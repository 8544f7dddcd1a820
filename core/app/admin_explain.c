/* Why an event came, and why another did not. */
#include "app/admin.h"
#include "app/config_check.h"
#include "base/text.h"
#include "net/http_target.h"

#include <string.h>

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 10000
#define LAST_MAX_S 86400

/* A number of the query within 1 … max; `*out` is untouched without it. False: it was refused. */
static bool number_of(struct tg_admin_call *call, const char *name, uint64_t max, uint64_t *out)
{
    char text[24];
    uint64_t value = 0;
    int n = tg_query_get(call->request->query, name, text, sizeof text);
    if (n == -TG_ENOTFOUND) return true;
    if (n < 0 || tg_read_u64(text, (size_t)n, &value) || !value || value > max) {
        tg_admin_refuse(call, 400, "INVALID_PARAMETERS", "%s must be a number from 1 to %llu", name,
                        (unsigned long long)max);
        return false;
    }
    *out = value;
    return true;
}

void tg_admin_explain(struct tg_admin_call *call)
{
    struct tg_gateway *gateway = call->gateway;
    struct tg_buf body = {0};
    char type[256];
    uint64_t last_s = 0, limit = LIMIT_DEFAULT;
    if (!number_of(call, "last_seconds", LAST_MAX_S, &last_s) ||
        !number_of(call, "limit", LIMIT_MAX, &limit))
        return;
    if (!tg_account_id_valid(call->name)) {
        tg_admin_refuse(call, 400, "INVALID_PARAMETERS",
                        "\"%s\" is no account id: 1 to 64 of A-Z a-z 0-9 . _ -", call->name);
        return;
    }
    int n = tg_query_get(call->request->query, "type", type, sizeof type);
    if (n == -TG_EINVAL || n == 0) {
        tg_admin_refuse(
            call, 400, "INVALID_PARAMETERS",
            "type is a message's type or a rule's name, of which * stands for any part");
        return;
    }
    struct tg_script_question question = {
        .account_id = call->name,
        .type = n > 0 ? type : NULL,
        .since_wall_ms = last_s ? tg_wall_ms(gateway->clock) - (int64_t)last_s * 1000 : 0,
        .limit = (uint32_t)limit,
    };
    tg_events_flush(gateway); /* what a poll has just brought is part of the answer */
    int rc = tg_script_explain(gateway->script, &question, &body);
    if (!rc) {
        tg_admin_answer(call, &body);
        return;
    }
    tg_buf_fini(&body);
    if (rc == -TG_ENOTFOUND)
        tg_admin_refuse(call, 404, "NOT_KEPT", "rules.explain_mb is 0: nothing is kept to explain");
    else
        tg_admin_refuse(call, 503, "SERVICE_OVERLOADED", "not enough memory for the explanation");
}
