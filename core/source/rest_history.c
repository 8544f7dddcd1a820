/* What has closed. Two kinds of services answer here: those that put MT5's deals through, and those
 * that pair them up into closed trades, one row a position or part of one. The model knows deals,
 * so a closed trade becomes the deal that closed it: of a buy, a sell.
 *
 * What would break it: reading a row of an open trade as a close. So a row without an `entry`
 * counts only when it shows when or at what price it closed, and a row of lots that is neither
 * bought nor sold (a pending order that was removed) is not taken for a balance operation. */
#include "source/rest_check.h"
#include "source/rest_part.h"

static const struct tg_rest_alias deal_aliases[] = {
    {"ticket", {"deal_ticket", "deal", "ticket"}},
    {"order", {"order", "order_ticket"}},
    {"position_id", {"position_id", "identifier", "position_ticket"}},
    {"symbol", {"symbol"}},
    {"action", {"type", "side"}},
    {"entry", {"entry"}},
    {"volume", {"volume", "lots"}},
    {"volume_closed", {"volume_closed"}},
    {"price", {"close_price", "price_close", "price"}},
    {"price_position", {"open_price", "price_open", "price_position"}},
    {"sl", {"sl", "stop_loss"}},
    {"tp", {"tp", "take_profit"}},
    {"profit", {"profit"}},
    {"swap", {"swap"}},
    {"commission", {"commission"}},
    {"fee", {"fee"}},
    {"magic", {"magic", "magic_number"}},
    {"comment", {"comment"}},
    {"time", {"close_time", "time_close", "time_msc", "time"}},
    {"time_open", {"open_time", "time_open"}},
    {"reason", {"close_reason", "reason"}},
    {"digits", {"digits"}},
    {0},
};

static bool is_trade(const struct tgl_deal *deal)
{
    return deal->action == TG_ACTION_BUY || deal->action == TG_ACTION_SELL;
}

/* Whether any of the names is there and neither null nor 0. */
static bool tells(const struct tg_json *json, uint32_t object, const char *const *names)
{
    for (; *names; names++) {
        double value;
        uint32_t at = tg_json_get(json, object, *names);
        const struct tg_json_token *token = &json->tokens[at];
        if (!at || token->type == TG_JSON_NULL || !token->len) continue;
        if (tg_json_read_double(token, &value) || value != 0) return true;
    }
    return false;
}

static void close_of(struct tgl_deal *deal)
{
    deal->entry = TG_ENTRY_OUT;
    deal->action = deal->action == TG_ACTION_BUY ? TG_ACTION_SELL : TG_ACTION_BUY;
    if (!deal->position_id) deal->position_id = deal->ticket;
}

static int read_deal(struct tg_rest_map *map, uint32_t object, uint32_t row,
                     struct tg_records *records, struct tg_rest_verdict *v)
{
    static const char *const closing[] = {"close_time", "time_close", "close_price", "price_close",
                                          NULL};
    struct tg_rest_given given;
    struct tgl_deal *deal = tg_records_add_deal(records);
    if (!deal) return tg_rest_part_no_memory(v);
    int rc = tg_rest_part_row(map, "history", row, object, &tg_deal_entity, deal_aliases, deal,
                              &given, v);
    if (rc) return rc;
    if (!deal->ticket) return tg_rest_part_bad_row(v, "history", row, "no ticket");
    if (!deal->action) return tg_rest_part_bad_row(v, "history", row, "no type");
    if (!is_trade(deal)) {
        if (deal->volume > 0) records->deals_count--;
        return 0;
    }
    if (!deal->symbol[0]) return tg_rest_part_bad_row(v, "history", row, "no symbol");
    if (!(deal->volume > 0)) return tg_rest_part_bad_row(v, "history", row, "no volume");
    if (!deal->entry && !tells(&map->json, object, closing)) {
        records->deals_count--;
        return 0;
    }
    if (!deal->entry) close_of(deal);
    bool out = deal->entry == TG_ENTRY_OUT || deal->entry == TG_ENTRY_OUT_BY;
    if (out && !(deal->volume_closed > 0)) deal->volume_closed = deal->volume;
    return 0;
}

int tg_rest_map_history(struct tg_rest_map *map, const struct tg_rest_answer *answer,
                        const struct tg_rest_demand *demand, struct tg_records *records,
                        struct tg_rest_verdict *verdict)
{
    static const char *const names[] = {"history", "trades", "deals", NULL};
    const struct tg_json *json = &map->json;
    int64_t time_ms;
    records->deals_known = false;
    records->deals_count = 0;
    int rc = tg_rest_document_open(&map->json, answer, demand, &time_ms, verdict);
    if (rc) return rc;
    uint32_t rows = tg_rest_part_rows(json, names);
    if (!rows)
        return tg_rest_fail(verdict, TG_POLL_FAILED, "BAD_DOCUMENT",
                            "the source's history is not a list");
    uint32_t at = rows + 1;
    for (uint32_t row = 0; !rc && row < json->tokens[rows].count; at = json->tokens[at].next)
        rc = read_deal(map, at, row++, records, verdict);
    if (rc) return rc;
    tg_rest_check_deals(map, records);
    return 0;
}
