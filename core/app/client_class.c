/* Filters run once per class and event, so the fewer classes the better: two tabs of one user are
 * one class even though their tokens were issued a minute apart. */
#include "app/client_class.h"

#include "base/json.h"

#include <string.h>

static bool of_the_token(const struct tg_json_token *name)
{
    static const char *const names[] = {"exp", "iat", "nbf", "jti"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (tg_json_is(name, names[i])) return true;
    return false;
}

/* A token's source text; for a string with its quotes. */
static void put_source(struct tg_buf *out, const struct tg_json_token *token)
{
    size_t quotes = token->type == TG_JSON_STRING;
    tg_json_raw(out, token->text - quotes, token->len + 2 * quotes);
}

/* Appends the claims that stay the same from token to token. */
static int stable(struct tg_buf *out, const char *claims)
{
    struct tg_json json = {0};
    int rc = tg_json_parse(&json, claims, strlen(claims), NULL);
    if (!rc && json.tokens[0].type != TG_JSON_OBJECT) rc = -TG_EINVAL;
    if (!rc) tg_json_open(out, '{');
    for (uint32_t key = 1; !rc && key < json.tokens[0].next;) {
        const struct tg_json_token *name = &json.tokens[key], *value = &json.tokens[key + 1];
        if (!of_the_token(name)) {
            put_source(out, name);
            tg_buf_putc(out, ':');
            put_source(out, value);
        }
        key = value->next;
    }
    if (!rc) tg_json_close(out, '}');
    tg_json_fini(&json);
    return out->failed ? -TG_ENOMEM : rc;
}

uint32_t tg_client_class(struct tg_script *script, const char *subject, const char *claims,
                         const char *query)
{
    struct tg_buf kept = {0};
    uint32_t id = 0;
    if (!stable(&kept, claims)) id = tg_script_class_join(script, subject, kept.data, query);
    tg_buf_fini(&kept);
    return id;
}
