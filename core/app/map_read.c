/* Names are those of the field list, and a name that is not in it is refused: a misspelt "volume"
 * would otherwise be a position without one. Values are taken as services write them (numbers,
 * numbers in texts, MQL5's constants, ISO times), by the same functions that read the documents of
 * the MT5 REST service, so that a map may hand through what it was given.
 *
 * Nothing of ours is allocated while Lua may raise, but the rows of the records, which own them. */
#include "app/map_read.h"

#include "app/hook_json.h"
#include "base/decimal.h"
#include "base/text.h"
#include "source/rest_check.h"

#include <lauxlib.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#define NAMES "tidegate.names" /* registry: entity name → { field name → index + 1 } */
#define EXACT 9007199254740992.0

enum part { ACCOUNT, POSITIONS, ORDERS, HISTORY, DEALS, PARTS };

static const struct {
    const char *name;
    const struct tg_entity *entity;
} parts[PARTS] = {
    [ACCOUNT] = {"account", &tg_account_entity}, [POSITIONS] = {"positions", &tg_position_entity},
    [ORDERS] = {"orders", &tg_order_entity},     [HISTORY] = {"history", &tg_order_entity},
    [DEALS] = {"deals", &tg_deal_entity},
};

/* Where reading stands. */
struct walk {
    lua_State *lua;
    struct tg_map_answer *answer;
    enum part part;
    int row;          /* from 1; 0: not in a list */
    int names;        /* stack index of the part's names */
    bool offset_told; /* the answer itself tells it, maybe 0 */
    int64_t offset_ms;
};

static int refuse(struct walk *walk, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(struct walk *walk, const char *field, const char *format, ...)
{
    char why[160], place[96], row[24] = "";
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, sizeof why, format, args);
    va_end(args);
    if (walk->row) (void)snprintf(row, sizeof row, "[%d]", walk->row);
    (void)snprintf(place, sizeof place, "%s%s%s%.40s", parts[walk->part].name, row,
                   field ? "." : "", field ? field : "");
    return tg_rest_fail(&walk->answer->verdict, TG_POLL_FAILED, "BAD_MAP", "map: %s: %s", place,
                        why);
}

/* ---- values ---- */

/* The value on top as JSON would have had it. Text that the token borrows is Lua's or in `room`. */
static bool token_of(lua_State *lua, char room[32], struct tg_json_token *token)
{
    size_t len = 0;
    *token = (struct tg_json_token){0};
    switch (lua_type(lua, -1)) {
    case LUA_TBOOLEAN:
        token->text = lua_toboolean(lua, -1) ? "true" : "false";
        token->len = (uint32_t)strlen(token->text);
        token->type = lua_toboolean(lua, -1) ? TG_JSON_TRUE : TG_JSON_FALSE;
        return true;
    case LUA_TSTRING:
        token->type = TG_JSON_STRING;
        token->text = lua_tolstring(lua, -1, &len);
        token->len = (uint32_t)len;
        return len < UINT32_MAX;
    case LUA_TNUMBER: {
        double value = lua_tonumber(lua, -1);
        bool whole = value == floor(value) && fabs(value) < EXACT;
        token->type = TG_JSON_NUMBER;
        token->text = room;
        token->len = (uint32_t)snprintf(room, 32, whole ? "%.0f" : "%.17g", value);
        return isfinite(value);
    }
    default: return false;
    }
}

/* Whether a time names its zone; one that does not is on the service's own clock. */
static bool has_zone(const struct tg_json_token *token)
{
    if (token->type != TG_JSON_STRING || !token->len) return false;
    const char *time = memchr(token->text, 'T', token->len);
    if (!time) return false;
    size_t left = token->len - (size_t)(time - token->text);
    return memchr(time, 'Z', left) || memchr(time, '+', left) || memchr(time, '-', left);
}

static int decimals_of(double value)
{
    if (!isfinite(value) || value == 0) return -1;
    for (int digits = 0; digits <= TG_DIGITS_MAX; digits++)
        if (fabs(tg_round(value, digits) - value) <= fabs(value) * 1e-14) return digits;
    return -1;
}

