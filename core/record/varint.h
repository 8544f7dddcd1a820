/* Varints: whole numbers in as few bytes as they need, seven bits a byte, the low ones first. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TG_VARINT_MAX 10 /* bytes of the longest */

/* Writes at `at`, where there must be room, and gives the place behind it. */
static inline unsigned char *tg_varint_put(unsigned char *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (unsigned char)(value | 0x80);
    *at++ = (unsigned char)value;
    return at;
}

/* Signed numbers near zero become small unsigned ones. */
static inline uint64_t tg_zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static inline int64_t tg_unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* Bytes that are read and not trusted: what does not fit sets `bad`, and everything read from then
 * on is zero, so a reader looks once at the end. */
struct tg_bytes {
    const unsigned char *at, *end;
    bool bad;
};

static inline size_t tg_bytes_left(const struct tg_bytes *in)
{
    return (size_t)(in->end - in->at);
}

/* The next `len` bytes, or NULL. */
static inline const unsigned char *tg_bytes_take(struct tg_bytes *in, uint64_t len)
{
    if (in->bad || len > tg_bytes_left(in)) {
        in->bad = true;
        in->at = in->end;
        return NULL;
    }
    const unsigned char *taken = in->at;
    in->at += len;
    return taken;
}

static inline unsigned tg_bytes_byte(struct tg_bytes *in)
{
    const unsigned char *byte = tg_bytes_take(in, 1);
    return byte ? *byte : 0;
}

static inline uint64_t tg_varint_get(struct tg_bytes *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        unsigned byte = tg_bytes_byte(in);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return value;
    }
    in->bad = true;
    in->at = in->end;
    return 0;
}

/* Room for any text: its length and its bytes. */
static inline unsigned char *tg_text_put(unsigned char *at, const char *text, size_t len)
{
    at = tg_varint_put(at, len);
    if (len) memcpy(at, text, len);
    return at + len;
}

/* A text that was put; its bytes stay where they are. */
static inline const char *tg_text_get(struct tg_bytes *in, size_t *len)
{
    uint64_t wanted = tg_varint_get(in);
    const unsigned char *bytes = tg_bytes_take(in, wanted);
    *len = bytes ? (size_t)wanted : 0;
    return (const char *)bytes;
}
