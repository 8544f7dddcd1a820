/* wslay parses the frames; everything else around it is here, because its traps are ours to close:
 *
 * - It buffers a message as one allocation a fragment and as large as a header claims. We switch
 * that off and collect the payload ourselves, so memory follows the bytes that came.
 * - A context is 9 KB. It goes back to the pool when no byte of a frame or message is pending; to
 * know that, the frame heads are followed here as they are handed over.
 * - It checks the reason of a Close frame as if it came in one piece: of every further piece it
 * skips two bytes. Handed over byte by byte, the reason is not checked at all, and we judge it
 * whole, as we do its code and length (a payload of one byte, codes 1012 to 1014).
 * - After an error it has queued a Close frame of its own. We let it "send" that into nothing and
 * only ask which code it chose; for errors of framing it chose none, and 1002 is right.
 * - wslay_event_recv may stop with input left when a read was short, so it is called until there is
 *   none. */
#include "net/receiver.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/text.h"
#include "net/frame.h"
#include "net/frame_cursor.h"

#include <string.h>
#include <wslay/wslay.h>

/* Idle contexts kept; about 0.6 MB. */
#define POOL_IDLE_MAX 64

/* A message buffer larger than this is not kept for the next message. */
#define BUFFER_KEEP_MAX 65536

struct tg_receiver_pool {
    struct tg_receiver_events events;
    struct wslay_event_callbacks callbacks;
    struct tg_list idle;
    uint32_t idle_count, busy_count;
};

struct tg_receiver_slot {
    struct tg_list node;
    wslay_event_context_ptr context;
    struct tg_receiver *owner;
    const char *input;
    size_t left;
    struct tg_frame_cursor cursor;
    struct tg_buf message; /* the data message so far */
    bool in_message, text;
    int frames; /* of this message */
    int opcode; /* of the frame being received */
    bool frame_fin;
    char control[125];
    size_t control_len;
    int fault;
};

static void fail(struct tg_receiver_slot *slot, int code)
{
    if (!slot->fault) slot->fault = code;
    wslay_event_shutdown_read(slot->context);
}

static ssize_t on_recv(wslay_event_context_ptr context, uint8_t *out, size_t len, int flags,
                       void *user)
{
    struct tg_receiver_slot *slot = user;
    uint64_t most = tg_frame_cursor_portion(&slot->cursor);
    (void)flags;
    if (!slot->left || slot->owner->stopped) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    if (len > slot->left) len = slot->left;
    if (len > most) len = (size_t)most;
    memcpy(out, slot->input, len);
    tg_frame_cursor_follow(&slot->cursor, slot->input, len);
    slot->input += len;
    slot->left -= len;
    return (ssize_t)len;
}

/* What wslay wants to send is ours to say. */
static ssize_t on_send(wslay_event_context_ptr context, const uint8_t *data, size_t len, int flags,
                       void *user)
{
    (void)context, (void)data, (void)flags, (void)user;
    return (ssize_t)len;
}

static void on_frame_start(wslay_event_context_ptr context,
                           const struct wslay_event_on_frame_recv_start_arg *frame, void *user)
{
    struct tg_receiver_slot *slot = user;
    const struct tg_receiver *receiver = slot->owner;
    (void)context;
    slot->opcode = frame->opcode;
    slot->frame_fin = frame->fin;
    slot->control_len = 0;
    if (frame->opcode >= TG_OPCODE_CLOSE) return;
    if (frame->opcode != TG_OPCODE_CONTINUATION) {
        slot->in_message = true;
        slot->text = frame->opcode == TG_OPCODE_TEXT;
        slot->frames = 0;
        tg_buf_clear(&slot->message);
    }
    if (frame->payload_length > receiver->message_bytes - slot->message.len)
        fail(slot, 1009);
    else if (receiver->fragments && ++slot->frames > receiver->fragments)
        fail(slot, 1008);
}

