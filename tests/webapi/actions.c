/* What tests do to accounts they write themselves. Fields are given by their names on the wire;
 * what is not given is what a quiet market order of one lot would have. Every action books the deal
 * that the real server would book, unless the test says "unrecorded". */
#include "control.h"

#include "base/text.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define LOT 100000000
enum { IN, OUT, INOUT, OUT_BY };
enum { BUY, SELL, BALANCE, CREDIT };

static void copy(char *out, size_t size, const char *text)
{
    tg_copy(out, size, text, strlen(text));
}

static const char *text_of(const cJSON *item, char room[40])
{
    if (cJSON_IsString(item)) return item->valuestring;
    if (cJSON_IsBool(item)) return cJSON_IsTrue(item) ? "1" : "0";
    (void)snprintf(room, 40, "%.15g", cJSON_IsNumber(item) ? item->valuedouble : 0.0);
    return room;
}

/* Sets the fields that an object names. */
static int set_all(struct mt_world *world, enum mt_entity_id entity, void *record, const cJSON *set,
                   struct tg_err *err)
{
    const cJSON *item;
    char room[40];
    cJSON_ArrayForEach(item, set)
    {
        const char *value = text_of(item, room);
        int rc = mt_record_set(&world->dialect, entity, record, item->string, value);
        if (rc == -TG_ENOTFOUND)
            return tg_fail(err, TG_EINVAL, "%s has no field \"%s\"", mt_entities[entity].name,
                           item->string);
        if (rc)
            return tg_fail(err, TG_EINVAL, "%s.%s cannot be \"%s\"", mt_entities[entity].name,
                           item->string, value);
    }
    return 0;
}

static double real(const cJSON *doc, const char *name, double otherwise)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(doc, name);
    if (cJSON_IsNumber(item)) return item->valuedouble;
    return cJSON_IsString(item) ? strtod(item->valuestring, NULL) : otherwise;
}

static const cJSON *member(const cJSON *doc, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(doc, name);
}

static void tell_id(cJSON *out, const char *name, uint64_t id)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)id);
    cJSON_DeleteItemFromObjectCaseSensitive(out, name);
    cJSON_AddStringToObject(out, name, text);
}

static int find_client(struct mt_server *server, const cJSON *doc, struct mt_client **out,
                       struct tg_err *err)
{
    uint64_t login = mt_op_id(doc, "login");
    *out = mt_world_client(&server->world, login);
    if (!*out) return tg_fail(err, TG_ENOTFOUND, "no account %llu", (unsigned long long)login);
    return 0;
}

static int find_written(struct mt_server *server, const cJSON *doc, struct mt_client **out,
                        struct tg_err *err)
{
    int rc = find_client(server, doc, out, err);
    if (!rc && (*out)->number)
        return tg_fail(err, TG_EINVAL, "account %llu is lived by the simulation",
                       (unsigned long long)(*out)->login);
    return rc;
}

static int find_position(struct mt_client *client, uint64_t ticket, uint32_t *out,
                         struct tg_err *err)
{
    for (*out = 0; *out < client->positions.count; (*out)++)
        if (client->positions.rows[*out].position == ticket) return 0;
    return tg_fail(err, TG_ENOTFOUND, "no position %llu", (unsigned long long)ticket);
}

static void remove_position(struct mt_client *client, uint32_t at)
{
    struct mt_positions *all = &client->positions;
    memmove(all->rows + at, all->rows + at + 1, (--all->count - at) * sizeof *all->rows);
}

int mt_op_group(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    const char *name = mt_op_text(doc, "group", "");
    (void)out;
    if (!*name) return tg_fail(err, TG_EINVAL, "group: a name is needed");
    struct mt_group *group = mt_world_group(&server->world, name);
    return set_all(&server->world, MT_GROUP, group, member(doc, "set"), err);
}

