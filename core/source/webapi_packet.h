/* Packets of the raw Web API: nine bytes of header, a body of UTF-16, one keystream a direction. */
#pragma once

#include "base/buf.h"
#include "source/webapi_crypt.h"

#include <stdint.h>

#define TG_WEBAPI_HEADER 9
#define TG_WEBAPI_BODY 65534     /* most bytes of a body that we send: whole UTF-16 units */
#define TG_WEBAPI_SERIALS 0x3fff /* client serials run 1 … this, then from 1 */

/* The packets of one connection. Zero-initialise. */
struct tg_webapi_packets {
    bool greeted;                    /* the MT5WEBAPI prefix has been sent */
    uint16_t serial;                 /* of the newest command */
    struct tg_webapi_stream out, in; /* off until tg_webapi_packets_crypt */
    unsigned char header[TG_WEBAPI_HEADER];
    int header_len;
    struct tg_buf body; /* of the packet that is arriving */
    size_t body_wanted;
    uint16_t body_serial;
    bool body_more;
};

void tg_webapi_packets_fini(struct tg_webapi_packets *packets);

/* Turns encryption on for all that follows, in both directions. 0, -TG_EINVAL (not such a
 * CRYPT_RAND) or -TG_ENOMEM. */
int tg_webapi_packets_crypt(struct tg_webapi_packets *packets, const struct tg_webapi_hash *hash,
                            const char *crypt_rand);

/* Appends a command's text (UTF-16LE) as packets under the next serial. 0 or -TG_ENOMEM. */
int tg_webapi_packets_command(struct tg_webapi_packets *packets, struct tg_buf *out,
                              const char *text, size_t len);

/* Appends the empty packet that keeps a connection alive; the first packet of a connection must be
 * a command. */
void tg_webapi_packets_ping(const struct tg_webapi_packets *packets, struct tg_buf *out);

/* A packet that answers the newest command. */
struct tg_webapi_piece {
    const char *text; /* UTF-16LE, may be cut anywhere; borrowed until the next call */
    size_t len;
    bool last; /* no further packets of this answer */
};

/* Takes bytes from the peer up to the end of a packet, at most. `*used` says how many. 0: more
 * bytes are needed, or a packet that is no answer (the server's ping, another serial) has passed.
 * 1: `*piece` is one of the newest command's. -TG_EPROTO: this is no packet; the connection cannot
 * go on. -TG_ENOMEM. */
int tg_webapi_packets_take(struct tg_webapi_packets *packets, const char *bytes, size_t len,
                           size_t *used, struct tg_webapi_piece *piece);
