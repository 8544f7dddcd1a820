/* A document goes in as plain tables, and what comes out is read strictly. Parts that were known
 * before stay as they are when the document does not tell them. */
#include "app/mapper.h"

#include "app/hook_json.h"
#include "app/map_read.h"

#include <string.h>

static void text(lua_State *lua, const char *name, const char *value)
{
    lua_pushstring(lua, value);
    lua_setfield(lua, -2, name);
}

static void number(lua_State *lua, const char *name, int64_t value)
{
    lua_pushnumber(lua, (double)value);
    lua_setfield(lua, -2, name);
}

struct question {
    const struct tg_mapper *mapper;
    struct tg_map_answer answer;
};

static int push(lua_State *lua, void *arg)
{
    const struct question *question = arg;
    const struct tg_http_document *document = question->answer.document;
    lua_pushstring(lua, tg_http_part_names[document->part]);
    tgl_json_push(lua, document->json, 0);
    lua_createtable(lua, 0, 7);
    text(lua, "account_id", document->poll->account_id);
    text(lua, "login", document->login);
    text(lua, "subject", document->poll->subject ? document->poll->subject : "");
    text(lua, "source", question->mapper->source);
    number(lua, "since_ms", document->since_ms);
    number(lua, "now_ms", document->now_ms);
    number(lua, "utc_offset_seconds", document->utc_offset_ms / 1000);
    return 3;
}

static void take(lua_State *lua, void *arg)
{
    struct question *question = arg;
    tg_map_read(lua, &question->answer);
}

/* The rows of a list that this document may tell anew. */
static void begin(enum tg_http_part part, struct tg_records *records)
{
    if (part == TG_HTTP_POSITIONS || part == TG_HTTP_SNAPSHOT) {
        records->positions_known = false;
        records->positions_count = 0;
    }
    if (part == TG_HTTP_ORDERS || part == TG_HTTP_SNAPSHOT) {
        records->orders_known = false;
        records->orders_count = 0;
    }
    if (part == TG_HTTP_DEALS || part == TG_HTTP_SNAPSHOT) {
        records->deals_known = false;
        records->deals_count = 0;
    }
    if (part >= TG_HTTP_DEALS || part == TG_HTTP_SNAPSHOT) {
        records->history_known = false;
        records->history_count = 0;
    }
}

int tg_mapper_map(void *mapper, const struct tg_http_document *document, struct tg_records *records,
                  struct tg_rest_verdict *verdict)
{
    struct tg_mapper *own = mapper;
    struct question question = {.mapper = own,
                                .answer = {.document = document, .records = records}};
    const struct tg_hook_call call = {.kind = TG_HOOK_MAP,
                                      .function = own->function,
                                      .results = 1,
                                      .push = push,
                                      .take = take,
                                      .arg = &question};
    struct tg_err err = {0};
    begin(document->part, records);
    if (tg_hooks_call(own->hooks, &call, &err))
        return tg_rest_fail(verdict, TG_POLL_FAILED, "MAP_FAILED", "map: %s", err.text);
    if (question.answer.rc) *verdict = question.answer.verdict;
    return question.answer.rc;
}
