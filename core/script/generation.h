/* A generation: one VM with one rule set in it, from candidate to closed. */
#pragma once

#include "base/buf.h"
#include "base/json.h"
#include "script/bridge.h"
#include "script/hushed.h"
#include "script/ruleset.h"
#include "script/script.h"
#include "script/shape.h"
#include "script/trace.h"
#include "script/vm.h"

/* Moments beside those of the model; they continue enum tg_moment_kind. */
enum {
    TG_ON_SNAPSHOT = TG_MOMENT_KINDS,
    TG_ON_SOURCE_STATUS,
    TG_ON_CLIENT_CONNECTED,
    TG_ON_CLIENT_DISCONNECTED,
    TG_ON_TICK,
    TG_ON_KINDS,
};

#define TG_MUTE_REASON 160
#define TG_FAULT_TEXT 256

/* Who silenced a rule: tgl_tally.muted. */
enum {
    TG_MUTED_BY_FAULT = 1,    /* until its file changes */
    TG_MUTED_BY_OPERATOR = 2, /* until the operator takes it back */
};

/* A rule as C knows it. The strings are owned. */
struct tg_rule {
    char *name, *file, *path, *type;
    enum tg_lane lane;
    bool filtered, timed; /* has a `to`; has an `every` */
    int every_ms;
    int32_t lines[TGL_PLACES]; /* where its functions stand in the file; 0 = it has none */
    uint64_t watch;            /* bits of account fields */
    uint32_t on;               /* bits of moment kinds */
    bool plain;                /* its steps are shapes and nothing else: C takes them (run.c) */
    int watch_shape, on_shapes[TG_ON_KINDS]; /* … these; -1 = none */
    uint64_t file_hash;
    char why[TG_MUTE_REASON], where[80]; /* it is muted */
    bool hollow;                         /* its code was let go to free memory */
    char last_fault[TG_FAULT_TEXT];
    char last_fault_account[TG_ACCOUNT_ID_MAX + 1];
    int64_t last_fault_wall_ms;
    double faulty_before; /* faults a call in the generation before; 1: it was silent */
};

/* An event that Lua made and that is not emitted yet. */
struct tg_spoken {
    struct tg_account *account; /* NULL: the account has gone meanwhile */
    uint32_t rule, step;
    size_t text, len; /* in the run's text */
    uint64_t trace;   /* where the trace notes what becomes of it; 0 = nowhere */
};

/* The first faults of a run, for the trace. */
#define TG_FAULTS_KEPT 64
struct tg_faults {
    struct {
        uint32_t step, text, len;
    } rows[TG_FAULTS_KEPT];
    uint32_t count;
    struct tg_buf text;
};

void tg_faults_add(struct tg_faults *faults, uint32_t step, const char *text);

/* One run of the rules: the accounts, and what was said. Runs nest, because whoever receives an
 * event may tell the next moment. */
struct tg_run {
    struct tg_account *const *accounts;
    uint32_t accounts_count;
    struct tg_spoken *spoken;
    uint32_t count, cap;
    struct tg_buf text;
    uint32_t loaded_spoke; /* events of the account that is loaded */
    size_t loaded_bytes;   /* of these */
    double now_ms;         /* when it began */
    uint32_t plain_count;  /* the first so many in `spoken` are those that C made itself … */
    uint32_t plain_at; /* … and from here on they are of accounts that Lua has not loaded yet */
    struct tg_run *outer;
};

/* How a set makes the snapshot: a shape that C writes, or a function. */
struct tg_snapshot_maker {
    int shape;    /* -1: a function of the rule */
    int rule;     /* -1: the built-in one, no rule makes it */
    int fallback; /* the built-in shape, for when the function fails */
};

/* Functions of lua/boot.lua, by registry reference. */
struct tg_entries {
    int load, finish, example, prove, beat, permit, forget, snapshot, save, restore, heaviest, drop,
        describe;
};

/* What a generation is for: who is told of its faults, and how. */
enum tg_role {
    TG_ROLE_LIVE,
    TG_ROLE_CANDIDATE, /* runs in the shadow of the live one */
    TG_ROLE_TRIAL,     /* runs once, over copies: it leaves no line in the log */
};

