/* Samples of a family stand together, so every family walks the sources; there are few. Labels are
 * bounded: sources and their servers by the configuration, classes by their list. */
#include "app/session_metrics.h"

#include "source/session_stats.h"

#include <stddef.h>

static bool stats_of(const struct tg_upstream *upstream, struct tg_session_stats *out)
{
    const struct tg_source *source = upstream->source;
    if (!source || !source->session) return false;
    source->session(source, out);
    return true;
}

static void family(struct tg_buf *out, const char *name, const char *type, const char *help)
{
    tg_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

typedef void (*write_one)(const char *source, const struct tg_session_stats *stats,
                          struct tg_buf *out);

static void each(const struct tg_scheduler *scheduler, write_one write, struct tg_buf *out)
{
    const struct tg_upstream *one;
    struct tg_session_stats stats;
    for (int i = 0; (one = tg_scheduler_upstream(scheduler, i)); i++)
        if (stats_of(one, &stats)) write(one->name, &stats, out);
}

static const struct {
    const char *name, *help;
    size_t offset;
} counters[] = {
#define COUNTER(name, help, member)                                                        \
    {                                                                                      \
        "tidegate_session_" name "_total", help, offsetof(struct tg_session_stats, member) \
    }
    COUNTER("requests", "requests sent to the server", requests),
    COUNTER("logins", "sessions that were authenticated", logins),
    COUNTER("refused", "attempts that the server refused", refused),
    COUNTER("lost", "authenticated sessions that were lost", lost),
    COUNTER("moves", "changes of the server, from one that was not the main one", moves),
    COUNTER("slowdowns", "answers that wanted fewer requests", slowdowns),
#undef COUNTER
};

static void write_counters(const struct tg_scheduler *scheduler, struct tg_buf *out)
{
    const struct tg_upstream *one;
    struct tg_session_stats stats;
    for (size_t k = 0; k < sizeof counters / sizeof *counters; k++) {
        family(out, counters[k].name, "counter", counters[k].help);
        for (int i = 0; (one = tg_scheduler_upstream(scheduler, i)); i++) {
            if (!stats_of(one, &stats)) continue;
            const void *at = (const char *)&stats + counters[k].offset;
            tg_buf_printf(out, "%s{source=\"%s\"} %llu\n", counters[k].name, one->name,
                          *(const unsigned long long *)at);
        }
    }
}

static void write_gauge(struct tg_buf *out, const char *name, const char *source, int value)
{
    tg_buf_printf(out, "%s{source=\"%s\"} %d\n", name, source, value);
}

static void ready(const char *source, const struct tg_session_stats *stats, struct tg_buf *out)
{
    write_gauge(out, "tidegate_session_ready", source, stats->ready);
}

static void slow_level(const char *source, const struct tg_session_stats *stats, struct tg_buf *out)
{
    write_gauge(out, "tidegate_session_slow_level", source, stats->slow_level);
}

static void clock_stopped(const char *source, const struct tg_session_stats *stats,
                          struct tg_buf *out)
{
    write_gauge(out, "tidegate_session_clock_stopped", source, stats->clock_stopped);
}

static void endpoint(const char *source, const struct tg_session_stats *stats, struct tg_buf *out)
{
    tg_buf_printf(out, "tidegate_session_endpoint{source=\"%s\",endpoint=\"%s\"} 1\n", source,
                  stats->endpoint);
}

static void answers(const char *source, const struct tg_session_stats *stats, struct tg_buf *out)
{
    for (int i = 0; i < TG_SESSION_CLASSES; i++)
        tg_buf_printf(out, "tidegate_session_answers_total{source=\"%s\",class=\"%s\"} %llu\n",
                      source, tg_session_class_names[i], (unsigned long long)stats->answers[i]);
}

static void round_trip(const char *source, const struct tg_session_stats *stats, struct tg_buf *out)
{
    char label[64];
    (void)snprintf(label, sizeof label, "source=\"%s\"", source);
    tg_histogram_samples(&stats->round_trip, out, "tidegate_session_round_trip_seconds", label);
}

static void batch_sizes(const char *source, const struct tg_session_stats *stats,
                        struct tg_buf *out)
{
    static const char name[] = "tidegate_session_batch_accounts";
    uint64_t sum = 0;
    for (int i = 0; i < TG_SESSION_SIZES - 1; i++) {
        sum += stats->batch_sizes[i];
        tg_buf_printf(out, "%s_bucket{source=\"%s\",le=\"%d\"} %llu\n", name, source,
                      tg_session_size_bounds[i], (unsigned long long)sum);
    }
    tg_buf_printf(out, "%s_bucket{source=\"%s\",le=\"+Inf\"} %llu\n", name, source,
                  (unsigned long long)stats->batches);
    tg_buf_printf(out, "%s_sum{source=\"%s\"} %llu\n", name, source,
                  (unsigned long long)stats->batch_accounts);
    tg_buf_printf(out, "%s_count{source=\"%s\"} %llu\n", name, source,
                  (unsigned long long)stats->batches);
}

void tg_session_metrics(const struct tg_scheduler *scheduler, struct tg_buf *out)
{
    static const struct {
        const char *name, *type, *help;
        write_one write;
    } families[] = {
        {"tidegate_session_ready", "gauge", "1 while the session is authenticated", ready},
        {"tidegate_session_endpoint", "gauge", "the server in use, or tried next; always 1",
         endpoint},
        {"tidegate_session_slow_level", "gauge",
         "how often the speed is halved, because the server wants fewer requests", slow_level},
        {"tidegate_session_clock_stopped", "gauge",
         "1 while the server answers and its clock stands still", clock_stopped},
        {"tidegate_session_answers_total", "counter", "answers, by class of their return code",
         answers},
        {"tidegate_session_round_trip_seconds", "histogram",
         "from a request of a batch to the end of its answer", round_trip},
        {"tidegate_session_batch_accounts", "histogram", "accounts of a batch", batch_sizes},
    };
    write_counters(scheduler, out);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        family(out, families[i].name, families[i].type, families[i].help);
        each(scheduler, families[i].write, out);
    }
}
