/* Plays a recording to one rule set and shows what it says, or to two and shows what the second
 * says differently. Two sets are played one after the other: only one engine at a time can have its
 * runaways stopped without slowing down what it compiles, and a fair comparison gives both the
 * same. So the events of the first wait on the disk for those of the second. */
#include "app/command.h"
#include "app/replay.h"
#include "app/replay_diff.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUILT_IN "default"

struct replay {
    struct tg_report report;
    struct tg_spool spool;
    struct tg_replay_diff diff;
    const char *set; /* "A", "B", or NULL: there is one alone */
    bool damaged;
};

static void show(void *ctx, const struct tg_replay_event *event)
{
    struct replay *replay = ctx;
    tg_report_event(&replay->report, event);
}

static void spool(void *ctx, const struct tg_replay_event *event)
{
    struct replay *replay = ctx;
    tg_spool_put(&replay->spool, event);
}

static void compare(void *ctx, const struct tg_replay_event *event)
{
    struct replay *replay = ctx;
    tg_replay_diff_event(&replay->diff, event);
}

static void on_step(void *ctx, uint64_t step, const struct tg_store *store)
{
    struct replay *replay = ctx;
    tg_replay_diff_step(&replay->diff, step, store);
}

static void on_fault(void *ctx, const struct tg_replay_fault *fault)
{
    struct replay *replay = ctx;
    tg_report_fault(&replay->report, replay->set, fault);
}

/* The second replay of the same tapes finds the same damage and need not say it. */
static void on_damage(void *ctx, const char *text, bool cut)
{
    struct replay *replay = ctx;
    if (replay->set && !strcmp(replay->set, "B")) return;
    (void)fprintf(stderr, "tidegate replay: %s\n", text);
    if (!cut) replay->damaged = true;
}

static int read_time(const struct tg_args *args, const char *name, int64_t *out, struct tg_err *err)
{
    const char *text = tg_args_get(args, name);
    if (!text || !tg_iso8601_read(text, strlen(text), out)) return 0;
    return tg_fail(err, TG_EINVAL, "--%s: expected a time such as 2026-03-02T08:00:00Z", name);
}

/* All values of an option, or the operands (`name` NULL). */
static int collect(const struct tg_args *args, const char *name, const char **into)
{
    int cursor = 0, count = 0;
    while ((into[count] = tg_args_next(args, name, &cursor)))
        count++;
    return count;
}

/* The rules of one set: a path, or by its word the built-in set. */
static void choose(struct tg_replay_options *options, const char *const *rules)
{
    bool built_in = !strcmp(*rules, BUILT_IN) && access(BUILT_IN, F_OK) != 0;
    options->rules = rules;
    options->rules_count = !built_in;
}

static int play_two(struct replay *replay, struct tg_replay_options *options,
                    const char *const *rules, struct tg_replay_totals *totals, struct tg_err *err)
{
    int rc = tg_spool_open(&replay->spool, err);
    if (rc) return rc;
    replay->diff = (struct tg_replay_diff){.report = &replay->report, .a = &replay->spool};
    replay->set = "A";
    options->event = spool;
    choose(options, &rules[0]);
    rc = tg_replay_run(options, totals, err);
    if (rc) return rc;
    tg_spool_rewind(&replay->spool);
    replay->set = "B";
    options->event = compare;
    options->stepped = on_step;
    choose(options, &rules[1]);
    rc = tg_replay_run(options, totals, err);
    if (!rc && replay->spool.failed)
        rc = tg_fail(err, TG_EIO, "the temporary file for the events of A failed");
    return rc;
}

/* Without --log nothing but the result and what is wrong with it is said. */
static void open_log(const struct tg_args *args)
{
    FILE *nowhere = tg_args_get(args, "log") ? NULL : fopen("/dev/null", "we");
    tg_log_setup(TG_LOG_INFO, TG_LOG_TEXT, nowhere ? nowhere : stderr);
}

