/* The order is that of trust in what was written last and most precisely: a function that names
 * this account, then the table's row, then the default. No step is ever taken because the one
 * before it failed: an error in the function or in a row is that account's error, because falling
 * through would show the account from a source that nobody meant. */
#include "app/router.h"

#include "base/log.h"
#include "base/reread.h"
#include "source/http_client.h"

#include <lauxlib.h>
#include <string.h>

struct tg_router {
    const struct tg_config *config;
    struct tg_hooks *hooks;
    int route;
    struct tg_routing_table *table; /* NULL: there is none */
    struct tg_reread file;
    /* routes.url */
    struct tg_http_client *client;
    struct tg_http_call call;
    struct tg_http_lines *lines;
    uv_timer_t timer;
    int handles;
    bool changed;      /* by the URL, since the last refresh */
    bool answered;     /* the URL has given a good table */
    struct tg_err why; /* of the newest failure of the URL; "" when it was good */
};

/* ---- the function ---- */

struct question {
    const struct tg_config *config;
    const char *account_id;
    struct tg_routing *routing; /* the answer; NULL: none */
    bool nobody;                /* it said false */
    struct tg_err err;
    int rc;
};

static int push_question(lua_State *lua, void *arg)
{
    const struct question *question = arg;
    lua_pushstring(lua, question->account_id);
    return 1;
}

static int refuse(struct question *question, const char *what)
{
    return tg_fail(&question->err, TG_EINVAL, "%s", what);
}

/* The text of a string or number at the index, without changing what is there. */
static const char *text_at(lua_State *lua, int index)
{
    int type = lua_type(lua, index);
    if (type != LUA_TSTRING && type != LUA_TNUMBER) return NULL;
    lua_pushvalue(lua, index);
    size_t len;
    const char *text = lua_tolstring(lua, -1, &len);
    return strlen(text) == len ? text : NULL;
}

static int take_headers(lua_State *lua, int table, struct question *question)
{
    int rc = lua_istable(lua, table) ? 0 : refuse(question, "its headers are not a table");
    if (rc) return rc;
    lua_pushnil(lua);
    while (!rc && lua_next(lua, table)) {
        int value = lua_gettop(lua);
        const char *name = text_at(lua, value - 1), *text = text_at(lua, value);
        rc = name && text ? tg_routing_header(question->routing, name, text, &question->err)
                          : refuse(question, "its headers are not all texts");
        lua_settop(lua, value - 1);
    }
    return rc;
}

static int take_members(lua_State *lua, struct question *question)
{
    int rc = 0;
    lua_pushnil(lua);
    while (!rc && lua_next(lua, 1)) {
        int value = lua_gettop(lua);
        const char *member =
            lua_type(lua, value - 1) == LUA_TSTRING ? lua_tostring(lua, value - 1) : NULL;
        if (!member) {
            rc = refuse(question, "it has a member without a name");
        } else if (!strcmp(member, "headers")) {
            rc = take_headers(lua, value, question);
        } else {
            const char *text = text_at(lua, value);
            rc = text ? tg_routing_set(question->routing, member, text, &question->err)
                      : tg_fail(&question->err, TG_EINVAL, "its %s is a %s, not a text", member,
                                luaL_typename(lua, value));
        }
        lua_settop(lua, value - 1);
    }
    return rc;
}

/* Nothing here may raise with the routing in hand but lua_next and the numbers' texts, which is why
 * the routing is the question's and not a local. */
static void take_answer(lua_State *lua, void *arg)
{
    struct question *question = arg;
    int type = lua_type(lua, 1);
    if (type == LUA_TNIL) return;
    if (type == LUA_TBOOLEAN && !lua_toboolean(lua, 1)) {
        question->nobody = true;
        return;
    }
    question->routing = tg_routing_new();
    if (!question->routing)
        question->rc = -TG_ENOMEM;
    else if (type == LUA_TSTRING)
        question->rc = tg_routing_set(question->routing, "source",
                                      text_at(lua, 1) ? text_at(lua, 1) : "", &question->err);
    else if (type == LUA_TTABLE)
        question->rc = take_members(lua, question);
    else
        question->rc = tg_fail(&question->err, TG_EINVAL, "it is a %s, not a table, nil or false",
                               luaL_typename(lua, 1));
}

