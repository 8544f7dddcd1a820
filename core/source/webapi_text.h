/* The Web API's text: UTF-16LE on the wire of the raw protocol, and its escaped fields. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* The value of a hex digit in either case, or -1. */
int tg_webapi_digit(char c);

/* Appends UTF-8 as UTF-16LE, without a byte order mark. 0, -TG_EINVAL (not UTF-8) or -TG_ENOMEM. */
int tg_webapi_to_utf16(struct tg_buf *out, const char *text, size_t len);

/* What a decoder keeps between two pieces of one text, which may be cut anywhere: inside a unit or
 * between the halves of a pair. Zero-initialise for each text. */
struct tg_webapi_utf16 {
    uint16_t high;     /* the first half of a pair, waiting for its second; 0: none */
    unsigned char odd; /* the first byte of a unit */
    bool half;         /* `odd` is there */
};

/* Appends UTF-16LE as UTF-8; what is not well-formed becomes U+FFFD. 0 or -TG_ENOMEM. */
int tg_webapi_from_utf16(struct tg_webapi_utf16 *state, struct tg_buf *out, const char *bytes,
                         size_t len);

/* Appends logins as a list, "1,2". */
void tg_webapi_put_logins(struct tg_buf *out, const uint64_t *logins, uint32_t count);

/* Appends a value with a backslash before `\`, `=`, `|` and LF. */
void tg_webapi_escape(struct tg_buf *out, const char *value);

#define TG_WEBAPI_FIELDS 24

/* The fields of an answer's head: names in upper case, values unescaped. Zero-initialise. */
struct tg_webapi_fields {
    struct tg_buf text;                                         /* NAME NUL value NUL … */
    uint32_t names[TG_WEBAPI_FIELDS], values[TG_WEBAPI_FIELDS]; /* where they begin */
    int count;
};

void tg_webapi_fields_clear(struct tg_webapi_fields *fields);
void tg_webapi_fields_fini(struct tg_webapi_fields *fields);

/* Adds a field as it stands. Those beyond TG_WEBAPI_FIELDS are left out. */
void tg_webapi_fields_add(struct tg_webapi_fields *fields, const char *name, size_t name_len,
                          const char *value, size_t value_len);

/* Reads a raw answer's head, "COMMAND|NAME=VALUE|…|", without its CRLF. The command is the field
 * called "". The last bar may be missing, as it is in an example of the documentation. */
void tg_webapi_fields_read(struct tg_webapi_fields *fields, const char *head, size_t len);

/* A field's value by its upper-case name, or NULL. */
const char *tg_webapi_fields_get(const struct tg_webapi_fields *fields, const char *name);
