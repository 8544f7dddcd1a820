/* The WebSocket opening handshake, the server's side (RFC 6455 §4.2). */
#pragma once

#include "base/buf.h"
#include "net/http_head.h"

#include <stdbool.h>

/* What a request's head says about it. Zero-initialise. */
struct tg_handshake {
    bool asked;           /* Upgrade names websocket, rightly or wrongly done */
    int status;           /* 0: valid; else what it deserves: 426 or 400 */
    const char *fault;    /* why, one sentence; NULL when valid */
    const char *key;      /* borrowed from the head; NULL unless valid */
    bool offers_tidegate; /* Sec-WebSocket-Protocol offers tidegate.v1 */
    struct tg_buf token; /* of "bearer.…" in Sec-WebSocket-Protocol; no data when there is none */
};

/* Reads the head of a complete request; frees what an earlier one left. 0 or -TG_ENOMEM. */
int tg_handshake_read(struct tg_handshake *handshake, const struct tg_http_head *head);

/* Frees the token. */
void tg_handshake_fini(struct tg_handshake *handshake);

#define TG_HANDSHAKE_ACCEPT_SIZE 29

/* The Sec-WebSocket-Accept value for a key (RFC 6455 §4.2.2, 5.4). */
void tg_handshake_accept(const char *key, char out[TG_HANDSHAKE_ACCEPT_SIZE]);

/* Appends the 101 answer. `extensions` is what was negotiated, or NULL. The subprotocol tidegate.v1
 * is confirmed when it was offered; a token is never echoed. */
void tg_handshake_answer(struct tg_buf *out, const struct tg_handshake *handshake,
                         const char *extensions);
