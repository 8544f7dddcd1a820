/* An account: its newest good state, the one before, and what changed between them. */
#pragma once

#include "base/list.h"
#include "model/record.h"

#include <stddef.h>

#define TG_ACCOUNT_ID_MAX 64

enum tg_moment_kind {
    TG_MOMENT_POSITION_OPENED,
    TG_MOMENT_POSITION_MODIFIED,
    TG_MOMENT_POSITION_CLOSED,
    TG_MOMENT_DEAL,
    TG_MOMENT_BALANCE_OPERATION,
    TG_MOMENT_KINDS,
};

/* Something that happened to an account between two polls. */
struct tg_moment {
    int kind;
    uint64_t changed;             /* bits of the position fields that differ from `was` */
    struct tgl_moment about;      /* close figures, estimated, synthetic, … */
    struct tgl_position position; /* as it is now; for a close, as it last was */
    struct tgl_position was;      /* MODIFIED: as it was before */
    struct tgl_deal deal;         /* DEAL, BALANCE_OPERATION */
};

struct tg_positions {
    struct tgl_position *rows;
    uint32_t count, cap;
};

/* A position that has vanished without a deal to show for it: kept open until it is confirmed. */
struct tg_suspect {
    uint64_t position_id;
    int polls;
};

/* Everything the model knows about one account. Owned by the store. */
struct tg_account {
    char id[TG_ACCOUNT_ID_MAX + 1];
    uint32_t slot; /* dense index, unique among living accounts; reused after they are gone */
    uint64_t
        birth;  /* unique for the life of the process: tells a reused slot from its former user */
    bool known; /* at least one good poll */
    struct tgl_account now, was;
    struct tg_positions positions, positions_was;
    uint64_t changed;          /* bits of the account fields that the newest poll changed */
    struct tg_moment *moments; /* of the newest poll, in order */
    uint32_t moments_count, moments_cap;
    struct tg_suspect *suspects;
    uint32_t suspects_count, suspects_cap;
    uint64_t *deals_seen; /* tickets of deals already told, a ring */
    uint32_t deals_seen_count, deals_seen_at;
    int64_t good_mono_ms, good_wall_ms; /* of the newest good poll */
    int64_t wake_wall_ms; /* the rules ask to be run at this time though nothing changes; 0 = not */
    void *owner;          /* the gateway's */
};

struct tg_account_policy {
    int suspect_polls; /* polls a vanished position without a deal is held; 3 */
};

/* Whether these records need the deals to be understood: a position has vanished or shrunk, or the
 * balance moved. */
bool tg_account_wants_deals(const struct tg_account *account, const struct tg_records *records);

/* Takes in the records of a good poll: moves now to was, fills `changed` and `moments` (valid until
 * the next apply). The first apply yields no moments. 0 or -TG_ENOMEM with the account as it was.
 */
int tg_account_apply(struct tg_account *account, const struct tg_records *records,
                     const struct tg_account_policy *policy, int64_t mono_ms, int64_t wall_ms);

/* The account's position of that identifier in a set, or NULL. */
const struct tgl_position *tg_positions_find(const struct tg_positions *positions,
                                             uint64_t position_id);

struct tg_store;

struct tg_store *tg_store_new(void);
void tg_store_free(struct tg_store *store);

/* The account of that id, or NULL. */
struct tg_account *tg_store_find(const struct tg_store *store, const char *id);

/* The account of that id, made when it does not exist. NULL when memory is short. */
struct tg_account *tg_store_open(struct tg_store *store, const char *id);

/* Frees an account. */
void tg_store_drop(struct tg_store *store, struct tg_account *account);

uint32_t tg_store_count(const struct tg_store *store);

/* The account in a slot, or NULL. Slots run from 0 to tg_store_slots() - 1. */
struct tg_account *tg_store_at(const struct tg_store *store, uint32_t slot);
uint32_t tg_store_slots(const struct tg_store *store);
