/* A queue of frames and, beside it, a short list of latest-lane messages. Every entry of either
 * carries a stamp, the place in the common order; both are sorted by it, and taking compares the
 * two fronts.
 *
 * Three things a client must never see shape the merging. A `rev` that falls: therefore a message
 * merges in its place only while it is the last of its lane. A message that starves because others
 * always merge past it: therefore the first time it cannot merge in place it is fixed where it is,
 * and only its successor may move. And a value that is wrong after a snapshot: a field that went
 * from 100 to 110 (snapshot) and back to 100 merges to nothing, and the client would keep the
 * snapshot's 110; therefore a snapshot fixes all that waits before it.
 *
 * Idle is the common case, so the first entries need no allocation of their own and what grew is
 * given back when it runs empty. */
#include "stream/outbox.h"

#include "base/err.h"
#include "stream/merge.h"

#include <string.h>

#define INSIDE 4      /* ordered entries that need no allocation: an ordinary second */
#define LATEST_KEPT 2 /* latest-lane entries whose memory is kept once it was needed */

struct queued {
    struct tg_blob *frame;
    uint64_t stamp : 62;
    uint64_t counted : 1;
    uint64_t snapshot : 1;
};

struct waiting {
    struct tg_blob *frame, *text;
    uint64_t stamp : 63;
    uint64_t fixed : 1;
    size_t head;
};

struct tg_outbox {
    struct queued *ring, inside[INSIDE];
    uint32_t head, count, cap;
    uint32_t latest_count, latest_cap;
    struct waiting *latest;
    size_t bound, bytes, counted;
    uint64_t stamp, merged;
    bool snapshot_waits; /* one that does not count */
};

struct tg_outbox *tg_outbox_new(size_t bound)
{
    struct tg_outbox *outbox = calloc(1, sizeof *outbox);
    if (!outbox) return NULL;
    outbox->ring = outbox->inside;
    outbox->cap = INSIDE;
    outbox->bound = bound;
    return outbox;
}

void tg_outbox_free(struct tg_outbox *outbox)
{
    struct tg_blob *frame;
    if (!outbox) return;
    while ((frame = tg_outbox_take(outbox)))
        tg_blob_unref(frame);
    free(outbox->latest);
    free(outbox);
}

static struct queued *queued_at(struct tg_outbox *outbox, uint32_t i)
{
    return &outbox->ring[(outbox->head + i) & (outbox->cap - 1)];
}

static int grow_ring(struct tg_outbox *outbox)
{
    struct queued *ring = malloc((size_t)outbox->cap * 2 * sizeof *ring);
    if (!ring) return -TG_ENOMEM;
    for (uint32_t i = 0; i < outbox->count; i++)
        ring[i] = *queued_at(outbox, i);
    if (outbox->ring != outbox->inside) free(outbox->ring);
    outbox->ring = ring;
    outbox->cap *= 2;
    outbox->head = 0;
    return 0;
}

static int put(struct tg_outbox *outbox, struct tg_blob *frame, bool snapshot)
{
    bool counted = !snapshot || outbox->snapshot_waits;
    if (counted && frame->len > outbox->bound - outbox->counted) return -TG_ELIMIT;
    if (outbox->count == outbox->cap && grow_ring(outbox)) return -TG_ENOMEM;
    struct queued *entry = queued_at(outbox, outbox->count++);
    entry->frame = tg_blob_ref(frame);
    entry->stamp = ++outbox->stamp & (UINT64_MAX >> 2);
    entry->counted = counted;
    entry->snapshot = snapshot;
    outbox->bytes += frame->len;
    if (counted)
        outbox->counted += frame->len;
    else
        outbox->snapshot_waits = true;
    return 0;
}

int tg_outbox_put(struct tg_outbox *outbox, struct tg_blob *frame)
{
    return put(outbox, frame, false);
}

/* From now on this message is sent as it is, so it weighs like any other that must arrive. */
static int fix(struct tg_outbox *outbox, struct waiting *entry)
{
    if (entry->fixed) return 0;
    if (entry->frame->len > outbox->bound - outbox->counted) return -TG_ELIMIT;
    outbox->counted += entry->frame->len;
    entry->fixed = 1;
    return 0;
}

static int fix_all(struct tg_outbox *outbox)
{
    for (uint32_t i = 0; i < outbox->latest_count; i++)
        if (fix(outbox, &outbox->latest[i])) return -TG_ELIMIT;
    return 0;
}

int tg_outbox_put_snapshot(struct tg_outbox *outbox, struct tg_blob *frame)
{
    int rc = fix_all(outbox);
    return rc ? rc : put(outbox, frame, true);
}

static int grow_latest(struct tg_outbox *outbox)
{
    uint32_t cap = outbox->latest_cap ? outbox->latest_cap * 2 : LATEST_KEPT;
    struct waiting *latest = realloc(outbox->latest, cap * sizeof *latest);
    if (!latest) return -TG_ENOMEM;
    outbox->latest = latest;
    outbox->latest_cap = cap;
    return 0;
}

