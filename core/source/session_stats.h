/* How a driver's session with its server has fared since the start, for metrics. */
#pragma once

#include "base/histogram.h"

#include <stdbool.h>

#define TG_SESSION_SIZES 8 /* buckets of batch sizes; the last is +Inf */
#define TG_SESSION_CLASSES 7

/* Classes of answers, by their return codes: "done", "no_data", "retry", "slow", "move", "refused",
 * and "none" for answers without one. */
extern const char *const tg_session_class_names[TG_SESSION_CLASSES];

/* Upper bounds of the buckets of batch sizes, in accounts; the last has none. */
extern const int tg_session_size_bounds[TG_SESSION_SIZES - 1];

struct tg_session_stats {
    const char *endpoint; /* host:port in use, or the next to be tried; borrowed */
    bool ready;           /* authenticated */
    bool clock_stopped;   /* the server answers, and its clock stands still */
    int slow_level;       /* how often the speed is halved; 0: full speed */
    uint64_t requests, logins, refused, lost, moves, slowdowns;
    uint64_t answers[TG_SESSION_CLASSES];
    uint64_t batch_sizes[TG_SESSION_SIZES], batch_accounts, batches;
    struct tg_histogram round_trip;
};
