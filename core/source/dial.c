/* Addresses are tried in the resolver's order (RFC 6724), the families taking turns; the next
 * begins when the one before has failed, or has said nothing for a while, and all that have begun
 * go on until one is connected (RFC 8305, sections 4 and 5).
 *
 * What would break it: freeing before the resolver, the timer and every socket have let go, so each
 * of them is counted in `held`; and a socket that connects in the same turn as another, which finds
 * the dial over and is closed. */
#include "source/dial.h"

#include "base/list.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DELAY_MS 250 /* the "Connection Attempt Delay" of RFC 8305, section 5 */

struct attempt {
    uv_connect_t request;
    uv_tcp_t *tcp; /* NULL: not begun, failed, or given away */
    struct tg_dial *dial;
    struct sockaddr_storage address;
};

struct tg_dial {
    uv_loop_t *loop;
    uv_getaddrinfo_t resolve;
    uv_timer_t timer;
    struct tg_dial_host host;
    struct attempt attempts[TG_DIAL_ADDRESSES];
    int count, next, pending;
    int held;   /* the resolver, the timer and the sockets */
    int status; /* how the last attempt failed */
    bool over;
};

static void release(struct tg_dial *dial)
{
    if (--dial->held) return;
    struct tg_dial_host host = dial->host;
    free(dial);
    host.gone(host.ctx);
}

static void on_timer_closed(uv_handle_t *handle)
{
    release(tg_of(handle, struct tg_dial, timer));
}

static void on_tcp_closed(uv_handle_t *handle)
{
    struct tg_dial *dial = handle->data;
    free(handle);
    release(dial);
}

static void close_attempt(struct attempt *attempt)
{
    if (attempt->tcp) uv_close((uv_handle_t *)attempt->tcp, on_tcp_closed);
    attempt->tcp = NULL;
}

/* Nothing is begun or told any more. */
static void end(struct tg_dial *dial)
{
    dial->over = true;
    for (int i = 0; i < dial->next; i++)
        close_attempt(&dial->attempts[i]);
    uv_close((uv_handle_t *)&dial->timer, on_timer_closed);
}

static void fail(struct tg_dial *dial, const char *code, int status)
{
    end(dial);
    dial->host.failed(dial->host.ctx, code, status ? uv_strerror(status) : "no such host");
}

/* ---- the attempts ---- */

static void try_next(struct tg_dial *dial);

static void on_connect(uv_connect_t *request, int status)
{
    struct attempt *attempt = tg_of(request, struct attempt, request);
    struct tg_dial *dial = attempt->dial;
    if (dial->over) return; /* its socket is being closed */
    dial->pending--;
    if (status) {
        dial->status = status;
        close_attempt(attempt);
        try_next(dial);
        return;
    }
    uv_tcp_t *tcp = attempt->tcp;
    attempt->tcp = NULL;
    dial->held--; /* the timer still holds */
    end(dial);
    dial->host.connected(dial->host.ctx, tcp);
}

static int begin(struct tg_dial *dial, struct attempt *attempt)
{
    uv_tcp_t *tcp = malloc(sizeof *tcp);
    if (!tcp) return UV_ENOMEM;
    int rc = uv_tcp_init(dial->loop, tcp);
    if (rc) {
        free(tcp);
        return rc;
    }
    tcp->data = dial;
    attempt->tcp = tcp;
    attempt->dial = dial;
    dial->held++;
    rc = uv_tcp_connect(&attempt->request, tcp, (const struct sockaddr *)&attempt->address,
                        on_connect);
    if (rc) close_attempt(attempt);
    return rc;
}

static void on_timer(uv_timer_t *timer)
{
    try_next(tg_of(timer, struct tg_dial, timer));
}

/* Begins with the next address that a socket can be made for. */
static void try_next(struct tg_dial *dial)
{
    while (dial->next < dial->count) {
        int rc = begin(dial, &dial->attempts[dial->next++]);
        if (!rc) {
            dial->pending++;
            (void)uv_timer_start(&dial->timer, on_timer, DELAY_MS, 0);
            return;
        }
        dial->status = rc;
    }
    if (!dial->pending) fail(dial, dial->count ? "CONNECT_FAILED" : "RESOLVE_FAILED", dial->status);
}

/* ---- the addresses ---- */

/* The first after `from` that is, or is not, of this family. */
static const struct addrinfo *find(const struct addrinfo *from, int family, bool same)
{
    while (from && (from->ai_family == family) != same)
        from = from->ai_next;
    return from;
}

/* Takes the addresses up, the first one's family and the others by turns. */
static void take(struct tg_dial *dial, const struct addrinfo *addresses)
{
    int first = addresses ? addresses->ai_family : AF_UNSPEC;
    const struct addrinfo *lists[2] = {find(addresses, first, true), find(addresses, first, false)};
    for (int turn = 0; dial->count < TG_DIAL_ADDRESSES && (lists[0] || lists[1]); turn ^= 1) {
        const struct addrinfo *address = lists[turn];
        if (!address || address->ai_addrlen > sizeof dial->attempts->address) {
            if (address) lists[turn] = find(address->ai_next, first, !turn);
            continue;
        }
        memcpy(&dial->attempts[dial->count++].address, address->ai_addr, address->ai_addrlen);
        lists[turn] = find(address->ai_next, first, !turn);
    }
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    struct tg_dial *dial = tg_of(request, struct tg_dial, resolve);
    if (!dial->over) {
        take(dial, addresses);
        if (status || !dial->count)
            fail(dial, "RESOLVE_FAILED", status);
        else
            try_next(dial);
    }
    uv_freeaddrinfo(addresses);
    release(dial);
}

static struct tg_dial *make(uv_loop_t *loop, const struct tg_dial_host *host)
{
    struct tg_dial *dial = calloc(1, sizeof *dial);
    if (!dial) return NULL;
    dial->loop = loop;
    dial->host = *host;
    (void)uv_timer_init(loop, &dial->timer);
    dial->held = 1;
    return dial;
}

struct tg_dial *tg_dial_open(uv_loop_t *loop, const char *name, int port,
                             const struct tg_dial_host *host)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char service[8];
    struct tg_dial *dial = make(loop, host);
    if (!dial) return NULL;
    (void)snprintf(service, sizeof service, "%d", port);
    if (!uv_getaddrinfo(loop, &dial->resolve, on_resolved, name, service, &hints)) {
        dial->held++;
    } else { /* no memory, or no host's name: told like everything else, later */
        dial->status = UV_EAI_FAIL;
        (void)uv_timer_start(&dial->timer, on_timer, 0, 0);
    }
    return dial;
}

struct tg_dial *tg_dial_addresses(uv_loop_t *loop, const struct addrinfo *addresses,
                                  const struct tg_dial_host *host)
{
    struct tg_dial *dial = make(loop, host);
    if (!dial) return NULL;
    take(dial, addresses);
    dial->status = UV_EAI_NODATA;
    (void)uv_timer_start(&dial->timer, on_timer, 0, 0);
    return dial;
}

void tg_dial_stop(struct tg_dial *dial)
{
    if (dial->over) return;
    (void)uv_cancel((uv_req_t *)&dial->resolve);
    end(dial);
}
