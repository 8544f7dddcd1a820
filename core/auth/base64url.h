/* Base64url without padding, read strictly (RFC 7515, appendix C; RFC 4648, section 5). */
#pragma once

#include "base/buf.h"

/* Appends the bytes that `text` stands for. Only the one canonical spelling is taken: no padding,
 * no blanks, no foreign digits, no bits set behind the last byte; two spellings of one signature
 * would make two tokens of one. 0, -TG_EINVAL or -TG_ENOMEM; on failure what was appended is not to
 * be used. */
int tg_base64url_read(struct tg_buf *out, const char *text, size_t len);