/* Makes an account or changes it. */
int mt_op_account(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    uint64_t login = mt_op_id(doc, "login");
    struct mt_client *client = mt_world_client(&server->world, login);
    const char *group = mt_op_text(doc, "group", NULL);
    (void)out;
    if (!login) return tg_fail(err, TG_EINVAL, "login: a number is needed");
    if (!client) {
        client = mt_world_add_client(&server->world, login, group ? group : "demo\\forex");
        client->user.balance = 10000;
        client->acted = true;
    }
    if (group) client->group = mt_world_group(&server->world, group);
    client->dormant = mt_op_number(doc, "dormant", client->dormant);
    client->acted = mt_op_number(doc, "acted", client->acted);
    client->refused = (int)mt_op_number(doc, "refused", client->refused);
    client->deals_late_ms = mt_op_number(doc, "deals_late_ms", client->deals_late_ms);
    int rc = set_all(&server->world, MT_USER, &client->user, member(doc, "user"), err);
    if (!rc)
        rc = set_all(&server->world, MT_ACCOUNT, &client->figures, member(doc, "account"), err);
    const cJSON *overrides = member(doc, "override");
    if (!rc && overrides) {
        cJSON_Delete(client->overrides);
        client->overrides = cJSON_IsNull(overrides) ? NULL : cJSON_Duplicate(overrides, true);
    }
    return rc;
}

/* Books a deal and moves the money. */
static struct mt_deal *book(struct mt_world *world, struct mt_client *client,
                            const struct mt_deal *deal)
{
    struct mt_deals *deals = &client->deals;
    deals->rows = mt_grow(deals->rows, &deals->cap, deals->count, sizeof *deals->rows);
    struct mt_deal *row = &deals->rows[deals->count++];
    *row = *deal;
    row->login = client->login;
    row->head.money_digits = client->group->head.money_digits;
    if (!row->deal) row->deal = ++world->next_id;
    if (!row->time) row->time = mt_op_now();
    double sum = row->profit + row->storage + row->commission + row->fee;
    if (row->action == CREDIT)
        client->user.credit += row->profit;
    else
        client->user.balance += sum;
    client->acted = true;
    return row;
}

static struct mt_deal deal_of(struct mt_world *world, const struct mt_position *p, int64_t entry,
                              const cJSON *doc)
{
    bool sells = (p->action == SELL) == (entry == IN);
    struct mt_deal deal = {
        .head = p->head,
        .order = ++world->next_id,
        .position_id = p->position,
        .action = sells ? SELL : BUY,
        .entry = entry,
        .reason = mt_op_number(doc, "reason", entry == IN ? p->reason : 0),
        .expert_id = p->expert_id,
        .volume = p->volume,
        .contract_size = p->contract_size,
        .price = entry == IN ? p->price_open : real(doc, "price", p->price_current),
        .price_sl = p->price_sl,
        .price_tp = p->price_tp,
        .commission = real(doc, "commission", 0),
        .fee = real(doc, "fee", 0),
        .rate_profit = 1,
        .rate_margin = 1,
    };
    if (entry != IN) {
        deal.price_position = p->price_open;
        deal.profit = deal.profit_raw = real(doc, "profit", p->profit);
        deal.storage = real(doc, "storage", p->storage);
        deal.volume_closed = p->volume;
    }
    copy(deal.symbol, sizeof deal.symbol, p->symbol);
    copy(deal.comment, sizeof deal.comment, mt_op_text(doc, "comment", p->comment));
    return deal;
}

static void file_order(struct mt_client *client, const struct mt_deal *deal)
{
    struct mt_orders *all = &client->history;
    if (all->count && all->rows[all->count - 1].order == deal->order) return;
    all->rows = mt_grow(all->rows, &all->cap, all->count, sizeof *all->rows);
    mt_order_of_deal(deal, &all->rows[all->count++]);
}

/* Books it, and its order, unless the test says otherwise; without a deal the money moves all the
 * same. */
static void record(struct mt_world *world, struct mt_client *client, const struct mt_deal *deal,
                   const cJSON *doc, cJSON *out)
{
    const struct mt_deal *booked = book(world, client, deal);
    tell_id(out, "order", deal->order);
    tell_id(out, "deal", booked->deal);
    if (mt_op_number(doc, "unrecorded", 0))
        client->deals.count--;
    else if (booked->order)
        file_order(client, booked);
}

static struct mt_position *add_position(struct mt_client *client)
{
    struct mt_positions *all = &client->positions;
    all->rows = mt_grow(all->rows, &all->cap, all->count, sizeof *all->rows);
    return &all->rows[all->count++];
}

