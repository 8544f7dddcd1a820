/* Bytes of a stranger against the token module, twice: as a token, and as the claims of a token
 * that is signed here, so that the code behind the signature is reached too. Beyond the sanitizers'
 * own watch it aborts when a token is accepted whose signature HMAC itself does not confirm. */
#include "auth/auth.h"
#include "base/buf.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

static const char secret[] = "s3cret-s3cret-s3cret-s3cret-s3cret-s3cret-s3cret-s3cret-s3cret-s";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tg_auth *open_auth(void)
{
    static struct tg_clock_virtual clock;
    static const struct tg_key_options keys[] = {
        {"HS256", secret, 64, NULL}, {"HS384", secret, 64, "k384"}, {"HS512", secret, 64, NULL}};
    struct tg_auth_options options = {.keys = keys,
                                      .keys_count = 3,
                                      .leeway_seconds = 30,
                                      .ownership_claim = "accounts",
                                      .cache_tokens = 8};
    struct tg_auth *auth = NULL;
    tg_clock_virtual_init(&clock, 0, 1700000000000);
    tg_must(!tg_auth_new(&options, &clock.clock, &auth, NULL));
    return auth;
}

static void put_base64url(struct tg_buf *out, const void *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const uint8_t *at = bytes;
    for (size_t bit = 0; bit < len * 8; bit += 6) {
        unsigned pair = (unsigned)at[bit / 8] << 8 | (bit / 8 + 1 < len ? at[bit / 8 + 1] : 0);
        tg_buf_putc(out, digits[pair >> (10 - bit % 8) & 63]);
    }
}

/* Appends the signature of what is in the buffer. */
static void sign(struct tg_buf *token, const EVP_MD *hash)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    HMAC(hash, secret, 64, (const uint8_t *)token->data, token->len, mac, &len);
    tg_buf_putc(token, '.');
    put_base64url(token, mac, len);
}

static bool genuine(const char *token, size_t len)
{
    const EVP_MD *const hashes[] = {EVP_sha256(), EVP_sha384(), EVP_sha512()};
    const char *dot = memrchr(token, '.', len);
    bool found = false;
    for (int i = 0; dot && i < 3 && !found; i++) {
        struct tg_buf again = {0};
        tg_buf_add(&again, token, (size_t)(dot - token));
        sign(&again, hashes[i]);
        found = again.len == len && !memcmp(again.data, token, len);
        tg_buf_fini(&again);
    }
    return found;
}

static void verify(struct tg_auth *auth, const char *token, size_t len)
{
    struct tg_identity identity;
    for (int again = 0; again < 2; again++) { /* the second time from the cache */
        if (tg_auth_verify(auth, token, len, &identity, NULL) != TG_AUTH_OK) return;
        tg_must(genuine(token, len));
        tg_must(identity.accepted_until_ms > 1700000000000 && *identity.subject);
        (void)tg_auth_owns(auth, &identity, "demo-1");
        tg_identity_fini(&identity);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tg_auth *auth;
    struct tg_buf token = {0};
    if (!auth) auth = open_auth();
    verify(auth, (const char *)data, size);
    put_base64url(&token, "{\"alg\":\"HS256\"}", 15);
    tg_buf_putc(&token, '.');
    put_base64url(&token, data, size);
    sign(&token, EVP_sha256());
    verify(auth, token.data, token.len);
    tg_buf_fini(&token);
    return 0;
}
