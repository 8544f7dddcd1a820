/* UTF-16LE, the encoding of the raw protocol's bodies and of passwords before they are hashed. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* Appends valid UTF-8 as UTF-16LE, without a mark; bad bytes become U+FFFD. */
void mt_utf16_write(struct tg_buf *out, const char *text, size_t len);

/* The same from `at` on, until `most` bytes or up to three more are appended or the text ends;
 * where the next character begins. */
size_t mt_utf16_part(struct tg_buf *out, const char *text, size_t len, size_t at, size_t most);

/* Appends UTF-16LE as UTF-8; false: an odd number of bytes or an unpaired surrogate. */
bool mt_utf16_read(struct tg_buf *out, const char *bytes, size_t len);
