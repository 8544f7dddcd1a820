/* The Web API's cryptography: the password hash, the proofs of both sides, the keystreams. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Room for 16 bytes as hex text and its NUL. */
#define TG_WEBAPI_HEX 33

/* What stands for the password: MD5(MD5(password as UTF-16LE) followed by "WebAPI"), raw bytes. */
struct tg_webapi_hash {
    unsigned char bytes[16];
};

/* Hashes a UTF-8 password. 0, -TG_EINVAL (not UTF-8), -TG_ENOMEM (also when this OpenSSL has no
 * MD5). */
int tg_webapi_hash(struct tg_webapi_hash *out, const char *password);

/* The answer to a challenge of 32 hex digits, as lower-case hex: MD5(hash followed by the
 * challenge's bytes). 0, -TG_EINVAL (not such a challenge), -TG_ENOMEM. */
int tg_webapi_proof(char out[TG_WEBAPI_HEX], const struct tg_webapi_hash *hash,
                    const char *challenge);

/* Whether `answer` proves that the peer knows the hash; either case of hex, in constant time. */
bool tg_webapi_proves(const struct tg_webapi_hash *hash, const char *challenge, const char *answer);

/* A fresh challenge of our own. */
void tg_webapi_challenge(char out[TG_WEBAPI_HEX]);

/* The 16 blocks that CRYPT_RAND (512 hex digits) gives: 0 and 1 are the AES-256 key, 2 the register
 * of what the client sends, 3 of what the server sends. 0, -TG_EINVAL, -TG_ENOMEM. */
int tg_webapi_blocks(unsigned char out[16][16], const struct tg_webapi_hash *hash,
                     const char *crypt_rand);

/* One direction's keystream; it lives as long as its connection. Zero-initialise. */
struct tg_webapi_stream {
    void *cipher; /* NULL: what passes stays clear */
};

/* Starts a stream with a key of 32 bytes and a register of 16. 0 or -TG_ENOMEM. */
int tg_webapi_stream_init(struct tg_webapi_stream *stream, const unsigned char *key,
                          const unsigned char *initial);
void tg_webapi_stream_fini(struct tg_webapi_stream *stream);

/* Encrypts or decrypts one whole packet body in place. 0 or -TG_ENOMEM. */
int tg_webapi_stream_pass(struct tg_webapi_stream *stream, unsigned char *bytes, size_t len);
