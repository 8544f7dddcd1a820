/* Rules make tables, clients read JSON, and nothing in between may surprise: no NaN, no cycle, no
 * order that changes from run to run. The writer runs no Lua code (there are no metamethods to call
 * and no hook to fire), so it cannot be held up by what it writes; it is bounded by depth and by
 * bytes. */
#include "script/payload.h"

#include "base/text.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char list_mark = 0; /* its address is the key of the list metatable */

struct step {
    const char *key; /* NULL: an index */
    size_t index;
};

struct writer {
    lua_State *L;
    const struct tg_payload_bounds *bounds;
    struct tg_buf *out;
    struct tg_err *err;
    size_t start;
    int depth;
    struct step path[TG_PAYLOAD_DEPTH + 1];
};

static bool refuse(const struct writer *writer, const char *what)
{
    char path[256];
    size_t len = (size_t)snprintf(path, sizeof path, "%s", writer->bounds->name);
    for (int i = 0; i < writer->depth && len < sizeof path; i++) {
        const struct step *step = &writer->path[i];
        if (step->key)
            len += (size_t)snprintf(path + len, sizeof path - len, ".%s", step->key);
        else
            len += (size_t)snprintf(path + len, sizeof path - len, "[%zu]", step->index);
    }
    (void)tg_fail(writer->err, TG_EINVAL, "%s %s", path, what);
    return false;
}

static bool is_big(const struct writer *writer)
{
    return writer->out->len - writer->start > writer->bounds->bytes;
}

static bool write_value(struct writer *writer, int index);

static bool write_number(struct writer *writer, double value)
{
    char text[32];
    if (!isfinite(value))
        return refuse(writer, isnan(value) ? "is not a number (NaN)" : "is infinite");
    if (value == floor(value) && fabs(value) < 0x1p53) {
        tg_json_i64(writer->out, (int64_t)value);
    } else {
        int len = snprintf(text, sizeof text, "%.15g", value);
        tg_json_raw(writer->out, text, (size_t)len);
    }
    return true;
}

bool tg_payload_is_list(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index)) return false;
    lua_pushlightuserdata(L, (void *)(uintptr_t)&list_mark);
    lua_rawget(L, LUA_REGISTRYINDEX);
    bool marked = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return marked;
}

/* How a table is written: the length of a list, or -1 for an object, or -2 when it is neither. */
static int length_of_list(lua_State *L, int index)
{
    size_t n = lua_objlen(L, index), seen = 0;
    bool names = false;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING) {
            names = true;
            continue;
        }
        double at = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
        if (!(at >= 1 && at <= (double)n && at == floor(at))) {
            lua_pop(L, 2);
            return -2;
        }
        seen++;
    }
    if (names) return seen ? -2 : -1;
    if (seen != n) return -2;
    if (n) return (int)n;
    return tg_payload_is_list(L, index) ? 0 : -1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names stay alive because the table holds them. */
static bool write_object(struct writer *writer, int index)
{
    lua_State *L = writer->L;
    size_t n = 0, cap = 0, bytes = 0;
    const char **names = NULL;
    bool good = true;
    for (lua_pushnil(L); good && lua_next(L, index); lua_pop(L, 1)) {
        if (n == cap) {
            cap = cap ? cap * 2 : 16;
            const char **more = realloc(names, cap * sizeof *names);
            if (!more) {
                good = refuse(writer, "does not fit into memory");
                lua_pop(L, 1);
                break;
            }
            names = more;
        }
        size_t len;
        names[n] = lua_tolstring(L, -2, &len);
        writer->path[writer->depth - 1].key = names[n];
        bytes += len;
        if (strlen(names[n++]) != len) good = refuse(writer, "has a zero byte in its name");
        if (good && bytes > writer->bounds->bytes)
            good = refuse(writer, "is over the bound of a payload");
    }
    if (!good) {
        free(names);
        return false;
    }
    if (n) qsort(names, n, sizeof *names, by_name);
    tg_json_open(writer->out, '{');
    for (size_t i = 0; good && i < n; i++) {
        writer->path[writer->depth - 1].key = names[i];
        tg_json_key(writer->out, names[i]);
        lua_pushstring(L, names[i]);
        lua_rawget(L, index);
        good = write_value(writer, lua_gettop(L));
        lua_pop(L, 1);
    }
    tg_json_close(writer->out, '}');
    free(names);
    return good;
}

static bool write_list(struct writer *writer, int index, int n)
{
    lua_State *L = writer->L;
    bool good = true;
    tg_json_open(writer->out, '[');
    for (int i = 1; good && i <= n; i++) {
        writer->path[writer->depth - 1] = (struct step){NULL, (size_t)i};
        lua_rawgeti(L, index, i);
        good = write_value(writer, lua_gettop(L));
        lua_pop(L, 1);
    }
    tg_json_close(writer->out, ']');
    return good;
}

