/* The record structs, their fields and the offsets in them are told to Lua as data, and Lua checks
 * them against its own idea of the layout before it reads the first one: a view that is one byte
 * off would show one field as another. */
#include "script/native.h"

#include "base/text.h"
#include "model/field.h"
#include "script/payload.h"

#include <lauxlib.h>
#include <string.h>

#define NEAREST_MAX 256 /* candidates for what an author meant */

static const char *const kinds[] = {
    "TEXT",  "ENUM",    "BOOL",  "INT",   "ID",     "MAGIC",  "TIME",
    "MONEY", "PERCENT", "PRICE", "LEVEL", "VOLUME", "OFFSET",
};

static const char *const on_names[TG_ON_KINDS] = {
    [TG_MOMENT_POSITION_OPENED] = "position_opened",
    [TG_MOMENT_POSITION_MODIFIED] = "position_modified",
    [TG_MOMENT_POSITION_CLOSED] = "position_closed",
    [TG_MOMENT_DEAL] = "deal",
    [TG_MOMENT_BALANCE_OPERATION] = "balance_operation",
    [TG_MOMENT_ORDER_PLACED] = "order_placed",
    [TG_MOMENT_ORDER_MODIFIED] = "order_modified",
    [TG_MOMENT_ORDER_REMOVED] = "order_removed",
    [TG_ON_SNAPSHOT] = "snapshot",
    [TG_ON_SOURCE_STATUS] = "source_status",
    [TG_ON_CLIENT_CONNECTED] = "client_connected",
    [TG_ON_CLIENT_DISCONNECTED] = "client_disconnected",
    [TG_ON_TICK] = "tick",
};

const char *tg_on_name(int kind)
{
    return kind >= 0 && kind < TG_ON_KINDS ? on_names[kind] : NULL;
}

static void set_number(lua_State *L, const char *key, double value)
{
    lua_pushnumber(L, value);
    lua_setfield(L, -2, key);
}

static void set_text(lua_State *L, const char *key, const char *value)
{
    lua_pushstring(L, value);
    lua_setfield(L, -2, key);
}

static void push_field(lua_State *L, const struct tg_field *field)
{
    lua_newtable(L);
    set_text(L, "name", field->name);
    set_text(L, "kind", kinds[field->kind]);
    set_number(L, "offset", field->offset);
    set_number(L, "size", field->size);
    set_text(L, "doc", field->doc);
    if (!field->names) return;
    lua_newtable(L);
    for (int i = 0; field->names[i]; i++) {
        lua_pushstring(L, field->names[i]);
        lua_rawseti(L, -2, i);
    }
    lua_setfield(L, -2, "names");
}

