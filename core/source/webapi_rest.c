/* The REST protocol: HTTP/1.1 over the one connection that is the session. The body is the
 * authority: business errors come with 4xx and a return code, so the document is read whatever the
 * status says, and only where there is none does the status speak. */
#include "source/webapi_wire.h"

#include "base/err.h"
#include "base/list.h"

#include <ctype.h>
#include <llhttp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TARGET_MAX 2000 /* a longer list of logins goes into a body */
#define COOKIES_MAX 4096
#define HEADERS_MAX 65536 /* bytes of an answer's head */

struct rest {
    struct tg_webapi_wire wire;
    llhttp_t parser;
    llhttp_settings_t settings;
    char *authority;
    struct tg_buf target, value, body;
    struct tg_buf cookies;    /* "name=value; name=value", as they are sent back */
    struct tg_buf name, text; /* of the header that is arriving */
    size_t head_len;
    bool in_value;
    bool readable; /* the body has been a document so far */
};

static struct rest *rest_of(struct tg_webapi_wire *wire)
{
    return tg_of(wire, struct rest, wire);
}

/* ---- requests ---- */

static void put_encoded(struct tg_buf *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (isalnum(*at) || strchr("-._~,*", *at))
            tg_buf_putc(out, (char)*at);
        else
            tg_buf_printf(out, "%%%02X", *at);
    }
}

static void put_params(struct rest *rest, const struct tg_webapi_request *request)
{
    tg_buf_puts(&rest->target, tg_webapi_command_path(request->command));
    for (int i = 0; i < request->params_count; i++) {
        tg_buf_clear(&rest->value);
        tg_webapi_escape(&rest->value, request->params[i].value);
        tg_buf_putc(&rest->target, i ? '&' : '?');
        tg_buf_puts(&rest->target, request->params[i].name);
        tg_buf_putc(&rest->target, '=');
        if (rest->value.data) put_encoded(&rest->target, rest->value.data);
    }
}

/* The logins in the query while it is short, else as {"login":[1,2]}. */
static void put_logins(struct rest *rest, const struct tg_webapi_request *request)
{
    size_t before = rest->target.len;
    if (!request->logins_count) return;
    tg_buf_puts(&rest->target, request->params_count ? "&login=" : "?login=");
    tg_webapi_put_logins(&rest->target, request->logins, request->logins_count);
    if (rest->target.len <= TARGET_MAX || rest->target.failed) return;
    rest->target.len = before;
    rest->target.data[before] = '\0';
    tg_buf_puts(&rest->body, "{\"login\":[");
    tg_webapi_put_logins(&rest->body, request->logins, request->logins_count);
    tg_buf_puts(&rest->body, "]}");
}

static int rest_request(struct tg_webapi_wire *wire, const struct tg_webapi_request *request,
                        struct tg_buf *out)
{
    struct rest *rest = rest_of(wire);
    tg_buf_clear(&rest->target);
    tg_buf_clear(&rest->body);
    put_params(rest, request);
    put_logins(rest, request);
    if (rest->target.failed || rest->value.failed || rest->body.failed) return -TG_ENOMEM;
    tg_buf_printf(out, "%s %s HTTP/1.1\r\nHost: %s\r\n", rest->body.len ? "POST" : "GET",
                  rest->target.data, rest->authority);
    tg_buf_puts(out, "Connection: keep-alive\r\nUser-Agent: tidegate/" TIDEGATE_VERSION "\r\n"
                     "Content-Type: application/x-www-form-urlencoded\r\n");
    if (rest->cookies.len) tg_buf_printf(out, "Cookie: %s\r\n", rest->cookies.data);
    if (rest->body.len) tg_buf_printf(out, "Content-Length: %zu\r\n", rest->body.len);
    tg_buf_puts(out, "\r\n");
    tg_buf_add(out, rest->body.len ? rest->body.data : "", rest->body.len);
    rest->head_len = 0;
    rest->readable = true;
    tg_webapi_wire_begin(wire, true);
    return out->failed ? -TG_ENOMEM : 0;
}

/* ---- cookies ---- */

/* Takes the cookie called as `pair` begins out of those kept. */
static void forget_cookie(struct tg_buf *cookies, const char *pair, size_t name_len)
{
    struct tg_buf kept = {0};
    const char *at = cookies->data;
    while (at && *at) {
        const char *end = strstr(at, "; ");
        size_t len = end ? (size_t)(end - at) : strlen(at);
        if (strncmp(at, pair, name_len) != 0) {
            if (kept.len) tg_buf_puts(&kept, "; ");
            tg_buf_add(&kept, at, len);
        }
        at = end ? end + 2 : NULL;
    }
    tg_buf_fini(cookies);
    *cookies = kept;
}

