/* Decimals need two passes over a document, because row 1 may show EURUSD at 1.085 and row 2 at
 * 1.08512: reading a row teaches, and only when all rows are read are the decimals asked for. */
#include "source/rest_part.h"

#include "base/decimal.h"

int tg_rest_part_no_memory(struct tg_rest_verdict *verdict)
{
    return tg_rest_fail(verdict, TG_POLL_FAILED, "NO_MEMORY", "out of memory");
}

int tg_rest_part_bad_row(struct tg_rest_verdict *verdict, const char *part, uint32_t row,
                         const char *why)
{
    return tg_rest_fail(verdict, TG_POLL_FAILED, "BAD_DOCUMENT", "the source's %s, row %u: %s",
                        part, row, why);
}

bool tg_rest_part_gave(const struct tg_entity *entity, const struct tg_rest_given *given,
                       const char *field)
{
    return given->fields & tg_field_bit(entity, tg_field_find(entity, field));
}

/* Out of memory or of room is not worth a poll: the row is then shown at more decimals. */
static void learn(struct tg_rest_map *map, const struct tg_entity *entity, void *record,
                  const struct tg_rest_given *given)
{
    const char *symbol = (const char *)record + tg_field_find(entity, "symbol")->offset;
    int32_t digits = -1, *told = (int32_t *)(void *)((char *)record + entity->digits);
    if (tg_rest_part_gave(entity, given, "digits"))
        digits = *told < TG_DIGITS_MAX ? *told : TG_DIGITS_MAX;
    *told = digits;
    if (*symbol)
        (void)tg_rest_symbols_learn(&map->symbols, symbol, digits < 0 ? given->decimals : digits);
}

int tg_rest_part_row(struct tg_rest_map *map, const char *part, uint32_t row, uint32_t object,
                     const struct tg_entity *entity, const struct tg_rest_alias *aliases,
                     void *record, struct tg_rest_given *given, struct tg_rest_verdict *verdict)
{
    struct tg_err err = {0};
    if (map->json.tokens[object].type != TG_JSON_OBJECT)
        return tg_rest_part_bad_row(verdict, part, row, "not an object");
    int rc = tg_rest_read(&map->json, object, entity, aliases, record, given, &err);
    if (rc == -TG_ENOMEM) return tg_rest_part_no_memory(verdict);
    if (rc) return tg_rest_part_bad_row(verdict, part, row, err.text);
    learn(map, entity, record, given);
    return 0;
}

uint32_t tg_rest_part_rows(const struct tg_json *json, const char *const *names)
{
    uint32_t data = tg_json_get(json, 0, "data"), at = 0;
    for (int i = 0; names[i] && !at; i++)
        at = tg_json_get(json, 0, names[i]);
    for (int i = 0; names[i] && !at && data; i++)
        at = tg_json_get(json, data, names[i]);
    if (!at) at = data;
    return at && json->tokens[at].type == TG_JSON_ARRAY ? at : 0;
}