struct tg_generation {
    struct tgl_work work; /* shared with Lua */
    enum tg_role role;
    struct tg_ruleset set; /* what it was made of */
    struct tg_vm vm;
    struct tg_entries entries;
    struct tg_script_options options;
    struct tg_rule *rules;
    uint32_t rules_count, rules_cap;
    struct tg_shape *shapes;
    uint32_t shapes_count, shapes_cap;
    struct tg_hushed hushed; /* by the operator, also rules of other sets */
    uint64_t watch;          /* of all rules that are not muted */
    uint32_t on;
    bool timed;
    struct tgl_step *steps;
    uint8_t *verdicts; /* of the steps */
    uint32_t steps_count, steps_cap;
    uint32_t pinched_step;  /* the last in which the memory ran out */
    struct tg_trace *trace; /* the engine's; NULL: nothing is traced */
    struct tg_faults faults;
    uint64_t speaking;        /* the traced event that is being emitted */
    struct tg_run *run;       /* the innermost, NULL = none */
    struct tg_account *model; /* the one that examples are shown on (proof.c), NULL = none */
    uint64_t event_serial;    /* of the event that is being emitted */
    struct tg_buf scratch;
    struct tg_json json;
    struct tg_envelope envelope;
    struct tg_snapshot_maker snapshot;
    struct tg_run spare;      /* the memory of finished runs */
    struct tg_spoken *sorted; /* room to put the events of a run in order */
    uint32_t sorted_cap;
    uint64_t walks; /* how often Lua was entered to walk steps */
    int64_t notes_until_ms;
    int notes;               /* log lines of rules in this second */
    int64_t late_us;         /* the thread's time after which building it has taken too long */
    uint32_t examples_count; /* that were tried and hold */
    uint32_t number;
    char name[64], version[17];
    int64_t loaded_wall_ms;
};

/* Builds a candidate: VM, runtime, every file under its quota, all checks. On failure NULL, with
 * file, line and reason in `err`. The set stays the caller's; put it into `generation->set` to have
 * it freed with the generation. */
struct tg_generation *tg_generation_new(const struct tg_script_options *options, enum tg_role role,
                                        const struct tg_ruleset *set, struct tg_err *err);
void tg_generation_free(struct tg_generation *generation);

/* While it is built: 0, or -TG_ELIMIT with a sentence about `place` when that has taken longer than
 * load_ms of the options. */
int tg_generation_late(const struct tg_generation *generation, const char *place,
                       struct tg_err *err);

/* All that the rules remember as bytes, for tg_generation_inherit of another one; freed by the
 * caller. 0; -TG_ENOMEM: the memory cannot be had, which the log says. */
int tg_generation_save(struct tg_generation *generation, char **out, size_t *len);

/* Bytes of tg_generation_save, NULL = none. */
struct tg_memories {
    const char *bytes;
    size_t len;
    bool back;          /* to a set that ran before: nothing is migrated … */
    const char *former; /* … and what it remembered then serves rules whose version differs */
    size_t former_len;
};

/* Takes over what rules remember, the mutes of rules whose file did not change, and those of the
 * operator, from the one that ran. 0, or with the sentence -TG_EINVAL when a `migrate` failed,
 * -TG_ENOMEM. */
int tg_generation_inherit(struct tg_generation *generation, const struct tg_generation *from,
                          const struct tg_memories *memories, struct tg_err *err);

/* Computes the masks of the rules that are not muted. */
void tg_generation_aim(struct tg_generation *generation);

/* The rule of that name, or NULL. */
struct tg_rule *tg_generation_find(struct tg_generation *generation, const char *name);

/* Silences a rule that went over its bounds until its file changes: a fault. */
void tg_generation_mute(struct tg_generation *generation, uint32_t rule, const char *reason,
                        const char *where);

/* Silences a rule for whoever `by` is (TG_MUTED_BY_…); lets it speak again. */
void tg_generation_silence(struct tg_generation *generation, uint32_t rule, int by,
                           const char *reason, const char *where);
void tg_generation_unmute(struct tg_generation *generation, uint32_t rule);

/* The operator's word: silences the rule of that name here and in all generations that inherit from
 * this one, whether there is one now or not. 0; -TG_ENOMEM, -TG_ELIMIT: nothing was done. */
int tg_generation_hush(struct tg_generation *generation, const char *name);

/* Takes the operator's word back: whether there was one. A rule that is muted by a fault stays so.
 */
bool tg_generation_unhush(struct tg_generation *generation, const char *name);

/* Counts nothing: notes what went wrong, for whoever asks, and writes it into the log. */
void tg_generation_fault(struct tg_generation *generation, uint32_t rule, const char *account,
                         const char *text);

/* After the memory ran out in a call of `rule`: collects, finds the rule that holds most of what is
 * left, mutes it, drops what it holds, and answers its index. When little is left, the call that
 * asked may only have come last after another's garbage: TG_NO_RULE, or, when it is `sure` (it has
 * happened again at once), that rule. */
uint32_t tg_generation_relieve(struct tg_generation *generation, uint32_t rule, bool sure);

#define TG_NO_RULE UINT32_MAX