static int play(const struct tg_command *command, const struct tg_args *args,
                struct tg_replay_options *options, struct replay *replay)
{
    const char *rules[TG_ARGS_MAX];
    struct tg_replay_totals totals;
    struct tg_err err = {{0}};
    int count = collect(args, "rules", rules);
    if (count > 2) return tg_command_misused(command, "--rules: at most two sets are compared");
    if (read_time(args, "from", &replay->report.from_ms, &err) ||
        read_time(args, "to", &replay->report.to_ms, &err))
        return tg_command_misused(command, err.text);
    if (tg_args_get(args, "from") && tg_args_get(args, "to") &&
        replay->report.from_ms >= replay->report.to_ms)
        return tg_command_misused(command, "--to is not behind --from: nothing lies between them");
    open_log(args);
    options->rules = (const char *const *)options->config->rules.paths;
    options->rules_count = options->config->rules.paths_count;
    options->event = show;
    if (count == 1) choose(options, &rules[0]);
    int rc = count == 2 ? play_two(replay, options, rules, &totals, &err)
                        : tg_replay_run(options, &totals, &err);
    if (rc)
        return tg_command_failed(command, rc == -TG_ENOMEM ? TG_EXIT_RUNTIME : TG_EXIT_FAULT,
                                 err.text);
    tg_report_summary(&replay->report, &totals, count == 2);
    if (replay->report.failed)
        return tg_command_failed(command, TG_EXIT_RUNTIME, "the result could not be written");
    if (replay->report.faults || replay->damaged) return TG_EXIT_FAULT;
    return tg_args_get(args, "exit-code") && replay->diff.differences ? TG_EXIT_DIFFERENT
                                                                      : TG_EXIT_DONE;
}

static int run(const struct tg_command *command, const struct tg_args *args)
{
    const char *tapes[TG_ARGS_MAX], *accounts[TG_ARGS_MAX];
    int tapes_count = collect(args, NULL, tapes);
    if (!tapes_count)
        return tg_command_misused(command, "which recording? name tapes (*.tgr) or their folder");
    if (tg_args_get(args, "query") && !tg_args_get(args, "client"))
        return tg_command_misused(command, "--query is a client's: it needs --client");
    struct tg_config *config =
        tg_args_get(args, "config") ? tg_command_config(args) : tg_command_defaults();
    if (!config) return TG_EXIT_FAULT;
    struct replay replay = {.report = {.out = stdout, .json = tg_args_get(args, "json") != NULL}};
    struct tg_replay_options options = {
        .config = config,
        .ids_as_recorded = !tg_args_get(args, "config"),
        .tapes = tapes,
        .tapes_count = tapes_count,
        .accounts = accounts,
        .accounts_count = collect(args, "account", accounts),
        .claims = tg_args_get(args, "client"),
        .query = tg_args_get(args, "query"),
        .interpreted = tg_args_get(args, "interpreted") != NULL,
        .snapshots = tg_args_get(args, "snapshots") != NULL,
        .fault = on_fault,
        .damage = on_damage,
        .ctx = &replay,
    };
    int code = play(command, args, &options, &replay);
    tg_replay_diff_fini(&replay.diff);
    tg_spool_close(&replay.spool);
    tg_report_fini(&replay.report);
    tg_config_free(config);
    return code;
}

static const struct tg_option options[] = {
    {.name = "rules",
     .value = "PATH",
     .help = "a rule set, or \"default\"; a second one: compare",
     .many = true},
    {.name = "account", .value = "GLOB", .help = "only these accounts", .many = true},
    {.name = "client",
     .value = "CLAIMS",
     .help = "only what this client would get: its token's claims, as JSON"},
    {.name = "query", .value = "QUERY", .help = "its URL's query, such as detail=full"},
    {.name = "from", .value = "TIME", .help = "only events from this time (UTC) on"},
    {.name = "to", .value = "TIME", .help = "only events before this time"},
    {.name = "snapshots", .help = "show the snapshots that clients were given, too"},
    {.name = "json", .help = "one JSON object a line"},
    {.name = "exit-code", .help = "exit with 4 when the two sets differ"},
    {.name = "config", .value = "FILE", .help = "a gateway's rules and their bounds"},
    {.name = "interpreted", .help = "without the JIT compiler: slower, the same bytes"},
    {.name = "log", .help = "show what rules write with log() on stderr"},
    {.name = NULL},
};

const struct tg_command tg_command_replay = {
    .name = "replay",
    .operands = "TAPE…",
    .summary = "Play a recording to rules and show their events",
    .details =
        "TAPE is a file (*.tgr) or a folder of them, as `serve --record FOLDER` makes them.\n"
        "With two rule sets, shows what the second says differently: added, removed and\n"
        "changed events by rule, each with the input that caused it. The same recording\n"
        "and rules give the same bytes. Faults of rules are listed, and make the exit\n"
        "code 1.\n",
    .options = options,
    .operands_max = TG_ARGS_MAX - 1,
    .run = run,
};