static bool is_amount(const struct tg_field *field)
{
    return field->kind == TG_KIND_MONEY || field->kind == TG_KIND_PERCENT ||
           field->kind == TG_KIND_PRICE || field->kind == TG_KIND_LEVEL ||
           field->kind == TG_KIND_VOLUME;
}

/* An empty text where a time is meant says that there is none. */
static bool says_nothing(const struct tg_field *field, const struct tg_json_token *token)
{
    return field->kind == TG_KIND_TIME && token->type == TG_JSON_STRING && !token->len;
}

static int read_value(struct walk *walk, const struct tg_field *field, void *record,
                      struct tg_rest_given *given)
{
    lua_State *lua = walk->lua;
    struct tg_json_token token;
    char room[32];
    void *at = (char *)record + field->offset;
    if (lua_type(lua, -1) == LUA_TNUMBER && is_amount(field)) {
        double value = lua_tonumber(lua, -1);
        if (!isfinite(value)) return refuse(walk, field->name, "expected a number, got %g", value);
        *(double *)at = value;
    } else {
        if (!token_of(lua, room, &token))
            return refuse(walk, field->name, "expected a value, got a %s that is none",
                          lua_typename(lua, lua_type(lua, -1)));
        if (says_nothing(field, &token)) return 0;
        if ((field->kind == TG_KIND_ID || field->kind == TG_KIND_MAGIC) &&
            token.type == TG_JSON_NUMBER && fabs(lua_tonumber(lua, -1)) >= EXACT)
            return refuse(walk, field->name,
                          "a number beyond 2^53 is not exact in Lua: hand it on as a text");
        int rc = tg_rest_read_value(field, &token, at);
        if (rc == -TG_ENOMEM) return refuse(walk, field->name, "out of memory");
        if (rc)
            return refuse(walk, field->name, "%s\"%.*s%s\" is not what it should be",
                          token.type == TG_JSON_STRING ? "the text " : "",
                          token.len < 40 ? (int)token.len : 40,
                          token.text               ? token.text
                          : lua_toboolean(lua, -1) ? "true"
                                                   : "false",
                          token.len < 40 ? "" : "…");
        if (field->kind == TG_KIND_TIME && *(int64_t *)at && !has_zone(&token))
            *(int64_t *)at -= walk->offset_ms;
    }
    given->fields |= UINT64_C(1) << (field - parts[walk->part].entity->fields);
    if (field->kind != TG_KIND_PRICE && field->kind != TG_KIND_LEVEL) return 0;
    int decimals = decimals_of(*(double *)at);
    if (decimals > given->decimals) given->decimals = decimals;
    return 0;
}

static int unknown_name(struct walk *walk, const char *name)
{
    const struct tg_entity *entity = parts[walk->part].entity;
    const char *names[65] = {NULL};
    for (int i = 0; i < entity->count && i < 64; i++)
        names[i] = entity->fields[i].name;
    const char *near = tg_nearest(name, names);
    return near ? refuse(walk, name, "there is no such field; did you mean \"%s\"?", near)
                : refuse(walk, name, "there is no such field");
}

/* The table on top of the stack into a blank record. */
static int read_record(struct walk *walk, void *record, struct tg_rest_given *given)
{
    lua_State *lua = walk->lua;
    const struct tg_entity *entity = parts[walk->part].entity;
    int table = lua_gettop(lua), rc = 0;
    *given = (struct tg_rest_given){.decimals = -1};
    if (!lua_istable(lua, table))
        return refuse(walk, NULL, "expected a table, got a %s", luaL_typename(lua, table));
    lua_pushnil(lua);
    while (!rc && lua_next(lua, table)) {
        if (lua_type(lua, -2) != LUA_TSTRING) return refuse(walk, NULL, "a value without a name");
        lua_pushvalue(lua, -2);
        lua_rawget(lua, walk->names);
        int index = (int)lua_tointeger(lua, -1);
        lua_pop(lua, 1);
        rc = index ? read_value(walk, &entity->fields[index - 1], record, given)
                   : unknown_name(walk, lua_tostring(lua, -2));
        lua_pop(lua, 1);
    }
    return rc;
}

/* ---- parts ---- */

static void *add_row(struct tg_records *records, enum part part)
{
    switch (part) {
    case POSITIONS: return tg_records_add_position(records);
    case ORDERS: return tg_records_add_order(records);
    case HISTORY: return tg_records_add_history(records);
    default: return tg_records_add_deal(records);
    }
}