static bool write_table(struct writer *writer, int index)
{
    if (writer->depth == TG_PAYLOAD_DEPTH)
        return refuse(writer, "is nested more than 16 deep, or within itself");
    if (!lua_checkstack(writer->L, 8)) return refuse(writer, "does not fit into memory");
    int n = length_of_list(writer->L, index);
    if (n == -2) return refuse(writer, "is neither a list nor a table of names");
    writer->depth++;
    writer->path[writer->depth - 1] = (struct step){"", 0};
    bool good = n >= 0 ? write_list(writer, index, n) : write_object(writer, index);
    writer->depth--;
    return good;
}

static bool write_value(struct writer *writer, int index)
{
    lua_State *L = writer->L;
    const char *text;
    size_t len;
    if (is_big(writer)) return refuse(writer, "is over the bound of a payload");
    switch (lua_type(L, index)) {
    case LUA_TNIL: tg_json_text(writer->out, NULL); return true;
    case LUA_TBOOLEAN: tg_json_bool(writer->out, lua_toboolean(L, index)); return true;
    case LUA_TNUMBER: return write_number(writer, lua_tonumber(L, index));
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &len);
        if (len > writer->bounds->bytes) return refuse(writer, "is over the bound of a payload");
        tg_json_string(writer->out, text, len);
        return true;
    case LUA_TTABLE: return write_table(writer, index);
    case LUA_TFUNCTION: return refuse(writer, "is a function");
    default: return refuse(writer, "is a view: name the fields of it that are meant");
    }
}

bool tg_payload_write(lua_State *L, int index, const struct tg_payload_bounds *bounds,
                      struct tg_buf *out, struct tg_err *err)
{
    struct writer writer = {.L = L, .bounds = bounds, .out = out, .err = err, .start = out->len};
    if (index < 0) index += lua_gettop(L) + 1;
    if (!write_value(&writer, index)) return false;
    if (is_big(&writer)) return refuse(&writer, "is over the bound of a payload");
    if (out->failed) return refuse(&writer, "does not fit into memory");
    return true;
}

void tg_payload_mark_list(lua_State *L, int index)
{
    if (index < 0) index += lua_gettop(L) + 1;
    lua_pushlightuserdata(L, (void *)(uintptr_t)&list_mark);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushlightuserdata(L, (void *)(uintptr_t)&list_mark);
        lua_pushvalue(L, -2);
        lua_rawset(L, LUA_REGISTRYINDEX);
    }
    lua_setmetatable(L, index);
}

static void push_number(lua_State *L, const struct tg_json_token *token)
{
    int64_t whole;
    double value;
    bool exact = memchr(token->text, '.', token->len) || memchr(token->text, 'e', token->len) ||
                 memchr(token->text, 'E', token->len) ||
                 (!tg_read_i64(token->text, token->len, &whole) && whole < INT64_C(1) << 53 &&
                  whole > -(INT64_C(1) << 53));
    if (exact && !tg_json_read_double(token, &value))
        lua_pushnumber(L, value);
    else
        lua_pushlstring(L, token->text, token->len);
}

/* The room is Lua's own and is taken first, so an error for want of memory leaks nothing. */
static void push_text(lua_State *L, const struct tg_json_token *token)
{
    if (!token->escaped) {
        lua_pushlstring(L, token->text, token->len);
        return;
    }
    char *room = lua_newuserdata(L, token->len);
    struct tg_buf plain = {0};
    tg_json_unescape(&plain, token);
    size_t len = plain.failed ? 0 : plain.len;
    if (len) memcpy(room, plain.data, len);
    tg_buf_fini(&plain);
    lua_pushlstring(L, room, len);
    lua_remove(L, -2);
}

void tg_payload_push(lua_State *L, const struct tg_json *json, uint32_t at)
{
    const struct tg_json_token *token = &json->tokens[at];
    luaL_checkstack(L, 8, "JSON is nested too deep");
    switch (token->type) {
    case TG_JSON_NULL: lua_pushnil(L); return;
    case TG_JSON_FALSE: lua_pushboolean(L, 0); return;
    case TG_JSON_TRUE: lua_pushboolean(L, 1); return;
    case TG_JSON_NUMBER: push_number(L, token); return;
    case TG_JSON_STRING: push_text(L, token); return;
    default: break;
    }
    lua_newtable(L);
    int n = 0;
    for (uint32_t i = at + 1; i < token->next; i = json->tokens[i].next) {
        if (token->type == TG_JSON_OBJECT) {
            push_text(L, &json->tokens[i++]);
            tg_payload_push(L, json, i);
            lua_rawset(L, -3);
        } else {
            tg_payload_push(L, json, i);
            lua_rawseti(L, -2, ++n);
        }
    }
}
