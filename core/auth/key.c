/* The only place where signatures are judged. A token must convince two: libcrypto's HMAC first,
 * then libjwt. HMAC first, so that libjwt and the JSON library under it never see a byte that the
 * holder of a secret did not sign; and at all, because libjwt 1.10.2 does not look whether its own
 * HMAC succeeded: short of memory it compares with whatever the stack still holds, which may be the
 * signature of the caller's last token.
 *
 * What libjwt answers is judged again: jwt_decode returns 0 for an unread token when it runs out of
 * memory or is given no key, and verifies nothing when the algorithm is `none`. So the key is never
 * NULL or empty and the algorithm of the result must be the key's, which an unread token's never
 * is.
 *
 * The `kid` is a hint from whoever made the token (RFC 7515, section 4.1.4). It may narrow the
 * choice of keys and never widen it: a key that was given a name serves only tokens that use the
 * name. */
#include "auth/key.h"

#include <errno.h>
#include <jwt.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <string.h>

static int key_init(struct tg_key *key, const struct tg_key_options *options, int place,
                    struct tg_err *err)
{
    key->algorithm = options->algorithm ? tg_algorithm_find(options->algorithm) : NULL;
    if (!key->algorithm)
        return tg_fail(err, TG_EINVAL, "auth.keys[%d]: algorithm must be HS256, HS384 or HS512",
                       place);
    size_t len = options->secret ? options->secret_len : 0, least = key->algorithm->hash_bytes;
    if (len < least)
        return tg_fail(err, TG_EINVAL,
                       "auth.keys[%d]: the secret has %zu bytes; %s wants at least %zu "
                       "(RFC 7518, section 3.2)",
                       place, len, key->algorithm->name, least);
    if (len > TG_SECRET_MAX)
        return tg_fail(err, TG_EINVAL, "auth.keys[%d]: the secret has more than %d bytes", place,
                       TG_SECRET_MAX);
    if (options->kid && (!*options->kid || strlen(options->kid) > TG_KID_MAX))
        return tg_fail(err, TG_EINVAL, "auth.keys[%d]: kid must have 1 to %d bytes", place,
                       TG_KID_MAX);
    key->secret = malloc(len);
    key->kid = options->kid ? strdup(options->kid) : NULL;
    if (!key->secret || (options->kid && !key->kid))
        return tg_fail(err, TG_ENOMEM, "auth.keys[%d]: out of memory", place);
    memcpy(key->secret, options->secret, len);
    key->secret_len = (int)len;
    return 0;
}

static bool named(const struct tg_key *key, const char *kid)
{
    return key->kid && kid && !strcmp(key->kid, kid);
}

static bool has_named(const struct tg_keyring *ring, const char *kid)
{
    for (int i = 0; i < ring->count; i++)
        if (named(&ring->keys[i], kid)) return true;
    return false;
}

int tg_keyring_init(struct tg_keyring *out, const struct tg_key_options *keys, int count,
                    struct tg_err *err)
{
    struct tg_keyring ring = {0};
    int rc = 0;
    if (count <= 0 || !keys)
        return tg_fail(err, TG_EINVAL, "auth.keys: at least one key is needed");
    ring.keys = calloc((size_t)count, sizeof *ring.keys);
    if (!ring.keys) return tg_fail(err, TG_ENOMEM, "auth.keys: out of memory");
    for (int i = 0; i < count && !rc; i++) {
        if (has_named(&ring, keys[i].kid))
            rc = tg_fail(err, TG_EINVAL, "auth.keys[%d]: another key has this kid", i + 1);
        ring.count = i + 1;
        if (!rc) rc = key_init(&ring.keys[i], &keys[i], i + 1, err);
    }
    if (rc)
        tg_keyring_fini(&ring);
    else
        *out = ring;
    return rc;
}

void tg_keyring_fini(struct tg_keyring *ring)
{
    for (int i = 0; i < ring->count; i++) {
        struct tg_key *key = &ring->keys[i];
        if (key->secret) OPENSSL_cleanse(key->secret, (size_t)key->secret_len);
        free(key->secret);
        free(key->kid);
    }
    free(ring->keys);
    *ring = (struct tg_keyring){0};
}

/* 0, -TG_EAUTH, or -TG_ENOMEM. */
static int signed_with(const struct tg_key *key, const struct tg_token *token)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (!HMAC(key->algorithm->hash(), key->secret, key->secret_len,
              (const unsigned char *)token->text.data, token->signed_len, mac, &len))
        return -TG_ENOMEM;
    if (len != token->signature.len || CRYPTO_memcmp(mac, token->signature.data, len) != 0)
        return -TG_EAUTH;
    return 0;
}

/* 0, -TG_EINVAL when libjwt cannot read what the holder of the secret signed, or -TG_ENOMEM. */
static int confirmed(const struct tg_key *key, const struct tg_token *token)
{
    jwt_t *jwt = NULL;
    int failed = jwt_decode(&jwt, token->text.data, key->secret, key->secret_len);
    bool read = !failed && jwt;
    bool good = read && (int)jwt_get_alg(jwt) == key->algorithm->jwt_alg;
    if (jwt) jwt_free(jwt);
    if (good) return 0;
    return read || failed == ENOMEM ? -TG_ENOMEM : -TG_EINVAL;
}

int tg_keyring_verify(const struct tg_keyring *ring, const struct tg_token *token,
                      struct tg_err *err)
{
    const char *kid = token->kid.data && strlen(token->kid.data) == token->kid.len
                          ? token->kid.data
                          : NULL; /* a name with a NUL in it is nobody's */
    bool by_name = has_named(ring, kid), any = false, fits = false;
    int rc = -TG_EAUTH;
    for (int i = 0; i < ring->count && rc == -TG_EAUTH; i++) {
        const struct tg_key *key = &ring->keys[i];
        if (by_name ? !named(key, kid) : key->kid != NULL) continue;
        any = true;
        if (key->algorithm != token->algorithm) continue;
        fits = true;
        rc = signed_with(key, token);
        if (!rc) rc = confirmed(key, token);
    }
    if (rc == -TG_ENOMEM) return tg_fail(err, TG_ENOMEM, "out of memory");
    if (rc == -TG_EINVAL) return tg_fail(err, TG_EINVAL, "the claims are beyond libjwt's JSON");
    if (!rc) return 0;
    if (!any) return tg_fail(err, TG_EAUTH, "no key is configured for the token's kid");
    if (!fits) return tg_fail(err, TG_EAUTH, "the token's algorithm is not its key's");
    return tg_fail(err, TG_EAUTH, "the signature does not verify");
}
