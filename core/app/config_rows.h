/* Rows of the schema in short words. ROWS_OF is the struct whose members they fill. Private to the
 * files that list fields. */
#pragma once

#include "app/config_schema.h"

/* clang-format off */
#define AT(member) .offset = offsetof(ROWS_OF, member)
#define COUNT(member) .count = offsetof(ROWS_OF, member)
#define CHOICES(...) .choices = (const char *const[]){__VA_ARGS__, NULL}
#define LATER(...) .later = (const char *const[]){__VA_ARGS__, NULL}
#define RANGE(low, high) .min = low, .max = high
#define END {.name = NULL}

#define INT(key, member, low, high, text, ...) \
    {.name = key, .kind = TG_CONFIG_INT, AT(member), RANGE(low, high), .initial = text, __VA_ARGS__}
#define LONG(key, member, low, high, text, ...) \
    {.name = key, .kind = TG_CONFIG_LONG, AT(member), RANGE(low, high), .initial = text, __VA_ARGS__}
#define NUMBER(key, member, low, high, text, ...) \
    {.name = key, .kind = TG_CONFIG_NUMBER, AT(member), RANGE(low, high), .initial = text, __VA_ARGS__}
#define BOOL(key, member, text, ...) \
    {.name = key, .kind = TG_CONFIG_BOOL, AT(member), .initial = text, __VA_ARGS__}
#define TEXT(key, member, text, ...) \
    {.name = key, .kind = TG_CONFIG_TEXT, AT(member), RANGE(1, 1024), .initial = text, __VA_ARGS__}
#define PATH(key, member, ...) \
    {.name = key, .kind = TG_CONFIG_PATH, AT(member), RANGE(1, 4096), __VA_ARGS__}
#define SECTION(key, table, ...) \
    {.name = key, .kind = TG_CONFIG_SECTION, .fields = table, __VA_ARGS__}
#define ONLY(words) .drivers = words
#define NOT_YET(key) {.name = key, .kind = TG_CONFIG_LATER}
/* clang-format on */

#define DAY_MS 86400000
#define DAY_S 86400
