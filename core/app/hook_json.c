/* Tables are made at their full size at once, and the document's own depth bounds the recursion. */
#include "app/hook_json.h"

#include <lauxlib.h>
#include <string.h>

#define LIST "tidegate.list"
#define OBJECT "tidegate.object"
#define EXACT_DIGITS 15 /* any whole number of so many digits is exact in a double */

/* Marks the table on top as what it was in the document: an empty one does not show it. The mark is
 * a metatable without members; the sandbox has no word to see or change it. */
static void mark(lua_State *lua, const char *kind)
{
    (void)luaL_newmetatable(lua, kind);
    lua_setmetatable(lua, -2);
}

static bool is_marked(lua_State *lua, int index, const char *kind)
{
    if (!lua_getmetatable(lua, index)) return false;
    lua_getfield(lua, LUA_REGISTRYINDEX, kind);
    bool same = lua_rawequal(lua, -1, -2);
    lua_pop(lua, 2);
    return same;
}

bool tgl_json_is_list(lua_State *lua, int index)
{
    return is_marked(lua, index, LIST);
}

bool tgl_json_is_object(lua_State *lua, int index)
{
    return is_marked(lua, index, OBJECT);
}

static void push_string(lua_State *lua, const struct tg_json_token *token)
{
    struct tg_buf plain = {0};
    if (!token->escaped) {
        lua_pushlstring(lua, token->text, token->len);
        return;
    }
    /* Lua may raise with `plain` in hand, so its memory is Lua's. */
    char *room = lua_newuserdata(lua, token->len + 1);
    tg_json_unescape(&plain, token);
    size_t len = plain.failed ? 0 : plain.len;
    bool failed = plain.failed;
    if (len) memcpy(room, plain.data, len); /* never longer than with its escapes */
    tg_buf_fini(&plain);
    if (failed) luaL_error(lua, "out of memory");
    lua_pushlstring(lua, room, len);
    lua_remove(lua, -2);
}

static void push_number(lua_State *lua, const struct tg_json_token *token)
{
    double value = 0;
    bool whole = !memchr(token->text, '.', token->len) && !memchr(token->text, 'e', token->len) &&
                 !memchr(token->text, 'E', token->len);
    if (tg_json_read_double(token, &value) ||
        (whole && token->len > EXACT_DIGITS && (value >= 0x1p53 || value <= -0x1p53)))
        lua_pushlstring(lua, token->text, token->len);
    else
        lua_pushnumber(lua, value);
}

static void push_members(lua_State *lua, const struct tg_json *json, uint32_t at)
{
    const struct tg_json_token *tokens = json->tokens;
    lua_createtable(lua, 0, (int)tokens[at].count);
    mark(lua, OBJECT);
    for (uint32_t key = at + 1; key < tokens[at].next; key = tokens[key + 1].next) {
        if (tokens[key + 1].type == TG_JSON_NULL) continue;
        push_string(lua, &tokens[key]);
        tgl_json_push(lua, json, key + 1);
        lua_rawset(lua, -3);
    }
}

static void push_elements(lua_State *lua, const struct tg_json *json, uint32_t at)
{
    const struct tg_json_token *tokens = json->tokens;
    int n = 0;
    lua_createtable(lua, (int)tokens[at].count, 0);
    mark(lua, LIST);
    for (uint32_t item = at + 1; item < tokens[at].next; item = tokens[item].next) {
        if (tokens[item].type == TG_JSON_NULL)
            lua_pushboolean(lua, false);
        else
            tgl_json_push(lua, json, item);
        lua_rawseti(lua, -2, ++n);
    }
}

void tgl_json_push(lua_State *lua, const struct tg_json *json, uint32_t at)
{
    const struct tg_json_token *token = &json->tokens[at];
    luaL_checkstack(lua, 4, "a document");
    switch (token->type) {
    case TG_JSON_NULL: lua_pushnil(lua); break;
    case TG_JSON_FALSE:
    case TG_JSON_TRUE: lua_pushboolean(lua, token->type == TG_JSON_TRUE); break;
    case TG_JSON_NUMBER: push_number(lua, token); break;
    case TG_JSON_STRING: push_string(lua, token); break;
    case TG_JSON_ARRAY: push_elements(lua, json, at); break;
    default: push_members(lua, json, at);
    }
}
