/* The answer to "why was I told this?" and "why was I not?": the entries of one account, oldest
 * first, each with the sentence that an author needs. When a type is asked for, the rules of that
 * type are named in every entry, also where they slept: an absence has a reason too. */
#include "script/trace_entry.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "model/field.h"
#include "script/generation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* An entry as it lies in the ring. */
struct page {
    const struct tg_trace_head *head;
    const struct tg_trace_change *changes;
    const struct tg_trace_moment *moments;
    const struct tg_trace_step *steps;
    const struct tg_trace_spoken *spoken;
    const char *text;
};

struct answer {
    const struct tg_trace *trace;
    const struct tg_generation *generation;
    const struct tg_trace_question *question;
    struct tg_buf *out;
};

static const char *const outcomes[TGL_VERDICTS] = {"not_run",    "spoke", "only",       "silent",
                                                   "no_payload", "held",  "not_due",    "fault",
                                                   "rests",      "muted", "over_bound", "stopped"};

/* A pad has nothing but its size and kind. */
static struct page open_page(const struct tg_trace *trace, uint64_t position)
{
    const char *at = trace->ring + position % trace->size;
    struct page page = {.head = (const struct tg_trace_head *)(const void *)at};
    if (page.head->kind == TG_TRACE_PAD) return page;
    page.changes = (const void *)(at + sizeof *page.head);
    page.moments = (const void *)(page.changes + page.head->changes);
    page.steps = (const void *)(page.moments + page.head->moments);
    page.spoken = (const void *)(page.steps + page.head->steps);
    page.text = (const char *)(page.spoken + page.head->spoken);
    return page;
}

static const struct tg_trace_cast *cast_of(const struct tg_trace *trace, uint32_t generation)
{
    for (int i = 0; i < TG_TRACE_CASTS; i++)
        if (trace->casts[i].roles && trace->casts[i].generation == generation)
            return &trace->casts[i];
    return NULL;
}

static void write_number(struct tg_buf *out, const struct tg_field *field, double value, int digits)
{
    switch (field->kind) {
    case TG_KIND_MONEY: tg_json_decimal(out, value, digits); break;
    case TG_KIND_PERCENT: tg_json_decimal(out, value, 2); break;
    case TG_KIND_INT: tg_json_decimal(out, value, 0); break;
    default: tg_json_double(out, value); break;
    }
}

static void write_changes(const struct answer *answer, const struct page *page)
{
    struct tg_buf *out = answer->out;
    tg_json_key(out, "changes");
    tg_json_open(out, '{');
    for (int i = 0; i < page->head->changes; i++) {
        const struct tg_trace_change *change = &page->changes[i];
        const struct tg_field *field = &tg_account_entity.fields[change->field];
        tg_json_key(out, field->name);
        tg_json_open(out, '{');
        if (!isnan(change->old) || !isnan(change->new)) {
            tg_json_key(out, "old");
            write_number(out, field, change->old, page->head->digits);
            tg_json_key(out, "new");
            write_number(out, field, change->new, page->head->digits);
        }
        tg_json_close(out, '}');
    }
    tg_json_close(out, '}');
}

static void write_changed(struct tg_buf *out, const struct tg_entity *entity, uint64_t changed)
{
    tg_json_key(out, "changed");
    tg_json_open(out, '[');
    for (int i = 0; i < entity->count; i++)
        if (changed & UINT64_C(1) << i) tg_json_text(out, entity->fields[i].name);
    tg_json_close(out, ']');
}