/* 0 with an answer, or -TG_EAGAIN: it has no opinion. */
static int ask_function(struct tg_router *router, const char *account_id, struct tg_routing **out,
                        struct tg_err *err)
{
    struct question question = {.config = router->config, .account_id = account_id};
    const struct tg_hook_call call = {.kind = TG_HOOK_ROUTE,
                                      .function = router->route,
                                      .results = 1,
                                      .push = push_question,
                                      .take = take_answer,
                                      .arg = &question};
    struct tg_err why = {0};
    int rc = tg_hooks_call(router->hooks, &call, &why);
    if (!rc && question.nobody) return -TG_ENOTFOUND;
    if (!rc) rc = question.rc;
    if (!rc && !question.routing) return -TG_EAGAIN;
    if (!rc) rc = tg_routing_settle(question.routing, router->config, &question.err);
    if (!rc) {
        *out = question.routing;
        return 0;
    }
    tg_routing_free(question.routing);
    return tg_fail(err, -rc, "route(\"%s\"): %s", account_id,
                   *why.text ? why.text : question.err.text);
}

int tg_router_find(struct tg_router *router, const char *account_id, struct tg_routing **out,
                   struct tg_err *err)
{
    struct tg_err why = {0};
    int rc = router->route ? ask_function(router, account_id, out, err) : -TG_EAGAIN;
    if (rc != -TG_EAGAIN) return rc;
    *out = NULL;
    if (router->table) {
        if (router->config->routes.url && !router->answered)
            return tg_fail(err, TG_EINVAL, "routes.url has not answered yet%s%s",
                           *router->why.text ? ": " : "", router->why.text);
        rc = tg_routing_table_find(router->table, account_id, out, &why);
        if (rc == -TG_EINVAL)
            (void)tg_fail(err, TG_EINVAL, "the row of \"%s\": %s", account_id, why.text);
        if (rc != -TG_ENOTFOUND || !router->config->routes.missing_is_default) return rc;
    }
    return tg_config_default_source(router->config) < 0 ? -TG_ENOTFOUND : 0;
}

bool tg_router_decides(const struct tg_router *router)
{
    return router->route || router->table;
}

void tg_router_hooks(struct tg_router *router, struct tg_hooks *hooks, int route)
{
    router->hooks = hooks;
    router->route = route;
}

/* ---- the table ---- */

static int read_file(struct tg_router *router, struct tg_err *err)
{
    struct tg_buf text = {0};
    struct tg_err why = {0};
    int rc = tg_reread_read(&router->file, &text, err);
    if (!rc) {
        rc = tg_routing_table_take(router->table, &text, &why);
        if (rc < 0) (void)tg_fail(err, -rc, "%s: %s", router->file.path, why.text);
    }
    tg_buf_fini(&text);
    router->file.failed = rc < 0 ? rc : 0;
    return rc;
}

int tg_router_refresh(struct tg_router *router, struct tg_err *err)
{
    if (router->config->routes.url) {
        bool changed = router->changed;
        router->changed = false;
        if (changed) return 1;
        if (!*router->why.text) return 0;
        *err = router->why;
        return -TG_EIO;
    }
    if (!router->file.path) return 0;
    int rc = router->file.failed;
    if (tg_reread_wanted(&router->file)) rc = read_file(router, &router->file.why);
    if (rc < 0) *err = router->file.why;
    return rc;
}

