/* Documents to records, with one rule above all: a document is believed as a whole or not at all.
 * An answer of which one row is unreadable is an answer that we do not understand, and taking the
 * rest of it would turn the unreadable position into a closed one. Here is the account; positions
 * and history have files of their own. */
#include "source/rest_map.h"

#include "source/rest_check.h"
#include "source/rest_part.h"

#include <string.h>

struct tg_rest_map *tg_rest_map_new(int currency_digits)
{
    struct tg_rest_map *map = calloc(1, sizeof *map);
    if (map) map->currency_digits = currency_digits;
    return map;
}

void tg_rest_map_free(struct tg_rest_map *map)
{
    if (!map) return;
    tg_json_fini(&map->json);
    tg_rest_symbols_fini(&map->symbols);
    free(map->ids);
    free(map);
}

static const struct tg_rest_alias account_aliases[] = {
    {"login", {"login"}},
    {"name", {"name"}},
    {"server", {"server"}},
    {"company", {"company", "broker"}},
    {"currency", {"currency"}},
    {"balance", {"balance"}},
    {"credit", {"credit"}},
    {"equity", {"equity"}},
    {"profit", {"profit"}},
    {"margin", {"margin"}},
    {"margin_free", {"margin_free", "free_margin"}},
    {"margin_level", {"margin_level"}},
    {"leverage", {"leverage"}},
    {"currency_digits", {"currency_digits"}},
    {"positions_count", {"positions_count"}},
    {"margin_mode", {"margin_mode"}},
    {"trade_mode", {"trade_mode"}},
    {"trade_allowed", {"trade_allowed"}},
    {0},
};

/* Where the account's members stand; 0, the top, when they are not wrapped. */
static uint32_t account_of(const struct tg_json *json)
{
    uint32_t at = tg_json_get(json, 0, "account_info"), data = tg_json_get(json, 0, "data");
    if (!at && data) at = tg_json_get(json, data, "account_info");
    return at ? at : data;
}

/* The older of the two documents' times: the state is no newer than that. */
static void settle_time(struct tg_records *records, int64_t time_ms)
{
    if (time_ms && (!records->source_time_ms || time_ms < records->source_time_ms))
        records->source_time_ms = time_ms;
}

int tg_rest_map_info(struct tg_rest_map *map, const struct tg_rest_answer *answer,
                     const struct tg_rest_demand *demand, struct tg_records *records,
                     struct tg_rest_verdict *verdict)
{
    struct tgl_account *account = &records->account;
    struct tg_rest_given given;
    struct tg_err err = {0};
    int64_t time_ms;
    records->account_known = false;
    tg_account_blank(account);
    int rc = tg_rest_document_open(&map->json, answer, demand, &time_ms, verdict);
    if (rc) return rc;
    uint32_t at = account_of(&map->json);
    if (map->json.tokens[at].type != TG_JSON_OBJECT)
        return tg_rest_fail(verdict, TG_POLL_FAILED, "BAD_DOCUMENT",
                            "the source's account is not an object");
    rc = tg_rest_read(&map->json, at, &tg_account_entity, account_aliases, account, &given, &err);
    if (rc == -TG_ENOMEM) return tg_rest_part_no_memory(verdict);
    if (rc)
        return tg_rest_fail(verdict, TG_POLL_FAILED, "BAD_DOCUMENT", "the source's account: %s",
                            err.text);
    rc = tg_rest_check_account(map, demand->account_id, &given, records, verdict);
    if (rc) return rc;
    settle_time(records, time_ms);
    return 0;
}

bool tg_rest_map_agrees(struct tg_records *records)
{
    const struct tg_field *count = tg_field_find(&tg_account_entity, "positions_count");
    uint64_t bit = tg_field_bit(&tg_account_entity, count);
    if (records->account_fields & bit)
        return records->account.positions_count == (int64_t)records->positions_count;
    records->account.positions_count = (int32_t)records->positions_count;
    records->account_fields |= bit;
    return true;
}
