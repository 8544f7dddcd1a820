/* Own reader, because the libraries' are lenient where a token must not be: libb64 (under libjwt)
 * skips what it does not know, and EVP_DecodeBlock wants padding and ignores stray bits. */
#include "auth/base64url.h"

#include "base/err.h"

#include <stdint.h>

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int tg_base64url_read(struct tg_buf *out, const char *text, size_t len)
{
    uint32_t bits = 0;
    unsigned held = 0;
    if (len % 4 == 1) return -TG_EINVAL;
    if (tg_buf_reserve(out, len / 4 * 3 + 2)) return -TG_ENOMEM;
    for (size_t i = 0; i < len; i++) {
        int value = digit(text[i]);
        if (value < 0) return -TG_EINVAL;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held < 8) continue;
        held -= 8;
        tg_buf_putc(out, (char)(bits >> held));
        bits &= (1u << held) - 1;
    }
    return bits ? -TG_EINVAL : 0;
}