static void on_answer(struct tg_http_call *call)
{
    struct tg_router *router =
        (struct tg_router *)(void *)((char *)call - offsetof(struct tg_router, call));
    struct tg_err why = {0};
    int rc = call->rc;
    if (rc) {
        (void)tg_fail(&router->why, -rc, "routes.url: %s", call->message);
        return;
    }
    if (call->status != 200) {
        (void)tg_fail(&router->why, TG_EPROTO, "routes.url: HTTP status %d", call->status);
        return;
    }
    struct tg_buf text = call->body;
    call->body = (struct tg_buf){0};
    rc = tg_routing_table_take(router->table, &text, &why);
    if (rc < 0) {
        (void)tg_fail(&router->why, -rc, "routes.url: %s", why.text);
        return;
    }
    router->why.text[0] = '\0';
    router->changed = router->changed || rc == 1 || !router->answered;
    router->answered = true;
}

static void on_time(uv_timer_t *timer)
{
    struct tg_router *router = timer->data;
    if (router->call.transfer) return;
    if (tg_http_client_send(router->client, &router->call))
        (void)tg_fail(&router->why, TG_ENOMEM, "routes.url: out of memory");
}

static int add_lines(struct tg_router *router)
{
    struct tg_buf line = {0};
    int rc = tg_http_lines_add(&router->lines, "Accept: application/json");
    for (int i = 0; !rc && i < router->config->routes.headers_count; i++) {
        const struct tg_config_header *header = &router->config->routes.headers[i];
        tg_buf_clear(&line);
        tg_buf_printf(&line, "%s: %s", header->name, header->value);
        rc = line.failed ? -TG_ENOMEM : tg_http_lines_add(&router->lines, line.data);
    }
    if (line.data) explicit_bzero(line.data, line.len);
    tg_buf_fini(&line);
    return rc;
}

static int open_url(struct tg_router *router, uv_loop_t *loop, struct tg_err *err)
{
    const struct tg_config *config = router->config;
    const struct tg_http_client_options options = {1, config->routes.max_bytes,
                                                   config->routes.ca_file};
    if (add_lines(router)) return tg_fail(err, TG_ENOMEM, "no memory for the routes");
    int rc = tg_http_client_open(loop, &options, &router->client, err);
    if (rc) return rc;
    router->call = (struct tg_http_call){.url = config->routes.url,
                                         .lines = router->lines,
                                         .timeout_ms = config->routes.timeout_ms,
                                         .done = on_answer};
    (void)uv_timer_init(loop, &router->timer);
    router->timer.data = router;
    router->handles = 2;
    (void)uv_timer_start(&router->timer, on_time, 0, (uint64_t)config->routes.interval_ms);
    return 0;
}

static void router_free(struct tg_router *router)
{
    tg_routing_table_free(router->table);
    tg_reread_fini(&router->file);
    tg_http_lines_free(router->lines);
    tg_buf_fini(&router->call.body);
    free(router);
}

int tg_router_open(uv_loop_t *loop, const struct tg_config *config, struct tg_hooks *hooks,
                   struct tg_router **out, struct tg_err *err)
{
    struct tg_router *router = calloc(1, sizeof *router);
    int rc = router ? 0 : tg_fail(err, TG_ENOMEM, "no memory for the routes");
    if (rc) return rc;
    router->config = config;
    tg_router_hooks(router, hooks, config->route);
    if (config->routes.file || config->routes.url) {
        router->table = tg_routing_table_new(config);
        if (!router->table) rc = tg_fail(err, TG_ENOMEM, "no memory for the routes");
    }
    if (!rc && config->routes.file) {
        rc = tg_reread_init(&router->file, config->routes.file, (size_t)config->routes.max_bytes);
        if (!rc) rc = read_file(router, err);
        rc = rc < 0 ? rc : 0;
    }
    if (!rc && config->routes.url) rc = open_url(router, loop, err);
    if (rc)
        router_free(router);
    else
        *out = router;
    return rc;
}

static void release(struct tg_router *router)
{
    if (--router->handles == 0) router_free(router);
}

static void on_client_closed(void *owner)
{
    release(owner);
}

static void on_timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void tg_router_close(struct tg_router *router)
{
    if (!router) return;
    if (!router->handles) {
        router_free(router);
        return;
    }
    uv_close((uv_handle_t *)&router->timer, on_timer_closed);
    tg_http_client_close(router->client, on_client_closed, router);
}
