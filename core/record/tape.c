/* Nothing in a file is believed. A block is checked as a whole before its first byte is used, and
 * still every number in it is bounded when it is read, because a checksum says that nothing broke,
 * not that nobody lied. What is good before a fault is given out; the fault is named with its
 * place.
 */
#include "record/tape.h"

#include "base/text.h"
#include "record/block.h"
#include "record/row.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT 1 /* of the contents of blocks */
#define FACTS 64

/* What the tape has told of an account so far. */
struct known {
    char *id;
    int suspect_polls, interval_ms;
    struct tg_records records;
};

struct tg_tape {
    char *path;
    FILE *file;
    int64_t offset, block_at; /* of what is read next, and of the block that is being read */
    struct tg_tape_facts facts;
    struct tg_layout layout;
    struct tg_buf packed, block;
    struct tg_bytes in; /* what is left of the block */
    int64_t wall_ms, mono_ms;
    bool begun; /* a block was read */
    struct known *accounts;
    uint32_t count, cap;
    struct tg_records records; /* the poll that is given out */
    char text[TG_NOTE_TEXT + 1];
};

int tg_tape_head(struct tg_packer *packer, const struct tg_tape_facts *facts, struct tg_buf *out)
{
    struct tg_buf head = {0};
    const struct {
        const char *name;
        int64_t value;
    } rows[] = {{"ids_as_text", facts->ids_as_text}};
    tg_buf_putc(&head, TG_BLOCK_HEADER);
    tg_varint_add(&head, FORMAT);
    tg_text_add(&head, facts->version);
    tg_varint_add(&head, facts->run);
    tg_varint_add(&head, facts->number);
    tg_varint_add(&head, tg_zigzag(facts->begun_ms));
    tg_varint_add(&head, sizeof rows / sizeof *rows);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tg_text_add(&head, rows[i].name);
        tg_varint_add(&head, tg_zigzag(rows[i].value));
    }
    tg_layout_write(&head);
    tg_buf_add(out, TG_TAPE_MAGIC, TG_TAPE_MAGIC_LEN);
    int rc =
        head.failed || out->failed ? -TG_ENOMEM : tg_block_pack(packer, head.data, head.len, out);
    tg_buf_fini(&head);
    return rc;
}

static int fault(const struct tg_tape *tape, int code, struct tg_err *err, const char *why)
{
    return tg_fail(err, code, "%s: offset %lld: %s", tape->path, (long long)tape->block_at, why);
}

static int damaged(const struct tg_tape *tape, struct tg_err *err, const char *why)
{
    struct tg_err text;
    (void)tg_fail(&text, TG_EINVAL, "damaged: %s", why);
    return fault(tape, TG_EINVAL, err, text.text);
}

/* Reads exactly `len` bytes. 1, 0 when the file ends before the first, else a fault. */
static int read_exactly(struct tg_tape *tape, void *into, size_t len, struct tg_err *err)
{
    size_t got = fread(into, 1, len, tape->file);
    tape->offset += (int64_t)got;
    if (got == len) return 1;
    if (ferror(tape->file)) return fault(tape, TG_EIO, err, strerror(errno));
    if (!got) return 0;
    return fault(tape, TG_ECLOSED, err, "the file is cut off here; what comes before is whole");
}

/* Reads and unpacks the next block. 1, 0 at the end, or a fault. */
static int read_block(struct tg_tape *tape, struct tg_err *err)
{
    unsigned char head[TG_BLOCK_HEAD];
    uint32_t packed, len;
    tape->block_at = tape->offset;
    int rc = read_exactly(tape, head, sizeof head, err);
    if (rc <= 0) return rc;
    if (tg_block_head(head, &packed, &len)) return damaged(tape, err, "no block begins here");
    tg_buf_clear(&tape->packed);
    if (tg_buf_reserve(&tape->packed, packed)) return fault(tape, TG_ENOMEM, err, "no memory");
    rc = read_exactly(tape, tape->packed.data, packed, err);
    if (rc == 0)
        return fault(tape, TG_ECLOSED, err, "the file is cut off here; what comes before is whole");
    if (rc < 0) return rc;
    rc = tg_block_unpack(tape->packed.data, packed, len, &tape->block);
    if (rc == -TG_ENOMEM) return fault(tape, TG_ENOMEM, err, "no memory");
    if (rc) return damaged(tape, err, "the block does not have its checksum");
    tape->in = (struct tg_bytes){(unsigned char *)tape->block.data,
                                 (unsigned char *)tape->block.data + tape->block.len, false};
    return 1;
}

