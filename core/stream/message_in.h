/* A message from a client, read and judged (protocol.md, 3). */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

enum tg_message_kind {
    TG_MESSAGE_PING,
    TG_MESSAGE_AUTH,
    TG_MESSAGE_SNAPSHOT,
    TG_MESSAGE_EVENTS,
};

#define TG_MESSAGE_ID 256 /* bytes of JSON text that a ping's `id` may have */

/* Zero-initialise. `text` is: of a ping, the JSON text of its `id`, or empty; of auth, the token;
 * of events, the globs with commas between them, or empty for none. It may hold a token: it is
 * neither logged nor quoted in an error. */
struct tg_message_in {
    enum tg_message_kind kind;
    struct tg_buf text;
};

/* Reads one text message: a JSON object (RFC 8259, strictly) whose `type` is known and whose
 * members have the types they must have. Members it does not know are ignored, a newer client may
 * send them. 0; -TG_EINVAL with a sentence for the client that quotes nothing of the message;
 * -TG_ENOMEM. The caller calls tg_message_in_fini in any case.
 *
 * What is not judged here: binary messages (bad), and the rate. A message over
 * `limits.messages_per_second` is answered RATE_LIMITED instead of INVALID_MESSAGE, is not read at
 * all, and counts as a bad one. */
int tg_message_in_parse(struct tg_message_in *message, const char *data, size_t len,
                        struct tg_err *err);
void tg_message_in_fini(struct tg_message_in *message);
