/* One table says which calls there are: method, path, handler, and the members a body may have.
 * Whatever does not fit is refused here, in one way, so that a handler begins with a request it can
 * trust.
 *
 * The listener is on loopback and often has no token, and every web page that the operator's
 * browser shows may send requests to loopback. Browsers say whose page asked: a request with an
 * Origin is never the operator's and is refused, whatever it asks. */
#include "app/admin.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define NAME "{name}"

static const struct route {
    const char *method, *path; /* the path may hold one {name}, a whole segment */
    tg_admin_handler handler;
    const char *members[4]; /* of the body; a body with others is refused */
} routes[] = {
    {"GET", "/admin/rules", tg_admin_rules_list, {NULL}},
    {"POST", "/admin/rules/reload", tg_admin_rules_reload, {NULL}},
    {"POST", "/admin/rules/rollback", tg_admin_rules_rollback, {"reason"}},
    {"GET", "/admin/candidate", tg_admin_candidate_report, {NULL}},
    {"POST", "/admin/candidate", tg_admin_candidate_start, {"path"}},
    {"POST", "/admin/candidate/promote", tg_admin_candidate_promote, {NULL}},
    {"POST", "/admin/candidate/drop", tg_admin_candidate_drop, {NULL}},
    {"DELETE", "/admin/candidate", tg_admin_candidate_drop, {NULL}},
    {"POST", "/admin/rules/{name}/mute", tg_admin_rule_mute, {NULL}},
    {"POST", "/admin/rules/{name}/unmute", tg_admin_rule_unmute, {NULL}},
    {"GET", "/admin/accounts/{name}/explain", tg_admin_explain, {NULL}},
    {"GET", "/admin/schema", tg_admin_schema, {NULL}},
};
#define ROUTES (sizeof routes / sizeof *routes)

/* Whether the path fits; what stands for {name} goes into `name`. */
static bool fits(const char *pattern, const char *path, char *name, size_t size)
{
    const char *at = strstr(pattern, NAME);
    if (!at) return !strcmp(pattern, path);
    size_t before = (size_t)(at - pattern);
    if (strncmp(pattern, path, before) != 0) return false;
    size_t len = strcspn(path + before, "/");
    if (!len || len >= size || strcmp(path + before + len, at + sizeof NAME - 1) != 0) return false;
    memcpy(name, path + before, len);
    name[len] = '\0';
    return true;
}

static bool is_method(const char *wanted, const char *given)
{
    return !strcmp(wanted, given) || (!strcmp(wanted, "GET") && !strcmp(given, "HEAD"));
}

/* "GET, HEAD, POST": the methods of a path, for 405; empty when there is nothing at it. */
static void methods_of(const char *path, char *out, size_t size)
{
    char name[80];
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < ROUTES; i++) {
        if (!fits(routes[i].path, path, name, sizeof name)) continue;
        const char *method = strcmp(routes[i].method, "GET") ? routes[i].method : "GET, HEAD";
        int n = snprintf(out + len, size - len, "%s%s", len ? ", " : "", method);
        if (n > 0 && (size_t)n < size - len) len += (size_t)n;
    }
}

static void put(struct tg_admin_call *call, int status, const char *allow, const char *type,
                struct tg_buf *body)
{
    tg_conn_answer(call->conn, &(struct tg_answer){.status = body->failed ? 503 : status,
                                                   .content_type = type,
                                                   .body = body->data,
                                                   .len = body->len,
                                                   .allow = allow,
                                                   .no_store = true});
    tg_buf_fini(body);
}

void tg_admin_answer(struct tg_admin_call *call, struct tg_buf *body)
{
    put(call, 200, NULL, NULL, body);
}

void tg_admin_answer_text(struct tg_admin_call *call, struct tg_buf *body)
{
    put(call, 200, NULL, "text/plain; charset=utf-8", body);
}

static void refuse(struct tg_admin_call *call, int status, const char *code, const char *allow,
                   const char *text)
{
    struct tg_buf body = {0};
    tg_info("admin", "refused", tg_s("reference", call->reference), tg_s("code", code),
            tg_i("status", status), tg_s("method", call->request->method),
            tg_s("path", call->request->path), tg_s("address", call->request->address),
            tg_s("reason", text));
    tg_answer_error(&body, code, text, 0, call->reference);
    put(call, status, allow, NULL, &body);
}

