/* The registers of the server. They only grow: a test that wants an empty world starts a new
 * server, which takes a few milliseconds. */
#include "world.h"

#include "base/err.h"
#include "base/text.h"
#include "sim.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void *mt_grow(void *rows, uint32_t *cap, uint32_t count, size_t size)
{
    if (count < *cap) return rows;
    *cap = *cap ? *cap * 2 : 8;
    rows = realloc(rows, *cap * size);
    tg_must(rows);
    return rows;
}

void mt_order_of_deal(const struct mt_deal *deal, struct mt_order *out)
{
    enum { CLOSE_BY = 8, FILLED = 4, OUT_BY = 3 };
    *out = (struct mt_order){
        .head = deal->head,
        .order = deal->order,
        .login = deal->login,
        .state = FILLED,
        .reason = deal->reason,
        .type = deal->entry == OUT_BY ? CLOSE_BY : deal->action,
        .time_setup = deal->time,
        .time_done = deal->time,
        .price_order = deal->price,
        .price_current = deal->price,
        .price_sl = deal->price_sl,
        .price_tp = deal->price_tp,
        .volume_initial = deal->volume,
        .contract_size = deal->contract_size,
        .expert_id = deal->expert_id,
        .position_id = deal->position_id,
    };
    memcpy(out->symbol, deal->symbol, sizeof out->symbol);
    memcpy(out->comment, deal->comment, sizeof out->comment);
}

void mt_world_init(struct mt_world *world, uint64_t seed, double events_per_minute, int64_t now_ms)
{
    *world = (struct mt_world){
        .started_ms = now_ms,
        .opened_ms = now_ms,
        .seed = seed,
        .events_per_minute = events_per_minute,
        .market = tg_market_new(seed),
        .next_id = 100000,
    };
    tg_must(world->market);
    world->dialect.time = &world->time;
    mt_time_set(&world->time, 0, 120, 1, 0);
    tg_market_advance(world->market, 0, now_ms);
    mt_sim_symbols(world);
}

void mt_world_fini(struct mt_world *world)
{
    for (uint32_t i = 0; i < world->clients_count; i++) {
        struct mt_client *client = world->clients[i];
        tg_trader_free(client->trader);
        free(client->positions.rows);
        free(client->orders.rows);
        free(client->history.rows);
        free(client->deals.rows);
        cJSON_Delete(client->overrides);
        free(client);
    }
    for (int i = 0; i < world->groups_count; i++)
        free(world->groups[i]);
    free(world->groups);
    free(world->clients);
    free(world->managers);
    free(world->symbols);
    tg_map_fini(&world->by_login);
    tg_map_fini(&world->by_group);
    tg_records_fini(&world->records);
    tg_market_free(world->market);
}

struct mt_manager *mt_world_manager(struct mt_world *world, uint64_t login)
{
    for (int i = 0; i < world->managers_count; i++)
        if (world->managers[i].login == login) return &world->managers[i];
    return NULL;
}

struct mt_manager *mt_world_add_manager(struct mt_world *world, uint64_t login,
                                        const char *password)
{
    struct mt_manager *manager = mt_world_manager(world, login);
    if (!manager) {
        size_t size = ((size_t)world->managers_count + 1) * sizeof *manager;
        world->managers = realloc(world->managers, size);
        tg_must(world->managers);
        manager = &world->managers[world->managers_count++];
    }
    *manager = (struct mt_manager){.login = login};
    tg_copy(manager->password, sizeof manager->password, password, strlen(password));
    return manager;
}

struct mt_group *mt_world_group(struct mt_world *world, const char *name)
{
    struct mt_group *group = tg_map_get(&world->by_group, name, strlen(name));
    if (group) return group;
    group = calloc(1, sizeof *group);
    size_t size = ((size_t)world->groups_count + 1) * sizeof *world->groups;
    world->groups = realloc(world->groups, size);
    tg_must(group && world->groups);
    *group = (struct mt_group){
        .head = {.money_digits = 2}, .margin_mode = 2, .margin_call = 100, .margin_stop_out = 50};
    tg_copy(group->group, sizeof group->group, name, strlen(name));
    tg_copy(group->currency, sizeof group->currency, "USD", 3);
    tg_copy(group->company, sizeof group->company, "Tidegate Simulator", 18);
    world->groups[world->groups_count++] = group;
    tg_must(!tg_map_put(&world->by_group, name, strlen(name), group, NULL));
    return group;
}

