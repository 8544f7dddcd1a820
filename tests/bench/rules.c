/* What rules cost: a poll of 100 000 accounts through the engine, without sockets and without a
 * source. Each figure is the median of several rounds of processor time, so that what else runs on
 * the machine matters little; the last column compares it with what every poll pays anyway, one
 * pass that finds the differences of all accounts in plain C.
 *
 *   build/release/bench_rules [accounts]
 *
 * malloc and its kin are counted here, which is why there is no such program in a build with
 * sanitizers: they have their own. */
#include "base/clock.h"
#include "base/log.h"
#include "model/field.h"
#include "script/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 15

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);

static uint64_t allocations;

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    allocations++;
    return __libc_realloc(block, size);
}

static uint64_t events;

static void emit(void *ctx, const struct tg_script_event *event)
{
    (void)ctx;
    (void)event;
    events++;
}

struct bench {
    struct tg_account *accounts, **all;
    struct tg_moment *moments;
    uint32_t count;
    double base_ns; /* of the pass in plain C, an account */
    int round;
};

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double rounds[ROUNDS])
{
    qsort(rounds, ROUNDS, sizeof *rounds, by_size);
    return rounds[ROUNDS / 2];
}

static double now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void fill(struct bench *bench, uint32_t count)
{
    bench->count = count;
    bench->accounts = calloc(count, sizeof *bench->accounts);
    bench->all = calloc(count, sizeof *bench->all);
    bench->moments = calloc(count, sizeof *bench->moments);
    if (!bench->accounts || !bench->all || !bench->moments) abort();
    for (uint32_t i = 0; i < count; i++) {
        struct tg_account *account = &bench->accounts[i];
        char id[24];
        (void)snprintf(id, sizeof id, "demo-%u", i);
        tg_account_init(account, id);
        account->slot = i;
        account->birth = i + 1;
        account->known = account->positions_known = true;
        struct tgl_account *now = &account->now;
        now->balance = now->equity = now->margin_free = 10000 + i % 100;
        now->credit = now->profit = 0;
        now->margin = 1000;
        now->margin_level = 1000;
        now->leverage = 100;
        account->was = *now;
        bench->all[i] = account;
        struct tg_moment *moment = &bench->moments[i];
        tg_position_blank(&moment->position);
        tg_position_blank(&moment->was);
        tg_moment_blank(&moment->about);
        moment->about.estimated = moment->about.synthetic = 0;
        struct tgl_position *position = &moment->position;
        (void)snprintf(position->symbol, sizeof position->symbol, "EURUSD");
        position->ticket = position->position_id = 1000 + i;
        position->time_open = 1790000000000;
        position->volume = 1;
        position->price_open = position->price_current = 1.085;
        position->side = TG_SIDE_BUY;
        position->profit = position->swap = position->commission = 0;
        position->digits = 5;
    }
}

/* What a poll leaves in an account. */
static void quiet(struct tg_account *account, int round)
{
    account->was = account->now;
    account->now.positions_count = round; /* which no rule watches */
}

static void prices(struct tg_account *account, int round)
{
    account->was = account->now;
    account->now.profit = round;
    account->now.equity = account->now.balance + round;
    account->now.margin_free = account->now.equity - 1000;
    account->now.margin_level = 900 + round;
}

/* Once in a while a zone is left: then a detect has something to say. */
static void zones(struct tg_account *account, int round)
{
    account->was = account->now;
    account->now.margin_level = round % 2 ? 120 : 900;
}

static void change(struct bench *bench, void (*poll)(struct tg_account *, int), int kind)
{
    bench->round++;
    for (uint32_t i = 0; i < bench->count; i++) {
        struct tg_account *account = &bench->accounts[i];
        account->moments_count = 0;
        account->changed = 0;
        if (poll) {
            poll(account, bench->round);
            account->changed = tg_entity_diff(&tg_account_entity, &account->was, &account->now);
        }
        if (kind < 0) continue;
        bench->moments[i].kind = kind;
        account->moments = &bench->moments[i];
        account->moments_count = 1;
    }
}

static void measure_base(struct bench *bench)
{
    uint64_t bits = 0;
    double rounds[ROUNDS];
    for (int k = 0; k < ROUNDS; k++) {
        change(bench, prices, -1);
        double begun = now_ns();
        for (uint32_t i = 0; i < bench->count; i++)
            bits += tg_entity_diff(&tg_account_entity, &bench->accounts[i].was,
                                   &bench->accounts[i].now);
        rounds[k] = (now_ns() - begun) / bench->count;
    }
    bench->base_ns = median(rounds);
    (void)printf("%-58s %8.2f ms %8.0f ns %25s 1.00%s\n", "finding the differences in plain C",
                 bench->base_ns * bench->count / 1e6, bench->base_ns, "", bits ? "" : "!");
}

