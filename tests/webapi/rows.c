/* Positions, orders, history and deals: four kinds of rows that are asked in the same four ways.
 * The kind is the first word of the command. */
#include "select.h"

#include "base/err.h"
#include "retcode.h"

#include <string.h>

/* What differs between the kinds. */
struct kind {
    const char *word;
    enum mt_entity_id entity;
    int part;
    size_t size, id, login, symbol, time;
    bool dated; /* asked with from and to */
};

#define KIND(word, entity, part, type, id, time, dated)                     \
    {                                                                       \
        word, entity, part, sizeof(struct type), offsetof(struct type, id), \
            offsetof(struct type, login), offsetof(struct type, symbol),    \
            offsetof(struct type, time), dated                              \
    }

static const struct kind kinds[] = {
    KIND("POSITION_", MT_POSITION, MT_PART_POSITIONS, mt_position, position, time_create, false),
    KIND("ORDER_", MT_ORDER, MT_PART_ORDERS, mt_order, order, time_setup, false),
    KIND("HISTORY_", MT_ORDER, MT_PART_HISTORY, mt_order, order, time_done, true),
    KIND("DEAL_", MT_DEAL, MT_PART_DEALS, mt_deal, deal, time, true),
};

static const struct kind *kind_of(const struct mt_call *call)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(call->request->command, kinds[i].word, strlen(kinds[i].word)) == 0)
            return &kinds[i];
    tg_must(!"a command of no kind of rows");
    return NULL;
}

/* What rows are wanted. Times are seconds of the server's clock. */
struct filter {
    int64_t from, to;
    const char *symbols, *tickets;
};

static const char *row_at(const struct kind *kind, const void *rows, uint32_t i)
{
    return (const char *)rows + (size_t)i * kind->size;
}

static uint64_t number_in(const char *row, size_t offset)
{
    uint64_t number;
    memcpy(&number, row + offset, sizeof number);
    return number;
}

static bool passes(const struct mt_call *call, const struct kind *kind, const struct filter *filter,
                   const char *row)
{
    if (*filter->tickets && !mt_list_holds(filter->tickets, number_in(row, kind->id))) return false;
    if (*filter->symbols && !mt_mask_match(filter->symbols, row + kind->symbol)) return false;
    if (!kind->dated || *filter->tickets) return true;
    int64_t utc_ms = (int64_t)number_in(row, kind->time);
    int64_t at = mt_time_of(&call->world->time, utc_ms) / 1000;
    return at >= filter->from && at <= filter->to;
}

/* The rows of one account. False: no trade state. */
static bool read_rows(struct mt_call *call, const struct kind *kind, struct mt_client *client,
                      const void **rows, uint32_t *count)
{
    struct mt_state state;
    bool known = mt_world_read(call->world, client, kind->part, call->wall_ms, &state);
    bool history = strcmp(kind->word, "HISTORY_") == 0;
    *rows = kind->entity == MT_POSITION ? (const void *)state.positions
            : kind->entity == MT_DEAL   ? (const void *)state.deals
            : history                   ? (const void *)state.history
                                        : (const void *)state.orders;
    *count = kind->entity == MT_POSITION ? state.positions_count
             : kind->entity == MT_DEAL   ? state.deals_count
             : history                   ? state.history_count
                                         : state.orders_count;
    return known;
}

static void write_row(struct mt_call *call, const struct kind *kind, const char *row)
{
    struct tg_buf *out = &call->answer->json;
    if (!call->fault || call->fault->kind != MT_FAULT_FOREIGN) {
        mt_record_write(out, &call->world->dialect, kind->entity, row, NULL, NULL);
        return;
    }
    char foreign[sizeof(struct mt_deal) + sizeof(struct mt_order)];
    memcpy(foreign, row, kind->size);
    memcpy(foreign + kind->login, &call->fault->login, sizeof call->fault->login);
    mt_record_write(out, &call->world->dialect, kind->entity, foreign, NULL, NULL);
}

static int read_range(struct mt_call *call, const struct kind *kind, struct filter *filter)
{
    filter->symbols = mt_param(call->request, "SYMBOL");
    filter->tickets = "";
    if (!kind->dated) return MT_OK;
    int rc = mt_param_i64(call->request, "FROM", &filter->from);
    if (!rc) rc = mt_param_i64(call->request, "TO", &filter->to);
    return rc;
}

int mt_rows_total(struct mt_call *call)
{
    const struct kind *kind = kind_of(call);
    struct mt_client *client;
    struct filter filter;
    const void *rows;
    uint32_t count;
    uint64_t total = 0;
    char text[24];
    int rc = mt_select_one(call, &client);
    if (!rc) rc = read_range(call, kind, &filter);
    if (rc) return rc;
    if (!read_rows(call, kind, client, &rows, &count)) return MT_NOT_FOUND;
    for (uint32_t i = 0; i < count; i++)
        total += passes(call, kind, &filter, row_at(kind, rows, i));
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)total);
    mt_answer_member(call->answer, "Total", text);
    return MT_OK;
}