const struct mt_symbol *mt_world_symbol(const struct mt_world *world, const char *name)
{
    for (int i = 0; i < world->symbols_count; i++)
        if (strcmp(world->symbols[i].symbol, name) == 0) return &world->symbols[i];
    return NULL;
}

struct mt_client *mt_world_client(const struct mt_world *world, uint64_t login)
{
    return tg_map_get(&world->by_login, (const char *)&login, sizeof login);
}

struct mt_client *mt_world_add_client(struct mt_world *world, uint64_t login, const char *group)
{
    struct mt_client *client = calloc(1, sizeof *client);
    world->clients = mt_grow(world->clients, &world->clients_cap, world->clients_count,
                             sizeof(struct mt_client *));
    tg_must(client && !mt_world_client(world, login));
    client->login = login;
    client->group = mt_world_group(world, group);
    client->user = (struct mt_user){.login = login, .rights = 0x1e3, .leverage = 100};
    client->user.registration = world->started_ms;
    client->figures.login = login;
    client->figures.margin = NAN;
    tg_must(!tg_map_put(&world->by_login, (const char *)&login, sizeof login, client, NULL));
    uint32_t at = world->clients_count++;
    for (; at && world->clients[at - 1]->login > login; at--)
        world->clients[at] = world->clients[at - 1];
    world->clients[at] = client;
    return client;
}

/* What a margin account of one currency ties up, when the test does not say. */
static double margin_of(const struct mt_client *client)
{
    double sum = 0;
    for (uint32_t i = 0; i < client->positions.count; i++) {
        const struct mt_position *p = &client->positions.rows[i];
        sum += (double)p->volume / 1e8 * p->contract_size * p->price_open;
    }
    return client->user.leverage ? sum / (double)client->user.leverage : 0;
}

static void reckon(const struct mt_client *client, struct mt_account *out)
{
    *out = client->figures;
    out->login = client->login;
    out->head.money_digits = client->group->head.money_digits;
    out->leverage = client->user.leverage;
    out->balance = client->user.balance;
    out->credit = client->user.credit;
    out->profit = out->storage = 0;
    for (uint32_t i = 0; i < client->positions.count; i++) {
        out->profit += client->positions.rows[i].profit;
        out->storage += client->positions.rows[i].storage;
    }
    out->floating = out->profit + out->storage + out->commission;
    out->equity = out->balance + out->credit + out->floating;
    if (isnan(out->margin)) out->margin = margin_of(client);
    out->margin_free = out->equity - out->margin;
    out->margin_level = out->margin > 0 ? out->equity / out->margin * 100 : 0;
}

static void read_written(struct mt_client *client, int64_t now_ms, struct mt_state *out)
{
    reckon(client, &out->account);
    out->positions = client->positions.rows;
    out->positions_count = client->positions.count;
    out->orders = client->orders.rows;
    out->orders_count = client->orders.count;
    out->history = client->history.rows;
    out->history_count = client->history.count;
    out->deals = client->deals.rows;
    out->deals_count = client->deals.count;
    while (client->deals_late_ms && out->deals_count &&
           out->deals[out->deals_count - 1].time + client->deals_late_ms > now_ms)
        out->deals_count--;
}

bool mt_world_read(struct mt_world *world, struct mt_client *client, int parts, int64_t now_ms,
                   struct mt_state *out)
{
    *out = (struct mt_state){0};
    bool past = parts & MT_PARTS_PAST;
    if (client->dormant && !past) return false;
    if (client->number) {
        mt_sim_read(world, client, parts, now_ms, out);
        return true;
    }
    read_written(client, now_ms, out);
    return past || client->acted || out->positions_count || out->orders_count;
}

void mt_world_money(struct mt_world *world, struct mt_client *client, int64_t now_ms,
                    struct mt_user *out)
{
    *out = client->user;
    out->head.money_digits = client->group->head.money_digits;
    tg_copy(out->group, sizeof out->group, client->group->group, strlen(client->group->group));
    if (client->number) {
        struct mt_state state;
        mt_sim_read(world, client, MT_PART_ACCOUNT, now_ms, &state);
        out->balance = state.account.balance;
        out->credit = state.account.credit;
    }
}
