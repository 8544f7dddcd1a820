/* The merge of two messages of the latest lane into the one that says what both said. */
#pragma once

#include "base/buf.h"

#include <stddef.h>

/* Appends the union of an earlier message (`first`) and a later one of its type (`last`). Members
 * of `changes` are united: `old` of the first, `new` of the last, `diff` their difference as
 * decimals; a field whose `new` is the first's `old` again disappears. Everything else is the
 * last's, byte for byte. `payload` names the member in which `changes` stands, "" when it stands in
 * the message. Messages without `changes` objects: the last one. 0, -TG_EINVAL (not JSON; nothing
 * was appended) or -TG_ENOMEM. */
int tg_merge(struct tg_buf *out, const char *first, size_t first_len, const char *last,
             size_t last_len, const char *payload);
