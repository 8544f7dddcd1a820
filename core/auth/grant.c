/* One reading of grants for claims and for the ownership file, so that moving an operator from one
 * to the other changes nobody's accounts. No globs: a prefix that was meant to be an id must not
 * open a family of accounts, so "*" counts only when it stands alone. */
#include "auth/grant.h"

#include <string.h>

#define ACCOUNT_ID_MAX 64

/* Digits alone; 1e3, 1.0 and -1 are numbers but nobody's login. */
static bool digits(const struct tg_json_token *value)
{
    size_t n = 0;
    if (value->type != TG_JSON_NUMBER) return false;
    while (n < value->len && value->text[n] >= '0' && value->text[n] <= '9')
        n++;
    return n == value->len;
}

static bool id_covers(const struct tg_json_token *value, const char *account_id)
{
    if (digits(value))
        return value->len == strlen(account_id) && !memcmp(value->text, account_id, value->len);
    return tg_json_is(value, "*") || tg_json_is(value, account_id);
}

static bool id_valid(const struct tg_json_token *value)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (tg_json_is(value, "*") || (digits(value) && value->len <= ACCOUNT_ID_MAX)) return true;
    if (value->type != TG_JSON_STRING || value->escaped) return false;
    if (!value->len || value->len > ACCOUNT_ID_MAX) return false;
    for (uint32_t i = 0; i < value->len; i++)
        if (!memchr(allowed, value->text[i], sizeof allowed - 1)) return false;
    return true;
}

/* The ids of a value: those of the list, or the value itself. */
static uint32_t first_id(const struct tg_json *json, uint32_t index)
{
    return json->tokens[index].type == TG_JSON_ARRAY ? index + 1 : index;
}

bool tg_grant_covers(const struct tg_json *json, uint32_t index, const char *account_id)
{
    const struct tg_json_token *tokens = json->tokens;
    for (uint32_t i = first_id(json, index); i < tokens[index].next; i = tokens[i].next)
        if (id_covers(&tokens[i], account_id)) return true;
    return false;
}

bool tg_grant_valid(const struct tg_json *json, uint32_t index)
{
    const struct tg_json_token *tokens = json->tokens;
    for (uint32_t i = first_id(json, index); i < tokens[index].next; i = tokens[i].next)
        if (!id_valid(&tokens[i])) return false;
    return true;
}
