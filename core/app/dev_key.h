/* The development key: the secret that a demonstration without a configuration signs with. */
#pragma once

#include "base/err.h"

#include <stddef.h>

#define TG_DEV_KEY_LEN 64 /* hexadecimal digits, 256 bits */

/* Where the key lives: $XDG_RUNTIME_DIR, or else /tmp, and tidegate-dev-<uid>.key in it. Freed with
 * free(); NULL when memory is short. */
char *tg_dev_key_path(void);

/* Reads the key, made at the first call, so that `serve`, `token` and `tail` of one user agree on
 * it. A file that is a link, is not this user's, or can be read by others is refused: somebody else
 * could know the key, or could have chosen it. 0, -TG_EAUTH (such a file), -TG_EIO or -TG_ENOMEM.
 */
int tg_dev_key_read(char out[TG_DEV_KEY_LEN + 1], struct tg_err *err);
