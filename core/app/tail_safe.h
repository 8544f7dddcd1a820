/* Text from a server made safe for a terminal. */
#pragma once

#include "base/buf.h"

#include <stddef.h>

/* Appends UTF-8 text with everything that steers a terminal or hides text replaced by U+FFFD:
 * control characters (C0, DEL, C1: also those that begin an escape sequence when encoded as UTF-8)
 * and the marks that turn the direction of writing. What is no UTF-8 is replaced, too. */
void tg_tail_safe(struct tg_buf *out, const char *text, size_t len);

/* Appends a JSON text as one line that means the same: such characters become \u escapes, line
 * breaks between its parts become blanks. The text must have passed tg_json_parse. */
void tg_tail_safe_json(struct tg_buf *out, const char *text, size_t len);
