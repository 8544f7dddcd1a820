/* The notes in the blocks of a tape: each says what changed since the one before, so an account is
 * known by all that was read of it. Every number is bounded where it is read. */
#include "record/tape_inner.h"

#include "record/block.h"
#include "record/row.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

void tg_tape_forget(struct tg_tape *tape)
{
    for (uint32_t i = 0; i < tape->count; i++) {
        free(tape->accounts[i].id);
        tg_records_fini(&tape->accounts[i].records);
    }
    tape->count = 0;
}

/* The account that a note names, by its number or, the first time, with its id. NULL: `*rc`. */
static struct tg_tape_account *read_account(struct tg_tape *tape, int *rc)
{
    uint64_t index = tg_varint_get(&tape->in);
    size_t len;
    *rc = -TG_EINVAL;
    if (tape->in.bad || index > tape->count) return NULL;
    if (index < tape->count) return &tape->accounts[index];
    const char *id = tg_text_get(&tape->in, &len);
    if (!id || !len || len > TG_NOTE_TEXT || strnlen(id, len) != len) return NULL;
    *rc = -TG_ENOMEM;
    if (tape->count == tape->cap) {
        uint32_t cap = tape->cap ? tape->cap * 2 : 64;
        struct tg_tape_account *accounts = realloc(tape->accounts, cap * sizeof *accounts);
        if (!accounts) return NULL;
        tape->accounts = accounts;
        tape->cap = cap;
    }
    struct tg_tape_account *known = &tape->accounts[tape->count];
    *known = (struct tg_tape_account){.id = strndup(id, len)};
    if (!known->id) return NULL;
    tg_records_clear(&known->records);
    tape->count++;
    return known;
}

/* Rows that are all there as before: those that changed follow, each with how far it is from the
 * last. */
static void read_changes(struct tg_bytes *in, const struct tg_layout_entity *entity, char *rows,
                         uint32_t count)
{
    for (uint64_t at = 0;;) {
        uint64_t step = tg_varint_get(in);
        if (!step || in->bad) return;
        at += step - 1;
        if (step > (uint64_t)TG_NOTE_ROWS + 1 || (entity->part >= 0 && at >= count)) {
            in->bad = true;
            return;
        }
        tg_row_get(in, entity, rows ? rows + at * entity->ours->size : NULL);
    }
}

/* The rows of a part of which this build knows nothing. */
static void skip_part(struct tg_bytes *in, const struct tg_layout_entity *entity)
{
    uint64_t head = tg_varint_get(in);
    if (head & 1) {
        read_changes(in, entity, NULL, 0);
        return;
    }
    for (uint64_t i = 0; i < head >> 1 && !in->bad; i++) {
        (void)tg_varint_get(in);
        tg_row_get(in, entity, NULL);
    }
}

/* Reads the rows of a part into `records`, which hold those of before; `spare` is scratch. */
static int read_part(struct tg_bytes *in, const struct tg_layout_entity *entity,
                     struct tg_records *records, struct tg_records *spare)
{
    const struct tg_part *part = &tg_parts[entity->part];
    size_t size = part->entity->size;
    uint32_t before = *tg_part_count(part, records);
    uint64_t head = tg_varint_get(in), count = head >> 1;
    if (in->bad || count > TG_NOTE_ROWS) return -TG_EINVAL;
    if (head & 1) {
        if (count != before) return -TG_EINVAL;
        read_changes(in, entity, tg_part_rows(part, records), before);
        return in->bad ? -TG_EINVAL : 0;
    }
    if (count * 2 > tg_bytes_left(in)) return -TG_EINVAL;
    if (tg_part_copy(part, spare, records) || tg_part_reserve(part, records, (uint32_t)count))
        return -TG_ENOMEM;
    const char *was = tg_part_rows(part, spare);
    char *now = tg_part_rows(part, records);
    for (uint64_t i = 0; i < count && !in->bad; i++) {
        uint64_t old = tg_varint_get(in);
        if (old > before) return -TG_EINVAL;
        if (old)
            memcpy(now + i * size, was + (old - 1) * size, size);
        else
            tg_entity_blank(part->entity, now + i * size);
        tg_row_get(in, entity, now + i * size);
    }
    *tg_part_count(part, records) = (uint32_t)count;
    return in->bad ? -TG_EINVAL : 0;
}

/* Whether a time can have been told by a clock; arithmetic on any other may overflow. */
static bool is_time(int64_t ms)
{
    return ms > -(INT64_C(1) << 48) && ms < INT64_C(1) << 48; /* about nine thousand years */
}

