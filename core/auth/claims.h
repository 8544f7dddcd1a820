/* What a token says: who it speaks for and from when to when (RFC 7519, section 4.1). */
#pragma once

#include "auth/auth.h"

/* Longest subject, in bytes. */
#define TG_SUBJECT_MAX 256

struct tg_claim_rules {
    char *issuer, *audience; /* NULL: not checked */
    int leeway_seconds;
};

/* Wall clock, milliseconds. The token counts from `from_ms` on and before `until_ms`; both have the
 * leeway in them. */
struct tg_claims {
    char *subject; /* owned, freed with free() */
    int64_t expires_ms, from_ms, until_ms;
};

/* Reads the claims of a token whose signature is good. Required: `sub` (see tg_subject_valid) and
 * `exp`. Checked when there: `nbf`, `iat` (not in the future), `iss` and `aud` for their type, and
 * when the rules name them for their value. Times are numbers of seconds from 0 to the end of the
 * year 9999; fractions are dropped. 0, -TG_EINVAL with a reason that quotes no part of the token,
 * or -TG_ENOMEM. Says nothing about now. */
int tg_claims_read(struct tg_claims *out, const char *text, size_t len,
                   const struct tg_claim_rules *rules, struct tg_err *err);

/* Whether a token that counts within these bounds counts now. TG_AUTH_OK, TG_AUTH_EXPIRED, or
 * TG_AUTH_FAILED when its time is yet to come. */
enum tg_auth_result tg_claims_now(int64_t from_ms, int64_t until_ms, int64_t now_ms,
                                  struct tg_err *err);

/* Whether the bytes may be a subject: 1 to TG_SUBJECT_MAX bytes of UTF-8 that print as they read. A
 * subject goes into log lines, headers to the source and limits, so control characters, line
 * separators and marks that reverse the writing direction are not in it. */
bool tg_subject_valid(const char *text, size_t len);