static void write_moments(const struct answer *answer, const struct page *page)
{
    struct tg_buf *out = answer->out;
    bool as_text = answer->generation->options.ids_as_text;
    tg_json_key(out, "moments");
    tg_json_open(out, '[');
    for (int i = 0; i < page->head->moments; i++) {
        const struct tg_trace_moment *moment = &page->moments[i];
        tg_json_open(out, '{');
        tg_json_member_text(out, "kind", tg_on_name(moment->kind));
        const struct {
            const char *name;
            uint64_t id;
        } ids[] = {{"position_id", moment->position_id}, {"ticket", moment->ticket}};
        for (int k = 0; k < 2; k++) {
            tg_json_key(out, ids[k].name);
            if (as_text) tg_buf_putc(out, '"');
            tg_buf_printf(out, "%llu", (unsigned long long)ids[k].id);
            if (as_text) tg_buf_putc(out, '"');
        }
        if (moment->kind == TG_MOMENT_POSITION_MODIFIED)
            write_changed(out, &tg_position_entity, moment->changed);
        if (moment->kind == TG_MOMENT_ORDER_MODIFIED)
            write_changed(out, &tg_order_entity, moment->changed);
        if (moment->estimated) {
            tg_json_member_bool(out, "estimated", true);
        }
        if (moment->synthetic) {
            tg_json_member_bool(out, "synthetic", true);
        }
        tg_json_close(out, '}');
    }
    tg_json_close(out, ']');
    if (page->head->moments_more) {
        tg_json_member_i64(out, "moments_more", page->head->moments_more);
    }
}

static void write_place(struct tg_buf *out, const struct tg_trace_role *role, int which)
{
    tg_buf_printf(out, "%s:%d", role->where,
                  (int)(role->lines[which] ? role->lines[which] : role->lines[TGL_PLACE_RULE]));
}

/* The sentence. */
static void write_because(struct tg_buf *out, const struct tg_trace_role *role, int verdict,
                          const char *fault, size_t len)
{
    struct tg_buf text = {0};
    switch (verdict) {
    case TGL_ONLY:
        tg_buf_puts(&text, "`only` said no at ");
        write_place(&text, role, TGL_PLACE_ONLY);
        break;
    case TGL_SILENT:
        tg_buf_puts(&text, "`detect` had nothing to tell at ");
        write_place(&text, role, TGL_PLACE_DETECT);
        break;
    case TGL_NO_PAYLOAD:
        tg_buf_puts(&text, role->lines[TGL_PLACE_PAYLOAD]
                               ? "`payload` gave nothing at "
                               : "its `changes` had nothing to show at ");
        write_place(&text, role, TGL_PLACE_PAYLOAD);
        break;
    case TGL_HELD:
        tg_buf_printf(&text, "`every` = %g s holds it back until its time is up", role->every_s);
        break;
    case TGL_NOTHING_DUE: tg_buf_puts(&text, "`every` held nothing back that was due"); break;
    case TGL_FAULT: tg_buf_add(&text, fault, len); break;
    case TGL_RESTS: tg_buf_puts(&text, "it rests on this account after faults in a row"); break;
    case TGL_MUTED: tg_buf_puts(&text, "it is muted until its file changes"); break;
    case TGL_OVER_BOUND:
        tg_buf_puts(&text, "over the bound of events for one account and poll "
                           "(rules.events_per_tick, rules.bytes_per_tick)");
        break;
    case TGL_STOPPED:
        tg_buf_puts(&text, "it was stopped: it ran too long, or the rules' memory was used up");
        break;
    case TGL_NOT_RUN: tg_buf_puts(&text, "the poll's rules were cut short before it"); break;
    default: break;
    }
    if (!text.failed && text.len) {
        tg_json_key(out, "because");
        tg_json_string(out, text.data, text.len);
    }
    tg_buf_fini(&text);
}

static void write_role(struct tg_buf *out, const struct tg_trace_role *role)
{
    struct tg_buf place = {0};
    tg_json_member_text(out, "rule", role->name);
    tg_json_member_text(out, "type", role->type);
    write_place(&place, role, TGL_PLACE_RULE);
    tg_json_member_text(out, "at", place.data);
    tg_buf_fini(&place);
}

