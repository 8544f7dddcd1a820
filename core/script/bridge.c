/* The C half of what lua/ calls. Nothing here trusts an index: a mistake in the runtime must end in
 * a refused load and not in a wild write. Nothing here calls Lua. */
#include "script/bridge.h"

#include "base/decimal.h"
#include "base/list.h"
#include "base/log.h"
#include "model/field.h"
#include "script/generation.h"
#include "script/leash.h"
#include "script/proof.h"
#include "script/run.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT_OF(...) #__VA_ARGS__
#define EXPANDED_TEXT_OF(...) TEXT_OF(__VA_ARGS__)

#define RULES_MAX 4096
#define NOTES_PER_SECOND 20 /* log lines that rules may write */

const char tgl_bridge_cdef[] = EXPANDED_TEXT_OF(TGL_BRIDGE);

static struct tg_generation *generation_of(struct tgl_work *work)
{
    return tg_of(work, struct tg_generation, work);
}

static struct tg_rule *rule_at(struct tg_generation *generation, int rule)
{
    return rule >= 0 && (uint32_t)rule < generation->rules_count ? &generation->rules[rule] : NULL;
}

static struct tg_shape *shape_at(struct tg_generation *generation, int shape)
{
    bool is = shape >= 0 && (uint32_t)shape < generation->shapes_count;
    return is ? &generation->shapes[shape] : NULL;
}

static int add_rule(struct tgl_work *work, const char *name, const char *file, const char *path,
                    const char *type, int latest, int filtered, int every_ms)
{
    struct tg_generation *generation = generation_of(work);
    if (generation->rules_count == RULES_MAX) return -TG_ELIMIT;
    if (generation->rules_count == generation->rules_cap) {
        uint32_t cap = generation->rules_cap ? generation->rules_cap * 2 : 16;
        struct tg_rule *rules = realloc(generation->rules, cap * sizeof *rules);
        if (!rules) return -TG_ENOMEM;
        generation->rules = rules;
        generation->rules_cap = cap;
    }
    struct tg_rule *rule = &generation->rules[generation->rules_count++];
    *rule = (struct tg_rule){.name = strdup(name),
                             .file = strdup(file),
                             .path = strdup(path),
                             .type = strdup(type),
                             .lane = latest ? TG_LANE_LATEST : TG_LANE_ORDERED,
                             .filtered = filtered,
                             .every_ms = every_ms,
                             .watch_shape = -1,
                             .timed = every_ms > 0};
    for (int i = 0; i < TG_ON_KINDS; i++)
        rule->on_shapes[i] = -1;
    if (!rule->name || !rule->file || !rule->path || !rule->type) return -TG_ENOMEM;
    return (int)generation->rules_count - 1;
}

static int add_watch(struct tgl_work *work, int rule, int field)
{
    struct tg_rule *at = rule_at(generation_of(work), rule);
    if (!at || field < 0 || field >= tg_account_entity.count) return -TG_EINVAL;
    at->watch |= UINT64_C(1) << field;
    return 0;
}

static int add_on(struct tgl_work *work, int rule, int kind)
{
    struct tg_rule *at = rule_at(generation_of(work), rule);
    if (!at || kind < 0 || kind >= TG_ON_KINDS) return -TG_EINVAL;
    at->on |= UINT32_C(1) << kind;
    return 0;
}

static int add_place(struct tgl_work *work, int rule, int which, int line)
{
    struct tg_rule *at = rule_at(generation_of(work), rule);
    if (!at || which < 0 || which >= TGL_PLACES) return -TG_EINVAL;
    at->lines[which] = line;
    return 0;
}

/* The rule is a plain one: what it is woken by (a moment's kind, -1 = a watched field) is told by
 * this shape and nothing else. */
static int add_plain(struct tgl_work *work, int rule, int kind, int shape)
{
    struct tg_rule *at = rule_at(generation_of(work), rule);
    if (!at || kind < -1 || kind >= TG_ON_KINDS || !shape_at(generation_of(work), shape))
        return -TG_EINVAL;
    *(kind < 0 ? &at->watch_shape : &at->on_shapes[kind]) = shape;
    at->plain = true;
    return 0;
}