static void blank_position(const struct mt_world *world, struct mt_client *client,
                           const char *symbol, struct mt_position *out)
{
    const struct mt_symbol *known = mt_world_symbol(world, symbol);
    *out = (struct mt_position){
        .head = {known ? known->head.digits : 5, client->group->head.money_digits},
        .login = client->login,
        .contract_size = known ? known->contract_size : 100000,
        .volume = LOT,
        .price_open = known ? known->start : 1.085,
        .rate_profit = 1,
        .rate_margin = 1,
        .time_create = mt_op_now(),
    };
    copy(out->symbol, sizeof out->symbol, symbol);
}

int mt_op_open(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    struct mt_world *world = &server->world;
    const cJSON *set = member(doc, "position");
    struct mt_client *client;
    struct mt_position position;
    int rc = find_written(server, doc, &client, err);
    if (rc) return rc;
    blank_position(world, client, mt_op_text(set, "Symbol", "EURUSD"), &position);
    rc = set_all(world, MT_POSITION, &position, set, err);
    if (rc) return rc;
    struct mt_deal deal = deal_of(world, &position, IN, doc);
    if (mt_op_id(doc, "order")) deal.order = mt_op_id(doc, "order");
    if (!position.position) position.position = deal.order;
    if (position.price_current == 0) position.price_current = position.price_open;
    if (!position.time_update) position.time_update = position.time_create;
    if (!deal.time) deal.time = position.time_create; /* one moment, as the real server tells it */
    deal.position_id = position.position;
    *add_position(client) = position;
    record(world, client, &deal, doc, out);
    tell_id(out, "ticket", position.position);
    return 0;
}

int mt_op_modify(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    struct mt_client *client;
    uint32_t at;
    (void)out;
    int rc = find_written(server, doc, &client, err);
    if (!rc) rc = find_position(client, mt_op_id(doc, "ticket"), &at, err);
    if (rc) return rc;
    struct mt_position changed = client->positions.rows[at];
    rc = set_all(&server->world, MT_POSITION, &changed, member(doc, "set"), err);
    if (!rc) client->positions.rows[at] = changed;
    return rc;
}

int mt_op_close(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    struct mt_client *client;
    uint32_t at;
    int rc = find_written(server, doc, &client, err);
    if (!rc) rc = find_position(client, mt_op_id(doc, "ticket"), &at, err);
    if (rc) return rc;
    struct mt_position *p = &client->positions.rows[at];
    int64_t volume = llround(real(doc, "lots", (double)p->volume / LOT) * LOT);
    if (volume <= 0 || volume > p->volume)
        return tg_fail(err, TG_EINVAL, "lots: the position has %g", (double)p->volume / LOT);
    double share = (double)volume / (double)p->volume;
    struct mt_deal deal = deal_of(&server->world, p, OUT, doc);
    deal.volume = deal.volume_closed = volume;
    if (!member(doc, "profit")) deal.profit = deal.profit_raw = p->profit * share;
    if (!member(doc, "storage")) deal.storage = p->storage * share;
    if (volume < p->volume) {
        p->volume -= volume;
        p->profit -= p->profit * share;
        p->storage -= deal.storage;
        p->time_update = mt_op_now();
        if (!deal.time) deal.time = p->time_update;
    } else {
        remove_position(client, at);
    }
    record(&server->world, client, &deal, doc, out);
    return 0;
}

/* Netting: an order larger than the position turns it to the other side. "new_ticket": the order's
 * ticket becomes the position's. */
