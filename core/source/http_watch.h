/* The sockets of an HTTP client on the loop, watched from connect to close. */
#pragma once

#include <uv.h>

struct tg_http_watch;

struct tg_http_watches {
    uv_loop_t *loop;
    /* A socket that is wanted is ready; `status` under 0: it is broken. It may be closed from here.
     */
    void (*ready)(void *ctx, int fd, int status, int events);
    void (*gone)(void *ctx); /* the memory of one watch has been freed */
    void *ctx;
    int count;                   /* watches that are not gone */
    struct tg_http_watch **rows; /* by descriptor */
    int cap;
};

/* A new socket with its watch; -1 when there is no descriptor or no memory. */
int tg_http_watches_open(struct tg_http_watches *set, int family, int type, int protocol);

/* Closes such a socket at once; `gone` follows from the loop. */
void tg_http_watches_close(struct tg_http_watches *set, int fd);

/* Watches for UV_READABLE and UV_WRITABLE; 0: nothing is wanted now. Another's
 * socket is watched from the first wish until 0, and must stay open that long. Whoever cannot be
 * watched for want of memory is left alone. */
void tg_http_watches_want(struct tg_http_watches *set, int fd, int events);

/* Frees the table; no watch may be left. */
void tg_http_watches_fini(struct tg_http_watches *set);
