/* A histogram with fixed buckets, for durations in microseconds. */
#pragma once

#include "base/buf.h"

#include <stdint.h>

#define TG_HISTOGRAM_BUCKETS 14

/* Zero-initialise. */
struct tg_histogram {
    uint64_t counts[TG_HISTOGRAM_BUCKETS]; /* the last one is +Inf */
    uint64_t sum_us, count;
};

void tg_histogram_note(struct tg_histogram *histogram, int64_t us);

/* Appends it in Prometheus text format, in seconds. `name` ends in _seconds. */
void tg_histogram_write(const struct tg_histogram *histogram, struct tg_buf *out, const char *name,
                        const char *help);

/* The samples alone, for one of several histograms of a family; `labels` such as `source="main"`,
 * or "". */
void tg_histogram_samples(const struct tg_histogram *histogram, struct tg_buf *out,
                          const char *name, const char *labels);