static void write_woken_by(struct tg_buf *out, const struct page *page,
                           const struct tg_trace_role *role, const struct tg_trace_step *step)
{
    tg_json_key(out, "woken_by");
    if (step->moment >= 0) {
        bool kept = step->moment < page->head->moments;
        tg_json_text(out, kept ? tg_on_name(page->moments[step->moment].kind) : "a moment");
        if (kept) {
            tg_json_member_i64(out, "moment", step->moment);
        }
        return;
    }
    if (step->moment != TGL_STEP_WATCH) {
        bool told = step->moment == TGL_STEP_TOLD;
        tg_json_text(out, told                            ? tg_on_name(page->head->told)
                          : step->moment == TGL_STEP_TICK ? "tick"
                                                          : "every");
        return;
    }
    tg_json_open(out, '[');
    for (int i = 0; i < page->head->changes; i++)
        if (role->watch & UINT64_C(1) << page->changes[i].field)
            tg_json_text(out, tg_account_entity.fields[page->changes[i].field].name);
    tg_json_close(out, ']');
}

static void write_events(struct tg_buf *out, const struct page *page,
                         const struct tg_trace_role *role, int step)
{
    tg_json_key(out, "events");
    tg_json_open(out, '[');
    for (int i = 0; i < page->head->spoken; i++) {
        const struct tg_trace_spoken *spoken = &page->spoken[i];
        if (spoken->step != step) continue;
        tg_json_open(out, '{');
        tg_json_key(out, role->latest ? "rev" : "seq");
        if (spoken->number)
            tg_json_u64(out, spoken->number);
        else
            tg_json_text(out, NULL);
        tg_json_member_i64(out, "listeners", spoken->listeners);
        if (role->filtered) {
            struct tg_buf place = {0};
            tg_json_key(out, "to");
            tg_json_open(out, '{');
            tg_json_member_i64(out, "classes_yes", spoken->yes);
            tg_json_member_i64(out, "classes_no", spoken->no);
            write_place(&place, role, TGL_PLACE_TO);
            tg_json_member_text(out, "at", place.data);
            tg_buf_fini(&place);
            tg_json_close(out, '}');
        }
        tg_json_close(out, '}');
    }
    tg_json_close(out, ']');
}

static bool is_asked(const struct answer *answer, const struct tg_trace_role *role)
{
    const char *type = answer->question->type;
    size_t len = type ? strlen(type) : 0;
    return !type || tg_glob_match(type, len, role->type, strlen(role->type)) ||
           tg_glob_match(type, len, role->name, strlen(role->name));
}

/* Whether an entry has what wakes a rule. It is judged by the entry, never by the rule as it is
 * now: an operator who asks has often unmuted it by then. */
static bool would_wake(const struct page *page, const struct tg_trace_role *role)
{
    const struct tg_trace_head *head = page->head;
    if (head->kind == TG_TRACE_TOLD) return role->on & UINT32_C(1) << head->told;
    for (int i = 0; i < head->changes; i++)
        if (role->watch & UINT64_C(1) << page->changes[i].field) return true;
    for (int i = 0; i < head->moments; i++)
        if (role->on & UINT32_C(1) << page->moments[i].kind) return true;
    /* Without a change it is a poll only if something else ran at the tick. */
    bool poll = head->changes || head->moments;
    for (int i = 0; i < head->steps && !poll; i++)
        poll = page->steps[i].moment == TGL_STEP_TICK;
    return poll && role->on & UINT32_C(1) << TG_ON_TICK;
}

/* Why a rule of the type that is asked for was not even woken. */
static void write_asleep(const struct answer *answer, const struct page *page,
                         const struct tg_trace_cast *cast, uint32_t index)
{
    struct tg_buf *out = answer->out;
    const struct tg_trace_role *role = &cast->roles[index];
    bool muted = would_wake(page, role);
    tg_json_open(out, '{');
    write_role(out, role);
    tg_json_member_text(out, "outcome", muted ? "muted" : "asleep");
    tg_json_member_text(out, "because",
                        muted                               ? "it was muted at that time"
                        : page->head->kind == TG_TRACE_TOLD ? "it is not about this"
                        : role->watch ? "none of the fields it watches changed"
                                      : "nothing of what it waits for happened");
    tg_json_close(out, '}');
}

