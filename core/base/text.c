/* Everything here meets text from strangers, so everything takes a length and nothing recurses. */
#include "base/text.h"

#include "base/err.h"

#include <string.h>

bool tg_glob_match(const char *pattern, size_t pattern_len, const char *text, size_t len)
{
    size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;
    while (t < len) {
        if (p < pattern_len && pattern[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern_len && pattern[p] == text[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern_len && pattern[p] == '*')
        p++;
    return p == pattern_len;
}

/* The length of the well-formed sequence at `s`, or 0 (RFC 3629, section 4). */
static size_t sequence(const unsigned char *s, size_t left)
{
    unsigned char lead = s[0], low = 0x80, high = 0xbf;
    size_t n;
    if (lead < 0x80) return 1;
    if (lead < 0xc2 || lead > 0xf4) return 0;
    n = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (left < n) return 0;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
    if (s[1] < low || s[1] > high) return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    return n;
}

bool tg_utf8_valid(const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0; i < len;) {
        size_t n = sequence(s + i, len - i);
        if (!n) return false;
        i += n;
    }
    return true;
}

int tg_read_u64(const char *text, size_t len, uint64_t *out)
{
    uint64_t value = 0;
    if (!len || (len > 1 && text[0] == '0')) return -TG_EINVAL;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') return -TG_EINVAL;
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (value > (UINT64_MAX - digit) / 10) return -TG_EINVAL;
        value = value * 10 + digit;
    }
    *out = value;
    return 0;
}

int tg_read_i64(const char *text, size_t len, int64_t *out)
{
    uint64_t size;
    bool minus = len && text[0] == '-';
    if (tg_read_u64(text + minus, len - minus, &size)) return -TG_EINVAL;
    if (size > (uint64_t)INT64_MAX + minus) return -TG_EINVAL;
    *out = minus ? (int64_t)(0 - size) : (int64_t)size;
    return 0;
}

/* Levenshtein distance with one row; words longer than the row are never near. */
static size_t distance(const char *a, const char *b)
{
    size_t row[65], n = strlen(a), m = strlen(b);
    if (n > 64 || m > 64) return SIZE_MAX;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[m];
}

const char *tg_nearest(const char *word, const char *const *candidates)
{
    const char *best = NULL;
    size_t bound = strlen(word) / 3 + 1;
    for (; *candidates; candidates++) {
        size_t d = distance(word, *candidates);
        if (d <= bound) {
            best = *candidates;
            if (d == 0) break;
            bound = d - 1;
        }
    }
    return best;
}

void tg_copy(char *out, size_t size, const char *text, size_t len)
{
    if (!size) return;
    if (len >= size) {
        len = size - 1;
        while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    }
    memcpy(out, text, len);
    out[len] = '\0';
}