static int check_row(enum part part, void *record, uint32_t row, struct tg_rest_verdict *v)
{
    switch (part) {
    case POSITIONS: return tg_rest_check_position(record, row, v);
    case DEALS: return tg_rest_check_deal(record, row, v);
    default: return tg_rest_check_order(record, row, v);
    }
}

static int check_part(struct walk *walk)
{
    struct tg_map_answer *answer = walk->answer;
    struct tg_rest_map *map = answer->document->map;
    switch (walk->part) {
    case POSITIONS: return tg_rest_check_positions(map, answer->records, &answer->verdict);
    case ORDERS: return tg_rest_check_orders(map, answer->records, &answer->verdict);
    case HISTORY: tg_rest_check_history(map, answer->records); return 0;
    default: tg_rest_check_deals(map, answer->records); return 0;
    }
}

/* What was told of a list before is told anew. */
static void empty(struct tg_records *records, enum part part)
{
    if (part == POSITIONS) records->positions_count = 0;
    if (part == ORDERS) records->orders_count = 0;
    if (part == HISTORY) records->history_count = 0;
    if (part == DEALS) records->deals_count = 0;
}

/* How many elements the list on top has; -1: it is no list. */
static int length_of(lua_State *lua)
{
    int n = (int)lua_objlen(lua, -1), seen = 0;
    lua_pushnil(lua);
    while (lua_next(lua, -2)) {
        lua_pop(lua, 1);
        seen++;
    }
    return seen == n ? n : -1;
}

static int read_list(struct walk *walk)
{
    lua_State *lua = walk->lua;
    struct tg_map_answer *answer = walk->answer;
    const struct tg_entity *entity = parts[walk->part].entity;
    struct tg_rest_given given;
    int rc = 0;
    if (!lua_istable(lua, -1))
        return refuse(walk, NULL, "expected a list, got a %s", luaL_typename(lua, -1));
    if (tgl_json_is_object(lua, -1))
        return refuse(walk, NULL, "expected a list, got an object of the document");
    int n = length_of(lua);
    empty(answer->records, walk->part);
    if (n < 0) return refuse(walk, NULL, "expected a list without holes, got a table with names");
    for (int i = 1; i <= n && !rc; i++) {
        walk->row = i;
        void *record = add_row(answer->records, walk->part);
        if (!record) return refuse(walk, NULL, "out of memory");
        lua_rawgeti(lua, -1, i);
        rc = read_record(walk, record, &given);
        if (!rc) rc = check_row(walk->part, record, (uint32_t)i, &answer->verdict);
        if (!rc) tg_rest_check_learn(answer->document->map, entity, record, &given);
        lua_pop(lua, 1);
    }
    walk->row = 0;
    return rc ? rc : check_part(walk);
}

/* Whose login the answer must be of; NULL: that is not known, and any will do. A request that names
 * no account is answered alike for every one, and must not be shown but to the one it is about. */
static const char *login_due(const struct tg_http_document *document)
{
    const struct tg_route *route = document->poll->route;
    if (route && route->login) return route->login;
    return document->anonymous ? document->login : NULL;
}

static int wrong_login(struct tg_map_answer *answer, const char *due)
{
    return tg_rest_fail(&answer->verdict, TG_POLL_STALE, "WRONG_ACCOUNT",
                        "the source answered for another login than %s", due);
}

static int read_account(struct walk *walk)
{
    const struct tg_http_document *document = walk->answer->document;
    struct tg_records *records = walk->answer->records;
    struct tg_rest_verdict *verdict = &walk->answer->verdict;
    struct tgl_account *account = &records->account;
    const char *due = login_due(document);
    struct tg_rest_given given;
    tg_account_blank(account);
    int rc = read_record(walk, account, &given);
    if (rc) return rc;
    if ((walk->offset_told || walk->offset_ms) && !(given.fields & TG_ACCOUNT_BIT(utc_offset_s))) {
        account->utc_offset_s = (int32_t)(walk->offset_ms / 1000);
        given.fields |= TG_ACCOUNT_BIT(utc_offset_s);
    }
    if (*account->id && strcmp(account->id, document->poll->account_id) != 0)
        return tg_rest_fail(verdict, TG_POLL_STALE, "WRONG_ACCOUNT",
                            "the source answered for another account than %s",
                            document->poll->account_id);
    if (due && *account->login && strcmp(account->login, due) != 0)
        return wrong_login(walk->answer, due);
    return tg_rest_check_account(document->map, document->poll->account_id, &given, records,
                                 verdict);
}

