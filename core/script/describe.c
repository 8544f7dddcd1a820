/* What the messages of a set look like, for those who write clients: asked of the generation that
 * runs, whose shapes were resolved when it was loaded. Only the runtime's own code runs for it. */
#include "base/err.h"
#include "script/script_inner.h"

#include <lauxlib.h>
#include <string.h>

struct describing {
    const struct tg_generation *generation;
    const struct tg_description *asked;
    struct tg_buf *out, *undeclared;
    int breaking;
};

static int describe(lua_State *L)
{
    struct describing *describing = lua_touserdata(L, 1);
    const struct tg_description *asked = describing->asked;
    size_t len;
    lua_rawgeti(L, LUA_REGISTRYINDEX, describing->generation->entries.describe);
    lua_pushstring(L, asked->format);
    if (asked->against)
        lua_pushlstring(L, asked->against, asked->against_len);
    else
        lua_pushnil(L);
    lua_call(L, 2, 3);
    const char *text = luaL_checklstring(L, -3, &len);
    tg_buf_add(describing->out, text, len);
    describing->breaking = (int)lua_tointeger(L, -2);
    text = luaL_checklstring(L, -1, &len);
    if (describing->undeclared) tg_buf_add(describing->undeclared, text, len);
    return 0;
}

int tg_script_describe(struct tg_script *script, const struct tg_description *asked,
                       struct tg_buf *out, struct tg_buf *undeclared, struct tg_err *err)
{
    if (!script->generation) return tg_fail(err, TG_ENOTFOUND, "no rules are loaded");
    struct describing describing = {
        .generation = script->generation, .asked = asked, .out = out, .undeclared = undeclared};
    int rc = tg_vm_call(&script->generation->vm, describe, &describing, err);
    if (rc) return rc == LUA_ERRMEM ? -TG_ENOMEM : -TG_EINVAL;
    bool failed = out->failed || (undeclared && undeclared->failed);
    return failed ? tg_fail(err, TG_ENOMEM, "out of memory") : describing.breaking;
}
