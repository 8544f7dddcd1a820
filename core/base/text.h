/* Small text: globs, UTF-8, numbers, names that were almost right. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether `text` matches `pattern`, in which `*` stands for any run of bytes. Linear in practice
 * and bounded by pattern × text: a hostile pattern costs no more. */
bool tg_glob_match(const char *pattern, size_t pattern_len, const char *text, size_t len);

/* Whether the bytes are well-formed UTF-8 (RFC 3629: no overlongs, surrogates or beyond U+10FFFF).
 */
bool tg_utf8_valid(const char *text, size_t len);

/* Reads an unsigned or signed decimal integer that fills the whole text: no sign but `-`, no
 * blanks, no leading zeros. 0, or -TG_EINVAL (also on overflow) with `*out` untouched. */
int tg_read_u64(const char *text, size_t len, uint64_t *out);
int tg_read_i64(const char *text, size_t len, int64_t *out);

/* The candidate nearest to `word` by edit distance, or NULL when none is near enough to be a likely
 * slip. `candidates` ends with NULL. */
const char *tg_nearest(const char *word, const char *const *candidates);

/* Copies at most `size - 1` bytes and terminates; a UTF-8 sequence is never cut in half. */
void tg_copy(char *out, size_t size, const char *text, size_t len);
