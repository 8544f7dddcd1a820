/* The router: which source has an account, by the configuration's function and its table. */
#pragma once

#include "app/hooks.h"
#include "app/routing.h"
#include "app/routing_table.h"

#include <uv.h>

struct tg_router;

/* Reads routes.file; starts asking routes.url. The configuration is borrowed; `hooks` are the
 * functions in force, NULL without any. 0; -TG_EINVAL or -TG_EIO (the file) with a sentence;
 * -TG_ENOMEM. */
int tg_router_open(uv_loop_t *loop, const struct tg_config *config, struct tg_hooks *hooks,
                   struct tg_router **out, struct tg_err *err);

/* Starts closing; freed when the loop has closed its handles. NULL is allowed. */
void tg_router_close(struct tg_router *router);

/* Takes the functions of a configuration that was read again; `route` is 0 without one. */
void tg_router_hooks(struct tg_router *router, struct tg_hooks *hooks, int route);

/* Whether anything decides here at all; without, every account is at the default source. */
bool tg_router_decides(const struct tg_router *router);

/* Where the account is: 0 with `*out` (freed by the caller; NULL: the default source as it is);
 * -TG_ENOTFOUND: nowhere; -TG_EINVAL with a sentence: it cannot be told; -TG_ENOMEM. The function
 * comes first; where it says nil the table decides; where that has no row, routes.missing. */
int tg_router_find(struct tg_router *router, const char *account_id, struct tg_routing **out,
                   struct tg_err *err);

/* Reads the file again when it has changed, takes what came from the URL. 1: routes may have
 * changed; 0: nothing new; negative with a sentence, on every call until it is good again, and the
 * old table stays. Call it every second or so. */
int tg_router_refresh(struct tg_router *router, struct tg_err *err);
