/* Secrets of the Web API: the password hash, the proofs, and the cipher of the raw protocol. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MT_DIGEST 16
#define MT_CRYPT_RAND 256

/* MD5(MD5(password in UTF-16LE) ‖ "WebAPI"). */
void mt_password_hash(const char *password, uint8_t out[MT_DIGEST]);

/* MD5(first ‖ second): the proofs, and the steps of the key schedule. */
void mt_md5_pair(const void *first, size_t first_len, const void *second, size_t second_len,
                 uint8_t out[MT_DIGEST]);

/* One direction of a connection: a key, and the register that its keystream comes from. */
struct mt_cipher {
    uint8_t key[32], reg[MT_DIGEST];
};

/* The two directions from the password hash and the server's 256 random bytes. */
void mt_cipher_init(const uint8_t hash[MT_DIGEST], const uint8_t rand[MT_CRYPT_RAND],
                    struct mt_cipher *from_client, struct mt_cipher *to_client);

/* Encrypts or decrypts the body of one packet in place. */
void mt_cipher_packet(struct mt_cipher *cipher, uint8_t *body, size_t len);

/* Lower-case hex with a NUL, and back; false: not `len` bytes of hex. */
void mt_hex_write(const uint8_t *bytes, size_t len, char *out);
bool mt_hex_read(const char *text, uint8_t *out, size_t len);
