/* Setup: what the modules are told of the configuration, for the gateway and for the commands that
 * check or sign without one. */
#pragma once

#include "app/config.h"
#include "auth/auth.h"
#include "script/script.h"

/* Keys and ownership, ready to verify and to sign. As tg_auth_new. */
int tg_setup_auth(const struct tg_config *config, const struct tg_clock *clock,
                  struct tg_auth **out, struct tg_err *err);

/* The same into an existing one, as tg_auth_reload. */
int tg_setup_auth_again(const struct tg_config *config, struct tg_auth *auth, struct tg_err *err);

/* The rules' options, without `emit` and `ctx`. They point into the configuration. */
struct tg_script_options tg_setup_script(const struct tg_config *config,
                                         const struct tg_clock *clock);
