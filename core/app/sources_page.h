/* The sources' part of /health and /metrics. */
#pragma once

#include "app/scheduler.h"
#include "base/buf.h"

/* All sources together. An account that somebody asked for and no source has says nothing of their
 * health, and is not counted. */
struct tg_sources_health {
    uint32_t asked, ill; /* accounts; those whose polls fail */
    uint32_t stale;      /* those whose sources answer, with states older than promised */
    bool circuit_open;   /* of any source */
};

void tg_sources_health(const struct tg_scheduler *scheduler, struct tg_sources_health *out);

/* Appends the members `source` (the sum), `sources` (each by name) and `accounts`. */
void tg_sources_write(const struct tg_scheduler *scheduler, struct tg_buf *out);

/* Appends the metrics of polls, each sample with the label `source`. */
void tg_sources_metrics(const struct tg_scheduler *scheduler, struct tg_buf *out);
