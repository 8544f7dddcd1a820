/* Errors: the codes functions return, and the text a person reads. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

/* Functions return 0 or one of these negated (`-TG_EINVAL`). */
enum tg_errno {
    TG_EINVAL = 1, /* the input is malformed */
    TG_ENOMEM,     /* no memory */
    TG_ELIMIT,     /* a configured bound was reached */
    TG_EAGAIN,     /* not now; more input or more time is needed */
    TG_ENOTFOUND,  /* no such thing */
    TG_EEXIST,     /* there is one already */
    TG_EPROTO,     /* the peer broke the protocol */
    TG_EAUTH,      /* not allowed */
    TG_EIO,        /* the system or the network failed */
    TG_ETIMEOUT,   /* a deadline passed */
    TG_ECLOSED,    /* the peer or the owner has gone */
};

/* The name of an error code, positive or negative; never NULL. */
const char *tg_strerror(int code);

/* Room for one human sentence: configuration, reloads, authentication. Embed it, no init needed
 * beyond zeroing. */
struct tg_err {
    char text[512];
};

/* Writes the sentence (truncated at the bound) and returns `-code`, so that
 * `return tg_fail(err, TG_EINVAL, "…")` reads well. `err` may be NULL. */
int tg_fail(struct tg_err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* For our own mistakes, never for input: says where and aborts. */
#define tg_must(condition)                                                \
    do {                                                                  \
        if (!(condition)) tg_must_failed(#condition, __FILE__, __LINE__); \
    } while (0)

_Noreturn void tg_must_failed(const char *condition, const char *file, int line);
