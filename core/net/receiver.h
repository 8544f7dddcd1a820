/* A receiver: turns a WebSocket client's bytes into messages, by RFC 6455 to the letter. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tg_receiver;
struct tg_receiver_slot;

/* What a receiver tells. None may free the receiver; all may stop it. */
struct tg_receiver_events {
    /* A complete message; text is valid UTF-8. The bytes are NUL-terminated and borrowed. */
    void (*message)(struct tg_receiver *receiver, bool text, const char *data, size_t len);
    /* A Ping frame; the owner answers it. */
    void (*ping)(struct tg_receiver *receiver, const char *data, size_t len);
    /* A valid Close frame; code 1005 when it had none. Nothing is told after it. */
    void (*close)(struct tg_receiver *receiver, int code);
};

/* Contexts of the frame parser that wait for work. One parser costs 9 KB, so a connection has one
 * only while it is in the middle of a frame or message. */
struct tg_receiver_pool;

/* NULL when memory is short. */
struct tg_receiver_pool *tg_receiver_pool_new(const struct tg_receiver_events *events);

/* Every receiver must have been ended before. */
void tg_receiver_pool_free(struct tg_receiver_pool *pool);

/* Contexts in use and idle, for metrics and leak tests. */
uint32_t tg_receiver_pool_busy(const struct tg_receiver_pool *pool);
uint32_t tg_receiver_pool_idle(const struct tg_receiver_pool *pool);

struct tg_receiver {
    struct tg_receiver_pool *pool;
    struct tg_receiver_slot *slot; /* NULL between messages */
    size_t message_bytes;          /* one message, all fragments; more: 1009 */
    int fragments;                 /* frames of one message; more: 1008; 0 = unlimited */
    bool feeding, stopped;
};

void tg_receiver_init(struct tg_receiver *receiver, struct tg_receiver_pool *pool,
                      size_t message_bytes, int fragments);

/* Takes bytes and tells what they complete. 0, or the close code that the peer has earned: 1002,
 * 1007, 1008, 1009, or 1011 when memory is short. After that, and after a Close frame, everything
 * is ignored. */
int tg_receiver_feed(struct tg_receiver *receiver, const char *bytes, size_t len);

/* Ignores everything from now on; also from inside an event. */
void tg_receiver_stop(struct tg_receiver *receiver);

/* Stops and gives back what it holds; not from inside an event. */
void tg_receiver_fini(struct tg_receiver *receiver);
