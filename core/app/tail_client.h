/* One connection of a tail, from connect to its end. */
#pragma once

#include "app/tail_url.h"
#include "base/err.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tg_tail_end {
    TG_TAIL_STOPPED,     /* asked to stop: by a signal or by `message` */
    TG_TAIL_UNREACHABLE, /* no connection, or no proper answer in time */
    TG_TAIL_REFUSED,     /* an HTTP answer other than 101; `status`, `retry_after_s` */
    TG_TAIL_CLOSED,      /* closed by the gateway with `code` (1005: without one) */
    TG_TAIL_LOST,        /* the connection broke, or fell silent */
};

struct tg_tail_client {
    const struct tg_tail_url *url;
    const char *account_id, *token, *epoch;
    uint64_t since;
    int connect_ms; /* for connect and handshake together */
    int ping_ms;    /* between pings */
    int silence_ms; /* a ping that is not answered in this time ends the connection */
    void *ctx;
    /* The handshake is done. */
    void (*opened)(void *ctx);
    /* A message, not terminated; false: stop. */
    bool (*message)(void *ctx, bool text, const char *data, size_t len);
    const volatile sig_atomic_t *stop; /* not 0: stop; looked at when a signal comes */
    const sigset_t *unblocked;         /* the signal mask while waiting */

    /* How it ended. */
    int status, code;
    long retry_after_s;
    struct tg_err why; /* a sentence; may quote the server: not yet safe for a terminal */
};

/* Runs the connection to its end. */
enum tg_tail_end tg_tail_client_run(struct tg_tail_client *client);
