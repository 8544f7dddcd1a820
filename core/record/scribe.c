/* Of a thousand polls nine hundred differ from the one before in a few prices, so an account is
 * written as what changed since it was last written. That chain begins with the first block of a
 * tape and goes on to its end: with whole states at the head of every block, a gateway of twenty
 * thousand accounts, which fills a block in a fraction of a second, would write little else.
 *
 * What would break it: a block that is missing in the middle. So whoever drops one restarts the
 * scribe, and the reader stops at the first that it cannot read. */
#include "record/scribe.h"

#include "base/err.h"
#include "record/block.h"
#include "record/row.h"

#include <stdlib.h>
#include <string.h>

/* What was last written of an account. */
struct base {
    uint32_t index;
    int suspect_polls, interval_ms;
    struct tg_records records;
};

static void base_free(struct base *base)
{
    if (base) tg_records_fini(&base->records);
    free(base);
}

static void forget_all(struct tg_scribe *scribe)
{
    size_t cursor = 0;
    for (struct tg_map_slot *slot; (slot = tg_map_next(&scribe->accounts, &cursor));)
        base_free(slot->value);
    tg_map_fini(&scribe->accounts);
    scribe->accounts = (struct tg_map){0};
    scribe->count = 0;
}

void tg_scribe_fini(struct tg_scribe *scribe)
{
    forget_all(scribe);
    tg_buf_fini(&scribe->block);
    *scribe = (struct tg_scribe){0};
}

void tg_scribe_restart(struct tg_scribe *scribe)
{
    forget_all(scribe);
    tg_buf_clear(&scribe->block);
    scribe->goes_on = false;
}

void tg_scribe_take(struct tg_scribe *scribe, struct tg_buf *out)
{
    struct tg_buf full = scribe->block;
    scribe->block = *out;
    *out = full;
    tg_buf_clear(&scribe->block);
    scribe->goes_on = true;
}

/* The account's base, made when it is new; `*fresh` says so. NULL without memory. */
static struct base *base_of(struct tg_scribe *scribe, const char *id, bool *fresh)
{
    struct base *base = tg_map_get(&scribe->accounts, id, strlen(id));
    *fresh = !base;
    if (base) return base;
    base = calloc(1, sizeof *base);
    if (!base || tg_map_put(&scribe->accounts, id, strlen(id), base, NULL)) {
        free(base);
        return NULL;
    }
    base->index = scribe->count++;
    tg_records_clear(&base->records);
    return base;
}

/* The row of the base that has the key of this one: it is where the last was found or a little
 * behind, unless much was removed, and then the row is written as if it were new. */
#define LOOK_AHEAD 16

static uint32_t find_row(const char *rows, uint32_t count, uint32_t from, size_t size,
                         size_t key_offset, const char *row)
{
    uint32_t end = count - from > LOOK_AHEAD ? from + LOOK_AHEAD : count;
    for (uint32_t i = from; i < end; i++)
        if (!memcmp(rows + i * size + key_offset, row + key_offset, sizeof(uint64_t))) return i;
    return count;
}

/* Whether both hold the same rows in the same order. */
static bool same_keys(const char *was, const char *now, uint32_t count, size_t size, size_t key)
{
    for (uint32_t i = 0; i < count; i++)
        if (memcmp(was + i * size + key, now + i * size + key, sizeof(uint64_t)) != 0) return false;
    return true;
}

/* Rows that are all there as before: those that changed. Else each row with where it was. */
static unsigned char *put_part(unsigned char *at, const struct tg_part *part,
                               const struct tg_records *base, const struct tg_records *records,
                               uint32_t before, uint32_t count)
{
    const char *was = tg_part_rows(part, base), *now = tg_part_rows(part, records);
    size_t size = part->entity->size, key = part->key;
    bool same = before == count && same_keys(was, now, count, size, key);
    uint32_t last = 0, next = 0;
    char blank[part->entity->size];
    at = tg_varint_put(at, (uint64_t)count << 1 | same);
    if (same) {
        for (uint32_t i = 0; i < count; i++) {
            if (!memcmp(was + i * size, now + i * size, size)) continue;
            at = tg_varint_put(at, i - last + 1);
            at = tg_row_put(at, part->entity, was + i * size, now + i * size);
            last = i;
        }
        return tg_varint_put(at, 0);
    }
    tg_entity_blank(part->entity, blank);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t old = find_row(was, before, next, size, key, now + i * size);
        bool found = old < before;
        at = tg_varint_put(at, found ? old + 1 : 0);
        at = tg_row_put(at, part->entity, found ? was + old * size : blank, now + i * size);
        if (found) next = old + 1;
    }
    return at;
}

