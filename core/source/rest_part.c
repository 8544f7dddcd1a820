/* Decimals need two passes over a document, because row 1 may show EURUSD at 1.085 and row 2 at
 * 1.08512: reading a row teaches, and only when all rows are read are the decimals asked for. */
#include "source/rest_part.h"

#include "source/rest_check.h"

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
    tg_rest_check_learn(map, entity, record, given);
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
