/* A parsed request as the gateway sees it. */
#pragma once

#include "net/http_headers.h"

#include <stdbool.h>
#include <stddef.h>

/* Everything is borrowed for the time of the callback. */
struct tg_request {
    const char *method;
    const char *path;              /* percent-decoded, starts with '/', UTF-8 without controls */
    const char *query;             /* raw, without '?', "" when there is none */
    const char *address;           /* the peer's IP address as text */
    const char *listener;          /* the listener's label */
    const char *bearer;            /* token of "Authorization: Bearer …", or NULL */
    const char *subprotocol_token; /* token of "bearer.…" in Sec-WebSocket-Protocol, or NULL */
    bool websocket;                /* a valid WebSocket handshake */
    bool upgrade;                  /* asked for an upgrade to WebSocket, valid or not */
    bool offers_tidegate;          /* Sec-WebSocket-Protocol offers tidegate.v1 */
    int handshake_status; /* what to answer where a handshake is needed: 426, 400; 0 valid */
    const char
        *handshake_fault; /* why, one sentence that repeats nothing of the request; or NULL */
    const char *body;
    size_t body_len;
    const struct tg_http_headers *headers;
};

/* The value of a request header (case-insensitive), or NULL. Repeated ones are joined with ", ". */
const char *tg_request_header(const struct tg_request *request, const char *name);
