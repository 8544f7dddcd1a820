/* Bytes of an upstream that has gone mad against the mapping of its documents: as positions, as
 * info, as history, and as the error document of a failed answer. Beyond the sanitizers' own watch
 * it aborts when records come out that the model must never see. */
#include "base/decimal.h"
#include "source/rest_map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t size)
{
    tg_must(memchr(text, '\0', size));
}

static void check_positions(const struct tg_records *records)
{
    for (uint32_t i = 0; i < records->positions_count; i++) {
        const struct tgl_position *p = &records->positions[i];
        tg_must(p->ticket && p->position_id && *p->symbol && isfinite(p->volume) && p->volume > 0);
        tg_must(p->side == TG_SIDE_BUY || p->side == TG_SIDE_SELL);
        tg_must(p->digits >= 0 && p->digits <= TG_DIGITS_MAX);
        tg_must(p->currency_digits >= 0 && p->currency_digits <= TG_DIGITS_MAX);
        check_text(p->symbol, sizeof p->symbol);
        check_text(p->comment, sizeof p->comment);
        for (uint32_t k = 0; k < i && i < 64; k++)
            tg_must(records->positions[k].position_id != p->position_id);
    }
}

static void check_account(const struct tg_records *records)
{
    const struct tgl_account *account = &records->account;
    tg_must(isfinite(account->balance) && isfinite(account->equity));
    tg_must(!strcmp(account->id, "demo-1"));
    tg_must(account->currency_digits >= 0 && account->currency_digits <= TG_DIGITS_MAX);
    check_text(account->name, sizeof account->name);
}

static void check_deals(const struct tg_records *records)
{
    for (uint32_t i = 0; i < records->deals_count; i++) {
        const struct tgl_deal *deal = &records->deals[i];
        bool trade = deal->action == TG_ACTION_BUY || deal->action == TG_ACTION_SELL;
        tg_must(deal->ticket && deal->action);
        tg_must(!trade || (deal->entry && deal->volume > 0 && *deal->symbol));
        check_text(deal->comment, sizeof deal->comment);
    }
}

static void check_verdict(const struct tg_rest_verdict *verdict)
{
    tg_must(verdict->end != TG_POLL_OK && *verdict->code && *verdict->message);
    tg_must(verdict->retry_after_ms >= 0 && verdict->retry_after_ms <= TG_REST_RETRY_MAX_MS);
    check_text(verdict->code, sizeof verdict->code);
    check_text(verdict->message, sizeof verdict->message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tg_rest_map *map;
    static struct tg_records records;
    const struct tg_rest_demand demand = {"demo-1", 10000};
    struct tg_rest_answer answer = {200, (const char *)data, size, 0};
    struct tg_rest_verdict verdict;
    if (!map) tg_must(map = tg_rest_map_new(2));
    tg_records_clear(&records);
    if (tg_rest_map_positions(map, &answer, &demand, &records, &verdict))
        check_verdict(&verdict);
    else
        check_positions(&records);
    if (tg_rest_map_info(map, &answer, &demand, &records, &verdict))
        check_verdict(&verdict);
    else
        check_account(&records);
    if (tg_rest_map_history(map, &answer, &demand, &records, &verdict))
        check_verdict(&verdict);
    else
        check_deals(&records);
    answer.status = 404;
    tg_must(tg_rest_map_info(map, &answer, &demand, &records, &verdict));
    check_verdict(&verdict);
    return 0;
}
