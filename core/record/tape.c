/* Nothing in a file is believed. A block is checked as a whole before its first byte is used, and
 * still every number in it is bounded when it is read, because a checksum says that nothing broke,
 * not that nobody lied. What is good before a fault is given out; the fault is named with its
 * place.
 */
#include "record/tape_inner.h"

#include "base/text.h"
#include "record/block.h"
#include "record/row.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT 1 /* of the contents of blocks */
#define FACTS 64

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

void tg_tape_close(struct tg_tape *tape)
{
    if (!tape) return;
    if (tape->file) (void)fclose(tape->file);
    tg_tape_forget(tape);
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

int tg_tape_next(struct tg_tape *tape, struct tg_note *note, struct tg_err *err)
{
    while (!tg_bytes_left(&tape->in)) {
        int rc = read_block(tape, err);
        if (rc <= 0) return rc;
        if (!tg_tape_begin_block(tape))
            return damaged(tape, err, "a block that continues another is first");
    }
    int rc = tg_tape_note(tape, note);
    if (rc == -TG_ENOMEM) return fault(tape, TG_ENOMEM, err, "no memory");
    if (rc || tape->in.bad) return damaged(tape, err, "a note of this block cannot be read");
    return 1;
}
