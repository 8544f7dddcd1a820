/* The rules: Lua that decides what is worth saying. */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "model/account.h"
#include "model/store.h"

#include <stdbool.h>
#include <stdint.h>

struct tg_script;

enum tg_lane { TG_LANE_ORDERED, TG_LANE_LATEST };

/* What became of an event: filled in by whoever takes it, for the explanation. */
struct tg_script_receipt {
    uint64_t number;    /* the seq or rev it went out under */
    uint32_t listeners; /* connections that listened to the account */
};

/* An event as a rule made it. Everything is borrowed for the time of the call. */
struct tg_script_event {
    struct tg_account *account;
    const char *type; /* the message's type */
    enum tg_lane lane;
    const char *payload; /* a JSON object: the members of the message, without the gateway's own */
    size_t len;
    uint32_t rule; /* index of the rule in this generation */
    bool filtered; /* the rule has a `to`: ask tg_script_permits for each client class */
    struct tg_script_receipt *receipt;
};

/* How events and snapshots are wrapped: the member names, from `envelope { … }` or the defaults.
 * `payload` is "" when the payload's members stand beside the gateway's own. */
struct tg_envelope {
    char type[40], seq[40], rev[40], timestamp[40], payload[40];
};

struct tg_script_options {
    const char *const *paths; /* folders of *.lua files, or single files; none: the built-in set */
    int paths_count;
    int budget_ms;        /* one call of a rule */
    int64_t memory_bytes; /* the VM's cap */
    int events_per_tick;  /* per account */
    int bytes_per_tick;   /* of these events together */
    int payload_bytes;
    int rest_after_faults; /* faults in a row of one rule on one account … */
    int rest_seconds;      /* … and how long it rests there */
    bool ids_as_text;
    bool
        interpreted; /* the JIT stays off: for an engine that works beside the live one (leash.h) */
    int64_t explain_bytes; /* of what is kept for tg_script_explain; 0: nothing */
    int explain_seconds;
    const char *settings; /* JSON object {"file": {"option": value}}: what `option` answers instead
                           * of its default; NULL = nothing */
    int load_ms;          /* processor time in which a set is read and tries its examples; 0: any */
    /* The dry run of a load: over so many accounts, for so long; 0 accounts: there is none. */
    int trial_accounts, trial_ms;
    int keep_generations; /* rule sets that ran before and can be returned to; at most 32 */
    /* After a load: how long the fresh generation is on probation (0: not), how many faults of one
     * rule are too many, and how many events: over `minimum`, one for each account, and `factor`
     * times the rate before (0: any number). */
    int probation_seconds, rollback_faults, rollback_events_minimum;
    double rollback_events_factor;
    int candidate_ms_per_second; /* what a candidate in the shadow may take of each second */
    const struct tg_clock *clock;
    /* Fills `out` with at most `max` of the accounts that are known now, spread over all of them,
     * and returns how many; with `out` NULL, how many there are. NULL: no dry run, no probation of
     * the event rate. */
    uint32_t (*live)(void *ctx, struct tg_account **out, uint32_t max);
    void (*emit)(void *ctx, const struct tg_script_event *event);
    /* A rule of the running set failed or was silenced, on an account ("": none). NULL: only the
     * log is told. It only listens. */
    void (*fault)(void *ctx, const char *rule, const char *file, const char *account,
                  const char *text);
    void *ctx;
};

/* The engine without rules; the options are copied. NULL when memory is short. */
struct tg_script *tg_script_new(const struct tg_script_options *options);
void tg_script_free(struct tg_script *script);

/* Builds a candidate from the files, proves it, and puts it in place of what runs, carrying the
 * rules' memory over. On failure nothing changes and `err` says file, line and reason. Never call
 * it from inside `emit`. */
int tg_script_load(struct tg_script *script, struct tg_err *err);

/* The same for files that have changed by themselves. 1: nothing to do, they are what runs.
 * -TG_EAGAIN: they are the set that was rolled back, which only tg_script_load takes again. */
int tg_script_follow(struct tg_script *script, struct tg_err *err);

/* Replaces the settings (see the options) for the loads to come. 0 or -TG_ENOMEM. */
int tg_script_settings(struct tg_script *script, const char *settings);

/* What a check has found good. */
struct tg_script_counts {
    uint32_t rules, examples;
};

/* What a load would do, without doing it. On success `counts` is filled in; NULL: nobody asks. */
int tg_script_check(struct tg_script *script, struct tg_script_counts *counts, struct tg_err *err);

