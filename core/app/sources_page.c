/* Every source stands by itself here, because it is by itself that one fails: the sum over sources
 * is what a monitor makes of the label. Only /health has the sum ready, for people. */
#include "app/sources_page.h"

#include "app/config.h"
#include "base/json.h"

#include <string.h>

static const char *const state_names[TG_SOURCE_STATES] = {"connecting", "connected", "reconnecting",
                                                          "error", "stale"};
static const char *const end_names[] = {"ok",    "failed",  "busy",  "refused",
                                        "stale", "unknown", "denied"};

/* The sum over the upstreams of what /health tells. `driver` is theirs, or "several". */
static struct tg_upstream sum_of(const struct tg_scheduler *scheduler)
{
    struct tg_upstream sum = {.driver = NULL};
    const struct tg_upstream *one;
    for (int i = 0; (one = tg_scheduler_upstream(scheduler, i)); i++) {
        bool same = !sum.driver || !one->driver || strcmp(sum.driver, one->driver) == 0;
        if (one->driver) sum.driver = same ? one->driver : "several";
        if (tg_upstream_open(one)) sum.breaker.state = one->breaker.state;
        for (int k = 0; k < TG_SOURCE_STATES; k++)
            sum.counters.states[k] += one->counters.states[k];
        sum.counters.watches += one->counters.watches;
        sum.counters.unknown += one->counters.unknown;
    }
    return sum;
}

void tg_sources_health(const struct tg_scheduler *scheduler, struct tg_sources_health *out)
{
    const struct tg_upstream sum = sum_of(scheduler);
    const uint32_t *states = sum.counters.states, unknown = sum.counters.unknown;
    uint32_t ill = states[TG_SOURCE_ERROR] + states[TG_SOURCE_RECONNECTING];
    *out = (struct tg_sources_health){
        .asked = sum.counters.watches - unknown,
        .ill = ill - (unknown < ill ? unknown : ill),
        .stale = states[TG_SOURCE_STALE],
        .circuit_open = tg_upstream_open(&sum),
    };
}

static void write_one(const struct tg_upstream *upstream, struct tg_buf *out)
{
    tg_json_open(out, '{');
    tg_json_key(out, "driver");
    tg_json_text(out, upstream->driver);
    tg_json_member_bool(out, "circuit_open", tg_upstream_open(upstream));
    for (int i = 0; i < TG_SOURCE_STATES; i++)
        tg_json_member_i64(out, state_names[i], upstream->counters.states[i]);
    tg_json_member_i64(out, "unknown", upstream->counters.unknown);
    if (upstream->source && upstream->source->describe)
        upstream->source->describe(upstream->source, out);
    tg_json_close(out, '}');
}

void tg_sources_write(const struct tg_scheduler *scheduler, struct tg_buf *out)
{
    const struct tg_upstream sum = sum_of(scheduler), *one;
    tg_json_key(out, "source");
    write_one(&sum, out);
    tg_json_key(out, "sources");
    tg_json_open(out, '{');
    for (int i = 0; (one = tg_scheduler_upstream(scheduler, i)); i++) {
        tg_json_key(out, one->name);
        write_one(one, out);
    }
    tg_json_close(out, '}');
    tg_json_member_i64(out, "accounts", sum.counters.watches);
}

/* ---- metrics ---- */

static void family(struct tg_buf *out, const char *name, const char *type, const char *help)
{
    tg_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

enum kind { COUNT64, COUNT32 };

/* A family with one sample a source, which stands at that offset of its struct. */
struct row {
    const char *name, *type, *help;
    size_t offset;
    enum kind kind;
};

#define AT(member) offsetof(struct tg_upstream, counters.member)
static const struct row rows[] = {
    {"tidegate_polls_held_total", "counter", "polls the open circuit held back", AT(held), COUNT64},
    {"tidegate_polls_skipped_total", "counter",
     "beats skipped because the poll before was still running", AT(skipped), COUNT64},
    {"tidegate_beats_late_total", "counter", "beats begun more than half an interval late",
     AT(late), COUNT64},
    {"tidegate_polls_rejected_total", "counter", "answers that contradicted themselves",
     AT(rejected), COUNT64},
    {"tidegate_polls_in_flight", "gauge", "polls under way", AT(in_flight), COUNT32},
    {"tidegate_accounts", "gauge", "accounts that are polled", AT(watches), COUNT32},
    {"tidegate_accounts_unknown", "gauge", "accounts of these that the source does not have",
     AT(unknown), COUNT32},
};
#undef AT

static void write_rows(const struct tg_scheduler *scheduler, struct tg_buf *out)
{
    const struct tg_upstream *one;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        const struct row *row = &rows[k];
        family(out, row->name, row->type, row->help);
        for (int i = 0; (one = tg_scheduler_upstream(scheduler, i)); i++) {
            const void *at = (const char *)one + row->offset;
            uint64_t value = row->kind == COUNT64 ? *(const uint64_t *)at : *(const uint32_t *)at;
            tg_buf_printf(out, "%s{source=\"%s\"} %llu\n", row->name, one->name,
                          (unsigned long long)value);
        }
    }
}