static void keep_cookie(struct rest *rest)
{
    const char *pair = rest->text.data;
    size_t len = strcspn(pair, ";");
    const char *equals = memchr(pair, '=', len);
    if (!equals || rest->cookies.len + len + 2 > COOKIES_MAX) return;
    forget_cookie(&rest->cookies, pair, (size_t)(equals + 1 - pair));
    if (rest->cookies.len) tg_buf_puts(&rest->cookies, "; ");
    tg_buf_add(&rest->cookies, pair, len);
}

static void end_header(struct rest *rest)
{
    if (rest->name.len && rest->text.len && !strcasecmp(rest->name.data, "set-cookie"))
        keep_cookie(rest);
    tg_buf_clear(&rest->name);
    tg_buf_clear(&rest->text);
    rest->in_value = false;
}

/* ---- answers ---- */

static int head_grows(struct rest *rest, struct tg_buf *into, const char *at, size_t len)
{
    rest->head_len += len;
    tg_buf_add(into, at, len);
    return rest->head_len > HEADERS_MAX || into->failed ? HPE_USER : 0;
}

static int on_name(llhttp_t *parser, const char *at, size_t len)
{
    struct rest *rest = parser->data;
    if (rest->in_value) end_header(rest);
    return head_grows(rest, &rest->name, at, len);
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct rest *rest = parser->data;
    rest->in_value = true;
    return head_grows(rest, &rest->text, at, len);
}

static int on_head_end(llhttp_t *parser)
{
    end_header(parser->data);
    return 0;
}

/* A page of HTML that came instead of a document is passed over: its status says enough. */
static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct rest *rest = parser->data;
    struct tg_webapi_wire *wire = &rest->wire;
    int rc = rest->readable ? tg_webapi_wire_text(wire, at, len) : 0;
    if (rc == -TG_EPROTO && parser->status_code != 200) {
        rest->readable = false;
        return 0;
    }
    return rc ? HPE_USER : 0;
}

static int on_complete(llhttp_t *parser)
{
    struct rest *rest = parser->data;
    struct tg_webapi_wire *wire = &rest->wire;
    int status = parser->status_code;
    if (status < 200) return 0; /* 100 Continue: the answer is still to come */
    if (!llhttp_should_keep_alive(parser)) wire->last = true;
    if (status == 200 && !tg_webapi_document_complete(&wire->document)) {
        (void)tg_webapi_wire_fail(wire, TG_EPROTO, "the answer's JSON is cut off");
        return HPE_USER;
    }
    if (!rest->readable || !tg_webapi_document_complete(&wire->document)) {
        tg_webapi_fields_clear(&wire->fields);
        tg_webapi_document_begin(&wire->document, true, &wire->fields);
    }
    tg_webapi_wire_done(wire, status);
    return 0;
}

static int rest_take(struct tg_webapi_wire *wire, const char *bytes, size_t len)
{
    struct rest *rest = rest_of(wire);
    if (!wire->awaiting) return tg_webapi_wire_fail(wire, TG_EPROTO, "the server speaks unasked");
    *wire->why = '\0';
    llhttp_errno_t rc = llhttp_execute(&rest->parser, bytes, len);
    if (rc == HPE_OK) return 0;
    if (*wire->why) return -TG_EPROTO;
    return tg_webapi_wire_fail(wire, TG_EPROTO, "the server's answer is not HTTP");
}

static int rest_end(struct tg_webapi_wire *wire)
{
    struct rest *rest = rest_of(wire);
    if (!wire->awaiting) return 0;
    if (llhttp_finish(&rest->parser) == HPE_OK && !wire->awaiting) return 0;
    return tg_webapi_wire_fail(wire, TG_EPROTO, "the server closed within an answer");
}

static void rest_free(struct tg_webapi_wire *wire)
{
    struct rest *rest = rest_of(wire);
    struct tg_buf *const bufs[] = {&rest->target,  &rest->value, &rest->body,
                                   &rest->cookies, &rest->name,  &rest->text};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        tg_buf_fini(bufs[i]);
    tg_webapi_wire_fini(wire);
    free(rest->authority);
    free(rest);
}

struct tg_webapi_wire *tg_webapi_rest_new(const struct tg_webapi_wire_options *options,
                                          const struct tg_webapi_wire_host *host)
{
    static const struct tg_webapi_wire_ops ops = {
        .request = rest_request, .take = rest_take, .end = rest_end, .free = rest_free};
    struct rest *rest = calloc(1, sizeof *rest);
    if (!rest) return NULL;
    tg_webapi_wire_init(&rest->wire, &ops, options, host);
    rest->authority = strdup(options->authority);
    llhttp_settings_init(&rest->settings);
    rest->settings.on_header_field = on_name;
    rest->settings.on_header_value = on_value;
    rest->settings.on_headers_complete = on_head_end;
    rest->settings.on_body = on_body;
    rest->settings.on_message_complete = on_complete;
    llhttp_init(&rest->parser, HTTP_RESPONSE, &rest->settings);
    rest->parser.data = rest;
    if (rest->authority) return &rest->wire;
    rest_free(&rest->wire);
    return NULL;
}
