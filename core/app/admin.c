/* One table says which calls there are: method, path, handler, and the members that a body and a
 * query may have.
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
#define MEMBERS 4

static const struct route {
    const char *method, *path; /* the path may hold one {name}, a whole segment */
    tg_admin_handler handler;
    const char *members[MEMBERS]; /* of the body */
    const char *query[MEMBERS];   /* its parameters */
} routes[] = {
    {"GET", "/admin/rules", tg_admin_rules_list, {NULL}, {NULL}},
    {"POST", "/admin/rules/reload", tg_admin_rules_reload, {NULL}, {NULL}},
    {"POST", "/admin/rules/rollback", tg_admin_rules_rollback, {"reason"}, {NULL}},
    {"GET", "/admin/candidate", tg_admin_candidate_report, {NULL}, {NULL}},
    {"POST", "/admin/candidate", tg_admin_candidate_start, {"path"}, {NULL}},
    {"POST", "/admin/candidate/promote", tg_admin_candidate_promote, {NULL}, {NULL}},
    {"POST", "/admin/candidate/drop", tg_admin_candidate_drop, {NULL}, {NULL}},
    {"DELETE", "/admin/candidate", tg_admin_candidate_drop, {NULL}, {NULL}},
    {"POST", "/admin/rules/{name}/mute", tg_admin_rule_mute, {NULL}, {NULL}},
    {"POST", "/admin/rules/{name}/unmute", tg_admin_rule_unmute, {NULL}, {NULL}},
    {"GET",
     "/admin/accounts/{name}/explain",
     tg_admin_explain,
     {NULL},
     {"type", "last_seconds", "limit"}},
    {"GET", "/admin/schema", tg_admin_schema, {NULL}, {"format"}},
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

/* Takes a name of the body or of the query (`what`), which must be one of `known` and is given
 * once: a misspelt or a second one must not be answered as if nobody had said it. `*seen` holds a
 * bit for each. False: it was refused. */
static bool take_name(struct tg_admin_call *call, const char *what, const char *const *known,
                      const char *name, size_t len, unsigned *seen)
{
    const char *code = strcmp(what, "member") ? "INVALID_PARAMETERS" : "INVALID_REQUEST";
    char list[120] = "";
    size_t used = 0;
    int shown = len < 60 ? (int)len : 60;
    for (size_t i = 0; i < MEMBERS && known[i]; i++) {
        if (strlen(known[i]) == len && !memcmp(known[i], name, len)) {
            if (!(*seen & 1u << i)) return *seen |= 1u << i, true;
            tg_admin_refuse(call, 400, code, "the %s \"%.*s\" is given twice", what, shown, name);
            return false;
        }
        int n = snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "; known: ", known[i]);
        if (n > 0 && (size_t)n < sizeof list - used) used += (size_t)n;
    }
    tg_admin_refuse(call, 400, code, "unknown %s \"%.*s\"%s", what, shown, name,
                    *list ? list : "; this call takes none");
    return false;
}

static bool query_good(struct tg_admin_call *call, const struct route *route)
{
    unsigned seen = 0;
    for (const char *at = call->request->query; *at;) {
        size_t n = strcspn(at, "&"), name = strcspn(at, "=&");
        if (n && !take_name(call, "parameter", route->query, at, name, &seen)) return false;
        at += n + (at[n] == '&');
    }
    return true;
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
    unsigned seen = 0;
    for (uint32_t i = 1; i < tokens[0].next; i = tokens[i + 1].next)
        if (!take_name(call, "member", route->members, tokens[i].text, tokens[i].len, &seen))
            return false;
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
    } else if (query_good(&call, route) && read_body(&call, route)) {
        route->handler(&call);
    }
    tg_json_fini(&call.body);
}
