/* The list of open positions: the document whose every gap could be mistaken for a close. Nothing
 * is ever left out of it; what cannot be read refuses the whole. */
#include "source/rest_check.h"
#include "source/rest_part.h"

static const struct tg_rest_alias position_aliases[] = {
    {"ticket", {"ticket"}},
    {"position_id", {"identifier", "position_id"}},
    {"symbol", {"symbol"}},
    {"side", {"type", "side"}},
    {"volume", {"volume", "lots"}},
    {"price_open", {"price_open", "open_price"}},
    {"price_current", {"price_current", "current_price"}},
    {"sl", {"sl", "stop_loss"}},
    {"tp", {"tp", "take_profit"}},
    {"profit", {"profit"}},
    {"swap", {"swap"}},
    {"commission", {"commission"}},
    {"magic", {"magic", "magic_number"}},
    {"comment", {"comment"}},
    {"external_id", {"external_id"}},
    {"time_open", {"open_time", "time_open", "time_msc", "time"}},
    {"time_update", {"update_time", "time_update_msc", "time_update"}},
    {"reason", {"reason"}},
    {"digits", {"digits"}},
    {0},
};

static int read_position(struct tg_rest_map *map, uint32_t object, uint32_t row,
                         struct tg_records *records, struct tg_rest_verdict *v)
{
    struct tg_rest_given given;
    struct tgl_position *position = tg_records_add_position(records);
    if (!position) return tg_rest_part_no_memory(v);
    int rc = tg_rest_part_row(map, "positions", row, object, &tg_position_entity, position_aliases,
                              position, &given, v);
    if (rc) return rc;
    return tg_rest_check_position(position, row, v);
}

/* A count beside the array that disagrees with it: a page of a longer list, or a list cut short. */
static bool count_agrees(const struct tg_json *json, uint32_t rows)
{
    static const char *const names[] = {"count", "positions_count", NULL};
    for (int i = 0; names[i]; i++) {
        int64_t count;
        uint32_t at = tg_json_get(json, 0, names[i]);
        if (at && !tg_json_read_i64(&json->tokens[at], &count) &&
            count != (int64_t)json->tokens[rows].count)
            return false;
    }
    return true;
}

int tg_rest_map_positions(struct tg_rest_map *map, const struct tg_rest_answer *answer,
                          const struct tg_rest_demand *demand, struct tg_records *records,
                          struct tg_rest_verdict *verdict)
{
    static const char *const names[] = {"positions", NULL};
    const struct tg_json *json = &map->json;
    int64_t time_ms;
    records->positions_known = false;
    records->positions_count = 0;
    int rc = tg_rest_document_open(&map->json, answer, demand, &time_ms, verdict);
    if (rc) return rc;
    uint32_t rows = tg_rest_part_rows(json, names);
    if (!rows)
        return tg_rest_fail(verdict, TG_POLL_FAILED, "BAD_DOCUMENT",
                            "the source's positions are not a list");
    if (!count_agrees(json, rows))
        return tg_rest_fail(verdict, TG_POLL_STALE, "INCONSISTENT",
                            "the source's list of positions is not as long as it says");
    uint32_t at = rows + 1;
    for (uint32_t row = 0; !rc && row < json->tokens[rows].count; at = json->tokens[at].next)
        rc = read_position(map, at, row++, records, verdict);
    if (!rc) rc = tg_rest_check_positions(map, records, verdict);
    if (rc) return rc;
    records->source_time_ms = time_ms;
    return 0;
}
