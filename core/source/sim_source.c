/* The driver `sim`: a market and its traders behind the interface of a source, so that the gateway
 * can be seen, tested and measured without a broker.
 *
 * The pure part (market, trader, book) knows no clock and no loop. This file adds both: one timer
 * answers all polls that are due in one turn, an account is simulated only when it is polled, and
 * prices are computed once for all. Steps are counted on the monotonic clock from the moment of
 * opening, so a run from the same seed tells the same story; only its time stamps are the wall's.
 */
#include "source/source.h"

#include "base/list.h"
#include "base/text.h"
#include "source/trader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A poll under way; `poll->driver` points here. */
struct sim_poll {
    struct tg_list node;
    struct tg_poll *poll;
    uint64_t due_ms; /* on the loop's clock */
};

struct sim_source {
    struct tg_source source;
    struct tg_sim_source_options options;
    const struct tg_clock *clock;
    uv_timer_t timer;
    int64_t opened_mono_ms;
    struct tg_market *market;
    struct tg_trader **traders; /* [accounts], made when first polled */
    struct tg_list waiting;     /* in the order in which they are due */
    struct tg_list answering;   /* due in this turn of the loop */
};

static void forget(struct sim_poll *running)
{
    tg_list_remove(&running->node);
    running->poll->driver = NULL;
    free(running);
}

static void end(struct tg_poll *poll, enum tg_poll_end how, const char *code, const char *message)
{
    poll->end = how;
    poll->retry_after_ms = 0;
    (void)snprintf(poll->code, sizeof poll->code, "%s", code);
    (void)snprintf(poll->message, sizeof poll->message, "%s", message);
}

/* The last `outage_for_s` of every `outage_every_s` seconds since the opening are an outage. */
static bool is_away(const struct sim_source *sim, int64_t mono_ms)
{
    int64_t every = (int64_t)sim->options.outage_every_s * 1000;
    int64_t length = (int64_t)sim->options.outage_for_s * 1000;
    return every && (mono_ms - sim->opened_mono_ms) % every >= every - length;
}

/* The account's number, or 0 when there is no such account. */
static uint32_t number_of(const struct sim_source *sim, const char *id)
{
    static const char prefix[] = "demo-";
    size_t skip = sizeof prefix - 1;
    uint64_t number;
    if (strncmp(id, prefix, skip) != 0 || tg_read_u64(id + skip, strlen(id + skip), &number))
        return 0;
    return number <= (uint64_t)sim->options.accounts ? (uint32_t)number : 0;
}

static struct tg_trader *trader_of(struct sim_source *sim, uint32_t number)
{
    struct tg_trader **slot = &sim->traders[number - 1];
    if (!*slot)
        *slot =
            tg_trader_new(sim->market, sim->options.seed, number, sim->options.events_per_minute);
    return *slot;
}

/* Brings the market, shared by all accounts, to the present. */
static void move_market(struct sim_source *sim, int64_t mono_ms)
{
    int64_t age = mono_ms - sim->opened_mono_ms, into = age % TG_MARKET_STEP_MS;
    tg_market_advance(sim->market, age / TG_MARKET_STEP_MS, tg_wall_ms(sim->clock) - into);
}

/* `wants_deals` is a question about the records and changes nothing here. */
static int read_state(struct tg_trader *trader, struct tg_poll *poll)
{
    tg_trader_run(trader);
    int rc = tg_book_write_state(&trader->book, trader->step, &poll->records);
    if (rc || !poll->ops->wants_deals || !poll->ops->wants_deals(poll)) return rc;
    return tg_book_write_deals(&trader->book, poll->deals_since_ms, &poll->records);
}

static void answer(struct sim_source *sim, struct tg_poll *poll, bool away)
{
    uint32_t number = number_of(sim, poll->account_id);
    tg_records_clear(&poll->records);
    if (away) {
        end(poll, TG_POLL_FAILED, "CONNECTION_LOST", "the simulated server is away");
    } else if (!number) {
        end(poll, TG_POLL_UNKNOWN, "UNKNOWN_ACCOUNT", "the simulator has no such account");
    } else {
        struct tg_trader *trader = trader_of(sim, number);
        if (trader && !read_state(trader, poll)) {
            end(poll, TG_POLL_OK, "", "");
        } else {
            tg_records_clear(&poll->records);
            end(poll, TG_POLL_FAILED, "NO_MEMORY", "out of memory");
        }
    }
    poll->ops->done(poll);
}

static void on_timer(uv_timer_t *timer);

static void arm(struct sim_source *sim)
{
    struct tg_list *first = tg_list_first(&sim->waiting);
    if (!first || uv_is_closing((uv_handle_t *)&sim->timer)) return;
    uint64_t due = tg_of(first, struct sim_poll, node)->due_ms, now = uv_now(sim->timer.loop);
    (void)uv_timer_start(&sim->timer, on_timer, due > now ? due - now : 0, 0);
}

