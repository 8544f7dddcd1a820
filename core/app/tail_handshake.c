/* The token travels in the Authorization header, not in the URL, so no access log on the way keeps
 * it. The answer is believed only when Sec-WebSocket-Accept proves that a WebSocket server read our
 * key: a cache or a captive portal that says 101 would otherwise be taken for a market. */
#include "app/tail_handshake.h"

#include "app/config_check.h"
#include "base/json.h"
#include "base/rand.h"
#include "base/text.h"

#include <openssl/evp.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

static int make_key(char key[25], char accept[29])
{
    unsigned char nonce[16], digest[EVP_MAX_MD_SIZE];
    char proof[24 + sizeof GUID];
    tg_random_bytes(nonce, sizeof nonce);
    (void)EVP_EncodeBlock((unsigned char *)key, nonce, sizeof nonce);
    (void)snprintf(proof, sizeof proof, "%s" GUID, key);
    if (!EVP_Digest(proof, strlen(proof), digest, NULL, EVP_sha1(), NULL)) return -TG_EIO;
    (void)EVP_EncodeBlock((unsigned char *)accept, digest, 20);
    return 0;
}

int tg_tail_handshake_start(struct tg_tail_handshake *handshake,
                            const struct tg_tail_request *request, struct tg_buf *out,
                            struct tg_err *err)
{
    char key[25];
    *handshake = (struct tg_tail_handshake){.body = -1};
    for (const char *at = request->token; *at; at++)
        if (*at <= ' ' || *at >= 0x7f)
            return tg_fail(err, TG_EINVAL, "the token holds bytes that no token has");
    if (make_key(key, handshake->accept)) return tg_fail(err, TG_EIO, "SHA-1 is not available");
    tg_buf_printf(out, "GET %s/ws/account/%s", request->prefix, request->account_id);
    if (tg_account_id_valid(request->epoch)) /* the same alphabet: needs no escaping */
        tg_buf_printf(out, "?epoch=%s&since=%llu", request->epoch, request->since);
    tg_buf_printf(
        out,
        " HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\nUser-Agent: tidegate-tail\r\n",
        request->authority, key);
    if (*request->token) tg_buf_printf(out, "Authorization: Bearer %s\r\n", request->token);
    tg_buf_puts(out, "\r\n");
    return out->failed ? tg_fail(err, TG_ENOMEM, "out of memory") : 0;
}

void tg_tail_handshake_fini(struct tg_tail_handshake *handshake)
{
    tg_buf_fini(&handshake->in);
}

/* The value of a header in the head, its length in `*len`; NULL when there is none. */
static const char *header(const struct tg_tail_handshake *handshake, const char *name, size_t *len)
{
    const char *at = handshake->in.data, *end = at + handshake->head;
    size_t n = strlen(name);
    while ((at = memmem(at, (size_t)(end - at), "\r\n", 2)) != NULL) {
        at += 2;
        if ((size_t)(end - at) > n && strncasecmp(at, name, n) == 0 && at[n] == ':') {
            at += n + 1;
            while (*at == ' ' || *at == '\t')
                at++;
            *len = strcspn(at, "\r");
            while (*len && (at[*len - 1] == ' ' || at[*len - 1] == '\t'))
                --*len;
            return at;
        }
    }
    return NULL;
}

static bool header_is(const struct tg_tail_handshake *handshake, const char *name, const char *want)
{
    size_t len = 0;
    const char *value = header(handshake, name, &len);
    return value && len == strlen(want) && strncasecmp(value, want, len) == 0;
}

static long header_number(const struct tg_tail_handshake *handshake, const char *name, long missing)
{
    size_t len = 0;
    uint64_t value;
    const char *text = header(handshake, name, &len);
    if (!text || tg_read_u64(text, len, &value) || value > INT32_MAX) return missing;
    return (long)value;
}

static int read_head(struct tg_tail_handshake *handshake, struct tg_err *err)
{
    const char *text = handshake->in.data;
    uint64_t status;
    if (strncmp(text, "HTTP/1.1 ", 9) != 0 || tg_read_u64(text + 9, 3, &status))
        return tg_fail(err, TG_EPROTO, "this is no HTTP/1.1 server");
    handshake->status = (int)status;
    if (handshake->status != 101) {
        handshake->body = header_number(handshake, "Content-Length", -1);
        handshake->retry_after_s = header_number(handshake, "Retry-After", 0);
        return 0;
    }
    size_t len = 0;
    const char *accept = header(handshake, "Sec-WebSocket-Accept", &len);
    if (!header_is(handshake, "Upgrade", "websocket") ||
        !header_is(handshake, "Connection", "upgrade") || !accept || len != 28 ||
        memcmp(accept, handshake->accept, 28) != 0)
        return tg_fail(err, TG_EPROTO, "the server's handshake does not prove a WebSocket server");
    if (header(handshake, "Sec-WebSocket-Extensions", &len))
        return tg_fail(err, TG_EPROTO, "the server uses an extension that was not asked for");
    return 0;
}

/* What a refusal says: the error's code and message when it is the gateway's, else the status. */
static void explain(const struct tg_tail_handshake *handshake, struct tg_err *err)
{
    struct tg_json json = {0};
    struct tg_buf text = {0};
    const char *body = handshake->in.data + handshake->head;
    size_t len = handshake->in.len - handshake->head;
    uint32_t error = 0, code = 0, message = 0;
    if (tg_json_parse(&json, body, len, NULL) == 0) {
        error = tg_json_get(&json, 0, "error");
        code = error ? tg_json_get(&json, error, "code") : 0;
        message = error ? tg_json_get(&json, error, "message") : 0;
    }
    tg_buf_printf(&text, "HTTP %d", handshake->status);
    if (code && json.tokens[code].type == TG_JSON_STRING) {
        tg_buf_putc(&text, ' ');
        tg_json_unescape(&text, &json.tokens[code]);
    }
    if (message && json.tokens[message].type == TG_JSON_STRING) {
        tg_buf_puts(&text, ": ");
        tg_json_unescape(&text, &json.tokens[message]);
    }
    (void)tg_fail(err, TG_EAUTH, "%s", text.data ? text.data : "refused");
    tg_buf_fini(&text);
    tg_json_fini(&json);
}

static int take_body(struct tg_tail_handshake *handshake, bool ended, struct tg_err *err)
{
    size_t have = handshake->in.len - handshake->head;
    bool complete = handshake->body >= 0 && have >= (size_t)handshake->body;
    if (!complete && !ended && have < TG_TAIL_BODY_BYTES) return -TG_EAGAIN;
    explain(handshake, err);
    return -TG_EAUTH;
}

int tg_tail_handshake_feed(struct tg_tail_handshake *handshake, const char *bytes, size_t len,
                           bool ended, struct tg_err *err)
{
    struct tg_buf *in = &handshake->in;
    tg_buf_add(in, bytes, len);
    if (in->failed) return tg_fail(err, TG_ENOMEM, "out of memory");
    if (!handshake->head) {
        const char *end = in->data ? memmem(in->data, in->len, "\r\n\r\n", 4) : NULL;
        if (!end && in->len > TG_TAIL_HEAD_BYTES)
            return tg_fail(err, TG_EPROTO, "the server's answer has no end");
        if (!end && ended)
            return tg_fail(err, TG_EPROTO, "the server closed the connection without an answer");
        if (!end) return -TG_EAGAIN;
        handshake->head = (size_t)(end - in->data) + 4;
        int rc = read_head(handshake, err);
        if (rc) return rc;
    }
    if (handshake->status != 101) return take_body(handshake, ended, err);
    tg_buf_consume(in, handshake->head);
    return 0;
}
