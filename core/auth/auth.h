/* Who may: tokens and ownership. */
#pragma once

#include "base/clock.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct tg_key_options {
    const char *algorithm; /* HS256, HS384 or HS512; the only one this key verifies */
    const char *secret;
    size_t secret_len;
    const char *kid; /* NULL: any */
};

struct tg_auth_options {
    const struct tg_key_options *keys;
    int keys_count;
    const char *issuer, *audience; /* NULL: not checked */
    int leeway_seconds;
    const char *ownership_claim; /* dots go into objects; NULL when a file is used */
    const char *ownership_file;  /* JSON {"subject": ["account", …]}; NULL */
};

enum tg_auth_result {
    TG_AUTH_OK,
    TG_AUTH_MISSING,     /* AUTH_REQUIRED */
    TG_AUTH_FAILED,      /* AUTH_FAILED */
    TG_AUTH_EXPIRED,     /* TOKEN_EXPIRED */
    TG_AUTH_NOT_OWNER,   /* NOT_OWNER */
    TG_AUTH_UNAVAILABLE, /* OWNERSHIP_UNAVAILABLE */
};

/* Who a verified token speaks for. Owns its strings. */
struct tg_identity {
    char *subject;
    char *claims; /* the claims object as JSON text, verbatim */
    size_t claims_len;
    int64_t expires_ms; /* wall clock */
};

struct tg_auth;

/* The options are copied. On failure `err` names the key that is wrong. */
int tg_auth_new(const struct tg_auth_options *options, const struct tg_clock *clock,
                struct tg_auth **out, struct tg_err *err);
void tg_auth_free(struct tg_auth *auth);

/* Verifies a compact JWS (RFC 7515, 7519). On TG_AUTH_OK fills `*out` (freed with
 * tg_identity_fini); else `err` has a reason for the log that quotes no part of the token. */
enum tg_auth_result tg_auth_verify(struct tg_auth *auth, const char *token, size_t len,
                                   struct tg_identity *out, struct tg_err *err);
void tg_identity_fini(struct tg_identity *identity);

/* Whether the account is the identity's. */
enum tg_auth_result tg_auth_owns(struct tg_auth *auth, const struct tg_identity *identity,
                                 const char *account_id);

/* Rereads the ownership file when it has changed; keeps the old on failure, with the reason. */
int tg_auth_refresh(struct tg_auth *auth, struct tg_err *err);

/* Signs a development token with the first key. `claims_json` is a JSON object of further claims,
 * or NULL. `*out` is freed with free(). */
int tg_auth_mint(struct tg_auth *auth, const char *subject, const char *claims_json,
                 int ttl_seconds, char **out, struct tg_err *err);