/* Pushes { field name → index + 1 } of the part's entity, made once a VM. */
static void push_names(lua_State *lua, const struct tg_entity *entity)
{
    lua_getfield(lua, LUA_REGISTRYINDEX, NAMES);
    if (lua_isnil(lua, -1)) {
        lua_pop(lua, 1);
        lua_newtable(lua);
        lua_pushvalue(lua, -1);
        lua_setfield(lua, LUA_REGISTRYINDEX, NAMES);
    }
    lua_pushlightuserdata(lua, (void *)(uintptr_t)entity);
    lua_rawget(lua, -2);
    if (lua_isnil(lua, -1)) {
        lua_pop(lua, 1);
        lua_createtable(lua, 0, entity->count);
        for (int i = 0; i < entity->count; i++) {
            lua_pushinteger(lua, i + 1);
            lua_setfield(lua, -2, entity->fields[i].name);
        }
        lua_pushlightuserdata(lua, (void *)(uintptr_t)entity);
        lua_pushvalue(lua, -2);
        lua_rawset(lua, -4);
    }
    lua_remove(lua, -2);
}

static int read_part(struct walk *walk, enum part part)
{
    lua_State *lua = walk->lua;
    int top = lua_gettop(lua), rc = 0;
    lua_getfield(lua, 1, parts[part].name);
    enum tg_http_part document = walk->answer->document->part;
    if (!lua_isnil(lua, -1) && document == TG_HTTP_DEALS && part < HISTORY) {
        walk->part = part;
        rc = refuse(walk, NULL, "an answer to deals tells deals and history alone");
    } else if (!lua_isnil(lua, -1) && document == TG_HTTP_HISTORY && part != HISTORY) {
        walk->part = part;
        rc = refuse(walk, NULL, "an answer to history tells history alone");
    } else if (!lua_isnil(lua, -1)) {
        walk->part = part;
        push_names(lua, parts[part].entity);
        lua_insert(lua, -2);
        walk->names = lua_gettop(lua) - 1;
        rc = part == ACCOUNT ? read_account(walk) : read_list(walk);
    }
    lua_settop(lua, top);
    return rc;
}

/* ---- the answer ---- */