static void on_frame_chunk(wslay_event_context_ptr context,
                           const struct wslay_event_on_frame_recv_chunk_arg *chunk, void *user)
{
    struct tg_receiver_slot *slot = user;
    (void)context;
    if (slot->fault) return;
    if (slot->opcode >= TG_OPCODE_CLOSE) {
        tg_must(chunk->data_length <= sizeof slot->control - slot->control_len);
        if (chunk->data_length)
            memcpy(slot->control + slot->control_len, chunk->data, chunk->data_length);
        slot->control_len += chunk->data_length;
        return;
    }
    tg_buf_add(&slot->message, chunk->data, chunk->data_length);
    if (slot->message.failed) fail(slot, 1011);
}

/* RFC 6455 §5.5.1 and §7.4: no payload, or a valid code and a reason in UTF-8. */
static void take_close(struct tg_receiver_slot *slot)
{
    const unsigned char *payload = (const unsigned char *)slot->control;
    int code = 1005;
    if (slot->control_len == 1) return fail(slot, 1002);
    if (slot->control_len) {
        code = payload[0] << 8 | payload[1];
        if (!tg_close_code_valid(code)) return fail(slot, 1002);
        if (!tg_utf8_valid(slot->control + 2, slot->control_len - 2)) return fail(slot, 1007);
    }
    tg_receiver_stop(slot->owner);
    slot->owner->pool->events.close(slot->owner, code);
}

static void on_frame_end(wslay_event_context_ptr context, void *user)
{
    struct tg_receiver_slot *slot = user;
    struct tg_receiver *receiver = slot->owner;
    const struct tg_receiver_events *events = &receiver->pool->events;
    (void)context;
    if (slot->fault || receiver->stopped) return;
    if (slot->opcode == TG_OPCODE_CLOSE) {
        take_close(slot);
    } else if (slot->opcode == TG_OPCODE_PING) {
        events->ping(receiver, slot->control, slot->control_len);
    } else if (slot->opcode < TG_OPCODE_CLOSE && slot->frame_fin) {
        slot->in_message = false;
        events->message(receiver, slot->text, slot->message.data ? slot->message.data : "",
                        slot->message.len);
        tg_buf_clear(&slot->message);
        if (slot->message.cap > BUFFER_KEEP_MAX) tg_buf_fini(&slot->message);
    }
}

/* Runs after wslay has queued its Pong: sends it into nothing at once, lest a flood of Pings piles
 * up a copy each until the input is read. */
static void on_message(wslay_event_context_ptr context,
                       const struct wslay_event_on_msg_recv_arg *message, void *user)
{
    const struct tg_receiver_slot *slot = user;
    if (message->opcode == WSLAY_PING) wslay_event_send(context);
    if (slot->owner->stopped) wslay_event_shutdown_read(context);
}

struct tg_receiver_pool *tg_receiver_pool_new(const struct tg_receiver_events *events)
{
    struct tg_receiver_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return NULL;
    pool->events = *events;
    pool->callbacks = (struct wslay_event_callbacks){
        .recv_callback = on_recv,
        .send_callback = on_send,
        .on_frame_recv_start_callback = on_frame_start,
        .on_frame_recv_chunk_callback = on_frame_chunk,
        .on_frame_recv_end_callback = on_frame_end,
        .on_msg_recv_callback = on_message,
    };
    tg_list_init(&pool->idle);
    return pool;
}

static void slot_free(struct tg_receiver_slot *slot)
{
    wslay_event_context_free(slot->context);
    tg_buf_fini(&slot->message);
    free(slot);
}

void tg_receiver_pool_free(struct tg_receiver_pool *pool)
{
    if (!pool) return;
    tg_must(!pool->busy_count);
    for (struct tg_list *node; (node = tg_list_first(&pool->idle));) {
        tg_list_remove(node);
        slot_free(tg_of(node, struct tg_receiver_slot, node));
    }
    free(pool);
}

uint32_t tg_receiver_pool_busy(const struct tg_receiver_pool *pool)
{
    return pool->busy_count;
}

