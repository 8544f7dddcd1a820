/* A request is judged, not answered, here: whether a bad or missing handshake is an error depends
 * on the path, which only the gateway knows. */
#include "net/handshake.h"

#include "base/err.h"

#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#define SUBPROTOCOL "tidegate.v1"
#define BEARER "bearer."

static bool list_has(const char *list, const char *token)
{
    size_t len;
    for (const char *at; list && (at = tg_http_list_next(&list, &len));)
        if (len == strlen(token) && strncasecmp(at, token, len) == 0) return true;
    return false;
}

/* Base64 of exactly 16 bytes: 22 characters and "==" (RFC 6455 §4.2.1, 5). */
static bool key_is_sound(const char *key)
{
    return strlen(key) == 24 && strcmp(key + 22, "==") == 0 &&
           strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") == 22;
}

/* Names of subprotocols are compared exactly, as the registry does. */
static void read_protocols(struct tg_handshake *handshake, const char *list)
{
    size_t len;
    for (const char *at; list && (at = tg_http_list_next(&list, &len));) {
        if (len == strlen(SUBPROTOCOL) && memcmp(at, SUBPROTOCOL, len) == 0)
            handshake->offers_tidegate = true;
        else if (len > strlen(BEARER) && memcmp(at, BEARER, strlen(BEARER)) == 0 &&
                 !handshake->token.data)
            tg_buf_add(&handshake->token, at + strlen(BEARER), len - strlen(BEARER));
    }
}

static void fault(struct tg_handshake *handshake, int status, const char *sentence)
{
    handshake->status = status;
    handshake->fault = sentence;
}

/* RFC 6455 §4.2.1, in its order; the version before the key, because a client of another version
 * may have another key. */
static void judge(struct tg_handshake *handshake, const struct tg_http_head *head)
{
    const struct tg_http_headers *headers = tg_http_head_headers(head);
    const char *key = tg_http_headers_get(headers, "Sec-WebSocket-Key");
    const char *version = tg_http_headers_get(headers, "Sec-WebSocket-Version");
    size_t body;
    tg_http_head_body(head, &body);
    if (!handshake->asked)
        fault(handshake, 426, "a WebSocket handshake is needed here");
    else if (strcmp(tg_http_head_method(head), "GET") != 0)
        fault(handshake, 400, "a WebSocket handshake is a GET");
    else if (!tg_http_head_is_11(head))
        fault(handshake, 400, "a WebSocket handshake needs HTTP/1.1");
    else if (!list_has(tg_http_headers_get(headers, "Connection"), "upgrade"))
        fault(handshake, 400, "Connection does not name Upgrade");
    else if (!version || strcmp(version, "13") != 0)
        fault(handshake, 426, "only WebSocket version 13 is spoken here");
    else if (!key || tg_http_headers_times(headers, "Sec-WebSocket-Key") != 1 || !key_is_sound(key))
        fault(handshake, 400, "Sec-WebSocket-Key is not one base64 value of 16 bytes");
    else if (body)
        fault(handshake, 400, "a WebSocket handshake has no body");
    else
        handshake->key = key;
}

int tg_handshake_read(struct tg_handshake *handshake, const struct tg_http_head *head)
{
    const struct tg_http_headers *headers = tg_http_head_headers(head);
    tg_handshake_fini(handshake);
    handshake->asked = list_has(tg_http_headers_get(headers, "Upgrade"), "websocket");
    read_protocols(handshake, tg_http_headers_get(headers, "Sec-WebSocket-Protocol"));
    judge(handshake, head);
    return handshake->token.failed ? -TG_ENOMEM : 0;
}

void tg_handshake_fini(struct tg_handshake *handshake)
{
    tg_buf_fini(&handshake->token);
    *handshake = (struct tg_handshake){0};
}

void tg_handshake_accept(const char *key, char out[TG_HANDSHAKE_ACCEPT_SIZE])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[24 + sizeof guid];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    tg_must(strlen(key) == 24);
    memcpy(text, key, 24);
    memcpy(text + 24, guid, sizeof guid);
    tg_must(EVP_Digest(text, sizeof text - 1, digest, &len, EVP_sha1(), NULL) && len == 20);
    EVP_EncodeBlock((unsigned char *)out, digest, (int)len);
}

void tg_handshake_answer(struct tg_buf *out, const struct tg_handshake *handshake,
                         const char *extensions)
{
    char accept[TG_HANDSHAKE_ACCEPT_SIZE];
    tg_must(handshake->key);
    tg_handshake_accept(handshake->key, accept);
    tg_buf_printf(out,
                  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n",
                  accept);
    if (handshake->offers_tidegate) tg_buf_puts(out, "Sec-WebSocket-Protocol: " SUBPROTOCOL "\r\n");
    if (extensions) tg_buf_printf(out, "Sec-WebSocket-Extensions: %s\r\n", extensions);
    tg_buf_puts(out, "\r\n");
}
