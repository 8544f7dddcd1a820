/* Text that is about to be logged, with the tokens in it masked. */
#pragma once

#include "base/buf.h"

/* What stands in a masked token's place. */
#define TG_REDACTED "[redacted]"

/* Appends `text` to `out` and puts TG_REDACTED where a token would be: the value of anything that
 * ends in `token=` (up to the next `&`, blank or quote), what follows `bearer.` (the WebSocket
 * subprotocol) or `Bearer ` (RFC 6750, section 2.1), and anything of the shape of a compact JWS
 * (RFC 7515, section 3.1), wherever it stands, also when its end is cut off. Names are compared
 * without case. Check `out->failed` at the end. */
void tg_redact(struct tg_buf *out, const char *text, size_t len);
