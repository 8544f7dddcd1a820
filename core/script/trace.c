/* A ring of bytes for all accounts together: one bound, no memory per account, nothing to free when
 * an account goes, and no allocation while it works. An entry is written in one piece from what the
 * engine has at hand; names are looked up when somebody asks. Positions count every byte ever
 * written, so an old one is recognised when the ring has gone over it.
 *
 * Who asks is an operator, a few times a day: the answer is a walk over the whole ring. */
#include "script/trace.h"

#include "base/text.h"
#include "model/field.h"
#include "script/generation.h"
#include "script/trace_entry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_MAX 16384 /* bytes; what an entry has beyond is left out of it */
#define MOMENTS_KEPT 16
#define SPOKEN_KEPT 64
#define FAULT_TEXT 240

struct tg_trace *tg_trace_new(int64_t bytes, int seconds)
{
    struct tg_trace *trace = bytes >= TG_TRACE_BYTES_MIN ? calloc(1, sizeof *trace) : NULL;
    if (!trace) return NULL;
    trace->size = (uint64_t)bytes / 8 * 8;
    trace->seconds = seconds;
    trace->ring = malloc(trace->size);
    if (trace->ring) return trace;
    free(trace);
    return NULL;
}

static void drop_cast(struct tg_trace_cast *cast)
{
    for (uint32_t i = 0; i < cast->count; i++) {
        free(cast->roles[i].name);
        free(cast->roles[i].type);
        free(cast->roles[i].where);
    }
    free(cast->roles);
    *cast = (struct tg_trace_cast){0};
}

void tg_trace_free(struct tg_trace *trace)
{
    if (!trace) return;
    for (int i = 0; i < TG_TRACE_CASTS; i++)
        drop_cast(&trace->casts[i]);
    free(trace->ring);
    free(trace);
}

uint64_t tg_trace_hash(const char *account_id)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *account_id; account_id++)
        hash = (hash ^ (uint8_t)*account_id) * UINT64_C(1099511628211);
    return hash;
}

void tg_trace_cast(struct tg_trace *trace, const struct tg_generation *generation)
{
    struct tg_trace_cast *cast = &trace->casts[trace->next_cast % TG_TRACE_CASTS];
    drop_cast(cast);
    cast->roles = calloc(generation->rules_count + 1, sizeof *cast->roles);
    if (!cast->roles) return;
    cast->generation = generation->number;
    trace->next_cast++;
    for (uint32_t i = 0; i < generation->rules_count; i++) {
        const struct tg_rule *rule = &generation->rules[i];
        struct tg_trace_role *role = &cast->roles[i];
        *role = (struct tg_trace_role){
            .name = strdup(rule->name),
            .type = strdup(rule->type),
            .where = strdup(rule->file),
            .watch = rule->watch,
            .on = rule->on,
            .latest = rule->lane == TG_LANE_LATEST,
            .filtered = rule->filtered,
            .every_s = rule->every_ms / 1000.0,
        };
        memcpy(role->lines, rule->lines, sizeof role->lines);
        cast->count++;
        if (!role->name || !role->type || !role->where) {
            drop_cast(cast);
            return;
        }
    }
}

/* An entry as it is put together. */
struct draft {
    struct tg_trace_head head;
    struct tg_trace_change changes[64];
    struct tg_trace_moment moments[MOMENTS_KEPT];
    struct tg_trace_step steps[TG_TRACE_STEPS];
    struct tg_trace_spoken spoken[SPOKEN_KEPT];
    char text[ENTRY_MAX / 4];
};

static void begin(struct draft *draft, const struct tg_generation *generation,
                  const struct tg_account *account, int64_t wall_ms)
{
    draft->head = (struct tg_trace_head){
        .generation = generation->number,
        .wall_ms = wall_ms,
        .account = tg_trace_hash(account->id),
        .kind = TG_TRACE_RUN,
        .digits = (uint8_t)account->now.currency_digits,
    };
}

static void add_changes(struct draft *draft, const struct tg_account *account)
{
    for (int i = 0; i < tg_account_entity.count; i++) {
        const struct tg_field *field = &tg_account_entity.fields[i];
        if (!(account->changed & UINT64_C(1) << i)) continue;
        draft->changes[draft->head.changes++] =
            (struct tg_trace_change){(uint64_t)i, tg_field_number(field, &account->was),
                                     tg_field_number(field, &account->now)};
    }
}

