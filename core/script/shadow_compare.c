/* Events are kept as bytes until both sides have spoken, and then laid beside each other: those
 * that are alike first, in whatever order, then what is left of a rule in its order. So a rule that
 * says one thing more is told as that, and not as a difference in everything after it. */
#include "script/run.h"
#include "script/shadow_inner.h"

#include <stdlib.h>
#include <string.h>

#define EVERYBODY UINT64_MAX

/* The classes that may have an event, as bits in the order of their ids; only of a rule that has a
 * filter on either side. */
static uint64_t audience_of(struct tg_shadow *shadow, struct tg_generation *generation,
                            const struct tg_script_event *event, bool filtered)
{
    uint64_t bits = 0;
    if (!filtered) return EVERYBODY;
    for (uint32_t id = 1, n = 0; id <= shadow->options.classes->count; id++) {
        const struct tg_class *class = tg_classes_at(shadow->options.classes, id);
        if (!class) continue;
        if (n == TG_SHADOW_CLASSES) break;
        if (!event->filtered || tg_run_permits(generation, event, class)) bits |= UINT64_C(1) << n;
        n++;
    }
    return bits;
}

void tg_shadow_keep(struct tg_shadow *shadow, struct tg_hearing *hearing,
                    struct tg_generation *generation, const struct tg_script_event *event,
                    uint32_t row)
{
    if (hearing->count == hearing->cap) {
        uint32_t cap = hearing->cap ? hearing->cap * 2 : 64;
        struct tg_heard *rows = realloc(hearing->rows, cap * sizeof *rows);
        if (!rows) return;
        hearing->rows = rows;
        hearing->cap = cap;
    }
    size_t at = hearing->text.len;
    tg_buf_add(&hearing->text, event->payload, event->len);
    if (hearing->text.failed) {
        hearing->text.failed = false;
        return;
    }
    uint64_t audience = audience_of(shadow, generation, event, shadow->rows[row].filtered);
    hearing->rows[hearing->count++] =
        (struct tg_heard){event->account, row, event->type, event->lane, audience, at, event->len};
}

static bool alike(const struct tg_shadow *shadow, const struct tg_heard *live,
                  const struct tg_heard *candidate)
{
    return live->len == candidate->len && live->lane == candidate->lane &&
           live->audience == candidate->audience && !strcmp(live->type, candidate->type) &&
           !memcmp(shadow->live.text.data + live->text,
                   shadow->candidate.text.data + candidate->text, live->len);
}

static void conclude(struct tg_shadow *shadow, enum tg_likeness likeness,
                     const struct tg_account *account, const struct tg_heard *live,
                     const struct tg_heard *candidate, const char *told)
{
    shadow->rows[live ? live->row : candidate->row].counts[likeness]++;
    if (likeness != TG_LIKE_SAME)
        tg_shadow_sample(shadow, likeness, account, live, candidate, told);
}

/* The next event of the candidate for this row; of the same bytes when `live` is given. */
static struct tg_heard *partner(struct tg_shadow *shadow, const struct tg_heard *live, bool exact)
{
    for (uint32_t i = 0; i < shadow->candidate.count; i++) {
        struct tg_heard *at = &shadow->candidate.rows[i];
        if (at->account && at->row == live->row && (!exact || alike(shadow, live, at))) return at;
    }
    return NULL;
}

void tg_shadow_compare(struct tg_shadow *shadow, struct tg_shadow_part part,
                       const struct tg_account *account, const char *told)
{
    for (int exact = 1; exact >= 0; exact--) {
        for (uint32_t i = part.first; i < part.end; i++) {
            struct tg_heard *live = &shadow->live.rows[i];
            if (!live->account) continue;
            struct tg_heard *other = partner(shadow, live, exact);
            if (!other && exact) continue;
            conclude(shadow,
                     exact   ? TG_LIKE_SAME
                     : other ? TG_LIKE_DIFFERENT
                             : TG_LIKE_ONLY_LIVE,
                     account, live, other, told);
            live->account = NULL;
            if (other) other->account = NULL;
        }
    }
    for (uint32_t i = 0; i < shadow->candidate.count; i++)
        if (shadow->candidate.rows[i].account)
            conclude(shadow, TG_LIKE_ONLY_CANDIDATE, account, NULL, &shadow->candidate.rows[i],
                     told);
}
