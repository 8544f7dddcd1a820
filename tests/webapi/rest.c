/* REST: a command is a path, its parameters the query, its answer a JSON document. The session is
 * the connection that authenticated. Every path takes GET and POST; a POST may bring parameters as
 * a JSON object, whose names are case-sensitive. */
#include "base/err.h"
#include "base/json.h"
#include "base/rand.h"
#include "conn.h"
#include "http.h"
#include "retcode.h"
#include "server.h"
#include "stats.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rest {
    char command[64];
    struct tg_buf text; /* names and values of the parameters, each with a NUL */
    char cookie[33];
    bool cookie_due; /* to be set by the next answer */
    bool keep_alive;
};

static struct rest *own(struct mt_conn *conn)
{
    if (conn->own) return conn->own;
    struct rest *rest = calloc(1, sizeof *rest);
    tg_must(rest);
    conn->own = rest;
    return rest;
}

static void rest_fini(struct mt_conn *conn)
{
    struct rest *rest = conn->own;
    if (!rest) return;
    tg_buf_fini(&rest->text);
    free(rest);
}

static const char *reason_of(int status)
{
    switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    default: return "Status";
    }
}

static void put_response(struct mt_conn *conn, int status, const char *type, const char *body,
                         size_t len, struct tg_buf *out)
{
    struct rest *rest = own(conn);
    tg_buf_printf(out, "HTTP/1.1 %d %s\r\nServer: Tidegate test Web API\r\nContent-Type: %s\r\n",
                  status, reason_of(status), type);
    if (rest->cookie_due) tg_buf_printf(out, "Set-Cookie: session=%s; Path=/\r\n", rest->cookie);
    rest->cookie_due = false;
    tg_buf_printf(out, "Content-Length: %zu\r\nConnection: %s\r\n\r\n", len,
                  conn->close_after ? "close" : "keep-alive");
    tg_buf_add(out, body, len);
}

/* The envelope around the answer. */
static void put_envelope(struct mt_answer *answer, struct tg_buf *out)
{
    const char *text = answer->text ? answer->text : mt_retcode_text(answer->retcode);
    tg_buf_printf(out, "{\r\n\"retcode\" : \"%d %s\"", answer->retcode, text);
    if (answer->top.len) tg_buf_add(out, answer->top.data, answer->top.len);
    if (answer->member.len) {
        tg_buf_puts(out, ",\r\n\"answer\" : ");
        tg_buf_add(out, answer->member.data, answer->member.len);
        tg_buf_puts(out, "\r\n}");
    } else if (answer->json.len) {
        tg_buf_puts(out, ",\r\n\"answer\" : ");
        tg_buf_add(out, answer->json.data, answer->json.len);
    }
    tg_buf_puts(out, "\r\n}\r\n");
}

static void rest_frame(struct mt_conn *conn, struct mt_answer *answer, const struct mt_fault *fault,
                       struct tg_buf *out)
{
    struct rest *rest = own(conn);
    if (!rest->keep_alive) conn->close_after = true;
    if (fault && fault->kind == MT_FAULT_HTTP) {
        const char *body = fault->text ? fault->text : "";
        put_response(conn, (int)fault->code, fault->html ? "text/html" : "application/json", body,
                     strlen(body), out);
        return;
    }
    struct tg_buf body = {0};
    int status = answer->http_status;
    put_envelope(answer, &body);
    if (fault && fault->kind == MT_FAULT_TRUNCATE && body.len > 20)
        body.len -= fault->bytes > 0 && (size_t)fault->bytes < body.len ? (size_t)fault->bytes : 20;
    if (!status) status = answer->retcode ? conn->server->error_status : 200;
    put_response(conn, status, "application/json; charset=utf-8", body.data, body.len, out);
    tg_buf_fini(&body);
}

/* "/api/user/account/get" and the older "/user_account_get" are both USER_ACCOUNT_GET. */
static bool name_command(struct rest *rest, const char *path)
{
    size_t len = 0;
    if (strncmp(path, "/api/", 5) == 0)
        path += 5;
    else if (strchr(path + 1, '/'))
        return false;
    else
        path++;
    for (; *path && len + 1 < sizeof rest->command; path++)
        rest->command[len++] = *path == '/' ? '_' : (char)toupper((unsigned char)*path);
    rest->command[len] = '\0';
    return len > 0 && !*path;
}

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* One character of a query, its escape resolved. */
static char next_char(const char **at)
{
    char c = *(*at)++;
    if (c == '+') return ' ';
    if (c != '%' || hex_of((*at)[0]) < 0 || hex_of((*at)[1]) < 0) return c;
    c = (char)(hex_of((*at)[0]) << 4 | hex_of((*at)[1]));
    *at += 2;
    return c;
}

/* A value, in which '=', '|', '\' and line feeds may be escaped by a backslash. */
static void add_value(struct tg_buf *out, const char *at, const char *end)
{
    while (at < end) {
        char c = next_char(&at);
        const char *ahead = at;
        if (c == '\\' && at < end) {
            char next = next_char(&ahead);
            if (strchr("=|\\\n", next)) c = next, at = ahead;
        }
        tg_buf_putc(out, c);
    }
    tg_buf_putc(out, '\0');
}

static void add_name(struct tg_buf *out, const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++)
        tg_buf_putc(out, (char)toupper((unsigned char)name[i]));
    tg_buf_putc(out, '\0');
}