static void add_moments(struct draft *draft, const struct tg_account *account)
{
    for (uint32_t i = 0; i < account->moments_count; i++) {
        const struct tg_moment *moment = &account->moments[i];
        bool deal = moment->kind == TG_MOMENT_DEAL || moment->kind == TG_MOMENT_BALANCE_OPERATION;
        bool order = moment->kind >= TG_MOMENT_ORDER_PLACED;
        if (i == MOMENTS_KEPT) {
            uint32_t more = account->moments_count - i;
            draft->head.moments_more = more > 255 ? 255 : (uint8_t)more;
            break;
        }
        draft->moments[draft->head.moments++] = (struct tg_trace_moment){
            .position_id = deal    ? moment->deal.position_id
                           : order ? moment->order.position_id
                                   : moment->position.position_id,
            .ticket = deal    ? moment->deal.ticket
                      : order ? moment->order.ticket
                              : moment->position.ticket,
            .changed = moment->changed,
            .kind = (uint8_t)moment->kind,
            .estimated = moment->about.estimated > 0,
            .synthetic = moment->about.synthetic > 0,
        };
    }
}

/* The oldest entries give way. Room in one piece, or NULL. */
static char *reserve(struct tg_trace *trace, uint64_t bytes)
{
    uint64_t at = trace->head % trace->size;
    uint64_t pad = at + bytes > trace->size ? trace->size - at : 0;
    if (bytes > trace->size / 4) {
        trace->dropped++;
        return NULL;
    }
    while (trace->head + pad + bytes > trace->tail + trace->size) {
        struct tg_trace_head head;
        memcpy(&head, trace->ring + trace->tail % trace->size, 8);
        trace->tail += head.size;
    }
    if (pad) {
        /* A pad may be shorter than a head, but has its first 8 bytes: size and kind. */
        struct tg_trace_head rest = {.size = (uint32_t)pad, .kind = TG_TRACE_PAD};
        memcpy(trace->ring + at, &rest, 8);
        trace->head += pad;
    }
    return trace->ring + trace->head % trace->size;
}

static char *put(char *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
    return to + bytes;
}

/* Writes the entry; its position, plus one so that no position is 0; 0 when it was dropped. */
static uint64_t commit(struct tg_trace *trace, struct draft *draft)
{
    struct tg_trace_head *head = &draft->head;
    size_t changes = head->changes * sizeof *draft->changes;
    size_t moments = head->moments * sizeof *draft->moments;
    size_t steps = head->steps * sizeof *draft->steps;
    size_t spoken = head->spoken * sizeof *draft->spoken;
    size_t text = ((size_t)head->text + 7) / 8 * 8;
    head->size = (uint32_t)(sizeof *head + changes + moments + steps + spoken + text);
    char *to = reserve(trace, head->size);
    if (!to) return 0;
    uint64_t position = trace->head;
    memset(draft->text + head->text, 0, text - head->text);
    to = put(to, head, sizeof *head);
    to = put(to, draft->changes, changes);
    to = put(to, draft->moments, moments);
    to = put(to, draft->steps, steps);
    to = put(to, draft->spoken, spoken);
    (void)put(to, draft->text, text);
    trace->head += head->size;
    return position + 1;
}

static void add_text(struct draft *draft, struct tg_trace_step *step, const char *text, size_t len)
{
    size_t room = sizeof draft->text - 8 - draft->head.text;
    if (len > FAULT_TEXT) len = FAULT_TEXT;
    if (len > room) len = room;
    memcpy(draft->text + draft->head.text, text, len);
    draft->head.text = (uint16_t)(draft->head.text + len);
    if (step) step->text = (uint16_t)len;
}

static void add_fault(struct draft *draft, struct tg_trace_step *to, const struct tg_faults *faults,
                      uint32_t step)
{
    for (uint32_t i = 0; i < faults->count; i++)
        if (faults->rows[i].step == step && !faults->text.failed)
            add_text(draft, to, faults->text.data + faults->rows[i].text, faults->rows[i].len);
}