static void write_rules(const struct answer *answer, const struct page *page,
                        const struct tg_trace_cast *cast)
{
    struct tg_buf *out = answer->out;
    const char *fault = page->text;
    uint8_t *woken = calloc(cast->count + 1, 1);
    tg_json_key(out, "rules");
    tg_json_open(out, '[');
    for (int i = 0; i < page->head->steps; i++) {
        const struct tg_trace_step *step = &page->steps[i];
        const char *text = fault;
        fault += step->text;
        if (step->rule >= cast->count) continue;
        const struct tg_trace_role *role = &cast->roles[step->rule];
        if (woken) woken[step->rule] = 1;
        if (!is_asked(answer, role)) continue;
        tg_json_open(out, '{');
        write_role(out, role);
        write_woken_by(out, page, role, step);
        tg_json_member_text(out, "outcome",
                            step->verdict < TGL_VERDICTS ? outcomes[step->verdict] : "not_run");
        write_because(out, role, step->verdict, text, step->text);
        if (step->verdict == TGL_SPOKE) write_events(out, page, role, i);
        tg_json_close(out, '}');
    }
    bool whole = page->head->steps < TG_TRACE_STEPS; /* who else woke is not known otherwise */
    for (uint32_t i = 0; woken && whole && answer->question->type && i < cast->count; i++)
        if (!woken[i] && is_asked(answer, &cast->roles[i])) write_asleep(answer, page, cast, i);
    free(woken);
    tg_json_close(out, ']');
}

static void write_page(const struct answer *answer, const struct page *page)
{
    struct tg_buf *out = answer->out;
    const struct tg_trace_cast *cast = cast_of(answer->trace, page->head->generation);
    tg_json_open(out, '{');
    tg_json_member_time(out, "time", page->head->wall_ms);
    tg_json_member_i64(out, "generation", page->head->generation);
    if (page->head->kind == TG_TRACE_TOLD) {
        /* The first bytes of the text are what was told; faults of its rules follow. */
        size_t faults = 0;
        for (int i = 0; i < page->head->steps; i++)
            faults += page->steps[i].text;
        tg_json_key(out, tg_on_name(page->head->told));
        tg_json_string(out, page->text + faults, page->head->text - faults);
    } else {
        write_changes(answer, page);
        write_moments(answer, page);
    }
    if (cast) write_rules(answer, page, cast);
    tg_json_close(out, '}');
}

/* Whether the entry at a position is asked for. */
static bool is_wanted(const struct answer *answer, const struct page *page, uint64_t account)
{
    return page->head->kind != TG_TRACE_PAD && page->head->account == account &&
           page->head->wall_ms >= answer->question->since_wall_ms;
}

int tg_trace_explain(const struct tg_trace *trace, const struct tg_generation *generation,
                     const struct tg_trace_question *question, struct tg_buf *out)
{
    struct answer answer = {trace, generation, question, out};
    uint64_t account = tg_trace_hash(question->account_id);
    uint32_t wanted = 0;
    int64_t oldest = 0;
    for (uint64_t at = trace->tail; at < trace->head;) {
        struct page page = open_page(trace, at);
        if (page.head->kind != TG_TRACE_PAD && !oldest) oldest = page.head->wall_ms;
        if (is_wanted(&answer, &page, account)) wanted++;
        at += page.head->size;
    }
    uint32_t skip = wanted > question->limit ? wanted - question->limit : 0;
    tg_json_open(out, '{');
    tg_json_member_text(out, "account", question->account_id);
    tg_json_member_time(out, "from",
                        oldest > question->since_wall_ms ? oldest : question->since_wall_ms);
    tg_json_member_i64(out, "entries_left_out", skip);
    tg_json_key(out, "entries");
    tg_json_open(out, '[');
    for (uint64_t at = trace->tail; at < trace->head;) {
        struct page page = open_page(trace, at);
        if (is_wanted(&answer, &page, account)) {
            if (skip)
                skip--;
            else
                write_page(&answer, &page);
        }
        at += page.head->size;
    }
    tg_json_close(out, ']');
    tg_json_close(out, '}');
    return out->failed ? -TG_ENOMEM : 0;
}
