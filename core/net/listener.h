/* A listener: one address and port where clients come in. */
#pragma once

#include "base/err.h"
#include "base/list.h"
#include "net/hub.h"
#include "net/server.h"

struct tg_listener;

/* Starts to listen and links itself into `list`. 0, -TG_ENOMEM, -TG_EINVAL (the address is none) or
 * -TG_EIO, with `err` naming address, port and reason. */
int tg_listener_open(struct tg_hub *hub, struct tg_list *list,
                     const struct tg_listen_options *options, int *port_out, struct tg_err *err);

/* Stops all of a list accepting. The memory stays until tg_listener_free_all, because connections
 * know their listener by its label. */
void tg_listener_close_all(struct tg_list *list);

/* Frees all of a list, whose handles are closed. */
void tg_listener_free_all(struct tg_list *list);