/* Returns to the rule set that ran before, from its texts as they were then, with what the rules
 * remember now. The files on the disk are not touched, and not looked at before they change.
 * `reason` is for the log and for tg_script_status. 0; -TG_ENOTFOUND: none ran before. */
int tg_script_rollback(struct tg_script *script, const char *reason, struct tg_err *err);

/* A candidate: a rule set that runs beside the live one on the same input, sends nothing, and is
 * compared with it. The JIT is off for it, so it never disturbs the live one's compiled code; it
 * begins with what the live rules remember. */

/* Starts one from these files, in place of the one before. 0, or with the sentence: nothing runs in
 * the shadow that did not before. */
int tg_script_candidate_start(struct tg_script *script, const char *const *paths, int count,
                              struct tg_err *err);

/* Whether its files have changed since; reads them again, and keeps what runs when they are bad. */
bool tg_script_candidate_stale(const struct tg_script *script);
int tg_script_candidate_again(struct tg_script *script, struct tg_err *err);

void tg_script_candidate_drop(struct tg_script *script);

/* Makes its set live as a load would: proved, with what the live rules remember, on probation. From
 * then on the files of `paths` are not looked at before they change. 0; -TG_ENOTFOUND: there is
 * none. */
int tg_script_candidate_promote(struct tg_script *script, struct tg_err *err);

struct tg_candidate_status {
    const char *name, *version;
    int64_t started_wall_ms;
    uint64_t same, differences, faults;
    uint32_t followed, left_out; /* accounts */
    uint64_t spent_us;           /* of the loop's time */
};
/* False: there is none. The strings live as long as the candidate. */
bool tg_script_candidate(const struct tg_script *script, struct tg_candidate_status *out);

/* Appends the report as a JSON object; docs/deploying-rules.md describes it. -TG_ENOTFOUND: there
 * is none. */
int tg_script_candidate_report(const struct tg_script *script, struct tg_buf *out);

/* Once a second: judges a generation that is on probation. Whether it was rolled back: `why` says
 * for what. */
bool tg_script_tick(struct tg_script *script, struct tg_err *why);

/* Whether the files differ from what was last tried (mtime, size, set of names). Cheap: for polling
 * beside file watches. */
bool tg_script_stale(struct tg_script *script);

/* Runs the rules over accounts whose newest poll was just applied; emits in order, account by
 * account. */
void tg_script_run(struct tg_script *script, struct tg_account *const *accounts, uint32_t count);

/* Whether the account's newest poll could make any rule speak: the cheap test before tg_script_run.
 */
bool tg_script_wakes(const struct tg_script *script, const struct tg_account *account);

/* Runs what `every` held back for an account whose wake_wall_ms has come, without a poll. (A poll
 * does the same on its way.) */
void tg_script_due(struct tg_script *script, struct tg_account *account);

/* Runs `on = "source_status" | "client_connected" | "client_disconnected"` rules. `what` is the
 * status or the client's subject. */
void tg_script_tell(struct tg_script *script, struct tg_account *account, const char *moment,
                    const char *what);

/* Appends the snapshot's members ("account":{…},"positions":[…]) as one JSON object, made by the
 * rule `on = "snapshot"`; 0, or an error when the rule failed: then the default shape was written.
 */
int tg_script_snapshot(struct tg_script *script, struct tg_account *account, struct tg_buf *out);

/* Client classes: clients alike in subject, claims and query. A class is counted; leave it as often
 * as it was joined. `query` is the URL's query without the token. Returns an id > 0, 0 = no memory.
 */
uint32_t tg_script_class_join(struct tg_script *script, const char *subject,
                              const char *claims_json, const char *query);
void tg_script_class_leave(struct tg_script *script, uint32_t client_class);

/* The rule's `to` for this class and the event that is being emitted; only inside `emit`. A fault
 * in `to` is "no": an account is never shown by accident. */
bool tg_script_permits(struct tg_script *script, const struct tg_script_event *event,
                       uint32_t client_class);

/* Drops what rules remember of an account that is freed. */
void tg_script_forget(struct tg_script *script, const struct tg_account *account);

const struct tg_envelope *tg_script_envelope(const struct tg_script *script);

/* Tells the trace of an account whose newest poll woke no rule: tg_script_run is not called for it.
 */
void tg_script_idle(struct tg_script *script, const struct tg_account *account);

