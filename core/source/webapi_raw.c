/* The raw protocol: a command line in UTF-16 inside packets, and an answer whose first line is its
 * head and whose rest is the document. */
#include "source/webapi_wire.h"

#include "base/err.h"
#include "base/list.h"
#include "source/webapi_packet.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_MAX 8192 /* bytes of an answer's first line: CRYPT_RAND alone is 512 */

struct raw {
    struct tg_webapi_wire wire;
    struct tg_webapi_packets packets;
    struct tg_webapi_utf16 decoder;
    struct tg_buf line, wide; /* the command, in UTF-8 and in UTF-16 */
    struct tg_buf text;       /* of an answer, decoded; the head until its line ends */
    const char *command;
    bool headed;
};

static struct raw *raw_of(struct tg_webapi_wire *wire)
{
    return tg_of(wire, struct raw, wire);
}

static int raw_request(struct tg_webapi_wire *wire, const struct tg_webapi_request *request,
                       struct tg_buf *out)
{
    struct raw *raw = raw_of(wire);
    struct tg_buf *line = &raw->line;
    tg_buf_clear(line);
    tg_buf_clear(&raw->wide);
    tg_buf_clear(&raw->text);
    raw->command = tg_webapi_command_name(request->command);
    raw->decoder = (struct tg_webapi_utf16){0};
    raw->headed = false;
    tg_buf_puts(line, raw->command);
    tg_buf_putc(line, '|');
    for (int i = 0; i < request->params_count; i++) {
        for (const char *c = request->params[i].name; *c; c++)
            tg_buf_putc(line, (char)toupper((unsigned char)*c));
        tg_buf_putc(line, '=');
        tg_webapi_escape(line, request->params[i].value);
        tg_buf_putc(line, '|');
    }
    if (request->logins_count) tg_buf_puts(line, "LOGIN=");
    tg_webapi_put_logins(line, request->logins, request->logins_count);
    tg_buf_puts(line, request->logins_count ? "|\r\n" : "\r\n");
    int rc = line->failed ? -TG_ENOMEM : tg_webapi_to_utf16(&raw->wide, line->data, line->len);
    if (rc) return rc;
    tg_webapi_wire_begin(wire, false);
    return tg_webapi_packets_command(&raw->packets, out, raw->wide.data, raw->wide.len);
}

/* Looks for the end of the head in what has been decoded so far. */
static int take_head(struct raw *raw)
{
    struct tg_webapi_wire *wire = &raw->wire;
    const char *end = raw->text.len ? memmem(raw->text.data, raw->text.len, "\r\n", 2) : NULL;
    if (!end && raw->text.len > HEAD_MAX)
        return tg_webapi_wire_fail(wire, TG_EPROTO, "the answer's first line does not end");
    if (!end) return 0;
    tg_webapi_fields_read(&wire->fields, raw->text.data, (size_t)(end - raw->text.data));
    const char *command = tg_webapi_fields_get(&wire->fields, "");
    if (!command) return tg_webapi_wire_fail(wire, TG_ENOMEM, "out of memory");
    if (strcmp(command, raw->command) != 0)
        return tg_webapi_wire_fail(wire, TG_EPROTO, "the answer is to another command");
    raw->headed = true;
    tg_buf_consume(&raw->text, (size_t)(end + 2 - raw->text.data));
    return 0;
}

static int take_piece(struct raw *raw, const struct tg_webapi_piece *piece)
{
    struct tg_webapi_wire *wire = &raw->wire;
    if (!wire->awaiting) return 0;
    if (tg_webapi_from_utf16(&raw->decoder, &raw->text, piece->text, piece->len))
        return tg_webapi_wire_fail(wire, TG_ENOMEM, "out of memory");
    int rc = raw->headed ? 0 : take_head(raw);
    if (!rc && raw->headed && raw->text.len) {
        rc = tg_webapi_wire_text(wire, raw->text.data, raw->text.len);
        tg_buf_clear(&raw->text);
    }
    if (rc || !piece->last) return rc;
    if (!raw->headed || raw->decoder.half || raw->decoder.high)
        return tg_webapi_wire_fail(wire, TG_EPROTO, "the answer is cut off");
    const struct tg_webapi_document *document = &wire->document;
    if (document->state != TG_WEBAPI_DOC_BEFORE && !tg_webapi_document_complete(document))
        return tg_webapi_wire_fail(wire, TG_EPROTO, "the answer's JSON is cut off");
    tg_webapi_wire_done(wire, 0);
    return 0;
}

static int raw_take(struct tg_webapi_wire *wire, const char *bytes, size_t len)
{
    struct raw *raw = raw_of(wire);
    while (len) {
        struct tg_webapi_piece piece;
        size_t used;
        int rc = tg_webapi_packets_take(&raw->packets, bytes, len, &used, &piece);
        if (rc == -TG_EPROTO)
            return tg_webapi_wire_fail(wire, TG_EPROTO, "what the server sends are no packets");
        if (rc < 0) return tg_webapi_wire_fail(wire, -rc, "out of memory");
        bytes += used;
        len -= used;
        rc = rc ? take_piece(raw, &piece) : 0;
        if (rc) return rc;
    }
    return 0;
}

static int raw_end(struct tg_webapi_wire *wire)
{
    const struct raw *raw = raw_of(wire);
    if (!wire->awaiting && !raw->packets.header_len) return 0;
    return tg_webapi_wire_fail(wire, TG_EPROTO, "the server closed within an answer");
}

static int raw_crypt(struct tg_webapi_wire *wire, const struct tg_webapi_hash *hash,
                     const char *rand)
{
    return tg_webapi_packets_crypt(&raw_of(wire)->packets, hash, rand);
}

static bool raw_ping(struct tg_webapi_wire *wire, struct tg_buf *out)
{
    tg_webapi_packets_ping(&raw_of(wire)->packets, out);
    return true;
}

static void raw_free(struct tg_webapi_wire *wire)
{
    struct raw *raw = raw_of(wire);
    tg_webapi_packets_fini(&raw->packets);
    tg_buf_fini(&raw->line);
    tg_buf_fini(&raw->wide);
    tg_buf_fini(&raw->text);
    tg_webapi_wire_fini(wire);
    free(raw);
}

struct tg_webapi_wire *tg_webapi_raw_new(const struct tg_webapi_wire_options *options,
                                         const struct tg_webapi_wire_host *host)
{
    static const struct tg_webapi_wire_ops ops = {raw_request, raw_take, raw_end,
                                                  raw_crypt,   raw_ping, raw_free};
    struct raw *raw = calloc(1, sizeof *raw);
    if (raw) tg_webapi_wire_init(&raw->wire, &ops, options, host);
    return raw ? &raw->wire : NULL;
}
