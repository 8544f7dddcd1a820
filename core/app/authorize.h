/* The configuration's function as the one who decides about ownership. */
#pragma once

#include "app/hooks.h"
#include "auth/auth.h"

/* As tg_authorizer.owns; `hooks` is a struct tg_hooks with `authorize`. True is a yes, and nothing
 * else is: an error is logged and is a no. */
bool tg_authorize(void *hooks, const struct tg_identity *identity, const char *account_id);
