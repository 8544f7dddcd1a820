/* The outbox: what waits for one client, in the order it will be sent. */
#pragma once

#include "base/blob.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TG_OUTBOX_LATEST 64 /* latest-lane messages that may wait apart from the queue */

/* Two lanes, one order. Ordered frames and replies are never dropped and count against the bound.
 * A latest-lane message that still waits is merged with the newer one of its type; `rev` rises in
 * what is taken out, whatever was merged. */
struct tg_outbox;

/* `bound` in bytes of what must arrive. NULL when memory is short. */
struct tg_outbox *tg_outbox_new(size_t bound);
void tg_outbox_free(struct tg_outbox *outbox);

/* Queues a frame that must arrive; takes its own reference. -TG_ELIMIT when the bound would be
 * passed (nothing was queued: the client is too slow), -TG_ENOMEM. */
int tg_outbox_put(struct tg_outbox *outbox, struct tg_blob *frame);

/* Queues a snapshot. One at a time may wait outside the bound, so that an account whose state alone
 * is larger than the bound can be watched; a second one counts. Nothing merges across it. */
int tg_outbox_put_snapshot(struct tg_outbox *outbox, struct tg_blob *frame);

/* The newest value of a type. */
struct tg_outbox_latest {
    struct tg_blob *frame; /* the framed message */
    struct tg_blob *text;  /* the message itself */
    size_t head;           /* its first bytes, up to and with its type: alike = of one type */
    const char *payload;   /* the member in which `changes` stands, "" = the message */
    struct tg_blob *(*reframe)(const char *text, size_t len);
};

/* Queues it, or merges it into the one of its type that waits (see merge.h). A waiting message
 * behind which another type's newer one waits is left as it is once, and counts against the bound
 * from then on; after that the merged one moves to the end. Takes its own references. Types beyond
 * TG_OUTBOX_LATEST queue like ordered frames, and nothing merges across them. -TG_ELIMIT,
 * -TG_ENOMEM. */
int tg_outbox_put_latest(struct tg_outbox *outbox, const struct tg_outbox_latest *latest);

/* Takes the next frame out; the caller owns the reference. NULL when nothing waits. */
struct tg_blob *tg_outbox_take(struct tg_outbox *outbox);

/* Bytes of frames that wait, of both lanes. */
size_t tg_outbox_bytes(const struct tg_outbox *outbox);

/* How many latest-lane messages were merged into another since the start. */
uint64_t tg_outbox_merged(const struct tg_outbox *outbox);
