/* Every answer has a Content-Length, so a client always knows where it ends and the connection can
 * be used again. No Date: RFC 9110 §6.6.1 leaves it to servers with a clock they vouch for, and the
 * messages carry their own times. */
#include "net/http_answer.h"

#include "base/json.h"

static const char *reason_of(int status)
{
    switch (status) {
    case 200: return "OK";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Status"; /* the phrase means nothing to a client (RFC 9112 §4) */
    }
}

static void write_connection(struct tg_buf *out, const struct tg_answer *answer,
                             const struct tg_answer_manner *manner)
{
    if (answer->status == 426)
        tg_buf_puts(out, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
    const char *first = answer->status == 426 ? "upgrade" : NULL;
    const char *second = manner->close ? "close" : manner->say_alive ? "keep-alive" : NULL;
    if (first || second)
        tg_buf_printf(out, "Connection: %s%s%s\r\n", first ? first : "",
                      first && second ? ", " : "", second ? second : "");
}

void tg_answer_write(struct tg_buf *out, const struct tg_answer *answer,
                     const struct tg_answer_manner *manner)
{
    bool bodiless = answer->status == 204 || answer->status == 304;
    tg_buf_printf(out, "HTTP/1.1 %d %s\r\n", answer->status, reason_of(answer->status));
    if (!bodiless)
        tg_buf_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                      answer->content_type ? answer->content_type : "application/json",
                      answer->len);
    tg_buf_puts(out, "X-Content-Type-Options: nosniff\r\n");
    if (answer->no_store) tg_buf_puts(out, "Cache-Control: no-store\r\n");
    if (answer->retry_after_s > 0) tg_buf_printf(out, "Retry-After: %d\r\n", answer->retry_after_s);
    if (answer->allow) tg_buf_printf(out, "Allow: %s\r\n", answer->allow);
    if (answer->status == 401) tg_buf_puts(out, "WWW-Authenticate: Bearer\r\n");
    write_connection(out, answer, manner);
    tg_buf_puts(out, "\r\n");
    if (!manner->head_only && !bodiless) tg_buf_add(out, answer->body, answer->len);
}

void tg_answer_error(struct tg_buf *out, const char *code, const char *message, int retry_after_s,
                     const char *support_reference)
{
    tg_json_open(out, '{');
    tg_json_member_bool(out, "success", false);
    tg_json_key(out, "error");
    tg_json_open(out, '{');
    tg_json_key(out, "code");
    tg_json_text(out, code);
    tg_json_key(out, "message");
    tg_json_text(out, message);
    tg_json_key(out, "retry_after_seconds");
    if (retry_after_s > 0)
        tg_json_i64(out, retry_after_s);
    else
        tg_json_text(out, NULL);
    tg_json_key(out, "support_reference");
    tg_json_text(out, support_reference);
    tg_json_close(out, '}');
    tg_json_close(out, '}');
}
