/* A dial: a TCP connection to one of the addresses of a host, whichever answers first (RFC 8305,
 * "Happy Eyeballs"): an address that swallows everything must not keep the others from being tried.
 */
#pragma once

#include <uv.h>

#define TG_DIAL_ADDRESSES 16 /* of one host; what a resolver tells beyond is not tried */

struct tg_dial;

struct tg_dial_host {
    /* The connection: it is the callee's, who closes it with uv_close and frees it then. */
    void (*connected)(void *ctx, uv_tcp_t *tcp);
    /* "RESOLVE_FAILED" or "CONNECT_FAILED", with how the last address failed. */
    void (*failed)(void *ctx, const char *code, const char *message);
    void (*gone)(void *ctx); /* the dial's memory is freed; always the last */
    void *ctx;
};

/* Resolves a host and begins to connect; then one of `connected` and `failed`, never from inside,
 * unless it is stopped before, and `gone`. `host` is copied. NULL when memory is short. How long
 * all that may take is for the owner to say. */
struct tg_dial *tg_dial_open(uv_loop_t *loop, const char *name, int port,
                             const struct tg_dial_host *host);

/* The same with addresses that are known; the list stays the caller's. */
struct tg_dial *tg_dial_addresses(uv_loop_t *loop, const struct addrinfo *addresses,
                                  const struct tg_dial_host *host);

/* Gives up before either was told: neither `connected` nor `failed` follows, only `gone`. */
void tg_dial_stop(struct tg_dial *dial);