static void read_facts(struct tg_tape *tape)
{
    struct tg_bytes *in = &tape->in;
    struct tg_tape_facts *facts = &tape->facts;
    size_t len;
    const char *text = tg_text_get(in, &len);
    if (text) tg_copy(facts->version, sizeof facts->version, text, len);
    facts->run = tg_varint_get(in);
    facts->number = tg_varint_get(in);
    facts->begun_ms = tg_unzigzag(tg_varint_get(in));
    uint64_t count = tg_varint_get(in);
    if (count > FACTS) in->bad = true;
    for (uint64_t i = 0; i < count && !in->bad; i++) {
        text = tg_text_get(in, &len);
        int64_t value = tg_unzigzag(tg_varint_get(in));
        if (!text) break;
        if (len == 11 && !memcmp(text, "ids_as_text", len)) facts->ids_as_text = value != 0;
    }
}

static int read_head(struct tg_tape *tape, struct tg_err *err)
{
    char magic[TG_TAPE_MAGIC_LEN];
    int rc = read_exactly(tape, magic, sizeof magic, err);
    if (rc == 0) return fault(tape, TG_ECLOSED, err, "the file is empty");
    if (rc < 0) return rc;
    if (memcmp(magic, TG_TAPE_MAGIC, sizeof magic) != 0)
        return fault(tape, TG_EINVAL, err, "this is no recording of Tidegate");
    rc = read_block(tape, err);
    if (rc == 0) return fault(tape, TG_ECLOSED, err, "the file is cut off behind its first bytes");
    if (rc < 0) return rc;
    if (tg_bytes_byte(&tape->in) != TG_BLOCK_HEADER)
        return damaged(tape, err, "it does not begin with a head");
    if (tg_varint_get(&tape->in) != FORMAT)
        return fault(tape, TG_EINVAL, err,
                     "the recording is of a format that this version cannot read");
    read_facts(tape);
    rc = tape->in.bad ? -TG_EINVAL : tg_layout_read(&tape->layout, &tape->in);
    if (rc == -TG_ENOMEM) return fault(tape, TG_ENOMEM, err, "no memory");
    if (rc || tape->in.bad) return damaged(tape, err, "its list of fields cannot be read");
    tape->in.at = tape->in.end;
    return 0;
}

int tg_tape_open(const char *path, struct tg_tape **out, struct tg_err *err)
{
    struct tg_tape *tape = calloc(1, sizeof *tape);
    if (tape) tape->path = strdup(path);
    *out = tape;
    if (!tape || !tape->path) return tg_fail(err, TG_ENOMEM, "%s: no memory", path);
    tape->file = fopen(path, "rbe");
    if (!tape->file) return tg_fail(err, TG_EIO, "%s: %s", path, strerror(errno));
    return read_head(tape, err);
}

static void forget_all(struct tg_tape *tape)
{
    for (uint32_t i = 0; i < tape->count; i++) {
        free(tape->accounts[i].id);
        tg_records_fini(&tape->accounts[i].records);
    }
    tape->count = 0;
}

void tg_tape_close(struct tg_tape *tape)
{
    if (!tape) return;
    if (tape->file) (void)fclose(tape->file);
    forget_all(tape);
    free(tape->accounts);
    tg_layout_fini(&tape->layout);
    tg_records_fini(&tape->records);
    tg_buf_fini(&tape->packed);
    tg_buf_fini(&tape->block);
    free(tape->path);
    free(tape);
}

const struct tg_tape_facts *tg_tape_facts(const struct tg_tape *tape)
{
    return &tape->facts;
}

/* The account that a note names, by its number or, the first time, with its id. NULL: `*rc`. */
static struct known *read_account(struct tg_tape *tape, int *rc)
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
        struct known *accounts = realloc(tape->accounts, cap * sizeof *accounts);
        if (!accounts) return NULL;
        tape->accounts = accounts;
        tape->cap = cap;
    }
    struct known *known = &tape->accounts[tape->count];
    *known = (struct known){.id = strndup(id, len)};
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
static int read_records(struct tg_tape *tape, struct known *known, struct tg_note *note)
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

/* The head of a block of notes. */
static bool begin_block(struct tg_tape *tape)
{
    unsigned kind = tg_bytes_byte(&tape->in);
    if (kind == TG_BLOCK_FIRST)
        forget_all(tape);
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

int tg_tape_next(struct tg_tape *tape, struct tg_note *note, struct tg_err *err)
{
    while (!tg_bytes_left(&tape->in)) {
        int rc = read_block(tape, err);
        if (rc <= 0) return rc;
        if (!begin_block(tape))
            return damaged(tape, err, "a block that continues another is first");
    }
    struct tg_bytes *in = &tape->in;
    struct known *known = NULL;
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
    if (rc == -TG_ENOMEM) return fault(tape, TG_ENOMEM, err, "no memory");
    if (rc || in->bad) return damaged(tape, err, "a note of this block cannot be read");
    return 1;
}