/* Room for the worst that the records can become. */
static int make_room(struct tg_scribe *scribe, const struct tg_records *records)
{
    size_t room = tg_part_worst(&tg_account_entity) + 2 * TG_NOTE_TEXT + 8 * TG_VARINT_MAX;
    for (int i = 0; i < tg_parts_count; i++) {
        uint32_t count;
        memcpy(&count, (const char *)records + tg_parts[i].count, sizeof count);
        if (count > TG_NOTE_ROWS) return -TG_ELIMIT;
        room += TG_VARINT_MAX * 2 + count * tg_part_worst(tg_parts[i].entity);
    }
    return tg_buf_reserve(&scribe->block, room);
}

static unsigned char *put_records(unsigned char *at, struct base *was, const struct tg_note *note)
{
    struct tg_records *base = &was->records, *records = note->records;
    bool policy =
        was->suspect_polls != note->suspect_polls || was->interval_ms != note->interval_ms;
    unsigned flags = (unsigned)policy | (unsigned)records->account_known << 1;
    for (int i = 0; i < tg_parts_count; i++)
        flags |= (unsigned)*tg_part_known(&tg_parts[i], records) << (i + 2);
    at = tg_varint_put(at, flags);
    if (policy) {
        at = tg_varint_put(at, (uint32_t)note->suspect_polls);
        at = tg_varint_put(at, (uint32_t)note->interval_ms);
    }
    at = tg_varint_put(at, tg_zigzag(records->source_time_ms - base->source_time_ms));
    if (records->account_known) {
        at = tg_varint_put(at, records->account_fields ^ base->account_fields);
        at = tg_row_put(at, &tg_account_entity, &base->account, &records->account);
    }
    for (int i = 0; i < tg_parts_count; i++)
        if (*tg_part_known(&tg_parts[i], records))
            at = put_part(at, &tg_parts[i], base, records, *tg_part_count(&tg_parts[i], base),
                          *tg_part_count(&tg_parts[i], records));
    return at;
}

static int remember(struct base *was, const struct tg_note *note)
{
    struct tg_records *base = &was->records, *records = note->records;
    was->suspect_polls = note->suspect_polls;
    was->interval_ms = note->interval_ms;
    base->source_time_ms = records->source_time_ms;
    if (records->account_known) {
        base->account = records->account;
        base->account_fields = records->account_fields;
    }
    for (int i = 0; i < tg_parts_count; i++) {
        bool known = *tg_part_known(&tg_parts[i], records);
        if (known && tg_part_copy(&tg_parts[i], base, records)) return -TG_ENOMEM;
    }
    return 0;
}

/* The head of a block: what it is, and the time from which its notes count. */
static int begin(struct tg_scribe *scribe, const struct tg_note *note)
{
    scribe->wall_ms = note->wall_ms;
    scribe->mono_ms = note->mono_ms;
    tg_buf_putc(&scribe->block, scribe->goes_on ? TG_BLOCK_NEXT : TG_BLOCK_FIRST);
    tg_varint_add(&scribe->block, tg_zigzag(note->wall_ms));
    tg_varint_add(&scribe->block, tg_zigzag(note->mono_ms));
    return scribe->block.failed ? -TG_ENOMEM : 0;
}

static int add(struct tg_scribe *scribe, const struct tg_note *note)
{
    static const struct tg_records nothing;
    struct base *base = NULL;
    bool fresh = false;
    int rc = scribe->block.len ? 0 : begin(scribe, note);
    if (!rc) rc = make_room(scribe, note->records ? note->records : &nothing);
    if (!rc && note->account && !(base = base_of(scribe, note->account, &fresh))) rc = -TG_ENOMEM;
    if (rc) return rc;
    unsigned char *start = (unsigned char *)scribe->block.data + scribe->block.len, *at = start;
    *at++ = (unsigned char)note->kind;
    at = tg_varint_put(at, tg_zigzag(note->wall_ms - scribe->wall_ms));
    at = tg_varint_put(at, tg_zigzag(note->mono_ms - scribe->mono_ms));
    if (base) at = tg_varint_put(at, base->index);
    if (fresh) at = tg_text_put(at, note->account, strnlen(note->account, TG_NOTE_TEXT));
    if (note->text) at = tg_text_put(at, note->text, strnlen(note->text, TG_NOTE_TEXT));
    if (base && note->kind == TG_NOTE_POLL) {
        at = put_records(at, base, note);
        if (remember(base, note)) return -TG_ENOMEM;
    } else if (base && note->kind == TG_NOTE_ENDED) {
        tg_records_fini(&base->records);
        tg_records_clear(&base->records);
    }
    scribe->block.len += (size_t)(at - start);
    scribe->wall_ms = note->wall_ms;
    scribe->mono_ms = note->mono_ms;
    return 0;
}

int tg_scribe_add(struct tg_scribe *scribe, const struct tg_note *note)
{
    int rc = add(scribe, note);
    if (rc) tg_scribe_restart(scribe);
    return rc;
}
