/* The hub: the sockets of one server, and their turn of the event loop. */
#pragma once

#include "base/list.h"
#include "net/connection.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* Clients that are told "at capacity" at one time; more are dropped without a word, so that a flood
 * cannot take every descriptor. */
#define TG_TURNED_AWAY_MAX 128

/* One read of one connection; shared by all, because what is read is consumed before the next. */
#define TG_INPUT_SIZE 65536

/* Places for clients: of the hub, or of a listener with a bound of its own. */
struct tg_places {
    int bound, taken;
    bool reserved; /* not of the hub: all descriptors may be used */
};

struct tg_hub {
    uv_loop_t *loop;
    struct tg_conn_env env;
    struct tg_server_counters counters;
    struct tg_list sockets; /* all that live */
    struct tg_list changed; /* those to be looked at before the loop waits */
    uv_prepare_t prepare;
    uv_check_t check;
    uint64_t next_id;
    struct tg_places places; /* clients that are being served */
    int turned_away;         /* clients that are being told no */
    int descriptors; /* clients get only descriptors below this; the rest of the program needs some
                      */
    int handles;     /* of libuv, that keep the hub's memory in use */
    bool closing;
    void (*released)(struct tg_hub *hub); /* the last handle is closed */
    char input[TG_INPUT_SIZE];
};

/* Prepares a zeroed hub whose env is filled except for pool, counters and changed. 0 or -TG_ENOMEM
 * (nothing to undo). */
int tg_hub_init(struct tg_hub *hub, uv_loop_t *loop);

/* Ends all connections (code 1001) and its own handles; `released` follows. */
void tg_hub_close(struct tg_hub *hub);

/* Frees what init made; only when every handle is closed. */
void tg_hub_fini(struct tg_hub *hub);

/* A handle that keeps the hub in use was opened; was closed. */
void tg_hub_hold(struct tg_hub *hub);
void tg_hub_release(struct tg_hub *hub);
