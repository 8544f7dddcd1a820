/* Sources and upstreams, made from the configuration. */
#pragma once

#include "app/config.h"
#include "app/upstream.h"

/* Opens the driver that a source names. 0, or a negative code with a sentence that names the
 * source. */
int tg_source_open(uv_loop_t *loop, const struct tg_clock *clock,
                   const struct tg_config_source *config, struct tg_source **out,
                   struct tg_err *err);

/* All sources of the configuration, which they borrow from, as `sources_count` upstreams in its
 * order. 0, or a negative code with none open. */
int tg_upstreams_open(uv_loop_t *loop, const struct tg_clock *clock, const struct tg_config *config,
                      struct tg_upstream **out, struct tg_err *err);

/* Starts closing the sources and frees the upstreams. NULL is allowed. */
void tg_upstreams_close(struct tg_upstream *upstreams, int count);
