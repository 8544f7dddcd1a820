/* What the parts of the REST mapping share: positions, info, history. Private to them. */
#pragma once

#include "source/rest_map.h"
#include "source/rest_read.h"
#include "source/rest_symbols.h"

struct tg_rest_map {
    struct tg_json json;
    struct tg_rest_symbols symbols;
    uint64_t *ids; /* scratch of the search for identifiers that occur twice */
    uint32_t ids_cap;
    int currency_digits;
};

/* Verdicts: out of memory; a row that is not what it should be. Both return -TG_EPROTO. */
int tg_rest_part_no_memory(struct tg_rest_verdict *verdict);
int tg_rest_part_bad_row(struct tg_rest_verdict *verdict, const char *part, uint32_t row,
                         const char *why);

/* Reads a row into a blank record: tg_rest_read with the verdict made of its error, and the row's
 * decimals learned for its symbol. */
int tg_rest_part_row(struct tg_rest_map *map, const char *part, uint32_t row, uint32_t object,
                     const struct tg_entity *entity, const struct tg_rest_alias *aliases,
                     void *record, struct tg_rest_given *given, struct tg_rest_verdict *verdict);

/* Whether the row gave a field. */
bool tg_rest_part_gave(const struct tg_entity *entity, const struct tg_rest_given *given,
                       const char *field);

/* The array of rows under one of the names, at the top or inside `data`, or `data` itself; 0 when
 * what is there is not an array. The first name that is there decides, whatever it holds. */
uint32_t tg_rest_part_rows(const struct tg_json *json, const char *const *names);