static int append_latest(struct tg_outbox *outbox, const struct tg_outbox_latest *latest)
{
    if (outbox->latest_count == TG_OUTBOX_LATEST) {
        int rc = fix_all(outbox);
        return rc ? rc : put(outbox, latest->frame, false);
    }
    if (outbox->latest_count == outbox->latest_cap && grow_latest(outbox)) return -TG_ENOMEM;
    struct waiting *entry = &outbox->latest[outbox->latest_count++];
    entry->frame = tg_blob_ref(latest->frame);
    entry->text = tg_blob_ref(latest->text);
    entry->stamp = ++outbox->stamp & (UINT64_MAX >> 1);
    entry->fixed = 0;
    entry->head = latest->head;
    outbox->bytes += latest->frame->len;
    return 0;
}

static void remove_latest(struct tg_outbox *outbox, uint32_t i)
{
    outbox->latest_count--;
    memmove(&outbox->latest[i], &outbox->latest[i + 1],
            (outbox->latest_count - i) * sizeof outbox->latest[i]);
}

/* Replaces what waits by the union of both. A message that cannot be merged is replaced by the
 * newer one, which is what the lane promises. */
static int merge(struct tg_outbox *outbox, struct waiting *entry,
                 const struct tg_outbox_latest *latest)
{
    struct tg_buf out = {0};
    struct tg_blob *text = NULL, *frame = NULL;
    int rc = tg_merge(&out, entry->text->data, entry->text->len, latest->text->data,
                      latest->text->len, latest->payload);
    if (rc == -TG_EINVAL) {
        text = tg_blob_ref(latest->text);
        frame = tg_blob_ref(latest->frame);
    } else if (!rc) {
        text = tg_blob_new(out.data, out.len);
        frame = latest->reframe(out.data, out.len);
    }
    tg_buf_fini(&out);
    if (!text || !frame) {
        tg_blob_unref(text);
        tg_blob_unref(frame);
        return -TG_ENOMEM;
    }
    outbox->bytes = outbox->bytes - entry->frame->len + frame->len;
    tg_blob_unref(entry->text);
    tg_blob_unref(entry->frame);
    entry->text = text;
    entry->frame = frame;
    entry->head = latest->head;
    outbox->merged++;
    return 0;
}

static bool alike(const struct waiting *entry, const struct tg_outbox_latest *latest)
{
    return entry->head == latest->head &&
           !memcmp(entry->text->data, latest->text->data, latest->head);
}

int tg_outbox_put_latest(struct tg_outbox *outbox, const struct tg_outbox_latest *latest)
{
    uint32_t current = UINT32_MAX;
    bool fixed = false;
    for (uint32_t i = 0; i < outbox->latest_count; i++) {
        if (!alike(&outbox->latest[i], latest)) continue;
        if (outbox->latest[i].fixed)
            fixed = true;
        else
            current = i;
    }
    if (current == UINT32_MAX) return append_latest(outbox, latest);
    struct waiting *entry = &outbox->latest[current];
    if (current + 1 == outbox->latest_count) return merge(outbox, entry, latest);
    if (!fixed) {
        int rc = fix(outbox, entry);
        return rc ? rc : append_latest(outbox, latest);
    }
    int rc = merge(outbox, entry, latest);
    if (rc) return rc;
    struct waiting moved = *entry;
    moved.stamp = ++outbox->stamp & (UINT64_MAX >> 1);
    remove_latest(outbox, current);
    outbox->latest[outbox->latest_count++] = moved;
    return 0;
}

static struct tg_blob *take_queued(struct tg_outbox *outbox)
{
    struct queued entry = *queued_at(outbox, 0);
    outbox->head = (outbox->head + 1) & (outbox->cap - 1);
    outbox->count--;
    if (entry.counted) outbox->counted -= entry.frame->len;
    if (entry.snapshot && !entry.counted) outbox->snapshot_waits = false;
    return entry.frame;
}

static struct tg_blob *take_latest(struct tg_outbox *outbox)
{
    struct waiting entry = outbox->latest[0];
    remove_latest(outbox, 0);
    if (entry.fixed) outbox->counted -= entry.frame->len;
    tg_blob_unref(entry.text);
    return entry.frame;
}

static void give_back(struct tg_outbox *outbox)
{
    if (!outbox->count && outbox->ring != outbox->inside) {
        free(outbox->ring);
        outbox->ring = outbox->inside;
        outbox->cap = INSIDE;
        outbox->head = 0;
    }
    if (!outbox->latest_count && outbox->latest_cap > LATEST_KEPT) {
        free(outbox->latest);
        outbox->latest = NULL;
        outbox->latest_cap = 0;
    }
}

struct tg_blob *tg_outbox_take(struct tg_outbox *outbox)
{
    struct tg_blob *frame;
    if (!outbox->count && !outbox->latest_count) return NULL;
    if (outbox->count &&
        (!outbox->latest_count || queued_at(outbox, 0)->stamp < outbox->latest[0].stamp))
        frame = take_queued(outbox);
    else
        frame = take_latest(outbox);
    outbox->bytes -= frame->len;
    give_back(outbox);
    return frame;
}

size_t tg_outbox_bytes(const struct tg_outbox *outbox)
{
    return outbox->bytes;
}

uint64_t tg_outbox_merged(const struct tg_outbox *outbox)
{
    return outbox->merged;
}