/* Brings what is known of an account to the poll that stands here, and gives out a copy of it. */
static int read_records(struct tg_tape *tape, struct tg_tape_account *known, struct tg_note *note)
{
    struct tg_records *records = &known->records;
    struct tg_bytes *in = &tape->in;
    struct tg_records *out = &tape->records;
    uint64_t flags = tg_varint_get(in);
    if (flags >> (tape->layout.count + 1)) return -TG_EINVAL;
    if (flags & 1) {
        uint64_t polls = tg_varint_get(in), interval = tg_varint_get(in);
        if (polls > INT_MAX || interval > INT_MAX) return -TG_EINVAL;
        known->suspect_polls = (int)polls;
        known->interval_ms = (int)interval;
    }
    note->suspect_polls = known->suspect_polls;
    note->interval_ms = known->interval_ms;
    note->records = out;
    records->source_time_ms =
        (int64_t)((uint64_t)records->source_time_ms + (uint64_t)tg_unzigzag(tg_varint_get(in)));
    if (!is_time(records->source_time_ms)) return -TG_EINVAL;
    tg_records_clear(out);
    out->source_time_ms = records->source_time_ms;
    if (flags & 2) {
        const struct tg_layout_entity *entity = &tape->layout.entities[0];
        records->account_fields ^= tg_varint_get(in);
        tg_row_get(in, entity, &records->account);
        out->account_known = true;
        out->account = records->account;
        out->account_fields = tg_row_bits(entity, records->account_fields);
    }
    for (int i = 1; i < tape->layout.count && !in->bad; i++) {
        const struct tg_layout_entity *entity = &tape->layout.entities[i];
        if (!(flags & 2u << i)) continue;
        if (entity->part < 0) {
            skip_part(in, entity);
            continue;
        }
        int rc = read_part(in, entity, records, out);
        if (!rc) rc = tg_part_copy(&tg_parts[entity->part], out, records);
        if (rc) return rc;
        *tg_part_known(&tg_parts[entity->part], out) = true;
    }
    return in->bad ? -TG_EINVAL : 0;
}

/* The text of a note, where its kind has one. */
static void read_text(struct tg_tape *tape, struct tg_note *note)
{
    size_t len;
    if (note->kind != TG_NOTE_STATUS && note->kind != TG_NOTE_CONNECTED &&
        note->kind != TG_NOTE_DISCONNECTED)
        return;
    const char *text = tg_text_get(&tape->in, &len);
    if (len > TG_NOTE_TEXT) tape->in.bad = true;
    if (!text || tape->in.bad) return;
    memcpy(tape->text, text, len);
    tape->text[len] = '\0';
    note->text = tape->text;
}

bool tg_tape_begin_block(struct tg_tape *tape)
{
    unsigned kind = tg_bytes_byte(&tape->in);
    if (kind == TG_BLOCK_FIRST)
        tg_tape_forget(tape);
    else if (kind != TG_BLOCK_NEXT || !tape->begun)
        return false;
    tape->begun = true;
    tape->wall_ms = tg_unzigzag(tg_varint_get(&tape->in));
    tape->mono_ms = tg_unzigzag(tg_varint_get(&tape->in));
    return !tape->in.bad;
}

static int64_t later(int64_t time, uint64_t step)
{
    return (int64_t)((uint64_t)time + (uint64_t)tg_unzigzag(step));
}

int tg_tape_note(struct tg_tape *tape, struct tg_note *note)
{
    struct tg_bytes *in = &tape->in;
    struct tg_tape_account *known = NULL;
    int rc = 0;
    *note = (struct tg_note){.kind = (int)tg_bytes_byte(in)};
    note->wall_ms = tape->wall_ms = later(tape->wall_ms, tg_varint_get(in));
    note->mono_ms = tape->mono_ms = later(tape->mono_ms, tg_varint_get(in));
    if (note->kind <= TG_NOTE_RESTART || note->kind >= TG_NOTE_KINDS || !is_time(note->wall_ms) ||
        !is_time(note->mono_ms))
        in->bad = true;
    if (note->kind != TG_NOTE_TURN && note->kind != TG_NOTE_TICK && !in->bad)
        known = read_account(tape, &rc);
    if (known) {
        rc = 0;
        note->account = known->id;
        read_text(tape, note);
        if (note->kind == TG_NOTE_POLL) {
            rc = read_records(tape, known, note);
        } else if (note->kind == TG_NOTE_ENDED) {
            tg_records_fini(&known->records);
            tg_records_clear(&known->records);
        }
    }
    return rc;
}
