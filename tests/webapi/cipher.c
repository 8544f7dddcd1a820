/* The keystream is AES-256 in output feedback, begun anew at a block boundary for every packet: the
 * unused tail of a packet's last block is thrown away, the register lives on. Output
 * feedback is cipher block chaining of zeros, which OpenSSL does fast and in one call.
 *
 * It shares no line with the gateway's own: two implementations that were made apart and agree are
 * worth more than one. */
#include "cipher.h"

#include "base/err.h"
#include "utf16.h"

#include <openssl/evp.h>
#include <string.h>

void mt_md5_pair(const void *first, size_t first_len, const void *second, size_t second_len,
                 uint8_t out[MT_DIGEST])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    tg_must(ctx && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) == 1);
    tg_must(EVP_DigestUpdate(ctx, first, first_len) == 1);
    tg_must(EVP_DigestUpdate(ctx, second, second_len) == 1);
    tg_must(EVP_DigestFinal_ex(ctx, out, NULL) == 1);
    EVP_MD_CTX_free(ctx);
}

void mt_password_hash(const char *password, uint8_t out[MT_DIGEST])
{
    struct tg_buf wide = {0};
    uint8_t first[MT_DIGEST];
    mt_utf16_write(&wide, password, strlen(password));
    mt_md5_pair(wide.data, wide.len, "", 0, first);
    mt_md5_pair(first, sizeof first, "WebAPI", 6, out);
    tg_buf_fini(&wide);
}

void mt_cipher_init(const uint8_t hash[MT_DIGEST], const uint8_t rand[MT_CRYPT_RAND],
                    struct mt_cipher *from_client, struct mt_cipher *to_client)
{
    uint8_t iv[MT_CRYPT_RAND / MT_DIGEST][MT_DIGEST];
    const uint8_t *last = hash;
    for (size_t i = 0; i < MT_CRYPT_RAND / MT_DIGEST; last = iv[i++])
        mt_md5_pair(rand + i * MT_DIGEST, MT_DIGEST, last, MT_DIGEST, iv[i]);
    memcpy(from_client->key, iv[0], MT_DIGEST);
    memcpy(from_client->key + MT_DIGEST, iv[1], MT_DIGEST);
    *to_client = *from_client;
    memcpy(from_client->reg, iv[2], MT_DIGEST);
    memcpy(to_client->reg, iv[3], MT_DIGEST);
}

void mt_cipher_packet(struct mt_cipher *cipher, uint8_t *body, size_t len)
{
    static const uint8_t zeros[65536];
    static uint8_t stream[65536];
    size_t whole = (len + MT_DIGEST - 1) / MT_DIGEST * MT_DIGEST;
    int n;
    if (!len) return;
    tg_must(whole <= sizeof stream);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    tg_must(ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_cbc(), NULL, cipher->key, cipher->reg) == 1);
    EVP_CIPHER_CTX_set_padding(ctx, 0);
    tg_must(EVP_EncryptUpdate(ctx, stream, &n, zeros, (int)whole) == 1 && (size_t)n == whole);
    EVP_CIPHER_CTX_free(ctx);
    memcpy(cipher->reg, stream + whole - MT_DIGEST, MT_DIGEST);
    for (size_t i = 0; i < len; i++)
        body[i] ^= stream[i];
}

void mt_hex_write(const uint8_t *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool mt_hex_read(const char *text, uint8_t *out, size_t len)
{
    if (strlen(text) != len * 2) return false;
    for (size_t i = 0; i < len; i++) {
        int high = nibble(text[i * 2]), low = nibble(text[i * 2 + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
