/* The drain: a shutdown that clients hear of before it reaches them. */
#pragma once

#include "app/gateway_inner.h"

/* Stops accepting, announces `going_away`, begins to close clients at an even pace. A second call
 * ends the wait at once. */
void tg_drain_begin(struct tg_gateway *gateway, const char *cause);

/* Closes what is due; stops the loop when all are gone or limits.drain_seconds have passed, naming
 * how many were left. */
void tg_drain_step(struct tg_gateway *gateway, int64_t now_ms);