static int fail(struct tg_map_answer *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int fail(struct tg_map_answer *answer, const char *format, ...)
{
    char why[180];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return tg_rest_fail(&answer->verdict, TG_POLL_FAILED, "BAD_MAP", "map: %s", why);
}

/* A text member of the table at `table`, or NULL. */
static const char *text_member(lua_State *lua, int table, const char *name)
{
    lua_getfield(lua, table, name);
    int type = lua_type(lua, -1);
    return type == LUA_TSTRING || type == LUA_TNUMBER ? lua_tostring(lua, -1) : NULL;
}

/* `error`: a text, or { code, message, kind, retry_after_seconds }. */
static int read_error(lua_State *lua, struct tg_map_answer *answer)
{
    static const char *const kinds[] = {"ok",    "failed",  "busy", "refused",
                                        "stale", "unknown", NULL};
    int table = lua_gettop(lua), kind = TG_POLL_FAILED;
    if (lua_type(lua, table) == LUA_TSTRING)
        return tg_rest_fail(&answer->verdict, TG_POLL_FAILED, "SOURCE_ERROR", "%s",
                            lua_tostring(lua, table));
    if (!lua_istable(lua, table)) return fail(answer, "error: expected a text or a table");
    const char *name = text_member(lua, table, "kind"), *code = text_member(lua, table, "code"),
               *message = text_member(lua, table, "message");
    if (name) {
        for (kind = TG_POLL_FAILED; kinds[kind] && strcmp(kinds[kind], name) != 0;)
            kind++;
        if (!kinds[kind])
            return fail(answer, "error.kind: expected failed, busy, refused, stale or unknown");
    }
    (void)tg_rest_fail(&answer->verdict, (enum tg_poll_end)kind, "", "%s",
                       message ? message : "the source reports an error");
    tg_rest_error_code(answer->verdict.code, code ? code : "SOURCE_ERROR");
    lua_getfield(lua, table, "retry_after_seconds");
    double seconds = lua_type(lua, -1) == LUA_TNUMBER ? lua_tonumber(lua, -1) : 0;
    if (seconds > 0)
        answer->verdict.retry_after_ms = seconds < TG_REST_RETRY_MAX_MS / 1000.0
                                             ? (int64_t)(seconds * 1000)
                                             : TG_REST_RETRY_MAX_MS;
    return -TG_EPROTO;
}

/* What the answer says beside its parts; 0 when it may be read on. */
static int read_frame(lua_State *lua, struct walk *walk)
{
    struct tg_map_answer *answer = walk->answer;
    const char *due = login_due(answer->document);
    lua_getfield(lua, 1, "error");
    if (!lua_isnil(lua, -1)) return read_error(lua, answer);
    lua_getfield(lua, 1, "connected");
    if (!lua_isnil(lua, -1) && !lua_isboolean(lua, -1))
        return fail(answer, "connected: expected true or false");
    if (lua_isboolean(lua, -1) && !lua_toboolean(lua, -1))
        return tg_rest_fail(&answer->verdict, TG_POLL_FAILED, "NOT_CONNECTED",
                            "the terminal has no connection to its trade server");
    const char *login = text_member(lua, 1, "login");
    if (login && due && strcmp(login, due) != 0) return wrong_login(answer, due);
    lua_getfield(lua, 1, "utc_offset_seconds");
    if (!lua_isnil(lua, -1)) {
        double seconds = lua_type(lua, -1) == LUA_TNUMBER ? lua_tonumber(lua, -1) : NAN;
        if (!(seconds >= -86400 && seconds <= 86400))
            return fail(answer, "utc_offset_seconds: expected a number from -86400 to 86400");
        walk->offset_ms = (int64_t)(seconds * 1000);
        walk->offset_told = true;
    }
    lua_getfield(lua, 1, "time");
    if (lua_isnil(lua, -1)) return 0;
    struct tg_json_token token;
    char room[32];
    int64_t time_ms;
    if (!token_of(lua, room, &token) || tg_rest_read_time(&token, &time_ms))
        return fail(answer, "time: expected an ISO 8601 time or epoch seconds or milliseconds");
    int64_t *told = &answer->records->source_time_ms;
    if (!*told || time_ms < *told) *told = time_ms;
    return 0;
}

static int check_names(lua_State *lua, struct tg_map_answer *answer)
{
    static const char *const names[] = {
        "account", "positions",          "orders", "history", "deals", "connected", "login",
        "time",    "utc_offset_seconds", "error",  NULL};
    lua_pushnil(lua);
    while (lua_next(lua, 1)) {
        const char *name = lua_type(lua, -2) == LUA_TSTRING ? lua_tostring(lua, -2) : NULL;
        int i = 0;
        while (name && names[i] && strcmp(names[i], name) != 0)
            i++;
        if (!name) return fail(answer, "its answer has a value without a name");
        if (!names[i]) {
            const char *near = tg_nearest(name, names);
            return near ? fail(answer, "there is no \"%.40s\" in its answer; did you mean \"%s\"?",
                               name, near)
                        : fail(answer, "there is no \"%.40s\" in its answer", name);
        }
        lua_pop(lua, 1);
    }
    return 0;
}

void tg_map_read(lua_State *lua, struct tg_map_answer *answer)
{
    struct walk walk = {.lua = lua, .answer = answer, .offset_ms = answer->document->utc_offset_ms};
    luaL_checkstack(lua, 32, "a map's answer");
    if (!lua_istable(lua, 1)) {
        answer->rc = fail(answer, "expected a table, got a %s", luaL_typename(lua, 1));
        return;
    }
    int rc = check_names(lua, answer);
    lua_settop(lua, 1);
    if (!rc) rc = read_frame(lua, &walk);
    lua_settop(lua, 1);
    for (int part = 0; part < PARTS && !rc; part++)
        rc = read_part(&walk, (enum part)part);
    answer->rc = rc;
}
