/* The raw protocol: packets of nine header bytes and a body in UTF-16LE, encrypted after the
 * authentication if the client chose so. A message may be cut into packets anywhere, even inside a
 * character; pings of the server may stand between any two of them. */
#include "base/clock.h"
#include "base/err.h"
#include "conn.h"
#include "retcode.h"
#include "server.h"
#include "stats.h"
#include "utf16.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX 9
#define HEADER 9
#define CLIENT_SERIALS 0x3fff
#define SERVER_SERIALS 0x4000
#define MESSAGE_MOST (4 << 20)

struct raw {
    bool begun;           /* the prefix was seen */
    bool crypt;           /* bodies are encrypted from now on */
    uint32_t serial;      /* of the command under way */
    uint32_t last_serial; /* of the command before */
    uint32_t ping_serial;
    int64_t pinged_ms;
    struct tg_buf message; /* bytes of the packets so far */
    struct tg_buf text;    /* the message as UTF-8, cut into its parts */
    struct tg_buf wide;    /* of an answer, what is in no packet yet */
};

static struct raw *own(struct mt_conn *conn)
{
    if (conn->own) return conn->own;
    struct raw *raw = calloc(1, sizeof *raw);
    tg_must(raw);
    raw->pinged_ms = tg_mono_ms(tg_clock_system());
    conn->own = raw;
    return raw;
}

static void raw_fini(struct mt_conn *conn)
{
    struct raw *raw = conn->own;
    if (!raw) return;
    tg_buf_fini(&raw->message);
    tg_buf_fini(&raw->text);
    tg_buf_fini(&raw->wide);
    free(raw);
}

/* A peer that breaks the protocol is left. */
static bool breach(struct mt_conn *conn)
{
    mt_stats.protocol_errors++;
    mt_conn_close(conn);
    return false;
}

static bool read_hex(const char *at, size_t len, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < len; i++) {
        if (!isxdigit((unsigned char)at[i])) return false;
        char c = (char)tolower((unsigned char)at[i]);
        *out = *out << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return true;
}

static void put_header(struct tg_buf *out, size_t len, uint32_t serial, bool more)
{
    tg_buf_printf(out, "%04x%04x%d", (unsigned)len, serial, more);
}

static void put_ping(struct raw *raw, struct tg_buf *out)
{
    raw->ping_serial = (raw->ping_serial + 1) % SERVER_SERIALS;
    put_header(out, 0, SERVER_SERIALS + raw->ping_serial, false);
    mt_stats.pings_out++;
}

static void put_head(struct mt_answer *answer, const char *command, struct tg_buf *out)
{
    const char *text = answer->text ? answer->text : mt_retcode_text(answer->retcode);
    tg_buf_printf(out, "%s|RETCODE=%d %s|", command, answer->retcode, text);
    if (answer->raw.len) tg_buf_add(out, answer->raw.data, answer->raw.len);
    tg_buf_puts(out, "\r\n");
}

/* A message that is written as its packets are cut: what is written and in no packet yet, and how
 * much of the document is still to be written. */
struct message {
    struct tg_buf *wide;
    const struct tg_buf *document;
    size_t at;
};

/* Whether more than `len` bytes are left, having written so many at least. */
static bool fill(struct message *message, size_t len)
{
    const struct tg_buf *document = message->document;
    while (message->wide->len <= len && message->at < document->len)
        message->at = mt_utf16_part(message->wide, document->data, document->len, message->at,
                                    len + 1 - message->wide->len);
    tg_must(!message->wide->failed);
    return message->wide->len > len;
}

/* One packet off the front of what is written. */
static void put_packet(struct mt_conn *conn, struct tg_buf *wide, size_t len, uint32_t serial,
                       bool more, struct tg_buf *out)
{
    put_header(out, len, serial, more);
    tg_buf_add(out, wide->data, len);
    tg_must(!out->failed);
    if (own(conn)->crypt)
        mt_cipher_packet(&conn->session.to_client, (uint8_t *)out->data + out->len - len, len);
    tg_buf_consume(wide, len);
}

/* The message in packets; each may leave before the next is encrypted. */
static void put_packets(struct mt_conn *conn, struct message *message, const struct mt_fault *fault,
                        struct tg_buf *out)
{
    struct raw *raw = own(conn);
    size_t most = conn->server->packet_most;
    uint32_t serial = raw->serial;
    int64_t pings = 0;
    if (fault && fault->kind == MT_FAULT_SPLIT && fault->bytes > 0) most = (size_t)fault->bytes;
    if (fault && fault->kind == MT_FAULT_SERIAL)
        serial += (uint32_t)(fault->code ? fault->code : 1);
    if (fault && fault->kind == MT_FAULT_PINGS) {
        pings = fault->code > 0 ? fault->code : 3;
        if (fault->bytes > 0) most = (size_t)fault->bytes;
    }
    for (bool more = true; more;) {
        more = fill(message, most);
        for (int64_t i = 0; i < pings; i++)
            put_ping(raw, out);
        put_packet(conn, message->wide, more ? most : message->wide->len, serial, more, out);
        if (more) mt_conn_flow(conn, out);
    }
    for (int64_t i = 0; i < pings; i++)
        put_ping(raw, out);
}