/* What is due is set aside first: `done` may cancel any poll, start new ones or close the source.
 */
static void on_timer(uv_timer_t *timer)
{
    struct sim_source *sim = timer->data;
    struct tg_list *node;
    uint64_t now = uv_now(timer->loop);
    int64_t mono_ms = tg_mono_ms(sim->clock);
    bool away = is_away(sim, mono_ms);
    move_market(sim, mono_ms);
    while ((node = tg_list_first(&sim->waiting)) &&
           tg_of(node, struct sim_poll, node)->due_ms <= now) {
        tg_list_remove(node);
        tg_list_append(&sim->answering, node);
    }
    while ((node = tg_list_first(&sim->answering))) {
        struct sim_poll *running = tg_of(node, struct sim_poll, node);
        struct tg_poll *poll = running->poll;
        forget(running);
        answer(sim, poll, away);
    }
    arm(sim);
}

static int on_poll(struct tg_source *source, struct tg_poll *poll)
{
    struct sim_source *sim = tg_of(source, struct sim_source, source);
    struct sim_poll *running = malloc(sizeof *running);
    if (!running) return -TG_ENOMEM;
    running->poll = poll;
    /* A millisecond at least: libuv runs a timer that is set to 0 inside a timer in the same turn,
     * and an owner who polls again from `done` would hold the loop. */
    int latency_ms = sim->options.latency_ms ? sim->options.latency_ms : 1;
    running->due_ms = uv_now(sim->timer.loop) + (uint64_t)latency_ms;
    tg_list_init(&running->node);
    tg_list_append(&sim->waiting, &running->node);
    poll->driver = running;
    if (!uv_is_active((uv_handle_t *)&sim->timer)) arm(sim);
    return 0;
}

static void on_cancel(struct tg_source *source, struct tg_poll *poll)
{
    (void)source;
    if (poll->driver) forget(poll->driver);
}

static void on_closed(uv_handle_t *handle)
{
    struct sim_source *sim = handle->data;
    for (int i = 0; i < sim->options.accounts; i++)
        tg_trader_free(sim->traders[i]);
    free(sim->traders);
    tg_market_free(sim->market);
    free(sim);
}

static void on_close(struct tg_source *source)
{
    struct sim_source *sim = tg_of(source, struct sim_source, source);
    struct tg_list *node;
    while ((node = tg_list_first(&sim->waiting)) || (node = tg_list_first(&sim->answering)))
        forget(tg_of(node, struct sim_poll, node));
    uv_close((uv_handle_t *)&sim->timer, on_closed);
}

static int check(const struct tg_sim_source_options *options, struct tg_err *err)
{
    if (options->accounts < 1 || options->accounts > TG_SIM_ACCOUNTS)
        return tg_fail(err, TG_EINVAL, "accounts must be between 1 and %d, not %d", TG_SIM_ACCOUNTS,
                       options->accounts);
    if (!(options->events_per_minute >= 0 && options->events_per_minute <= TG_SIM_EVENTS))
        return tg_fail(err, TG_EINVAL, "events_per_minute must be between 0 and %d, not %g",
                       TG_SIM_EVENTS, options->events_per_minute);
    if (options->latency_ms < 0 || options->latency_ms > TG_SIM_LATENCY_MS)
        return tg_fail(err, TG_EINVAL, "latency_ms must be between 0 and %d, not %d",
                       TG_SIM_LATENCY_MS, options->latency_ms);
    if (options->outage_every_s < 0 || options->outage_for_s < 0 ||
        options->outage_for_s > options->outage_every_s)
        return tg_fail(err, TG_EINVAL, "outage_for_s must be between 0 and outage_every_s, not %d",
                       options->outage_for_s);
    return 0;
}

int tg_sim_source_open(uv_loop_t *loop, const struct tg_clock *clock,
                       const struct tg_sim_source_options *options, struct tg_source **out,
                       struct tg_err *err)
{
    static const struct tg_source_ops ops = {"sim", on_poll, on_cancel, on_close};
    int rc = check(options, err);
    if (rc) return rc;
    struct sim_source *sim = calloc(1, sizeof *sim);
    struct tg_market *market = tg_market_new(options->seed);
    struct tg_trader **traders = calloc((size_t)options->accounts, sizeof(struct tg_trader *));
    if (!sim || !market || !traders) {
        free(sim);
        free(traders);
        tg_market_free(market);
        return tg_fail(err, TG_ENOMEM, "out of memory");
    }
    sim->source.ops = &ops;
    sim->options = *options;
    sim->clock = clock;
    sim->opened_mono_ms = tg_mono_ms(clock);
    sim->market = market;
    sim->traders = traders;
    tg_list_init(&sim->waiting);
    tg_list_init(&sim->answering);
    (void)uv_timer_init(loop, &sim->timer);
    sim->timer.data = sim;
    tg_market_advance(market, 0, tg_wall_ms(clock));
    *out = &sim->source;
    return 0;
}
