/* What the server knows: managers, groups, symbols and accounts. An account is either lived by the
 * market simulation or written by a test, action by action. */
#pragma once

#include "base/map.h"
#include "record.h"
#include "server_time.h"
#include "source/trader.h"

struct cJSON;

struct mt_manager {
    uint64_t login;
    char password[64];
    int refused; /* the code its authentication ends with though the password is right; 0 */
};

/* Rows in the order in which they came. */
struct mt_positions {
    struct mt_position *rows;
    uint32_t count, cap;
};
struct mt_orders {
    struct mt_order *rows;
    uint32_t count, cap;
};
struct mt_deals {
    struct mt_deal *rows;
    uint32_t count, cap;
};

struct mt_client {
    uint64_t login;
    struct mt_user user; /* without what follows from the trades */
    struct mt_group *group;
    bool dormant;             /* has no trade state though the account exists */
    bool acted;               /* traded since the server started */
    int refused;              /* the code with which anything about it is answered; 0 */
    int64_t deals_late_ms;    /* deals are told this long after they were made */
    uint32_t number;          /* of the simulation's account; 0: written by a test */
    struct tg_trader *trader; /* made when first asked for */
    struct mt_account figures;
    struct mt_positions positions;
    struct mt_orders orders, history;
    struct mt_deals deals;
    struct cJSON *overrides; /* figures of the account that are served as they stand; or NULL */
};

struct mt_world {
    struct mt_dialect dialect;
    struct mt_time time;
    int64_t started_ms; /* UTC: of this run of the server, moved by a restart */
    int64_t opened_ms;  /* UTC: of step 0 of the market */
    int64_t frozen_ms;  /* UTC: the market stands still since; 0: it moves */
    struct tg_market *market;
    uint64_t seed;
    double events_per_minute;
    struct mt_manager *managers;
    int managers_count;
    struct mt_group **groups;
    int groups_count;
    struct mt_symbol *symbols;
    int symbols_count;
    struct mt_client **clients; /* by login, ascending */
    uint32_t clients_count, clients_cap;
    struct tg_map by_login;
    struct tg_map by_group;
    uint64_t next_id;
    struct tg_records records; /* of the simulated account that was read last */
};

/* A world with one manager and the simulation's symbols, at this UTC time; aborts without memory,
 * as everything here does: a test server that runs short of it has nothing better to do. */
void mt_world_init(struct mt_world *world, uint64_t seed, double events_per_minute, int64_t now_ms);
void mt_world_fini(struct mt_world *world);

/* The simulation's accounts demo-1 … demo-N as logins 5000001 …, in groups by currency and mode. */
void mt_world_simulate(struct mt_world *world, uint32_t accounts);

struct mt_manager *mt_world_manager(struct mt_world *world, uint64_t login);
struct mt_manager *mt_world_add_manager(struct mt_world *world, uint64_t login,
                                        const char *password);
/* The group of that name, made when there is none. */
struct mt_group *mt_world_group(struct mt_world *world, const char *name);
const struct mt_symbol *mt_world_symbol(const struct mt_world *world, const char *name);
struct mt_client *mt_world_client(const struct mt_world *world, uint64_t login);
/* A new account in a group; its login must be free. */
struct mt_client *mt_world_add_client(struct mt_world *world, uint64_t login, const char *group);

/* One row of the state of an account at `now_ms`; arrays are valid until the next read of any. */
struct mt_state {
    struct mt_account account;
    const struct mt_position *positions;
    const struct mt_order *orders, *history;
    const struct mt_deal *deals;
    uint32_t positions_count, orders_count, history_count, deals_count;
};

enum mt_part {
    MT_PART_ACCOUNT = 1,
    MT_PART_POSITIONS = 2,
    MT_PART_ORDERS = 4,
    MT_PART_HISTORY = 8,
    MT_PART_DEALS = 16,
};
#define MT_PARTS_PAST (MT_PART_HISTORY | MT_PART_DEALS) /* there whether dormant or not */

/* Reads the wanted parts. False: the server has no trade state of this account (it is dormant). */
bool mt_world_read(struct mt_world *world, struct mt_client *client, int parts, int64_t now_ms,
                   struct mt_state *out);

/* Balance and credit for the user's document, dormant or not. */
void mt_world_money(struct mt_world *world, struct mt_client *client, int64_t now_ms,
                    struct mt_user *out);

/* The order in the history that a deal of a trade came from: a market order, filled at once. */
void mt_order_of_deal(const struct mt_deal *deal, struct mt_order *out);

/* Room for one more row at the end of a growing array. */
void *mt_grow(void *rows, uint32_t *cap, uint32_t count, size_t size);
