/* Every turn of the loop ends with one look at each connection that changed, and that look does all
 * of its writing at once. It happens twice a turn: right after the input was handled (check), so
 * that answers do not wait for timers, and right before the loop waits (prepare), for what timers
 * said. */
#include "net/hub.h"

#include "base/err.h"
#include "net/socket.h"

#include <limits.h>
#include <signal.h>
#include <sys/resource.h>

/* Of the process's descriptors one in so many is kept from clients, at most MOST: polling accounts,
 * reading rules and answering the operator must go on when clients have taken all they can. */
#define KEPT_ONE_IN 16
#define KEPT_MOST 256

static void look_at_changed(struct tg_hub *hub)
{
    for (struct tg_list *node; (node = tg_list_first(&hub->changed));) {
        tg_list_remove(node);
        tg_socket_service(tg_of(node, struct tg_socket, changed));
    }
}

static void on_prepare(uv_prepare_t *handle)
{
    look_at_changed(handle->data);
}

static void on_check(uv_check_t *handle)
{
    look_at_changed(handle->data);
}

static int descriptors_for_clients(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur > INT_MAX) return INT_MAX;
    int all = (int)limit.rlim_cur, kept = all / KEPT_ONE_IN;
    return all - (kept < KEPT_MOST ? kept : KEPT_MOST);
}

int tg_hub_init(struct tg_hub *hub, uv_loop_t *loop)
{
    hub->env.pool = tg_conn_pool_new();
    if (!hub->env.pool) return -TG_ENOMEM;
    hub->env.counters = &hub->counters;
    hub->env.changed = tg_socket_changed;
    (void)signal(SIGPIPE, SIG_IGN); /* libuv writes with it on: a client that left would end us */
    hub->loop = loop;
    hub->descriptors = descriptors_for_clients();
    tg_list_init(&hub->sockets);
    tg_list_init(&hub->changed);
    tg_must(!uv_prepare_init(loop, &hub->prepare) && !uv_check_init(loop, &hub->check));
    hub->prepare.data = hub->check.data = hub;
    tg_must(!uv_prepare_start(&hub->prepare, on_prepare) && !uv_check_start(&hub->check, on_check));
    uv_unref((uv_handle_t *)&hub->prepare);
    uv_unref((uv_handle_t *)&hub->check);
    hub->handles = 2;
    return 0;
}

void tg_hub_hold(struct tg_hub *hub)
{
    hub->handles++;
}

void tg_hub_release(struct tg_hub *hub)
{
    if (--hub->handles == 0) hub->released(hub);
}

static void on_own_closed(uv_handle_t *handle)
{
    tg_hub_release(handle->data);
}

/* The sockets stay in the list until libuv has closed them, so the walk is safe whatever the owner
 * does in `closed`. */
void tg_hub_close(struct tg_hub *hub)
{
    hub->closing = true;
    for (struct tg_list *node = hub->sockets.next; node != &hub->sockets; node = node->next) {
        struct tg_socket *socket = tg_of(node, struct tg_socket, node);
        tg_conn_abort(&socket->conn, 1001);
        tg_socket_service(socket);
    }
    uv_close((uv_handle_t *)&hub->prepare, on_own_closed);
    uv_close((uv_handle_t *)&hub->check, on_own_closed);
}

void tg_hub_fini(struct tg_hub *hub)
{
    tg_must(!hub->handles);
    tg_receiver_pool_free(hub->env.pool);
}