static void set_entity(lua_State *L, const struct tg_entity *entity)
{
    lua_newtable(L);
    set_text(L, "name", entity->name);
    set_number(L, "size", entity->size);
    lua_newtable(L);
    for (int i = 0; i < entity->count; i++) {
        push_field(L, &entity->fields[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "fields");
    lua_setfield(L, -2, entity->name);
}

static void set_moment(lua_State *L)
{
    lua_newtable(L);
    set_number(L, "size", sizeof(struct tg_moment));
    set_number(L, "kind", offsetof(struct tg_moment, kind));
    set_number(L, "changed", offsetof(struct tg_moment, changed));
    set_number(L, "about", offsetof(struct tg_moment, about));
    set_number(L, "position", offsetof(struct tg_moment, position));
    set_number(L, "was", offsetof(struct tg_moment, was));
    set_number(L, "deal", offsetof(struct tg_moment, deal));
    set_number(L, "order", offsetof(struct tg_moment, order));
    set_number(L, "order_was", offsetof(struct tg_moment, order_was));
    lua_setfield(L, -2, "moment_layout");
}

static void set_cdef(lua_State *L, struct tg_buf *scratch)
{
    static const struct tg_entity *const entities[] = {&tg_account_entity, &tg_position_entity,
                                                       &tg_order_entity, &tg_deal_entity,
                                                       &tg_moment_entity};
    tg_buf_clear(scratch);
    for (int i = 0; i < 5; i++)
        tg_entity_cdef(scratch, entities[i]);
    tg_buf_puts(scratch, tgl_bridge_cdef);
    if (scratch->failed) luaL_error(L, "not enough memory");
    lua_pushlstring(L, scratch->data, scratch->len);
    lua_setfield(L, -2, "cdef");
}

/* encode(value, name) → JSON text; raises an error that names the path. */
static int encode(lua_State *L)
{
    struct tg_generation *generation = lua_touserdata(L, lua_upvalueindex(1));
    struct tg_payload_bounds bounds = {(size_t)generation->options.payload_bytes,
                                       luaL_checkstring(L, 2)};
    struct tg_err err = {{0}};
    struct tg_buf *out = &generation->scratch;
    tg_buf_clear(out);
    bool good = tg_payload_write(L, 1, &bounds, out, &err);
    out->failed = false;
    if (!good) {
        lua_pushnil(L);
        lua_pushstring(L, err.text);
        return 2;
    }
    lua_pushlstring(L, out->data, out->len);
    return 1;
}

/* decode(text) → value, or nil when it is not JSON. The tokens are the generation's, so an error
 * for want of memory leaks nothing. */
static int decode(lua_State *L)
{
    struct tg_generation *generation = lua_touserdata(L, lua_upvalueindex(1));
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    if (tg_json_parse(&generation->json, text, len, NULL))
        lua_pushnil(L);
    else
        tg_payload_push(L, &generation->json, 0);
    return 1;
}

static int list(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (lua_getmetatable(L, 1) && !tg_payload_is_list(L, 1))
        return luaL_error(L, "list: a table of the rule's own is expected");
    lua_settop(L, 1);
    tg_payload_mark_list(L, 1);
    return 1;
}

/* nearest(word, list of words) → the one that was likely meant, or nil. */
static int nearest(lua_State *L)
{
    const char *names[NEAREST_MAX + 1];
    int n = 0;
    luaL_checktype(L, 2, LUA_TTABLE);
    for (; n < NEAREST_MAX; n++) {
        lua_rawgeti(L, 2, n + 1);
        names[n] = lua_tostring(L, -1);
        lua_pop(L, 1); /* the list holds it */
        if (!names[n]) break;
    }
    names[n] = NULL;
    lua_pushstring(L, tg_nearest(luaL_checkstring(L, 1), names));
    return 1;
}

void tg_native_push(lua_State *L, struct tg_generation *generation)
{
    static const luaL_Reg functions[] = {
        {"encode", encode}, {"decode", decode}, {"list", list}, {"nearest", nearest}};
    lua_newtable(L);
    lua_pushlightuserdata(L, &generation->work);
    lua_setfield(L, -2, "work");
    set_entity(L, &tg_account_entity);
    set_entity(L, &tg_position_entity);
    set_entity(L, &tg_order_entity);
    set_entity(L, &tg_deal_entity);
    set_entity(L, &tg_moment_entity);
    set_moment(L);
    set_cdef(L, &generation->scratch);
    lua_newtable(L);
    for (int i = 0; i < TG_ON_KINDS; i++) {
        lua_pushstring(L, on_names[i]);
        lua_rawseti(L, -2, i);
    }
    lua_setfield(L, -2, "moments");
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        lua_pushlightuserdata(L, generation);
        lua_pushcclosure(L, functions[i].func, 1);
        lua_setfield(L, -2, functions[i].name);
    }
    set_number(L, "ids_as_text", generation->options.ids_as_text);
    set_number(L, "rest_after_faults", generation->options.rest_after_faults);
    set_number(L, "rest_ms", generation->options.rest_seconds * 1000.0);
    set_text(L, "version", TIDEGATE_VERSION);
    if (generation->options.settings) set_text(L, "settings", generation->options.settings);
}
