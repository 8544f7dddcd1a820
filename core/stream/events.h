/* An events filter: the event types a client asks for, as globs with commas between them. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define TG_EVENTS_GLOBS 32 /* in one filter */
#define TG_EVENTS_GLOB 64  /* characters of one glob */

/* Whether the text is one glob: 1 to TG_EVENTS_GLOB of `A–Z a–z 0–9 _ . - *`. */
bool tg_events_glob_valid(const char *text, size_t len);

/* Whether the text (the `events` query parameter) is 1 to TG_EVENTS_GLOBS globs with commas between
 * them and nothing else. */
bool tg_events_valid(const char *text);

/* Whether a type is named by one of the globs. NULL globs name every type, "" none. The globs are
 * valid ones. */
bool tg_events_match(const char *globs, const char *type);

/* Appends the globs as a JSON array of strings. */
void tg_events_write(struct tg_buf *out, const char *globs);
