/* The documents of the MetaTrader 5 Web API: accounts, users, positions, orders, deals, groups,
 * symbols; what they hold and how they look on the wire. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every record begins with the digits its prices and its money are written with. Times are UTC
 * milliseconds here and become server time on the wire; volumes are in 1e-8 lots. */
struct mt_head {
    int32_t digits, money_digits;
};

struct mt_account {
    struct mt_head head;
    uint64_t login;
    int64_t leverage, so_activation, so_time;
    double balance, credit, margin, margin_free, margin_level, margin_initial, margin_maintenance;
    double profit, storage, commission, floating, equity, so_level, so_equity, so_margin;
    double blocked_commission, blocked_profit, assets, liabilities;
};

struct mt_user {
    struct mt_head head;
    uint64_t login, agent;
    int64_t rights, leverage, registration, last_access;
    double balance, credit, interest_rate, commission_daily, commission_monthly;
    double balance_prev_day, balance_prev_month, equity_prev_day, equity_prev_month;
    char group[64], name[128], comment[64], company[64], country[32], email[64], phone[32];
};

struct mt_position {
    struct mt_head head;
    uint64_t position, login, dealer;
    int64_t action, reason, modify_flags, expert_id, expert_position_id;
    int64_t activation_mode, activation_time, activation_flags;
    int64_t time_create, time_update;
    int64_t volume;
    double contract_size, price_open, price_current, price_sl, price_tp, profit, storage;
    double rate_profit, rate_margin, activation_price;
    char symbol[32], comment[64], external_id[32];
};

struct mt_order {
    struct mt_head head;
    uint64_t order, login, dealer, position_id, position_by_id;
    int64_t state, reason, type, type_fill, type_time, modify_flags, expert_id;
    int64_t activation_mode, activation_time, activation_flags;
    int64_t time_setup, time_expiration, time_done;
    int64_t volume_initial, volume_current;
    double contract_size, price_order, price_trigger, price_current, price_sl, price_tp;
    double activation_price;
    char symbol[32], comment[64], external_id[32];
};

struct mt_deal {
    struct mt_head head;
    uint64_t deal, login, dealer, order, position_id;
    int64_t action, entry, reason, flags, modify_flags, expert_id;
    int64_t time;
    int64_t volume, volume_closed;
    double contract_size, price, price_sl, price_tp, price_position, price_gateway;
    double profit, profit_raw, value, storage, commission, fee;
    double rate_profit, rate_margin, tick_value, tick_size, market_bid, market_ask, market_last;
    char symbol[32], comment[64], external_id[32], gateway[32];
};

struct mt_group {
    struct mt_head head;
    int64_t margin_mode, margin_so_mode;
    double margin_call, margin_stop_out;
    char group[64], currency[16], company[64];
};

struct mt_symbol {
    struct mt_head head;
    int64_t calc_mode, trade_mode;
    double start; /* the price around which it moves; not on the wire */
    double contract_size, point, tick_size, tick_value;
    char symbol[32], path[64], description[64];
    char currency_base[16], currency_profit[16], currency_margin[16];
};

enum mt_kind {
    MT_U64,
    MT_I64,
    MT_DIGITS,       /* an int32_t of the head */
    MT_MONEY,        /* a double with the money's digits */
    MT_PRICE,        /* a double with the price's digits */
    MT_RATE,         /* a double with eight decimals */
    MT_PERCENT,      /* a double with two decimals */
    MT_TEXT,         /* a char array of `size` bytes */
    MT_SECONDS,      /* of the server's clock */
    MT_MILLISECONDS, /* of the server's clock */
    MT_VOLUME,       /* in 1/10000 lot */
    MT_VOLUME_EXT,   /* in 1/100000000 lot */
    MT_NOTHING,      /* an empty array */
};

/* `open` is what stands before the value: "\"Login\" : \"". */
struct mt_field {
    const char *name, *open;
    uint8_t open_len, kind;
    uint16_t offset, size;
};

enum mt_entity_id { MT_ACCOUNT, MT_USER, MT_POSITION, MT_ORDER, MT_DEAL, MT_GROUP, MT_SYMBOL };
#define MT_ENTITIES 7

struct mt_entity {
    const char *name;
    const struct mt_field *fields;
    int count;
};

extern const struct mt_entity mt_entities[MT_ENTITIES];

/* What is told of the records, and how. */
struct mt_dialect {
    uint64_t omitted[MT_ENTITIES]; /* bits of fields that this server does not have */
    const struct mt_time *time;
};

/* Appends the record as an object. `overrides` (may be NULL) is asked for the text of a field that
 * is to be served instead of the record's own; NULL: none. */
typedef const char *mt_override(const void *ctx, const char *name);
void mt_record_write(struct tg_buf *out, const struct mt_dialect *dialect, enum mt_entity_id entity,
                     const void *record, mt_override *overrides, const void *ctx);

/* Sets a field by its name on the wire. 0, -TG_ENOTFOUND (no such field) or -TG_EINVAL. */
int mt_record_set(const struct mt_dialect *dialect, enum mt_entity_id entity, void *record,
                  const char *name, const char *value);

/* The index of a field by its name, or -1. */
int mt_field_find(enum mt_entity_id entity, const char *name);

/* Brackets and commas around the rows of a list. */
void mt_list_open(struct tg_buf *out);
void mt_list_next(struct tg_buf *out, uint32_t *count);
void mt_list_close(struct tg_buf *out);