/* What to explain: the rules' doings about one account in the last minutes. */
struct tg_script_question {
    const char *account_id;
    const char *type;      /* a glob over message types and rule names; NULL: all */
    int64_t since_wall_ms; /* 0: as far back as is kept */
    uint32_t limit;        /* polls, the newest; 0: 100 */
};

/* Appends the explanation as a JSON object; docs/deploying-rules.md describes it. 0, -TG_ENOTFOUND
 * when nothing is traced (explain_bytes is 0), -TG_ENOMEM. */
int tg_script_explain(const struct tg_script *script, const struct tg_script_question *question,
                      struct tg_buf *out);
/* Where the running rules come from. */
enum tg_origin {
    TG_ORIGIN_FILES,     /* `paths`, as they were when they last changed */
    TG_ORIGIN_ROLLBACK,  /* memory: a set that ran before */
    TG_ORIGIN_CANDIDATE, /* memory: a candidate that was promoted */
};

/* The newest rollback. */
struct tg_script_rollback {
    char version[17]; /* of the set that was rolled back; "" when none was */
    char reason[256];
    int64_t wall_ms;
    bool automatic;
};

/* What to describe. */
struct tg_description {
    const char *format;  /* "json-schema", "asyncapi" or "typescript" */
    const char *against; /* a JSON Schema document of another set, or NULL: compare with it */
    size_t against_len;
};

/* Appends what the messages of the running set look like; with `against`, what the clients of that
 * other set would notice, a line each. `undeclared` (may be NULL) gets a line for each rule whose
 * payload is not known. The number of breaking changes (0 without `against`), or -TG_EINVAL with a
 * sentence (no such format, no such document), -TG_ENOTFOUND (nothing is loaded), -TG_ENOMEM. Never
 * call it from inside `emit`. */
int tg_script_describe(struct tg_script *script, const struct tg_description *asked,
                       struct tg_buf *out, struct tg_buf *undeclared, struct tg_err *err);

struct tg_script_status {
    uint32_t generation; /* 0 before the first load; rises by one with each swap */
    char name[64];       /* of the rule set: the folder's name, or "default" */
    char version[17];    /* hash of the files' contents, hex */
    int64_t loaded_wall_ms;
    uint64_t reloads_ok, reloads_failed;
    char last_error[512]; /* of the last load; "" when it went well */
    bool preemption;      /* runaway rules are stopped with the JIT on */
    uint64_t walks;       /* how often Lua was entered to run rules; plain shapes need none of it */
    int64_t memory_used, memory_cap;
    uint32_t rules, classes;
    enum tg_origin origin;
    struct tg_script_rollback rollback;
    uint64_t rollbacks, rollbacks_automatic;
    int64_t probation_ms; /* that is left of it; 0: not on probation */
    int kept;             /* generations that can be returned to */
};
void tg_script_status(const struct tg_script *script, struct tg_script_status *out);

struct tg_rule_status {
    const char *name, *file, *type;
    enum tg_lane lane;
    uint64_t watch; /* bits of account fields (model/field.h) */
    uint32_t on;    /* bits of moments: see tg_on_name */
    uint64_t calls, events, faults, dropped;
    int64_t nanoseconds;     /* spent in it, sampled */
    bool muted, stopped;     /* by whomever; by the leash or for its memory */
    const char *why, *where; /* of the mute; "" when it is not muted, or the place is not known */
    const char *last_fault;  /* its newest error; "" when there was none */
    int64_t last_fault_wall_ms;
};
/* The status of rule `index`; false when there is none. The strings live as long as the generation.
 */
bool tg_script_rule(const struct tg_script *script, uint32_t index, struct tg_rule_status *out);

/* The name of moment bit `kind`, as `on` has it; NULL behind the last. */
const char *tg_on_name(int kind);

/* Silences a rule by name until it is unmuted, over reloads as well, also when a set in between has
 * no such rule; a running candidate's, too. 0 (also when it is so already); -TG_ENOTFOUND;
 * -TG_ENOMEM, -TG_ELIMIT: TG_HUSHED_MAX names are silenced. */
int tg_script_mute(struct tg_script *script, const char *rule);

/* Lets it speak again, whoever silenced it. 0 (also when it is so already); 1: the set has no such
 * rule, it will speak when one has; -TG_ENOTFOUND: nor was one silenced; -TG_EINVAL: its code was
 * let go to free memory, only a reload brings it back. */
int tg_script_unmute(struct tg_script *script, const char *rule);

/* The names of rules that the operator has silenced and the running set does not have, one by one;
 * NULL behind the last. */
const char *tg_script_muted_absent(const struct tg_script *script, uint32_t index);