static void write_states(const struct tg_scheduler *scheduler, struct tg_buf *out)
{
    const struct tg_upstream *one;
    family(out, "tidegate_polls_total", "counter", "polls ended, by outcome");
    for (int i = 0; (one = tg_scheduler_upstream(scheduler, i)); i++)
        for (int k = 0; k < TG_POLL_ENDS; k++)
            tg_buf_printf(out, "tidegate_polls_total{source=\"%s\",end=\"%s\"} %llu\n", one->name,
                          end_names[k], (unsigned long long)one->counters.polls[k]);
    family(out, "tidegate_circuit_open", "gauge", "1 while the circuit breaker holds polls back");
    for (int i = 0; (one = tg_scheduler_upstream(scheduler, i)); i++)
        tg_buf_printf(out, "tidegate_circuit_open{source=\"%s\"} %d\n", one->name,
                      tg_upstream_open(one));
    family(out, "tidegate_source_state", "gauge", "accounts by the state of their source");
    for (int i = 0; (one = tg_scheduler_upstream(scheduler, i)); i++)
        for (int k = 0; k < TG_SOURCE_STATES; k++)
            tg_buf_printf(out, "tidegate_source_state{source=\"%s\",state=\"%s\"} %u\n", one->name,
                          state_names[k], one->counters.states[k]);
}

/* One walk over the accounts, however many sources there are. */
static void write_ages(const struct tg_scheduler *scheduler, struct tg_buf *out)
{
    int64_t oldest[TG_CONFIG_SOURCES + 1] = {0};
    const struct tg_upstream *one;
    size_t cursor = 0;
    int at = 0;
    for (struct tg_watch *watch; (watch = tg_scheduler_next(scheduler, &cursor));) {
        if (tg_scheduler_upstream(scheduler, at) != watch->upstream)
            for (at = 0; tg_scheduler_upstream(scheduler, at) != watch->upstream;)
                at++;
        int64_t age = tg_watch_age_ms(watch);
        if (age > oldest[at]) oldest[at] = age;
    }
    family(out, "tidegate_state_age_seconds", "gauge", "age of the oldest good state");
    for (int i = 0; (one = tg_scheduler_upstream(scheduler, i)); i++)
        tg_buf_printf(out, "tidegate_state_age_seconds{source=\"%s\"} %.3f\n", one->name,
                      (double)oldest[i] / 1000);
}

static void write_histograms(const struct tg_scheduler *scheduler, struct tg_buf *out)
{
    const struct tg_upstream *one;
    char label[64];
    family(out, "tidegate_poll_seconds", "histogram", "duration of polls");
    for (int i = 0; (one = tg_scheduler_upstream(scheduler, i)); i++) {
        (void)snprintf(label, sizeof label, "source=\"%s\"", one->name);
        tg_histogram_samples(&one->counters.duration, out, "tidegate_poll_seconds", label);
    }
    family(out, "tidegate_beat_lateness_seconds", "histogram", "how late beats begin");
    for (int i = 0; (one = tg_scheduler_upstream(scheduler, i)); i++) {
        (void)snprintf(label, sizeof label, "source=\"%s\"", one->name);
        tg_histogram_samples(&one->counters.lateness, out, "tidegate_beat_lateness_seconds", label);
    }
}

void tg_sources_metrics(const struct tg_scheduler *scheduler, struct tg_buf *out)
{
    write_rows(scheduler, out);
    write_states(scheduler, out);
    write_ages(scheduler, out);
    write_histograms(scheduler, out);
}