static void raw_frame(struct mt_conn *conn, struct mt_answer *answer, const struct mt_fault *fault,
                      struct tg_buf *out)
{
    struct raw *raw = own(conn);
    struct message message = {.wide = &raw->wide, .document = &answer->json};
    struct tg_buf head = {0};
    put_head(answer, raw->text.data, &head); /* the command stands at its start */
    if (answer->json.len) tg_buf_puts(&answer->json, "\r\n");
    tg_buf_clear(&raw->wide);
    mt_utf16_write(&raw->wide, head.data, head.len);
    tg_must(!head.failed && !raw->wide.failed && !answer->json.failed);
    put_packets(conn, &message, fault, out);
    tg_buf_fini(&head);
    if (answer->crypt) raw->crypt = true;
}

/* The end of a part: the next '|' that is not escaped, or the end of the line. Escapes are resolved
 * in place; what follows is moved down by nobody, so a part ends with a NUL of its own. */
static char *cut_part(char *at, char **rest)
{
    char *out = at;
    for (;; at++) {
        if (*at == '\\' && at[1] && strchr("=|\\\n", at[1])) {
            *out++ = *++at;
            continue;
        }
        if (*at == '|' || *at == '\0' || (*at == '\r' && at[1] == '\n')) break;
        *out++ = *at;
    }
    char end = *at;
    *rest = end == '|' ? at + 1 : end ? at + 2 : at;
    *out = '\0';
    return end == '|' ? *rest : NULL;
}

/* "COMMAND|NAME=VALUE|…|\r\n" and perhaps a JSON body. False: an empty command, a ping. */
static bool parse(struct raw *raw, struct mt_request *request)
{
    char *at = raw->text.data, *rest, *more;
    request->command = at;
    more = cut_part(at, &rest);
    for (char *c = at; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    while (more && request->params_count < MT_PARAMS_MAX) {
        char *name = rest;
        if (name[0] == '\r' && name[1] == '\n') {
            rest = name + 2;
            break;
        }
        char *equals = strpbrk(name, "=|\r");
        if (!*name) break;
        char *value = equals && *equals == '=' ? equals + 1 : NULL;
        more = cut_part(value ? value : name, &rest);
        if (value) *equals = '\0';
        for (char *c = name; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        request->params[request->params_count].name = name;
        request->params[request->params_count++].value = value ? value : "";
    }
    request->body = rest;
    request->body_len = strlen(rest);
    return *request->command;
}

static uint32_t next_serial(const struct raw *raw)
{
    return raw->last_serial == CLIENT_SERIALS ? 1 : raw->last_serial + 1;
}

static void count_serial(struct raw *raw, uint32_t serial)
{
    mt_stats.serial_jumps += serial != next_serial(raw);
    raw->last_serial = serial;
}

/* A ping with a body takes a serial with some clients (MetaQuotes' own), with others none. */
static void count_ping(struct raw *raw)
{
    if (raw->serial == next_serial(raw)) raw->last_serial = raw->serial;
}

static bool serve(struct mt_conn *conn, struct raw *raw)
{
    struct mt_request request = {.transport = MT_RAW};
    tg_buf_clear(&raw->text);
    bool fine = mt_utf16_read(&raw->text, raw->message.data, raw->message.len);
    tg_buf_clear(&raw->message);
    if (!fine || raw->text.failed || strlen(raw->text.data) != raw->text.len) return breach(conn);
    if (!parse(raw, &request)) {
        mt_stats.pings_in++;
        count_ping(raw);
        return true;
    }
    count_serial(raw, raw->serial);
    mt_conn_execute(conn, &request);
    return true;
}

static bool raw_take(struct mt_conn *conn)
{
    struct raw *raw = own(conn);
    size_t prefix = raw->begun ? 0 : PREFIX;
    uint32_t len, serial, flags;
    if (conn->in.len < prefix + HEADER) return false;
    const char *header = conn->in.data + prefix;
    if (!read_hex(header, 4, &len) || !read_hex(header + 4, 4, &serial) ||
        !read_hex(header + 8, 1, &flags) || serial > CLIENT_SERIALS)
        return breach(conn);
    if (conn->in.len < prefix + HEADER + len) return false;
    if (raw->message.len + len > MESSAGE_MOST) return breach(conn);
    uint8_t *body = (uint8_t *)conn->in.data + prefix + HEADER;
    if (raw->crypt) mt_cipher_packet(&conn->session.from_client, body, len);
    tg_buf_add(&raw->message, body, len);
    tg_must(!raw->message.failed);
    tg_buf_consume(&conn->in, prefix + HEADER + len);
    raw->begun = true;
    if (!len && !raw->message.len) {
        mt_stats.pings_in++;
        return true;
    }
    raw->serial = serial;
    return flags & 1 ? true : serve(conn, raw);
}

static void raw_tick(struct mt_conn *conn, int64_t mono_ms)
{
    struct raw *raw = own(conn);
    struct tg_buf out = {0};
    if (!conn->server->ping_ms || conn->held.len || conn->session.state != MT_AUTHENTICATED) return;
    if (mono_ms - raw->pinged_ms < conn->server->ping_ms) return;
    raw->pinged_ms = mono_ms;
    put_ping(raw, &out);
    mt_conn_send(conn, &out);
    tg_buf_fini(&out);
}

const struct mt_protocol mt_raw = {"raw", raw_take, raw_frame, raw_tick, raw_fini};
