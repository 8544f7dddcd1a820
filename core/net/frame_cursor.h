/* A frame cursor: where in a frame a client's bytes stand (RFC 6455 §5.2). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tg_frame_cursor {
    uint8_t head[14];
    size_t have, need; /* bytes of the head; equal while in the payload */
    uint64_t left;     /* of the payload */
};

/* Stands before a frame. */
void tg_frame_cursor_init(struct tg_frame_cursor *cursor);

/* How many bytes may be handed to a frame parser at once: to the end of the head or of the payload,
 * and one by one in the payload of a Close frame. At least 1. */
uint64_t tg_frame_cursor_portion(const struct tg_frame_cursor *cursor);

/* `n` bytes, at most a portion, were handed over. */
void tg_frame_cursor_follow(struct tg_frame_cursor *cursor, const char *bytes, size_t n);

/* Whether it stands before a frame: not a byte of one has been handed over. */
bool tg_frame_cursor_between(const struct tg_frame_cursor *cursor);