static int read_query(struct rest *rest, const char *query)
{
    int count = 0;
    while (*query && count < MT_PARAMS_MAX) {
        size_t len = strcspn(query, "&"), name = strcspn(query, "=&");
        add_name(&rest->text, query, name);
        add_value(&rest->text, query + name + (name < len), query + len);
        count++;
        query += len + (query[len] == '&');
    }
    return count;
}

/* A member of the body: a scalar, or a list that becomes "a,b,c". Digits stay as they are. */
static void add_member(struct rest *rest, const struct tg_json *json, uint32_t at)
{
    const struct tg_json_token *name = &json->tokens[at], *value = &json->tokens[at + 1];
    bool list = value->type == TG_JSON_ARRAY;
    uint32_t stop = value->next, item = list ? at + 2 : at + 1;
    add_name(&rest->text, name->text, name->len);
    for (bool first = true; item < stop; item = json->tokens[item].next, first = false) {
        if (!first) tg_buf_putc(&rest->text, ',');
        if (json->tokens[item].type == TG_JSON_STRING)
            tg_json_unescape(&rest->text, &json->tokens[item]);
        else
            tg_buf_add(&rest->text, json->tokens[item].text, json->tokens[item].len);
    }
    tg_buf_putc(&rest->text, '\0');
}

/* The parameters that a JSON body gives, by their documented lower-case names. */
static int read_body(struct rest *rest, const char *body, size_t len, int count)
{
    static const char *const names[] = {"login", "group", "ticket", "symbol", "from", "to"};
    struct tg_json json = {0};
    while (len && isspace((unsigned char)*body))
        body++, len--;
    if (!len || *body != '{' || tg_json_parse(&json, body, len, NULL)) {
        tg_json_fini(&json);
        return count;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names && count < MT_PARAMS_MAX; i++) {
        uint32_t value = tg_json_get(&json, 0, names[i]);
        if (!value) continue;
        add_member(rest, &json, value - 1);
        count++;
    }
    tg_json_fini(&json);
    return count;
}

static void fill_request(struct rest *rest, struct mt_request *request, int count)
{
    const char *at = rest->text.data;
    for (int i = 0; i < count; i++) {
        request->params[i].name = at;
        at += strlen(at) + 1;
        request->params[i].value = at;
        at += strlen(at) + 1;
    }
    request->params_count = count;
}

/* A request that names no command, or comes without the cookie. */
static void refuse(struct mt_conn *conn, int status, int code)
{
    struct tg_buf out = {0};
    struct mt_answer answer = {.retcode = code, .http_status = status};
    rest_frame(conn, &answer, NULL, &out);
    mt_conn_send(conn, &out);
    tg_buf_fini(&out);
    if (conn->close_after) mt_conn_finish(conn);
}

static bool bears_cookie(const struct mt_conn *conn, const struct rest *rest, const char *given)
{
    if (conn->server->cookie < 2 || conn->session.state == MT_STRANGER) return true;
    return given && strstr(given, rest->cookie);
}

static void serve(struct mt_conn *conn, struct rest *rest, struct mt_http *http)
{
    struct mt_request request = {.transport = MT_REST, .command = rest->command};
    char *query = http->target, *path = strsep(&query, "?");
    if (*path != '/' || (strcmp(http->method, "GET") != 0 && strcmp(http->method, "POST") != 0)) {
        refuse(conn, 400, MT_PARAMS);
        return;
    }
    if (!name_command(rest, path)) {
        refuse(conn, 404, MT_NOT_SUPPORTED);
        return;
    }
    if (!bears_cookie(conn, rest, http->cookie)) {
        refuse(conn, 403, MT_PERMISSIONS);
        return;
    }
    request.body = http->body;
    request.body_len = http->body_len;
    tg_buf_clear(&rest->text);
    int count = read_query(rest, query ? query : "");
    count = read_body(rest, request.body, request.body_len, count);
    fill_request(rest, &request, count);
    if (strcmp(rest->command, "AUTH_START") == 0 && conn->server->cookie) {
        uint8_t random[16];
        tg_random_bytes(random, sizeof random);
        mt_hex_write(random, sizeof random, rest->cookie);
        rest->cookie_due = true;
    }
    mt_conn_execute(conn, &request);
}

static bool rest_take(struct mt_conn *conn)
{
    struct rest *rest = own(conn);
    struct mt_http http;
    if (!conn->in.len) return false;
    int rc = mt_http_read(conn->in.data, conn->in.len, &http);
    if (rc == -TG_EAGAIN) {
        struct tg_buf go_on = {0};
        if (http.wants_continue) tg_buf_puts(&go_on, "HTTP/1.1 100 Continue\r\n\r\n");
        mt_conn_send(conn, &go_on);
        tg_buf_fini(&go_on);
        return false;
    }
    conn->close_after = rc != 0;
    rest->keep_alive = !rc && http.keep_alive;
    if (rc) {
        mt_stats.protocol_errors++;
        refuse(conn, 400, MT_PARAMS);
        return false;
    }
    struct tg_buf whole = conn->in; /* the request points into it; what follows it is kept */
    conn->in = (struct tg_buf){0};
    tg_buf_add(&conn->in, whole.data + http.used, whole.len - http.used);
    serve(conn, rest, &http);
    tg_buf_fini(&whole);
    return true;
}

const struct mt_protocol mt_rest = {"rest", rest_take, rest_frame, NULL, rest_fini};