static struct tg_script *engine(const char *path, bool interpreted)
{
    static struct tg_clock_virtual clock;
    tg_clock_virtual_init(&clock, 1000, 1790000000000);
    struct tg_script_options options = {
        .paths = &path,
        .paths_count = path ? 1 : 0,
        .budget_ms = 1000,
        .memory_bytes = INT64_C(512) << 20,
        .events_per_tick = 256,
        .bytes_per_tick = 1 << 20,
        .payload_bytes = 65536,
        .rest_after_faults = 5,
        .rest_seconds = 60,
        .interpreted = interpreted,
        .clock = &clock.clock,
        .emit = emit,
    };
    struct tg_err err = {{0}};
    struct tg_script *script = tg_script_new(&options);
    if (script && !tg_script_load(script, &err)) return script;
    (void)fprintf(stderr, "bench_rules: %s\n", err.text);
    exit(1);
}

struct figures {
    double ns;
    uint64_t events, allocations;
};

/* Asks for each account whether a rule wakes, then runs those that do, as the gateway does. */
static struct figures one_poll(struct bench *bench, struct tg_script *script)
{
    events = allocations = 0;
    uint32_t woken = 0;
    double begun = now_ns();
    for (uint32_t i = 0; i < bench->count; i++)
        if (tg_script_wakes(script, &bench->accounts[i])) bench->all[woken++] = &bench->accounts[i];
    tg_script_run(script, bench->all, woken);
    return (struct figures){now_ns() - begun, events, allocations};
}

static void measure(struct bench *bench, const char *what, const char *path, bool interpreted,
                    void (*poll)(struct tg_account *, int), int kind)
{
    struct tg_script *script = engine(path, interpreted);
    struct figures all = {0};
    double rounds[ROUNDS];
    for (int k = 0; k < ROUNDS + 3; k++) {
        change(bench, poll, kind);
        struct figures figures = one_poll(bench, script);
        if (k < 3) continue; /* until the code is compiled and the buffers have their size */
        rounds[k - 3] = figures.ns;
        all.events = figures.events;
        all.allocations += figures.allocations;
    }
    all.ns = median(rounds);
    uint64_t each = all.events ? all.events : bench->count;
    (void)printf("%-58s %8.2f ms %8.0f ns %8llu %8.3f %8.2f\n", what, all.ns / 1e6,
                 all.ns / (double)each, (unsigned long long)all.events,
                 all.events ? (double)all.allocations / ROUNDS / (double)all.events : 0.0,
                 all.ns / bench->count / bench->base_ns);
    tg_script_free(script);
}

static const char *rule(char folder[64], const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s.lua", folder, name);
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file)) abort();
    return strdup(path);
}

int main(int argc, char **argv)
{
    struct bench bench = {0};
    char folder[64] = "/tmp/tidegate-bench-XXXXXX";
    fill(&bench, argc > 1 ? (uint32_t)atoi(argv[1]) : 100000);
    tg_log_setup(TG_LOG_ERROR, TG_LOG_TEXT, stderr);
    if (!mkdtemp(folder)) return 1;
    const char *silent = rule(folder, "silent",
                              "rule 'silent' { watch = { 'margin_level' }, "
                              "detect = function(now, was) "
                              "return crossed(now.margin_level, was.margin_level, 150) end }\n");
    const char *speaks = rule(folder, "speaks",
                              "rule 'speaks' { watch = { 'equity' }, payload = function(now) "
                              "return { equity = now.equity, level = now.margin_level } end }\n");
    const char *zone = "plugins/rules/margin_zones";
    (void)printf("%u accounts\n%-58s %11s %11s %8s %8s %8s\n", bench.count, "", "in all", "each",
                 "events", "mallocs", "ratio");
    measure_base(&bench);
    measure(&bench, "default rules, nothing they watch changed", NULL, false, quiet, -1);
    measure(&bench, "default rules, 4 figures of each account changed", NULL, false, prices, -1);
    measure(&bench, "default rules, a position opened in each", NULL, false, NULL,
            TG_MOMENT_POSITION_OPENED);
    measure(&bench, "default rules, a position closed in each", NULL, false, NULL,
            TG_MOMENT_POSITION_CLOSED);
    measure(&bench, "a detect of one line, silent", silent, false, prices, -1);
    measure(&bench, "the same, JIT off", silent, true, prices, -1);
    measure(&bench, "margin zones, silent", zone, false, prices, -1);
    measure(&bench, "margin zones, all enter or leave one", zone, false, zones, -1);
    measure(&bench, "a payload of two fields by a function", speaks, false, prices, -1);
    (void)unlink(silent);
    (void)unlink(speaks);
    (void)rmdir(folder);
    return 0;
}