uint32_t tg_receiver_pool_idle(const struct tg_receiver_pool *pool)
{
    return pool->idle_count;
}

static struct tg_receiver_slot *slot_new(struct tg_receiver_pool *pool)
{
    struct tg_receiver_slot *slot = calloc(1, sizeof *slot);
    if (!slot || wslay_event_context_server_init(&slot->context, &pool->callbacks, slot)) {
        free(slot);
        return NULL;
    }
    tg_list_init(&slot->node);
    tg_frame_cursor_init(&slot->cursor);
    wslay_event_config_set_no_buffering(slot->context, 1);
    return slot;
}

static struct tg_receiver_slot *slot_take(struct tg_receiver *receiver)
{
    struct tg_receiver_pool *pool = receiver->pool;
    struct tg_list *node = tg_list_first(&pool->idle);
    struct tg_receiver_slot *slot;
    if (node) {
        slot = tg_of(node, struct tg_receiver_slot, node);
        tg_list_remove(node);
        pool->idle_count--;
    } else if (!(slot = slot_new(pool))) {
        return NULL;
    }
    pool->busy_count++;
    slot->owner = receiver;
    receiver->slot = slot;
    return slot;
}

/* Gives the slot back: to the pool when `clean`, else to the heap, because the close state of a
 * context is one-shot and half a frame is in it. */
static void slot_give(struct tg_receiver *receiver, bool clean)
{
    struct tg_receiver_pool *pool = receiver->pool;
    struct tg_receiver_slot *slot = receiver->slot;
    receiver->slot = NULL;
    slot->owner = NULL;
    pool->busy_count--;
    if (!clean || pool->idle_count == POOL_IDLE_MAX) {
        slot_free(slot);
        return;
    }
    tg_list_append(&pool->idle, &slot->node);
    pool->idle_count++;
}

void tg_receiver_init(struct tg_receiver *receiver, struct tg_receiver_pool *pool,
                      size_t message_bytes, int fragments)
{
    *receiver =
        (struct tg_receiver){.pool = pool, .message_bytes = message_bytes, .fragments = fragments};
}

/* The code that wslay's own refusal deserves; called when it reads no more or has failed. */
static int fault_of(struct tg_receiver_slot *slot, int rc)
{
    if (slot->fault) return slot->fault;
    if (rc == WSLAY_ERR_NOMEM) return 1011;
    wslay_event_send(slot->context);
    int code = wslay_event_get_status_code_sent(slot->context);
    return code == 1007 || code == 1009 ? code : 1002;
}

int tg_receiver_feed(struct tg_receiver *receiver, const char *bytes, size_t len)
{
    tg_must(!receiver->feeding);
    if (receiver->stopped || !len) return 0;
    struct tg_receiver_slot *slot = receiver->slot ? receiver->slot : slot_take(receiver);
    if (!slot) {
        receiver->stopped = true;
        return 1011;
    }
    int rc = 0, code = 0;
    slot->input = bytes;
    slot->left = len;
    receiver->feeding = true;
    while (!rc && slot->left && !receiver->stopped && wslay_event_want_read(slot->context))
        rc = wslay_event_recv(slot->context);
    receiver->feeding = false;
    if (!receiver->stopped && (rc || !wslay_event_want_read(slot->context))) {
        code = fault_of(slot, rc);
        receiver->stopped = true;
    }
    if (receiver->stopped)
        slot_give(receiver, false);
    else if (!slot->in_message && tg_frame_cursor_between(&slot->cursor))
        slot_give(receiver, true);
    return code;
}

void tg_receiver_stop(struct tg_receiver *receiver)
{
    receiver->stopped = true;
    if (receiver->slot) wslay_event_shutdown_read(receiver->slot->context);
}

void tg_receiver_fini(struct tg_receiver *receiver)
{
    tg_must(!receiver->feeding);
    receiver->stopped = true;
    if (receiver->slot) slot_give(receiver, false);
}
