/* A frame from the server: unmasked, final, without extensions (RFC 6455 §5.2). */
#pragma once

#include "base/blob.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tg_opcode {
    TG_OPCODE_CONTINUATION = 0,
    TG_OPCODE_TEXT = 1,
    TG_OPCODE_BINARY = 2,
    TG_OPCODE_CLOSE = 8,
    TG_OPCODE_PING = 9,
    TG_OPCODE_PONG = 10,
};

#define TG_FRAME_HEAD_MAX 10
#define TG_CLOSE_REASON_MAX 123

/* Writes a frame's header in its shortest form and returns its length: 2, 4 or 10. */
int tg_frame_head_write(uint8_t out[TG_FRAME_HEAD_MAX], int opcode, uint64_t len);

/* A framed message ready to be sent to any number of connections (server frames are not masked).
 * `binary` false = text. NULL when memory is short. */
struct tg_blob *tg_frame_new(bool binary, const char *payload, size_t len);

/* A control frame of at most 125 bytes of payload. NULL when memory is short. */
struct tg_blob *tg_frame_control(int opcode, const char *payload, size_t len);

/* A Close frame; code 0 = without a code. A reason longer than TG_CLOSE_REASON_MAX is cut between
 * characters; NULL = none. NULL when memory is short. */
struct tg_blob *tg_frame_close(int code, const char *reason);

/* The payload inside a frame made by one of these. */
const char *tg_frame_payload(const struct tg_blob *frame, size_t *len);

/* Whether a peer may send this close code (RFC 6455 §7.4.1 and the IANA registry: 1000–1003,
 * 1007–1014, and 3000–4999 for libraries and applications). */
bool tg_close_code_valid(int code);
