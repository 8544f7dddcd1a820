/* A send queue: shared bytes on their way to one connection. */
#pragma once

#include "base/blob.h"

#include <stddef.h>
#include <stdint.h>

/* Places that need no allocation: an idle connection holds no heap for its queue. */
#define TG_SEND_QUEUE_FEW 4

struct tg_send_queue {
    struct tg_blob **ring;
    uint32_t cap, first, count;
    uint32_t sent; /* bytes of the first blob that are gone */
    uint32_t lent; /* blobs at the front that the kernel reads from at this moment */
    size_t bytes;  /* not yet gone */
    struct tg_blob *few[TG_SEND_QUEUE_FEW];
};

/* A run of bytes to be written. */
struct tg_piece {
    const char *data;
    size_t len;
};

/* The queue must not move in memory while it is used. */
void tg_send_queue_init(struct tg_send_queue *queue);

/* Gives all references back. */
void tg_send_queue_fini(struct tg_send_queue *queue);

/* Queues a blob; takes its own reference. Empty ones are left out. 0 or -TG_ENOMEM. */
int tg_send_queue_put(struct tg_send_queue *queue, struct tg_blob *blob);

/* Describes what is to be written next: at most `max` pieces and `max_bytes` bytes. */
int tg_send_queue_peek(const struct tg_send_queue *queue, struct tg_piece *pieces, int max,
                       size_t max_bytes);

/* The blobs behind the first `pieces` pieces are lent to a write under way and may not be dropped;
 * 0 ends that. */
void tg_send_queue_lend(struct tg_send_queue *queue, int pieces);

/* `n` bytes have gone. */
void tg_send_queue_gone(struct tg_send_queue *queue, size_t n);

/* Drops every blob of which no byte has gone and that is not lent. */
void tg_send_queue_cut(struct tg_send_queue *queue);
