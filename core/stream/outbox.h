/* The outbox: what waits for one client, in the order it will be sent. */
#pragma once

#include "base/blob.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One queue holds both lanes. Ordered frames and replies are never dropped and count against the
 * bound; a latest-lane frame that still waits is merged with the newer one of its type, in its
 * place. */
struct tg_outbox;

/* `bound` in bytes of ordered frames. NULL when memory is short. */
struct tg_outbox *tg_outbox_new(size_t bound);
void tg_outbox_free(struct tg_outbox *outbox);

/* Queues a frame that must arrive; takes its own reference. -TG_ELIMIT when the bound is passed
 * (nothing was queued: the client is too slow), -TG_ENOMEM. */
int tg_outbox_put(struct tg_outbox *outbox, struct tg_blob *frame);

/* Queues the newest value of a type. `frame` is the framed message. When one of this type waits, it
 * is replaced by the merge of both: `changes` objects are united (`old` of the first, `new` of the
 * last, `diff` recomputed), everything else is the newer one's. */
struct tg_outbox_latest {
    const char *type;
    struct tg_blob *frame;
    const char *text; /* the unframed message */
    size_t len;
    struct tg_blob *(*reframe)(const char *text, size_t len);
};
int tg_outbox_put_latest(struct tg_outbox *outbox, const struct tg_outbox_latest *latest);

/* Takes the next frame out; the caller owns the reference. NULL when nothing waits. */
struct tg_blob *tg_outbox_take(struct tg_outbox *outbox);

size_t tg_outbox_bytes(const struct tg_outbox *outbox);
uint64_t tg_outbox_merged(const struct tg_outbox *outbox);
