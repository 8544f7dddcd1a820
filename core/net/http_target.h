/* The request target: path and query, percent-decoded (RFC 3986). */
#pragma once

#include <stddef.h>

/* Splits a target in place into a decoded path, which starts with '/', and the raw query ("" when
 * there is none). Takes the origin form and the absolute form (RFC 9112 §3.2.2, whose host is
 * ignored). 0, or -TG_EINVAL: another form, a fragment, a bad escape, a control byte or bytes that
 * are not UTF-8 in the path. */
int tg_target_split(char *target, const char **path, const char **query);

/* Decodes the first query parameter of that name into `out`: "%41" and '+' for a blank, as forms
 * and URLSearchParams write it. The decoded length, -TG_ENOTFOUND, or -TG_EINVAL (bad escape, NUL
 * byte, or longer than size - 1). */
int tg_query_get(const char *query, const char *name, char *out, size_t size);
