/* A ring of references. It holds whole frames, so whatever is dropped, the byte stream stays well
 * formed: a frame that was started is finished. */
#include "net/send_queue.h"

#include "base/err.h"

#include <string.h>

void tg_send_queue_init(struct tg_send_queue *queue)
{
    memset(queue, 0, sizeof *queue);
    queue->ring = queue->few;
    queue->cap = TG_SEND_QUEUE_FEW;
}

static struct tg_blob **place(const struct tg_send_queue *queue, uint32_t i)
{
    return &queue->ring[(queue->first + i) & (queue->cap - 1)];
}

/* A ring that has grown goes back when it is empty: a burst must not cost memory for ever. */
static void settle(struct tg_send_queue *queue)
{
    if (queue->ring != queue->few) free(queue->ring);
    queue->ring = queue->few;
    queue->cap = TG_SEND_QUEUE_FEW;
    queue->first = 0;
}

void tg_send_queue_fini(struct tg_send_queue *queue)
{
    for (uint32_t i = 0; i < queue->count; i++)
        tg_blob_unref(*place(queue, i));
    queue->count = queue->sent = queue->lent = 0;
    queue->bytes = 0;
    settle(queue);
}

static int grow(struct tg_send_queue *queue)
{
    uint32_t cap = queue->cap * 2;
    if (cap > UINT32_MAX / 4) return -TG_ENOMEM;
    struct tg_blob **ring = malloc(cap * sizeof *ring);
    if (!ring) return -TG_ENOMEM;
    for (uint32_t i = 0; i < queue->count; i++)
        ring[i] = *place(queue, i);
    if (queue->ring != queue->few) free(queue->ring);
    queue->ring = ring;
    queue->cap = cap;
    queue->first = 0;
    return 0;
}

int tg_send_queue_put(struct tg_send_queue *queue, struct tg_blob *blob)
{
    if (!blob->len) return 0;
    if (queue->count == queue->cap && grow(queue)) return -TG_ENOMEM;
    *place(queue, queue->count++) = tg_blob_ref(blob);
    queue->bytes += blob->len;
    return 0;
}

int tg_send_queue_peek(const struct tg_send_queue *queue, struct tg_piece *pieces, int max,
                       size_t max_bytes)
{
    int n = 0;
    size_t skip = queue->sent;
    for (uint32_t i = 0; i < queue->count && n < max && max_bytes; i++) {
        const struct tg_blob *blob = *place(queue, i);
        size_t len = blob->len - skip;
        if (len > max_bytes) len = max_bytes;
        pieces[n++] = (struct tg_piece){blob->data + skip, len};
        max_bytes -= len;
        skip = 0;
    }
    return n;
}

void tg_send_queue_lend(struct tg_send_queue *queue, int pieces)
{
    queue->lent = (uint32_t)pieces;
}

void tg_send_queue_gone(struct tg_send_queue *queue, size_t n)
{
    tg_must(n <= queue->bytes);
    queue->bytes -= n;
    while (n) {
        struct tg_blob *blob = *place(queue, 0);
        size_t left = blob->len - queue->sent;
        if (n < left) {
            queue->sent += (uint32_t)n;
            return;
        }
        n -= left;
        queue->first = (queue->first + 1) & (queue->cap - 1);
        queue->count--;
        queue->sent = 0;
        if (queue->lent) queue->lent--;
        tg_blob_unref(blob);
    }
    if (!queue->count) settle(queue);
}

void tg_send_queue_cut(struct tg_send_queue *queue)
{
    uint32_t keep = queue->sent ? 1 : 0;
    if (keep < queue->lent) keep = queue->lent;
    while (queue->count > keep) {
        struct tg_blob *blob = *place(queue, --queue->count);
        queue->bytes -= blob->len;
        tg_blob_unref(blob);
    }
    if (!queue->count) settle(queue);
}
