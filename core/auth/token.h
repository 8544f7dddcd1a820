/* A compact JWS taken apart: its shape and header are checked, its signature is not yet. */
#pragma once

#include "auth/algorithm.h"
#include "base/buf.h"
#include "base/err.h"

/* Longest `kid` that is looked at. */
#define TG_KID_MAX 256

/* Nothing in here may be believed before tg_keyring_verify has said so. */
struct tg_token {
    struct tg_buf text;      /* the token, NUL-terminated */
    size_t signed_len;       /* how many bytes of it are signed: all before the second dot */
    struct tg_buf claims;    /* the decoded payload */
    struct tg_buf signature; /* decoded; as long as the algorithm's hash */
    struct tg_buf kid;       /* the key that the header names; `data` is NULL when it names none */
    const struct tg_algorithm *algorithm;
};

/* Takes `len` bytes apart. Refused: more than `max` bytes (looked at before anything else), another
 * count of parts than three, an empty part, a part that is not canonical base64url, a header that
 * is not a strict JSON object, `alg` that is not on the list, `typ` that is not "JWT" (in any
 * case), `kid` that is not a string of 1 to TG_KID_MAX bytes, `crit` at all (no extension is
 * understood here; RFC 7515, section 4.1.11), a signature of the wrong length. 0, -TG_EINVAL with a
 * reason that quotes no part of the token, or -TG_ENOMEM; tg_token_fini only after 0. */
int tg_token_read(struct tg_token *out, const char *text, size_t len, size_t max,
                  struct tg_err *err);

void tg_token_fini(struct tg_token *token);
