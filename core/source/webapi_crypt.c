/* Every intermediate value is raw bytes: hashing the hex text instead is the classic mistake, and
 * servers answer it with a plain "invalid account".
 *
 * The keystream is OFB that starts a fresh block with every packet: the register is encrypted to
 * give the next 16 bytes, what a packet leaves of its last block is thrown away, and the register
 * lives on. CBC over zeros is the same thing, because a block of zeros leaves the register as it is
 * before it is encrypted: one call a packet instead of one a block, several times as fast. A plain
 * streaming OFB context would break at the first packet that is no multiple of 16 bytes. */
#include "source/webapi_crypt.h"

#include "base/err.h"
#include "base/rand.h"
#include "source/webapi_text.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define CHUNK 4096 /* bytes of keystream made at a time; a multiple of 16 */

/* Reads exactly `len` bytes of hex that fill the whole text. */
static int unhex(unsigned char *out, size_t len, const char *hex)
{
    if (strlen(hex) != len * 2) return -TG_EINVAL;
    for (size_t i = 0; i < len; i++) {
        int high = tg_webapi_digit(hex[2 * i]), low = tg_webapi_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0) return -TG_EINVAL;
        out[i] = (unsigned char)(high * 16 + low);
    }
    return 0;
}

static void hex(char out[TG_WEBAPI_HEX], const unsigned char bytes[16])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[32] = '\0';
}

static int md5(unsigned char out[16], const void *bytes, size_t len)
{
    return EVP_Digest(bytes, len, out, NULL, EVP_md5(), NULL) == 1 ? 0 : -TG_ENOMEM;
}

/* MD5 of two blocks of 16 bytes, one after the other. */
static int md5_pair(unsigned char out[16], const unsigned char *a, const unsigned char *b)
{
    unsigned char both[32];
    memcpy(both, a, 16);
    memcpy(both + 16, b, 16);
    int rc = md5(out, both, sizeof both);
    OPENSSL_cleanse(both, sizeof both);
    return rc;
}

int tg_webapi_hash(struct tg_webapi_hash *out, const char *password)
{
    unsigned char salted[16 + 6];
    struct tg_buf wide = {0};
    int rc = tg_webapi_to_utf16(&wide, password, strlen(password));
    if (!rc) rc = md5(salted, wide.data ? wide.data : "", wide.len);
    if (!rc) {
        memcpy(salted + 16, "WebAPI", 6);
        rc = md5(out->bytes, salted, sizeof salted);
    }
    OPENSSL_cleanse(salted, sizeof salted);
    if (wide.data) OPENSSL_cleanse(wide.data, wide.cap);
    tg_buf_fini(&wide);
    return rc;
}

int tg_webapi_proof(char out[TG_WEBAPI_HEX], const struct tg_webapi_hash *hash,
                    const char *challenge)
{
    unsigned char nonce[16], proof[16];
    int rc = unhex(nonce, sizeof nonce, challenge);
    if (!rc) rc = md5_pair(proof, hash->bytes, nonce);
    if (!rc) hex(out, proof);
    return rc;
}

bool tg_webapi_proves(const struct tg_webapi_hash *hash, const char *challenge, const char *answer)
{
    unsigned char nonce[16], wanted[16], given[16];
    return !unhex(nonce, sizeof nonce, challenge) && !unhex(given, sizeof given, answer) &&
           !md5_pair(wanted, hash->bytes, nonce) && !CRYPTO_memcmp(wanted, given, sizeof wanted);
}

void tg_webapi_challenge(char out[TG_WEBAPI_HEX])
{
    unsigned char nonce[16];
    tg_random_bytes(nonce, sizeof nonce);
    hex(out, nonce);
}

int tg_webapi_blocks(unsigned char out[16][16], const struct tg_webapi_hash *hash,
                     const char *crypt_rand)
{
    unsigned char nonce[256];
    const unsigned char *last = hash->bytes;
    int rc = unhex(nonce, sizeof nonce, crypt_rand);
    for (int i = 0; !rc && i < 16; i++) {
        rc = md5_pair(out[i], nonce + 16 * i, last);
        last = out[i];
    }
    return rc;
}

int tg_webapi_stream_init(struct tg_webapi_stream *stream, const unsigned char *key,
                          const unsigned char *initial)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (!ctx || EVP_EncryptInit_ex(ctx, EVP_aes_256_cbc(), NULL, key, initial) != 1 ||
        EVP_CIPHER_CTX_set_padding(ctx, 0) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        return -TG_ENOMEM;
    }
    stream->cipher = ctx;
    return 0;
}

void tg_webapi_stream_fini(struct tg_webapi_stream *stream)
{
    EVP_CIPHER_CTX_free(stream->cipher);
    stream->cipher = NULL;
}

int tg_webapi_stream_pass(struct tg_webapi_stream *stream, unsigned char *bytes, size_t len)
{
    static const unsigned char zeros[CHUNK];
    unsigned char key[CHUNK];
    if (!stream->cipher) return 0;
    while (len) {
        size_t part = len < CHUNK ? len : CHUNK;
        int whole = (int)((part + 15) / 16 * 16), made;
        if (EVP_EncryptUpdate(stream->cipher, key, &made, zeros, whole) != 1 || made != whole)
            return -TG_ENOMEM;
        for (size_t i = 0; i < part; i++)
            bytes[i] ^= key[i];
        bytes += part;
        len -= part;
    }
    return 0;
}
