/* An account: its newest good state, the one before, and what changed between them. */
#pragma once

#include "model/deals.h"
#include "model/debts.h"
#include "model/heirlooms.h"
#include "model/record.h"
#include "model/waits.h"

#include <stddef.h>

#define TG_ACCOUNT_ID_MAX 64

/* An answer that is older than what is known by less than this is refused; by more, the source's
 * clock was set. */
#define TG_STALE_MS 600000

enum tg_moment_kind {
    TG_MOMENT_POSITION_OPENED,
    TG_MOMENT_POSITION_MODIFIED,
    TG_MOMENT_POSITION_CLOSED,
    TG_MOMENT_DEAL,
    TG_MOMENT_BALANCE_OPERATION,
    TG_MOMENT_ORDER_PLACED,
    TG_MOMENT_ORDER_MODIFIED,
    TG_MOMENT_ORDER_REMOVED,
    TG_MOMENT_KINDS,
};

/* Something that happened to an account between two polls. */
struct tg_moment {
    int kind;
    uint64_t changed;        /* bits of the position's or order's fields that differ from before */
    struct tgl_moment about; /* close figures, estimated, synthetic, … */
    struct tgl_position position; /* as it is now; for a close, as it last was */
    struct tgl_position was;      /* MODIFIED: as it was before */
    struct tgl_deal deal;         /* DEAL, BALANCE_OPERATION */
    struct tgl_order order; /* ORDER_…: as it is now; removed: as it ended, as far as is known */
    struct tgl_order order_was; /* ORDER_MODIFIED: as it was before */
};

struct tg_positions {
    struct tgl_position *rows;
    uint32_t count, cap;
};

struct tg_orders {
    struct tgl_order *rows;
    uint32_t count, cap;
};

/* A position that has vanished without a deal to show for it, or an order without an ending: kept
 * until it is confirmed. */
struct tg_suspect {
    uint64_t id;     /* the position's identifier, the order's ticket */
    int polls;       /* in how many polls it has been what it is now */
    int repeats;     /* how many more say little: the answer before once again, or no history */
    int64_t lots;    /* its volume by then, as tg_plan has it; 0: missing */
    double gap;      /* the account's before it was missing; NAN while that is not sure */
    int64_t gap_ms;  /* what was made before this is in it, listed or not */
    int64_t seen_ms; /* when it was last seen as it was told, UTC; 0 = not known */
    double money;    /* balance and credit when `gap` was taken */
};

/* Sorted by identifier. */
struct tg_suspects {
    struct tg_suspect *rows;
    uint32_t count, cap;
};

/* Everything the model knows about one account. Owned by the store. */
struct tg_account {
    char id[TG_ACCOUNT_ID_MAX + 1];
    uint32_t slot; /* dense index, unique among living accounts; reused after they are gone */
    uint64_t
        birth;  /* unique for the life of the process: tells a reused slot from its former user */
    bool known; /* at least one good poll */
    struct tgl_account now, was;
    bool positions_known; /* at least one good poll told the positions */
    struct tg_positions positions, positions_was;
    bool orders_known; /* at least one good poll told the pending orders */
    struct tg_orders orders, orders_was;
    bool revealed;    /* the newest poll told positions or orders for the first time, and it was not
                         the first poll: what was shown before lacks them */
    uint64_t changed; /* bits of the account fields that the newest poll changed */
    struct tg_moment *moments; /* of the newest poll, in order */
    uint32_t moments_count, moments_cap;
    struct tg_suspects suspects, suspects_was;
    struct tg_suspects order_suspects, order_suspects_was;
    struct tg_deals orders_gone; /* tickets of the orders that were told as removed */
    struct tg_debts debts, debts_was;
    struct tg_heirlooms heirlooms;
    struct tg_deals deals; /* which deals were told already, which positions as closed */
    double unexplained;    /* what the balance and the credit moved by beyond what the deals say */
    double drift;          /* the same since the first poll, never forgotten */
    double gap;    /* drift, less what deals say that are listed and wait: what no deal explains */
    double steady; /* the gap that was last seen twice in a row; both NAN while not known */
    int64_t steady_ms; /* when the later of the two was seen, by the source's clock */
    bool deals_ever;   /* the source tells deals */
    struct tg_waits waiting, waiting_was;
    int sweep;     /* polls until what is unexplained is given up */
    int deals_age; /* polls since the deals were last known or asked for as a matter of course */
    bool history_ever;      /* the source tells an order history */
    int64_t begun_ms;       /* of the first known positions, by last_poll's clock (lifecycle.c) */
    int64_t positions_ms;   /* the source's own time of the newest known positions, 0 = not told */
    int64_t good_source_ms; /* the source's own time of the newest good poll, 0 = not told */
    int64_t good_mono_ms, good_wall_ms; /* of the newest good poll */
    int64_t wake_wall_ms; /* the rules ask to be run at this time though nothing changes; 0 = not */
    void *owner;          /* the gateway's */
};

struct tg_account_policy {
    int suspect_polls; /* polls a vanished position without a deal is held; 3 */
};

/* Whether these records need the deals and the order history to be understood: they are the first,
 * a position has come, gone or changed its volume, an order has gone or was filled, the balance
 * moved, or something is still unexplained. */
bool tg_account_wants_deals(const struct tg_account *account, const struct tg_records *records);

/* From when on deals and ended orders are to be asked for, UTC by the source's own clock where it
 * tells one: a minute before the newest good poll, or since the oldest deal was made that still
 * waits for the rest of its trade. */
int64_t tg_account_deals_since(const struct tg_account *account, int64_t wall_ms);

/* Takes in the records of a good poll: moves now to was, fills `changed` and `moments` (valid until
 * the next apply). Sorts the records' positions by identifier, orders by ticket and deals by time.
 * The first known positions and orders yield no moments. 0, or with the account's state as it was:
 * -TG_EINVAL (two positions of one identifier or orders of one ticket, or one without; another
 * login; older than what is known),
 * -TG_ENOMEM. */
int tg_account_apply(struct tg_account *account, struct tg_records *records,
                     const struct tg_account_policy *policy, int64_t mono_ms, int64_t wall_ms);

/* Prepares a zeroed account; frees what an account holds. */
void tg_account_init(struct tg_account *account, const char *id);
void tg_account_fini(struct tg_account *account);

/* The position of that identifier in a sorted set, or NULL. */
const struct tgl_position *tg_positions_find(const struct tg_positions *positions,
                                             uint64_t position_id);