/* The steps of the account at `index`, from `*step` on, which is moved behind them. */
static void add_steps(struct draft *draft, const struct tg_generation *generation, uint32_t index,
                      uint32_t *step)
{
    for (; *step < generation->steps_count && generation->steps[*step].account == index; ++*step) {
        const struct tgl_step *from = &generation->steps[*step];
        if (draft->head.steps == TG_TRACE_STEPS) continue;
        struct tg_trace_step *to = &draft->steps[draft->head.steps++];
        *to = (struct tg_trace_step){.rule = (uint16_t)from->rule,
                                     .moment = (int16_t)from->moment,
                                     .verdict = generation->verdicts[*step]};
        if (to->verdict == TGL_FAULT) add_fault(draft, to, &generation->faults, *step);
    }
}

/* The events of the steps from `first` up to `end`; the index of the first one is answered. */
static uint32_t add_spoken(struct draft *draft, const struct tg_run *run, uint32_t first,
                           uint32_t end, uint32_t *spoken)
{
    uint32_t from = *spoken;
    for (; *spoken < run->count && run->spoken[*spoken].step < end; ++*spoken) {
        const struct tg_spoken *said = &run->spoken[*spoken];
        if (draft->head.spoken == SPOKEN_KEPT) continue;
        draft->spoken[draft->head.spoken++] = (struct tg_trace_spoken){
            .rule = (uint16_t)said->rule, .step = (uint16_t)(said->step - first)};
    }
    return from;
}

void tg_trace_run(struct tg_trace *trace, struct tg_generation *generation, struct tg_run *run)
{
    struct draft draft;
    uint32_t step = 0, spoken = 0;
    for (uint32_t i = 0; i < run->accounts_count; i++) {
        const struct tg_account *account = run->accounts[i];
        uint32_t first = step;
        begin(&draft, generation, account, (int64_t)generation->work.now_ms);
        add_steps(&draft, generation, i, &step);
        if (step == first) continue;
        if (generation->work.told) {
            draft.head.kind = TG_TRACE_TOLD;
            draft.head.told = (uint8_t)generation->work.told_kind;
            add_text(&draft, NULL, generation->work.told, strlen(generation->work.told));
        } else if (generation->steps[first].moment != TGL_STEP_DUE) {
            add_changes(&draft, account);
            add_moments(&draft, account);
        }
        uint32_t said = add_spoken(&draft, run, first, step, &spoken);
        uint64_t at = commit(trace, &draft);
        for (uint32_t k = 0; at && k < draft.head.spoken; k++)
            run->spoken[said + k].trace =
                at + sizeof draft.head + draft.head.changes * sizeof *draft.changes +
                draft.head.moments * sizeof *draft.moments +
                draft.head.steps * sizeof *draft.steps + k * sizeof *draft.spoken;
    }
}

void tg_trace_idle(struct tg_trace *trace, const struct tg_generation *generation,
                   const struct tg_account *account, int64_t wall_ms)
{
    struct draft draft;
    if (!account->changed && !account->moments_count) return;
    begin(&draft, generation, account, wall_ms);
    add_changes(&draft, account);
    add_moments(&draft, account);
    (void)commit(trace, &draft);
}

void tg_trace_told(struct tg_trace *trace, const struct tg_generation *generation,
                   const struct tg_account *account, int64_t wall_ms, int kind, const char *what)
{
    struct draft draft;
    begin(&draft, generation, account, wall_ms);
    draft.head.kind = TG_TRACE_TOLD;
    draft.head.told = (uint8_t)kind;
    add_text(&draft, NULL, what, strlen(what));
    (void)commit(trace, &draft);
}

/* The noted event at a position, if the ring still has it. */
static struct tg_trace_spoken *spoken_at(struct tg_trace *trace, uint64_t at)
{
    if (!at || at - 1 < trace->tail || at - 1 >= trace->head) return NULL;
    return (struct tg_trace_spoken *)(void *)(trace->ring + (at - 1) % trace->size);
}

void tg_trace_sent(struct tg_trace *trace, uint64_t at, const struct tg_script_receipt *receipt)
{
    struct tg_trace_spoken *spoken = spoken_at(trace, at);
    if (!spoken) return;
    spoken->number = receipt->number;
    spoken->listeners = receipt->listeners;
}

void tg_trace_permit(struct tg_trace *trace, uint64_t at, bool yes)
{
    struct tg_trace_spoken *spoken = spoken_at(trace, at);
    if (!spoken) return;
    if (yes && spoken->yes < UINT16_MAX) spoken->yes++;
    if (!yes && spoken->no < UINT16_MAX) spoken->no++;
}
