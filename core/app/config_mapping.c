/* Mappings in gateway.lua: files that say how a service is read, shipped or the operator's own.
 * They run in the same sandbox as the file that names them, once each. */
#include "app/config_sandbox_inner.h"

#include "base/embedded.h"
#include "base/err.h"
#include "base/text.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

/* Pushes the text of a mapping: a shipped one by its name, another by its path. */
static void push_mapping_text(lua_State *lua, const char *name)
{
    struct tg_config_sandbox *sandbox = tg_config_sandbox_of(lua);
    struct tg_buf *bytes = &sandbox->scratch;
    if (!strchr(name, '/') && !strstr(name, ".lua")) {
        lua_pushfstring(lua, "plugins/sources/%s.lua", name);
        const struct tg_embedded *file = tg_embedded_find(lua_tostring(lua, -1));
        lua_pop(lua, 1);
        if (!file) {
            const char *names[32];
            tg_embedded_names("plugins/sources/", ".lua", names, 32, bytes);
            const char *near = tg_nearest(name, names);
            luaL_error(
                lua,
                near ? "there is no mapping \"%s\"; did you mean \"%s\"?"
                     : "there is no mapping \"%s\"; a file of your own is named with its path, "
                       "such as \"./mine.lua\"",
                name, near);
            return;
        }
        lua_pushlstring(lua, file->text, file->len);
        return;
    }
    const char *path = *name == '/' ? name : lua_pushfstring(lua, "%s/%s", sandbox->here, name);
    tg_buf_clear(bytes);
    int rc = tg_config_slurp(path, TG_CONFIG_FILE_BYTES, bytes);
    if (rc)
        luaL_error(lua, "the mapping \"%s\" cannot be read: %s", path,
                   rc == -TG_EIO ? strerror(errno) : tg_strerror(rc));
    lua_pushlstring(lua, bytes->data ? bytes->data : "", bytes->len);
}

/* mapping(name): what the file of a mapping returns, a table with `requests` and `map`. */
int tg_config_mapping(lua_State *lua)
{
    const char *name = luaL_checkstring(lua, 1);
    size_t len;
    if (tg_config_sandbox_of(lua)->over) return tg_config_sandbox_refuse(lua, "mapping");
    lua_settop(lua, 1);
    luaL_checkstack(lua, 16, "a mapping");
    lua_getfield(lua, LUA_REGISTRYINDEX, TG_CONFIG_MAPPINGS);
    lua_getfield(lua, 2, name);
    if (!lua_isnil(lua, -1)) return 1;
    push_mapping_text(lua, name);
    const char *text = lua_tolstring(lua, -1, &len);
    const char *chunk = lua_pushfstring(lua, "@%s%s", name, strstr(name, ".lua") ? "" : ".lua");
    if (luaL_loadbufferx(lua, text, len, chunk, "t")) return lua_error(lua);
    tg_config_sandbox_environment(lua);
    lua_setfenv(lua, -2);
    lua_call(lua, 0, 1);
    if (!lua_istable(lua, -1))
        return luaL_error(lua, "the mapping \"%s\" must return a table", name);
    lua_pushvalue(lua, -1);
    lua_setfield(lua, 2, name);
    return 1;
}

/* Gives a source what its mapping has and it has not: requests and map. The source is on top. */
static void take_mapping(lua_State *lua)
{
    static const char *const members[] = {"requests", "map", NULL};
    int source = lua_gettop(lua);
    if (!lua_istable(lua, source)) return;
    lua_getfield(lua, source, "mapping");
    if (lua_type(lua, -1) == LUA_TSTRING) {
        lua_pushcfunction(lua, tg_config_mapping);
        lua_insert(lua, -2);
        lua_call(lua, 1, 1);
        for (int i = 0; members[i]; i++) {
            lua_getfield(lua, source, members[i]);
            if (lua_isnil(lua, -1)) {
                lua_getfield(lua, -2, members[i]);
                lua_setfield(lua, source, members[i]);
            }
            lua_pop(lua, 1);
        }
    }
    lua_settop(lua, source);
}

/* The same for all sources of the file's table, which is on top. */
void tg_config_mappings_take(lua_State *lua)
{
    int file = lua_gettop(lua);
    lua_getfield(lua, file, "source");
    take_mapping(lua);
    lua_getfield(lua, file, "sources");
    if (lua_istable(lua, -1)) {
        int sources = lua_gettop(lua);
        lua_pushnil(lua);
        while (lua_next(lua, sources)) {
            take_mapping(lua);
            lua_pop(lua, 1);
        }
    }
    lua_settop(lua, file);
}
