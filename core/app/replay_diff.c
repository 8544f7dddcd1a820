/* Both sets see the same inputs, so an event is compared with those that the other set made of the
 * same input, on the same account, in the same rule. What counts is what a rule decides: the type,
 * the lane and the payload. Numbers and the envelope follow from the whole set and would make one
 * more event of one rule a difference of all that follow.
 *
 * Of several events of one rule (three positions that closed at once), those that are alike are
 * paired first, and the rest in their order. */
#include "app/replay_diff.h"

#include <stdlib.h>
#include <string.h>

struct told {
    struct tg_replay_event event;
    char *text;   /* what the event points into; owned */
    size_t index; /* the place in which it was told */
    bool paired;
};

struct tg_replay_events {
    struct told *list;
    size_t count, cap;
};

static void forget(struct tg_replay_events *events)
{
    for (size_t i = 0; i < events->count; i++)
        free(events->list[i].text);
    events->count = 0;
}

static void release(struct tg_replay_events *events)
{
    if (!events) return;
    forget(events);
    free(events->list);
    free(events);
}

void tg_replay_diff_fini(struct tg_replay_diff *diff)
{
    release(diff->b);
    diff->b = NULL;
}

static const char *keep(char **at, const char *text, size_t len)
{
    char *start = *at;
    memcpy(start, text, len);
    start[len] = '\0';
    *at = start + len + 1;
    return start;
}

/* Appends a copy. */
static bool add(struct tg_replay_events *events, const struct tg_replay_event *event)
{
    size_t lens[3] = {strlen(event->account), strlen(event->rule), strlen(event->type)};
    if (events->count == events->cap) {
        size_t cap = events->cap ? events->cap * 2 : 64;
        struct told *list = realloc(events->list, cap * sizeof *list);
        if (!list) return false;
        events->list = list;
        events->cap = cap;
    }
    char *text = malloc(lens[0] + lens[1] + lens[2] + event->payload_len + event->message_len + 5),
         *at = text;
    if (!text) return false;
    struct told *told = &events->list[events->count++];
    *told = (struct told){.event = *event, .text = text, .index = events->count - 1};
    told->event.account = keep(&at, event->account, lens[0]);
    told->event.rule = keep(&at, event->rule, lens[1]);
    told->event.type = keep(&at, event->type, lens[2]);
    told->event.payload = keep(&at, event->payload, event->payload_len);
    told->event.message = keep(&at, event->message, event->message_len);
    return true;
}

void tg_replay_diff_event(struct tg_replay_diff *diff, const struct tg_replay_event *event)
{
    if (!diff->b) diff->b = calloc(1, sizeof *diff->b);
    if (!tg_report_covers(diff->report, event->wall_ms)) return;
    if (!diff->b || !add(diff->b, event)) diff->report->failed = true;
}

/* Moves the events of A at this step out of the spool. */
static bool take_step(struct tg_replay_diff *diff, uint64_t step, struct tg_replay_events *a)
{
    const struct tg_replay_event *event;
    while ((event = tg_spool_peek(diff->a)) && event->step <= step) {
        if (tg_report_covers(diff->report, event->wall_ms) && !add(a, event)) return false;
        tg_spool_skip(diff->a);
    }
    return !diff->a->failed;
}

static bool is_about(const struct tg_replay_event *a, const struct tg_replay_event *b)
{
    return !strcmp(a->rule, b->rule) && !strcmp(a->account, b->account);
}

static bool is_same(const struct tg_replay_event *a, const struct tg_replay_event *b)
{
    return a->latest == b->latest && a->payload_len == b->payload_len &&
           !strcmp(a->type, b->type) && !memcmp(a->payload, b->payload, a->payload_len);
}

/* The events of one input, `a` and `b` of them. */
static void compare(struct tg_replay_diff *diff, struct told *a, size_t a_count, struct told *b,
                    size_t b_count, const struct tg_store *store)
{
    for (size_t i = 0; i < a_count; i++)
        for (size_t k = 0; k < b_count && !a[i].paired; k++) {
            if (b[k].paired || !is_about(&a[i].event, &b[k].event) ||
                !is_same(&a[i].event, &b[k].event))
                continue;
            a[i].paired = b[k].paired = true;
            struct tg_report_row *row = tg_report_row(diff->report, a[i].event.rule);
            if (row) row->events++;
        }
    for (size_t i = 0; i < a_count; i++) {
        if (a[i].paired) continue;
        struct told *other = NULL;
        for (size_t k = 0; k < b_count && !other; k++)
            if (!b[k].paired && is_about(&a[i].event, &b[k].event)) other = &b[k];
        if (other) other->paired = true;
        diff->differences++;
        tg_report_difference(diff->report, &a[i].event, other ? &other->event : NULL,
                             tg_store_find(store, a[i].event.account));
    }
    for (size_t k = 0; k < b_count; k++) {
        if (b[k].paired) continue;
        diff->differences++;
        tg_report_difference(diff->report, NULL, &b[k].event,
                             tg_store_find(store, b[k].event.account));
    }
}

/* How many events from `at` on are of the input. */
static size_t run_of(const struct tg_replay_events *events, size_t at, uint64_t input)
{
    size_t count = 0;
    while (at + count < events->count && events->list[at + count].event.input.number == input)
        count++;
    return count;
}

static int by_input(const void *x, const void *y)
{
    const struct told *a = x, *b = y;
    uint64_t p = a->event.input.number, q = b->event.input.number;
    return p == q ? (a->index > b->index) - (a->index < b->index) : (p > q) - (p < q);
}

static void arrange(struct tg_replay_events *events)
{
    if (events->count) qsort(events->list, events->count, sizeof *events->list, by_input);
}

void tg_replay_diff_step(struct tg_replay_diff *diff, uint64_t step, const struct tg_store *store)
{
    const struct tg_replay_event *first = tg_spool_peek(diff->a);
    struct tg_replay_events a = {0}, none = {0}, *b = diff->b ? diff->b : &none;
    if ((!first || first->step > step) && !b->count) return;
    if (!take_step(diff, step, &a)) diff->report->failed = true;
    arrange(&a);
    arrange(b);
    for (size_t i = 0, k = 0; i < a.count || k < b->count;) {
        uint64_t input = UINT64_MAX;
        if (i < a.count) input = a.list[i].event.input.number;
        if (k < b->count && b->list[k].event.input.number < input)
            input = b->list[k].event.input.number;
        size_t a_run = run_of(&a, i, input), b_run = run_of(b, k, input);
        compare(diff, a.list + i, a_run, b->list + k, b_run, store);
        i += a_run;
        k += b_run;
    }
    forget(&a);
    free(a.list);
    forget(b);
}
