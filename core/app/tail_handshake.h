/* The client's side of the opening handshake (RFC 6455, section 4.1). No I/O. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct tg_tail_request {
    const char *authority;  /* for Host */
    const char *prefix;     /* "" or "/path" */
    const char *account_id; /* of the account alphabet: needs no escaping */
    const char *token;
    const char *epoch; /* to resume; "" = not */
    unsigned long long since;
};

#define TG_TAIL_HEAD_BYTES 16384
#define TG_TAIL_BODY_BYTES 65536

struct tg_tail_handshake {
    char accept[29];    /* what the server must answer for our key */
    struct tg_buf in;   /* received and not yet used */
    size_t head;        /* bytes of the answer's head; 0: not complete */
    int status;         /* HTTP status, once the head is complete */
    long body;          /* a refusal's Content-Length; -1: until the end of the connection */
    long retry_after_s; /* 0: not told */
};

/* Appends the request with a fresh random key. -TG_EINVAL when the token has bytes that no header
 * may have. */
int tg_tail_handshake_start(struct tg_tail_handshake *handshake,
                            const struct tg_tail_request *request, struct tg_buf *out,
                            struct tg_err *err);
void tg_tail_handshake_fini(struct tg_tail_handshake *handshake);

/* Takes what the server sent; `ended`: it sends no more. TG_EAGAIN is negative as always:
 * -TG_EAGAIN more is needed; 0 upgraded, what stands in `in` now are frames; -TG_EAUTH refused with
 * `status`, and `err` says in what words; -TG_EPROTO the answer is no good. */
int tg_tail_handshake_feed(struct tg_tail_handshake *handshake, const char *bytes, size_t len,
                           bool ended, struct tg_err *err);
