/* A wire: what one connection to a Web API says and hears, as bytes. Two protocols, no I/O. */
#pragma once

#include "base/buf.h"
#include "source/webapi_command.h"
#include "source/webapi_crypt.h"
#include "source/webapi_document.h"
#include "source/webapi_text.h"

/* How an answer ended. Borrowed for the call. */
struct tg_webapi_answer {
    int retcode;      /* -1: the answer had none, and `status` is all that is known */
    const char *text; /* the return code as the server spelled it, or what was wrong */
    int status;       /* of HTTP; 0 on the raw protocol */
    bool listed;      /* rows came as a list, which may have been empty */
    bool single;      /* one row came, by itself */
    const struct tg_webapi_fields *fields; /* beside the rows; names in upper case */
};

struct tg_webapi_wire_host {
    tg_webapi_on_row row; /* a row of the answer that is arriving */
    void (*answer)(void *ctx, const struct tg_webapi_answer *answer); /* it is complete */
    void *ctx;
};

struct tg_webapi_wire_options {
    const char *authority; /* REST: the Host header, "mt5.example.com:443"; copied */
    size_t row_max;        /* bytes of one row */
    int64_t answer_max;    /* bytes of one answer */
};

struct tg_webapi_wire;

/* A wire of a new connection. `host` is copied. NULL when memory is short. */
struct tg_webapi_wire *tg_webapi_rest_new(const struct tg_webapi_wire_options *options,
                                          const struct tg_webapi_wire_host *host);
struct tg_webapi_wire *tg_webapi_raw_new(const struct tg_webapi_wire_options *options,
                                         const struct tg_webapi_wire_host *host);

struct tg_webapi_wire_ops {
    int (*request)(struct tg_webapi_wire *wire, const struct tg_webapi_request *request,
                   struct tg_buf *out);
    int (*take)(struct tg_webapi_wire *wire, const char *bytes, size_t len);
    int (*end)(struct tg_webapi_wire *wire);
    int (*crypt)(struct tg_webapi_wire *wire, const struct tg_webapi_hash *hash, const char *rand);
    bool (*ping)(struct tg_webapi_wire *wire, struct tg_buf *out);
    void (*free)(struct tg_webapi_wire *wire);
};

/* The head of both. */
struct tg_webapi_wire {
    const struct tg_webapi_wire_ops *ops;
    struct tg_webapi_wire_host host;
    struct tg_webapi_document document;
    struct tg_webapi_fields fields;
    int64_t answer_max, answer_len;
    bool awaiting; /* a request is out, its answer has not ended */
    bool last;     /* the peer will close behind this answer */
    char why[160]; /* what was wrong, when `take` failed */
};

/* Appends a request's bytes. One at a time: the answer before must have ended. 0, -TG_EINVAL (a
 * value that cannot be sent) or -TG_ENOMEM. */
static inline int tg_webapi_wire_request(struct tg_webapi_wire *wire,
                                         const struct tg_webapi_request *request,
                                         struct tg_buf *out)
{
    return wire->ops->request(wire, request, out);
}

/* Takes bytes from the peer, cut anywhere; calls the host, which may not free the wire. 0, or
 * -TG_EPROTO, -TG_ELIMIT, -TG_ENOMEM: the connection cannot go on, and `why` says why. */
static inline int tg_webapi_wire_take(struct tg_webapi_wire *wire, const char *bytes, size_t len)
{
    return wire->ops->take(wire, bytes, len);
}

/* The peer has closed: completes an answer that ends so. 0, or -TG_EPROTO when one was cut off. */
static inline int tg_webapi_wire_end(struct tg_webapi_wire *wire)
{
    return wire->ops->end(wire);
}

/* Encrypts all that follows, where the protocol does that itself; else nothing. 0 or -TG_E…. */
static inline int tg_webapi_wire_crypt(struct tg_webapi_wire *wire,
                                       const struct tg_webapi_hash *hash, const char *rand)
{
    return wire->ops->crypt ? wire->ops->crypt(wire, hash, rand) : 0;
}

/* Appends what keeps the connection alive and is not answered; false when the protocol has no such
 * thing, and a request must do. */
static inline bool tg_webapi_wire_ping(struct tg_webapi_wire *wire, struct tg_buf *out)
{
    return wire->ops->ping && wire->ops->ping(wire, out);
}

/* NULL is allowed. */
void tg_webapi_wire_free(struct tg_webapi_wire *wire);

/* For the protocols: prepares the head of a wire; frees it; begins an answer; counts its bytes;
 * fails with a sentence; ends it. */
void tg_webapi_wire_init(struct tg_webapi_wire *wire, const struct tg_webapi_wire_ops *ops,
                         const struct tg_webapi_wire_options *options,
                         const struct tg_webapi_wire_host *host);
void tg_webapi_wire_fini(struct tg_webapi_wire *wire);
void tg_webapi_wire_begin(struct tg_webapi_wire *wire, bool envelope);
int tg_webapi_wire_text(struct tg_webapi_wire *wire, const char *text, size_t len);
int tg_webapi_wire_fail(struct tg_webapi_wire *wire, int code, const char *why);
void tg_webapi_wire_done(struct tg_webapi_wire *wire, int status);
