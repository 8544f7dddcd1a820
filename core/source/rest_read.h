/* A record's fields, read from a JSON object by the field list and a table of other names. */
#pragma once

#include "base/json.h"
#include "model/field.h"

/* The names under which services give a field, the preferred one first; NULL-terminated. */
struct tg_rest_alias {
    const char *field; /* as in fields.def */
    const char *names[6];
};

/* What a row gave. */
struct tg_rest_given {
    uint64_t fields; /* mask bits of the fields that were there and not null */
    int decimals;    /* most decimals that a price or level of the row shows; -1: none told */
};

/* Reads the aliased fields of the JSON object at index `object` into `record`, which the caller has
 * blanked; what is missing or null stays blank. Numbers may be wrapped in strings; ids are exact;
 * times are ISO 8601 (without a zone: UTC) or epoch seconds or milliseconds; enumerations are
 * names, MQL5's constants or their numbers. 0, or -TG_EPROTO with a sentence that names the member
 * when a value is not of its field's kind, or -TG_ENOMEM. `aliases` ends with a NULL field. */
int tg_rest_read(const struct tg_json *json, uint32_t object, const struct tg_entity *entity,
                 const struct tg_rest_alias *aliases, void *record, struct tg_rest_given *given,
                 struct tg_err *err);

/* Reads one value of a field's kind. 0, -TG_EINVAL or -TG_ENOMEM. */
int tg_rest_read_value(const struct tg_field *field, const struct tg_json_token *token, void *at);

/* Reads a time as above. 0, or -TG_EINVAL with `*out` untouched. */
int tg_rest_read_time(const struct tg_json_token *token, int64_t *out);

/* Decimals that a number's text really shows, 0…TG_DIGITS_MAX: binary noise (1.0850000000000002)
 * is seen through; -1 when it shows none that could be a quote's. */
int tg_rest_decimals(const struct tg_json_token *token);