int mt_op_reverse(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    struct mt_client *client;
    uint32_t at;
    int rc = find_written(server, doc, &client, err);
    if (!rc) rc = find_position(client, mt_op_id(doc, "ticket"), &at, err);
    if (rc) return rc;
    struct mt_position *p = &client->positions.rows[at];
    int64_t volume = llround(real(doc, "lots", 2.0 * (double)p->volume / LOT) * LOT);
    if (volume <= p->volume)
        return tg_fail(err, TG_EINVAL, "lots: more than %g reverse", (double)p->volume / LOT);
    struct mt_deal deal = deal_of(&server->world, p, INOUT, doc);
    deal.volume = volume;
    p->action = !p->action;
    p->volume = volume - p->volume;
    p->price_open = p->price_current = deal.price;
    p->profit = p->storage = p->price_sl = p->price_tp = 0;
    p->time_create = p->time_update = mt_op_now();
    if (!deal.time) deal.time = p->time_update;
    if (mt_op_number(doc, "new_ticket", 0)) p->position = deal.order;
    tell_id(out, "ticket", p->position);
    record(&server->world, client, &deal, doc, out);
    return 0;
}

/* Two opposite positions close each other; the profit is booked in the first deal alone. */
int mt_op_close_by(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    struct mt_client *client;
    uint32_t one, two;
    int rc = find_written(server, doc, &client, err);
    if (!rc) rc = find_position(client, mt_op_id(doc, "ticket"), &one, err);
    if (!rc) rc = find_position(client, mt_op_id(doc, "by"), &two, err);
    if (rc) return rc;
    struct mt_position *a = &client->positions.rows[one], *b = &client->positions.rows[two];
    if (one == two || a->action == b->action)
        return tg_fail(err, TG_EINVAL, "only positions of opposite sides close each other");
    int64_t volume = a->volume < b->volume ? a->volume : b->volume;
    struct mt_deal first = deal_of(&server->world, a, OUT_BY, doc);
    struct mt_deal second = deal_of(&server->world, b, OUT_BY, doc);
    first.price = b->price_open;
    second.price = a->price_open;
    second.order = first.order;
    second.profit = second.profit_raw = 0;
    first.volume = first.volume_closed = second.volume = second.volume_closed = volume;
    a->volume -= volume;
    b->volume -= volume;
    a->time_update = b->time_update = mt_op_now();
    if (!first.time) first.time = a->time_update;
    if (!second.time) second.time = a->time_update;
    uint32_t later = one > two ? one : two, earlier = one > two ? two : one;
    if (!client->positions.rows[later].volume) remove_position(client, later);
    if (!client->positions.rows[earlier].volume) remove_position(client, earlier);
    record(&server->world, client, &first, doc, out);
    record(&server->world, client, &second, doc, out);
    return 0;
}

/* Money paid in or out: a deal that is no trade. `action` is the server's number: 2 balance, 3
 * credit, … */
int mt_op_balance(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    struct mt_client *client;
    int rc = find_written(server, doc, &client, err);
    if (rc) return rc;
    struct mt_deal deal = {
        .action = mt_op_number(doc, "action", BALANCE),
        .profit = real(doc, "amount", 0),
        .reason = mt_op_number(doc, "reason", 0),
    };
    copy(deal.comment, sizeof deal.comment, mt_op_text(doc, "comment", "Deposit"));
    record(&server->world, client, &deal, doc, out);
    return 0;
}

/* A deal as it is given: for what no trade would book. */
int mt_op_deal(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    struct mt_client *client;
    struct mt_deal deal = {.rate_profit = 1, .rate_margin = 1, .head.digits = 5};
    int rc = find_written(server, doc, &client, err);
    if (!rc) rc = set_all(&server->world, MT_DEAL, &deal, member(doc, "deal"), err);
    if (rc) return rc;
    double balance = client->user.balance, credit = client->user.credit;
    tell_id(out, "deal", book(&server->world, client, &deal)->deal);
    if (!mt_op_number(doc, "moves_money", 1)) {
        client->user.balance = balance;
        client->user.credit = credit;
    }
    return 0;
}

int mt_op_deal_delete(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    struct mt_client *client;
    uint64_t ticket = mt_op_id(doc, "ticket");
    int rc = find_written(server, doc, &client, err);
    (void)out;
    if (rc) return rc;
    struct mt_deals *all = &client->deals;
    for (uint32_t i = 0; i < all->count; i++) {
        if (all->rows[i].deal != ticket) continue;
        memmove(all->rows + i, all->rows + i + 1, (--all->count - i) * sizeof *all->rows);
        return 0;
    }
    return tg_fail(err, TG_ENOTFOUND, "no deal %llu", (unsigned long long)ticket);
}
