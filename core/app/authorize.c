/* Claims come from a token whose signature was good, but what is in them is still the issuer's
 * business: they are handed over as they are, as plain tables. */
#include "app/authorize.h"

#include "app/hook_json.h"
#include "base/log.h"

struct question {
    const struct tg_json *claims;
    const char *account_id;
    bool yes;
};

static int push(lua_State *lua, void *arg)
{
    const struct question *question = arg;
    tgl_json_push(lua, question->claims, 0);
    lua_pushstring(lua, question->account_id);
    return 2;
}

static void take(lua_State *lua, void *arg)
{
    struct question *question = arg;
    question->yes = lua_type(lua, 1) == LUA_TBOOLEAN && lua_toboolean(lua, 1);
}

bool tg_authorize(void *hooks, const struct tg_identity *identity, const char *account_id)
{
    struct tg_hooks *own = hooks;
    struct tg_json claims = {0};
    struct tg_err err = {0};
    struct question question = {.claims = &claims, .account_id = account_id};
    const struct tg_hook_call call = {.kind = TG_HOOK_AUTHORIZE,
                                      .function = own->authorize,
                                      .results = 1,
                                      .push = push,
                                      .take = take,
                                      .arg = &question};
    int rc = tg_json_parse(&claims, identity->claims, identity->claims_len, &err);
    if (!rc) rc = tg_hooks_call(own, &call, &err);
    tg_json_fini(&claims);
    if (rc)
        tg_warn("auth", "authorize_failed", tg_s("account", account_id), tg_s("reason", err.text));
    return !rc && question.yes;
}
