/* A client that keeps connections is told with every request to watch a socket and with every
 * answer to forget it. Doing so costs five system calls a request, so a socket of our own making
 * stays in the loop's set from connect to close, and only a changed wish is told to the kernel.
 * While nothing is wanted of it, it is silent anyhow; should it speak (the peer closes an idle
 * connection, say), it is taken out until it is wanted again, or it would wake the loop forever.
 *
 * What would break it: a socket that is closed while it is watched (so the client opens and closes
 * its own through here, and those of others, such as a resolver's, are forgotten at once); and
 * trusting `events` after libuv stopped a broken socket by itself. */
#include "source/http_watch.h"

#include "base/list.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct tg_http_watch {
    uv_poll_t poll;
    struct tg_http_watches *set;
    int fd;
    int events; /* what the loop watches for */
    int wanted;
    bool ours; /* made by tg_http_watches_open */
};

static void on_closed(uv_handle_t *handle)
{
    struct tg_http_watch *watch = tg_of(handle, struct tg_http_watch, poll);
    struct tg_http_watches *set = watch->set;
    free(watch);
    set->count--;
    set->gone(set->ctx);
}

static void stop(struct tg_http_watch *watch)
{
    (void)uv_poll_stop(&watch->poll);
    watch->events = 0;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct tg_http_watch *watch = tg_of(poll, struct tg_http_watch, poll);
    if (status < 0 || !watch->wanted) stop(watch);
    if (watch->wanted) watch->set->ready(watch->set->ctx, watch->fd, status, events);
}

static int grow(struct tg_http_watches *set, int fd)
{
    int cap = set->cap ? set->cap : 64;
    while (cap <= fd)
        cap *= 2;
    if (cap == set->cap) return 0;
    struct tg_http_watch **rows = realloc(set->rows, (size_t)cap * sizeof(*rows));
    if (!rows) return -1;
    memset(rows + set->cap, 0, (size_t)(cap - set->cap) * sizeof(*rows));
    set->rows = rows;
    set->cap = cap;
    return 0;
}

static struct tg_http_watch *find(const struct tg_http_watches *set, int fd)
{
    return fd < set->cap ? set->rows[fd] : NULL;
}

static struct tg_http_watch *add(struct tg_http_watches *set, int fd)
{
    struct tg_http_watch *watch = grow(set, fd) ? NULL : calloc(1, sizeof *watch);
    if (!watch) return NULL;
    watch->set = set;
    watch->fd = fd;
    if (uv_poll_init_socket(set->loop, &watch->poll, fd)) {
        free(watch);
        return NULL;
    }
    set->count++;
    return set->rows[fd] = watch;
}

static void drop(struct tg_http_watch *watch)
{
    watch->set->rows[watch->fd] = NULL;
    watch->wanted = 0;
    uv_close((uv_handle_t *)&watch->poll, on_closed);
}

int tg_http_watches_open(struct tg_http_watches *set, int family, int type, int protocol)
{
    int fd = socket(family, type | SOCK_CLOEXEC, protocol);
    if (fd < 0) return -1;
    struct tg_http_watch *watch = add(set, fd);
    if (watch) {
        watch->ours = true;
        return fd;
    }
    (void)close(fd);
    return -1;
}

void tg_http_watches_close(struct tg_http_watches *set, int fd)
{
    struct tg_http_watch *watch = find(set, fd);
    if (watch) drop(watch);
    (void)close(fd);
}

void tg_http_watches_want(struct tg_http_watches *set, int fd, int events)
{
    struct tg_http_watch *watch = find(set, fd);
    if (!watch && (!events || !(watch = add(set, fd)))) return;
    watch->wanted = events;
    if (!events && !watch->ours) drop(watch);
    if (!events || events == watch->events) return;
    watch->events = uv_poll_start(&watch->poll, events, on_ready) ? 0 : events;
}

void tg_http_watches_fini(struct tg_http_watches *set)
{
    free(set->rows);
    set->rows = NULL;
    set->cap = 0;
}
