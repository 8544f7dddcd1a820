/* Who may: tokens and ownership. */
#pragma once

#include "base/clock.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* `secret` has at least as many bytes as the algorithm's hash: 32, 48, 64 (RFC 7518, section 3.2).
 * A key with a `kid` verifies the tokens that name it; a key without one verifies the tokens that
 * name no key, or none that is configured. */
struct tg_key_options {
    const char *algorithm; /* HS256, HS384 or HS512; the only one this key verifies */
    const char *secret;
    size_t secret_len;
    const char *kid; /* NULL: none */
};

struct tg_identity;

/* Decides who an account's owner is, in place of a claim or a file. */
struct tg_authorizer {
    bool (*owns)(void *ctx, const struct tg_identity *identity, const char *account_id);
    void *ctx;
};

struct tg_auth_options {
    const struct tg_key_options *keys;
    int keys_count;
    const char *issuer, *audience;   /* NULL: not checked */
    int leeway_seconds;              /* 0 to 3600 */
    struct tg_authorizer authorizer; /* owns NULL: a claim or a file decides */
    const char *ownership_claim;     /* dots go into objects; NULL when a file is used */
    const char *ownership_file;      /* JSON {"subject": ["account", …]}; NULL */
    size_t token_bytes;              /* longest token looked at, 256 to 65536; 0: 8192 */
    size_t ownership_file_bytes;     /* largest ownership file read; 0: 16 MiB */
    int cache_tokens;                /* verified tokens remembered; 0: 4096, negative: none */
};

enum tg_auth_result {
    TG_AUTH_OK,
    TG_AUTH_MISSING,     /* AUTH_REQUIRED */
    TG_AUTH_FAILED,      /* AUTH_FAILED */
    TG_AUTH_EXPIRED,     /* TOKEN_EXPIRED */
    TG_AUTH_NOT_OWNER,   /* NOT_OWNER */
    TG_AUTH_UNAVAILABLE, /* OWNERSHIP_UNAVAILABLE; also when memory is short */
};

/* Who a verified token speaks for. Owns its strings. */
struct tg_identity {
    char *subject;
    char *claims; /* the claims object as JSON text, verbatim */
    size_t claims_len;
    int64_t expires_ms;        /* wall clock: the token's own `exp` */
    int64_t accepted_until_ms; /* wall clock: `exp` and the leeway; refused from this moment on */
};

struct tg_auth;

/* The options are copied; the clock is borrowed and outlives the result. Reads the ownership file.
 * 0, -TG_EINVAL, -TG_EIO (the file) or -TG_ENOMEM; `err` names the setting that is wrong and never
 * shows a secret. */
int tg_auth_new(const struct tg_auth_options *options, const struct tg_clock *clock,
                struct tg_auth **out, struct tg_err *err);

/* Takes new keys, rules and limits in place of the old, all or (on failure, as of tg_auth_new)
 * nothing. What was verified before is forgotten, so that a withdrawn key ends with this call. */
int tg_auth_reload(struct tg_auth *auth, const struct tg_auth_options *options, struct tg_err *err);

/* Wipes the secrets. NULL is allowed. */
void tg_auth_free(struct tg_auth *auth);

/* Verifies a compact JWS (RFC 7515, 7519). `token` needs no terminating NUL; NULL or no bytes is
 * TG_AUTH_MISSING. On TG_AUTH_OK fills `*out` (freed with tg_identity_fini); else `*out` is
 * untouched and `err` has a reason for the log that quotes no part of the token. Only a token that
 * has no other fault is TG_AUTH_EXPIRED. */
enum tg_auth_result tg_auth_verify(struct tg_auth *auth, const char *token, size_t len,
                                   struct tg_identity *out, struct tg_err *err);
void tg_identity_fini(struct tg_identity *identity);

/* Whether the account is the identity's: TG_AUTH_OK, TG_AUTH_NOT_OWNER or TG_AUTH_UNAVAILABLE. */
enum tg_auth_result tg_auth_owns(struct tg_auth *auth, const struct tg_identity *identity,
                                 const char *account_id);

/* Rereads the ownership file when it has changed; keeps the old on failure and tells the reason, on
 * every call until the file is good again. 1: new owners are in force, so ownership of those
 * connected should be checked again; 0: nothing changed; else as tg_auth_new. Costs a stat(2) when
 * nothing changed; call it every second or so. */
int tg_auth_refresh(struct tg_auth *auth, struct tg_err *err);

/* Signs a development token with the first key; it carries the configured issuer and audience.
 * `claims_json` is a JSON object of further claims, or NULL; `sub`, `iat` and `exp` are not for it
 * to set. `ttl_seconds` is positive. `*out` is freed with free(). 0, -TG_EINVAL, -TG_ELIMIT (the
 * token would be longer than the longest accepted) or -TG_ENOMEM. For the start and the command
 * line: libjwt's encoder may crash when memory is short. */
int tg_auth_mint(struct tg_auth *auth, const char *subject, const char *claims_json,
                 int ttl_seconds, char **out, struct tg_err *err);