static int add_shape(struct tgl_work *work)
{
    struct tg_generation *generation = generation_of(work);
    if (generation->shapes_count == generation->shapes_cap) {
        uint32_t cap = generation->shapes_cap ? generation->shapes_cap * 2 : 16;
        struct tg_shape *shapes = realloc(generation->shapes, cap * sizeof *shapes);
        if (!shapes) return -TG_ENOMEM;
        generation->shapes = shapes;
        generation->shapes_cap = cap;
    }
    generation->shapes[generation->shapes_count] = (struct tg_shape){0};
    return (int)generation->shapes_count++;
}

static int add_op(struct tgl_work *work, int shape, int code, int source, int field, uint32_t arg,
                  const char *text, size_t len)
{
    struct tg_shape *at = shape_at(generation_of(work), shape);
    return at ? tg_shape_add(at, code, source, field, arg, text, len) : -TG_EINVAL;
}

static void aim_op(struct tgl_work *work, int shape, int op, int span)
{
    struct tg_shape *at = shape_at(generation_of(work), shape);
    if (!at || op < 0 || span < 0 || (uint32_t)(op + span) >= at->count) return;
    at->ops[op].span = (uint32_t)span;
}

static int load_account(struct tgl_work *work, uint32_t account)
{
    return tg_run_load(generation_of(work), account);
}

static int speak(struct tgl_work *work, int rule, const char *json, size_t len)
{
    struct tg_generation *generation = generation_of(work);
    if (!rule_at(generation, rule)) return TGL_DROPPED;
    return tg_run_speak(generation, (uint32_t)rule, json, len);
}

static int draw(struct tgl_work *work, int shape, int moment, const char *since)
{
    struct tg_generation *generation = generation_of(work);
    const struct tg_shape *at = shape_at(generation, shape);
    return at ? tg_run_draw(generation, at, moment, since) : TGL_DROPPED;
}

static int speak_text(struct tgl_work *work, int rule)
{
    return speak(work, rule, work->text, (size_t)work->text_len);
}

static void fault(struct tgl_work *work, int rule, const char *text)
{
    struct tg_generation *generation = generation_of(work);
    const struct tg_account *account = tg_run_account(generation);
    if (!rule_at(generation, rule)) return;
    if (generation->trace) tg_faults_add(&generation->faults, work->leash->cursor, text);
    tg_generation_fault(generation, (uint32_t)rule, account ? account->id : "", text);
}

static void note(struct tgl_work *work, const char *file, const char *text)
{
    struct tg_generation *generation = generation_of(work);
    const struct tg_account *account = tg_run_account(generation);
    int64_t now = tg_mono_ms(generation->options.clock);
    if (generation->role == TG_ROLE_TRIAL) return;
    if (now >= generation->notes_until_ms) {
        generation->notes_until_ms = now + 1000;
        generation->notes = 0;
    }
    if (++generation->notes > NOTES_PER_SECOND) return;
    tg_info("rules", "note", tg_s("file", file), tg_s("account", account ? account->id : ""),
            tg_s("message", text));
}

static void wake(struct tgl_work *work, double wall_ms)
{
    struct tg_account *account = tg_run_account(generation_of(work));
    int64_t at = (int64_t)wall_ms;
    if (account && (!account->wake_wall_ms || at < account->wake_wall_ms))
        account->wake_wall_ms = at;
}

static double nanoseconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static const char *iso8601(struct tgl_work *work, double wall_ms)
{
    struct tg_generation *generation = generation_of(work);
    char text[TG_ISO8601_SIZE];
    if (!(wall_ms > -1e17 && wall_ms < 1e17)) return "";
    tg_iso8601_write(text, (int64_t)wall_ms);
    tg_buf_clear(&generation->scratch);
    tg_buf_puts(&generation->scratch, text);
    return generation->scratch.failed ? "" : generation->scratch.data;
}

void tgl_bridge_init(struct tgl_work *work)
{
    work->leash = tg_leash_word();
    work->account = UINT32_MAX;
    work->load = load_account;
    work->rule = add_rule;
    work->watch = add_watch;
    work->on = add_on;
    work->place = add_place;
    work->plain = add_plain;
    work->shape = add_shape;
    work->op = add_op;
    work->aim = aim_op;
    work->speak = speak;
    work->draw = draw;
    work->speak_text = speak_text;
    work->fault = fault;
    work->note = note;
    work->wake = wake;
    work->nanoseconds = nanoseconds;
    work->round = tg_round;
    work->iso8601 = iso8601;
    tg_proof_bridge(work);
}
