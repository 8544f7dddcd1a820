/* Records: the plain structs that sources fill, the store keeps and rules see. */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* The enumerations of enums.def: TG_SIDE_BUY is an index into the names of the list `side`. */
#define TG_ENUM_VALUE(list, constant, name) TG_##list##_##constant,
#define TG_ENUM(list, LIST) enum tg_##list{TG_VALUES_##list(TG_ENUM_VALUE, LIST)};
#include "model/enums.def"

#define TG_MEMBER_TEXT(name, size) char name[size] __attribute__((aligned(8)));
#define TG_MEMBER_ENUM(name, size) int32_t name;
#define TG_MEMBER_BOOL(name, size) int32_t name;
#define TG_MEMBER_INT(name, size) int32_t name;
#define TG_MEMBER_ID(name, size) uint64_t name;
#define TG_MEMBER_MAGIC(name, size) int64_t name;
#define TG_MEMBER_TIME(name, size) int64_t name;
#define TG_MEMBER_MONEY(name, size) double name;
#define TG_MEMBER_PERCENT(name, size) double name;
#define TG_MEMBER_PRICE(name, size) double name;
#define TG_MEMBER_LEVEL(name, size) double name;
#define TG_MEMBER_VOLUME(name, size) double name;
#define TG_MEMBER_OFFSET(name, size) int32_t name;
#define TG_MEMBER(kind, name, size, doc) TG_MEMBER_##kind(name, size)

struct tgl_account {
#define TG_ACCOUNT_FIELD TG_MEMBER
#include "model/fields.def"
};

struct tgl_position {
#define TG_POSITION_FIELD TG_MEMBER
#include "model/fields.def"
};

struct tgl_order {
#define TG_ORDER_FIELD TG_MEMBER
#include "model/fields.def"
};

struct tgl_deal {
#define TG_DEAL_FIELD TG_MEMBER
#include "model/fields.def"
};

struct tgl_moment {
#define TG_MOMENT_FIELD TG_MEMBER
#include "model/fields.def"
};

/* The mask bit of a field: `1 << TG_ACCOUNT_AT_balance` and so on. */
enum tg_account_field {
#define TG_ACCOUNT_FIELD(kind, name, size, doc) TG_ACCOUNT_AT_##name,
#include "model/fields.def"
};
#define TG_ACCOUNT_BIT(name) (UINT64_C(1) << TG_ACCOUNT_AT_##name)

enum tg_position_field {
#define TG_POSITION_FIELD(kind, name, size, doc) TG_POSITION_AT_##name,
#include "model/fields.def"
};
#define TG_POSITION_BIT(name) (UINT64_C(1) << TG_POSITION_AT_##name)

enum tg_order_field {
#define TG_ORDER_FIELD(kind, name, size, doc) TG_ORDER_AT_##name,
#include "model/fields.def"
};
#define TG_ORDER_BIT(name) (UINT64_C(1) << TG_ORDER_AT_##name)

struct tg_entity;

/* A record of any entity in which nothing is known; there must be room for it. */
void tg_entity_blank(const struct tg_entity *entity, void *record);

/* Records in which nothing is known: every nullable field null, `currency_digits` 2. */
void tg_account_blank(struct tgl_account *account);
void tg_position_blank(struct tgl_position *position);
void tg_order_blank(struct tgl_order *order);
void tg_deal_blank(struct tgl_deal *deal);
void tg_moment_blank(struct tgl_moment *moment);

/* What one poll learned of one account. A part that is not `known` says nothing: it keeps what was
 * before. A known part with no rows is known to be empty. The arrays belong to the records. */
struct tg_records {
    bool account_known, positions_known, orders_known, history_known, deals_known;
    struct tgl_account account;
    uint64_t account_fields; /* the bits of the account fields that the source gave */
    struct tgl_position *positions;
    uint32_t positions_count, positions_cap;
    struct tgl_order *orders; /* the pending orders, all of them */
    uint32_t orders_count, orders_cap;
    struct tgl_order *history; /* orders that have ended, as far back as the deals were asked for */
    uint32_t history_count, history_cap;
    struct tgl_deal *deals;
    uint32_t deals_count, deals_cap;
    int64_t source_time_ms; /* the source's own UTC time of this state, 0 = not told */
};

/* Zero-initialise; clear keeps the memory; fini frees it. */
void tg_records_clear(struct tg_records *records);
void tg_records_fini(struct tg_records *records);

/* A blank row at the end of an array, or NULL when memory is short. */
struct tgl_position *tg_records_add_position(struct tg_records *records);
struct tgl_order *tg_records_add_order(struct tg_records *records);
struct tgl_order *tg_records_add_history(struct tg_records *records);
struct tgl_deal *tg_records_add_deal(struct tg_records *records);
