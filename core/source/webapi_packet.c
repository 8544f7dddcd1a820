/* A body is gathered whole before it is looked at: the keystream is aligned to packets, and no
 * packet is longer than 64 KiB. Packets of other serials are decrypted all the same, or the
 * keystream would be out of step from then on. */
#include "source/webapi_packet.h"

#include "base/err.h"
#include "source/webapi_text.h"

#include <stdio.h>
#include <string.h>

void tg_webapi_packets_fini(struct tg_webapi_packets *packets)
{
    tg_webapi_stream_fini(&packets->out);
    tg_webapi_stream_fini(&packets->in);
    tg_buf_fini(&packets->body);
    *packets = (struct tg_webapi_packets){0};
}

int tg_webapi_packets_crypt(struct tg_webapi_packets *packets, const struct tg_webapi_hash *hash,
                            const char *crypt_rand)
{
    unsigned char blocks[16][16];
    int rc = tg_webapi_blocks(blocks, hash, crypt_rand);
    if (!rc) rc = tg_webapi_stream_init(&packets->out, blocks[0], blocks[2]);
    if (!rc) rc = tg_webapi_stream_init(&packets->in, blocks[0], blocks[3]);
    memset(blocks, 0, sizeof blocks);
    return rc;
}

static void put_header(struct tg_buf *out, size_t len, unsigned serial, bool more)
{
    tg_buf_printf(out, "%04x%04x%d", (unsigned)len, serial, more);
}

int tg_webapi_packets_command(struct tg_webapi_packets *packets, struct tg_buf *out,
                              const char *text, size_t len)
{
    packets->serial = (uint16_t)(packets->serial % TG_WEBAPI_SERIALS + 1);
    if (!packets->greeted) tg_buf_puts(out, "MT5WEBAPI");
    packets->greeted = true;
    do {
        size_t part = len < TG_WEBAPI_BODY ? len : TG_WEBAPI_BODY;
        put_header(out, part, packets->serial, part < len);
        tg_buf_add(out, text, part);
        if (out->failed) return -TG_ENOMEM;
        unsigned char *body = (unsigned char *)out->data + out->len - part;
        int rc = tg_webapi_stream_pass(&packets->out, body, part);
        if (rc) return rc;
        text += part;
        len -= part;
    } while (len);
    return 0;
}

void tg_webapi_packets_ping(const struct tg_webapi_packets *packets, struct tg_buf *out)
{
    put_header(out, 0, packets->serial, false);
}

static int read_hex(const unsigned char *at, int digits, unsigned *out)
{
    unsigned value = 0;
    for (int i = 0; i < digits; i++) {
        int digit = tg_webapi_digit((char)at[i]);
        if (digit < 0) return -TG_EPROTO;
        value = value * 16 + (unsigned)digit;
    }
    *out = value;
    return 0;
}

static int read_header(struct tg_webapi_packets *packets)
{
    unsigned len, serial, flags;
    if (read_hex(packets->header, 4, &len) || read_hex(packets->header + 4, 4, &serial) ||
        read_hex(packets->header + 8, 1, &flags))
        return -TG_EPROTO;
    packets->body_wanted = len;
    packets->body_serial = (uint16_t)serial;
    packets->body_more = flags & 1;
    tg_buf_clear(&packets->body);
    return tg_buf_reserve(&packets->body, len) ? -TG_ENOMEM : 0;
}

int tg_webapi_packets_take(struct tg_webapi_packets *packets, const char *bytes, size_t len,
                           size_t *used, struct tg_webapi_piece *piece)
{
    *used = 0;
    while (packets->header_len < TG_WEBAPI_HEADER) {
        if (*used == len) return 0;
        packets->header[packets->header_len++] = (unsigned char)bytes[(*used)++];
        int rc = packets->header_len == TG_WEBAPI_HEADER ? read_header(packets) : 0;
        if (rc) return rc;
    }
    struct tg_buf *body = &packets->body;
    size_t left = len - *used, missing = packets->body_wanted - body->len;
    size_t part = left < missing ? left : missing;
    tg_buf_add(body, bytes + *used, part);
    *used += part;
    if (body->len < packets->body_wanted) return 0;
    packets->header_len = 0;
    int rc = tg_webapi_stream_pass(&packets->in, (unsigned char *)body->data, body->len);
    if (rc) return rc;
    if (packets->body_serial != packets->serial || !packets->serial) return 0;
    if (!body->len && packets->body_more) return 0; /* says nothing yet */
    *piece = (struct tg_webapi_piece){body->len ? body->data : "", body->len, !packets->body_more};
    return 1;
}