int mt_rows_page(struct mt_call *call)
{
    const struct kind *kind = kind_of(call);
    struct mt_client *client;
    struct filter filter;
    const void *rows;
    uint64_t offset, total = 0;
    uint32_t count, written = 0;
    int rc = mt_select_one(call, &client);
    if (!rc) rc = read_range(call, kind, &filter);
    if (!rc) rc = mt_param_u64(call->request, "OFFSET", &offset);
    if (!rc && *mt_param(call->request, "TOTAL")) rc = mt_param_u64(call->request, "TOTAL", &total);
    if (rc) return rc;
    if (total > MT_PAGE_MOST) return MT_PARAMS;
    if (!total) total = MT_PAGE_MOST; /* as clients in use ask for a whole page */
    if (!read_rows(call, kind, client, &rows, &count)) return MT_NOT_FOUND;
    mt_list_open(&call->answer->json);
    for (uint32_t i = 0; i < count && written < total; i++) {
        if (!passes(call, kind, &filter, row_at(kind, rows, i))) continue;
        if (offset && offset--) continue;
        mt_list_next(&call->answer->json, &written);
        write_row(call, kind, row_at(kind, rows, i));
    }
    mt_list_close(&call->answer->json);
    return MT_OK;
}

static void write_client(struct mt_call *call, const struct kind *kind, const struct filter *filter,
                         const void *rows, uint32_t count, uint32_t *written)
{
    bool twice = call->fault && call->fault->kind == MT_FAULT_TWICE;
    bool reversed = call->fault && call->fault->kind == MT_FAULT_REVERSED;
    for (uint32_t i = 0; i < count; i++) {
        const char *row = row_at(kind, rows, reversed ? count - 1 - i : i);
        if (!passes(call, kind, filter, row)) continue;
        for (int time = 0; time <= twice; time++) {
            mt_list_next(&call->answer->json, written);
            write_row(call, kind, row);
        }
    }
}

/* An account without trade state is missing where its state is asked for, but has no rows of the
 * past either way. */
int mt_rows_batch(struct mt_call *call)
{
    const struct kind *kind = kind_of(call);
    struct mt_selection *selection;
    struct filter filter;
    const void *rows;
    uint32_t count, written = 0;
    int rc = mt_select(call, true, &selection);
    if (!rc && !selection->by_ticket) rc = read_range(call, kind, &filter);
    if (rc) return rc;
    if (selection->by_ticket)
        filter = (struct filter){.symbols = mt_param(call->request, "SYMBOL"),
                                 .tickets = mt_param(call->request, "TICKET")};
    mt_list_open(&call->answer->json);
    for (uint32_t i = 0; i < selection->count; i++) {
        if (read_rows(call, kind, selection->clients[i], &rows, &count))
            write_client(call, kind, &filter, rows, count, &written);
        else if (!selection->by_ticket)
            selection->missing++;
    }
    mt_list_close(&call->answer->json);
    if (!selection->missing || mt_missing == MT_MISSING_OMIT) return MT_OK;
    if (mt_missing == MT_MISSING_PARTIAL) return MT_PARTIAL;
    tg_buf_clear(&call->answer->json);
    return MT_NOT_FOUND;
}

/* The row of one ticket, wherever it is. */
static int get_by_ticket(struct mt_call *call)
{
    const struct kind *kind = kind_of(call);
    const void *rows;
    uint64_t ticket;
    uint32_t count;
    if (mt_param_u64(call->request, "TICKET", &ticket)) return MT_PARAMS;
    for (uint32_t i = 0; i < call->world->clients_count; i++) {
        struct mt_client *client = call->world->clients[i];
        if (client->refused || !read_rows(call, kind, client, &rows, &count)) continue;
        for (uint32_t j = 0; j < count; j++) {
            const char *row = row_at(kind, rows, j);
            if (number_in(row, kind->id) != ticket) continue;
            write_row(call, kind, row);
            return MT_OK;
        }
    }
    return MT_NOT_FOUND;
}

int mt_order_get(struct mt_call *call)
{
    return get_by_ticket(call);
}

int mt_history_get(struct mt_call *call)
{
    return get_by_ticket(call);
}

int mt_deal_get(struct mt_call *call)
{
    return get_by_ticket(call);
}

/* The first position in a symbol: on hedging accounts there may be more. */
int mt_position_get(struct mt_call *call)
{
    const struct kind *kind = kind_of(call);
    const char *symbol = mt_param(call->request, "SYMBOL");
    struct mt_client *client;
    const void *rows;
    uint32_t count;
    int rc = mt_select_one(call, &client);
    if (rc) return rc;
    if (!*symbol) return MT_PARAMS;
    if (!read_rows(call, kind, client, &rows, &count)) return MT_NOT_FOUND;
    for (uint32_t i = 0; i < count; i++) {
        const char *row = row_at(kind, rows, i);
        if (strcmp(row + kind->symbol, symbol) != 0) continue;
        write_row(call, kind, row);
        return MT_OK;
    }
    return MT_NOT_FOUND;
}