void tg_admin_refuse(struct tg_admin_call *call, int status, const char *code, const char *format,
                     ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    refuse(call, status, code, NULL, text);
}

int tg_admin_text(const struct tg_admin_call *call, const char *member, char *out, size_t size)
{
    struct tg_buf text = {0};
    uint32_t at = call->body.count ? tg_json_get(&call->body, 0, member) : 0;
    if (!at) return -TG_ENOTFOUND;
    if (call->body.tokens[at].type != TG_JSON_STRING) return -TG_EINVAL;
    tg_json_unescape(&text, &call->body.tokens[at]);
    size_t len = text.len;
    bool good = !text.failed && len < size && (!len || !memchr(text.data, '\0', len));
    if (good && len) memcpy(out, text.data, len);
    if (good) out[len] = '\0';
    tg_buf_fini(&text);
    return good ? (int)len : -TG_EINVAL;
}

void tg_admin_audit(const struct tg_admin_call *call, const char *event, const char *what,
                    const char *outcome)
{
    tg_audit("admin", event, tg_s("what", what), tg_s("outcome", outcome),
             tg_s("address", call->request->address), tg_s("reference", call->reference));
}

/* The body, when there is one, is an object with the route's members alone. */
static bool read_body(struct tg_admin_call *call, const struct route *route)
{
    const struct tg_request *request = call->request;
    struct tg_err err = {{0}};
    if (!request->body_len) return true;
    if (tg_json_parse(&call->body, request->body, request->body_len, &err)) {
        tg_admin_refuse(call, 400, "INVALID_REQUEST", "the body is not JSON: %s", err.text);
        return false;
    }
    const struct tg_json_token *tokens = call->body.tokens;
    if (tokens[0].type != TG_JSON_OBJECT) {
        tg_admin_refuse(call, 400, "INVALID_REQUEST", "the body must be a JSON object");
        return false;
    }
    for (uint32_t i = 1; i < tokens[0].next; i = tokens[i + 1].next) {
        bool known = false;
        for (size_t k = 0; k < 4 && route->members[k]; k++)
            known |= tg_json_is(&tokens[i], route->members[k]);
        if (known) continue;
        tg_admin_refuse(call, 400, "INVALID_REQUEST", "the body has an unknown member \"%.*s\"%s%s",
                        tokens[i].len < 60 ? (int)tokens[i].len : 60, tokens[i].text,
                        route->members[0] ? "; known: " : "",
                        route->members[0] ? route->members[0] : "");
        return false;
    }
    return true;
}

bool tg_admin_owns(const char *path)
{
    return !strncmp(path, "/admin/", 7);
}

void tg_admin_request(struct tg_gateway *gateway, struct tg_conn *conn,
                      const struct tg_request *request, const char *reference)
{
    struct tg_admin_call call = {
        .gateway = gateway, .conn = conn, .request = request, .reference = reference};
    const struct route *route = NULL;
    char allow[64];
    if (tg_request_header(request, "Origin")) {
        tg_audit("admin", "refused", tg_s("path", request->path), tg_s("address", request->address),
                 tg_s("reason", "a browser's page asked"));
        tg_admin_refuse(&call, 403, "FORBIDDEN_ORIGIN",
                        "admin calls are not for web pages: the request has an Origin");
        return;
    }
    for (size_t i = 0; i < ROUTES && !route; i++)
        if (is_method(routes[i].method, request->method) &&
            fits(routes[i].path, request->path, call.name, sizeof call.name))
            route = &routes[i];
    methods_of(request->path, allow, sizeof allow);
    if (!route && *allow) {
        refuse(&call, 405, "METHOD_NOT_ALLOWED", allow, "this method is not allowed here");
    } else if (!route) {
        tg_admin_refuse(&call, 404, "NOT_FOUND", "there is no such admin call");
    } else if (read_body(&call, route)) {
        route->handler(&call);
    }
    tg_json_fini(&call.body);
}
