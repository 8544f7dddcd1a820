/* Pending orders of accounts that tests write: placed, changed, and done with. */
#include "control.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#define LOT 100000000
enum { PLACED = 1, FILLED = 4 };
enum { BUY_LIMIT = 2 };

static int find(struct mt_server *server, const cJSON *doc, struct mt_client **client, uint32_t *at,
                struct tg_err *err)
{
    uint64_t login = mt_op_id(doc, "login"), ticket = mt_op_id(doc, "ticket");
    *at = 0;
    *client = mt_world_client(&server->world, login);
    if (!*client) return tg_fail(err, TG_ENOTFOUND, "no account %llu", (unsigned long long)login);
    for (*at = 0; *at < (*client)->orders.count; (*at)++)
        if ((*client)->orders.rows[*at].order == ticket) return 0;
    return tg_fail(err, TG_ENOTFOUND, "no order %llu", (unsigned long long)ticket);
}

static int set_all(struct mt_server *server, struct mt_order *order, const cJSON *set,
                   struct tg_err *err)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, set)
    {
        char room[40];
        const char *value = item->valuestring;
        if (!cJSON_IsString(item)) {
            (void)snprintf(room, sizeof room, "%.15g", item->valuedouble);
            value = room;
        }
        if (mt_record_set(&server->world.dialect, MT_ORDER, order, item->string, value))
            return tg_fail(err, TG_EINVAL, "order.%s cannot be \"%s\"", item->string, value);
    }
    return 0;
}

static struct mt_order *add(struct mt_orders *orders)
{
    orders->rows = mt_grow(orders->rows, &orders->cap, orders->count, sizeof *orders->rows);
    return &orders->rows[orders->count++];
}

int mt_op_order(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    struct mt_world *world = &server->world;
    struct mt_client *client = mt_world_client(world, mt_op_id(doc, "login"));
    const cJSON *set = cJSON_GetObjectItemCaseSensitive(doc, "order");
    const char *symbol = mt_op_text(set, "Symbol", "EURUSD");
    const struct mt_symbol *known = mt_world_symbol(world, symbol);
    char text[24];
    if (!client) return tg_fail(err, TG_ENOTFOUND, "login: no such account");
    struct mt_order order = {
        .head = {known ? known->head.digits : 5, client->group->head.money_digits},
        .login = client->login,
        .state = PLACED,
        .type = BUY_LIMIT,
        .type_fill = 2,
        .volume_initial = LOT,
        .volume_current = LOT,
        .contract_size = known ? known->contract_size : 100000,
        .price_order = known ? known->start : 1.085,
        .price_current = known ? known->start : 1.085,
        .time_setup = mt_op_now(),
    };
    (void)snprintf(order.symbol, sizeof order.symbol, "%s", symbol);
    int rc = set_all(server, &order, set, err);
    if (rc) return rc;
    if (!order.order) order.order = ++world->next_id;
    *add(&client->orders) = order;
    client->acted = true;
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)order.order);
    cJSON_DeleteItemFromObjectCaseSensitive(out, "ticket");
    cJSON_AddStringToObject(out, "ticket", text);
    return 0;
}

int mt_op_order_modify(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    struct mt_client *client;
    uint32_t at = 0;
    (void)out;
    int rc = find(server, doc, &client, &at, err);
    if (rc) return rc;
    struct mt_order changed = client->orders.rows[at];
    rc = set_all(server, &changed, cJSON_GetObjectItemCaseSensitive(doc, "set"), err);
    if (!rc) client->orders.rows[at] = changed;
    return rc;
}

/* Into the history, with the state given (2 cancelled, 4 filled, 6 expired, …). A filled one opens
 * the position that bears its ticket. */
int mt_op_order_done(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    struct mt_client *client;
    uint32_t at = 0;
    int rc = find(server, doc, &client, &at, err);
    if (rc) return rc;
    struct mt_order done = client->orders.rows[at];
    done.state = mt_op_number(doc, "state", FILLED);
    done.time_done = mt_op_now();
    memmove(client->orders.rows + at, client->orders.rows + at + 1,
            (--client->orders.count - at) * sizeof done);
    if (done.state != FILLED) {
        *add(&client->history) = done;
        return 0;
    }
    done.position_id = done.order;
    done.volume_current = 0;
    *add(&client->history) = done;
    cJSON *open = cJSON_CreateObject(), *set = cJSON_AddObjectToObject(open, "position");
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)client->login);
    cJSON_AddStringToObject(open, "login", text);
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)done.order);
    cJSON_AddStringToObject(open, "order", text);
    cJSON_AddStringToObject(set, "Position", text);
    cJSON_AddStringToObject(set, "Symbol", done.symbol);
    cJSON_AddStringToObject(set, "Comment", done.comment);
    cJSON_AddNumberToObject(set, "Action", (double)(done.type % 2));
    cJSON_AddNumberToObject(set, "VolumeExt", (double)done.volume_initial);
    cJSON_AddNumberToObject(set, "PriceOpen", done.price_order);
    cJSON_AddNumberToObject(set, "PriceSL", done.price_sl);
    cJSON_AddNumberToObject(set, "PriceTP", done.price_tp);
    rc = mt_op_open(server, open, err, out);
    cJSON_Delete(open);
    return rc;
}
