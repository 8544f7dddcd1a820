/* A walk: one comparison of two polls, shared by the files that make up the lifecycle. */
#pragma once

#include "model/lifecycle.h"

/* What becomes of a position in this poll. */
enum tg_verdict {
    TG_SHOWN,     /* the deals (none, when nothing has moved) lead from what was told to what is */
    TG_HELD,      /* they do not: it stays as it was told, and the next poll decides */
    TG_ESTIMATED, /* they have had their chance: it is told without them */
};

/* One position, or one that only the deals know. */
struct tg_plan {
    uint64_t id;
    const struct tgl_position *was, *now; /* as it was told, as it is; NULL: there is none */
    int64_t told, lots;                   /* their volumes, signed, at eight decimals */
    int64_t since_ms;                     /* deals before this are no evidence */
    int64_t seen_ms;   /* when it was last seen as it was told, UTC by the source; 0 = not known */
    int64_t swept;     /* what the settled deals of an estimated close made, lots as above */
    int64_t owed;      /* what is still owed when `settled` is paid, lots as above */
    uint32_t expected; /* deals that were owed */
    uint32_t settled;  /* the first untold deals, which only pay for what was told before */
    uint32_t silent; /* the first of these: something that was told as estimated stands for them */
    uint32_t shown;  /* those behind them that made `lots` of `told` */
    int polls, repeats; /* HELD: as tg_suspect has them, by now */
    bool reborn;        /* another position of the same identifier; no deals will say so */
    bool bare; /* never seen, and only its closing deals are listed: they stand for all of it */
    enum tg_verdict verdict;
    const struct tgl_deal *turn; /* the deal that turned it into a position of another identifier */
};

/* How a deal of the records stands. */
enum tg_deal_mark {
    TG_DEAL_FREE,    /* evidence, or not decided yet: neither told nor forgotten */
    TG_DEAL_KNOWN,   /* remembered from an earlier poll */
    TG_DEAL_SETTLED, /* what it did was told before it was listed */
    TG_DEAL_SHOWN,   /* the positions show what it did */
    TG_DEAL_STRAY,   /* it belongs to nothing that is told here */
};

struct tg_walk {
    struct tg_account *account;
    const struct tg_records *records;
    const struct tg_account_policy *policy;
    struct tg_positions *next; /* the new set; room for every row was made beforehand */
    struct tg_plan *plans;     /* sorted by identifier; those of the deals alone behind them */
    uint32_t plans_count, positions_count; /* all; those that are in one of the sets */
    uint8_t *marks;                        /* enum tg_deal_mark, one a deal of the records */
    int64_t mono_ms;
    double gap; /* as account.h has it, after this poll */
    bool gap_known;
    int rc;
};

/* How far back from the last poll deals are news, so that none is missed at the seam. */
#define TG_NEWS_MS 60000
/* What is granted to times of one clock of which some are whole seconds. */
#define TG_SECOND_MS 1000
/* What is granted to clocks that tell whole seconds, and to snapshots that lag. */
#define TG_CLOCK_MS 2000
/* How long a deal may wait for the positions to show it, or for the rest of its trade, from when it
 * was first listed. */
#define TG_STRAY_MS 50000

/* Appends a moment with the figures of a position, which may be NULL. NULL without memory, and the
 * walk's rc says so. */
struct tg_moment *tg_walk_add(struct tg_walk *walk, int kind, const struct tgl_position *position);

/* When the last good poll was, by the source's own clock where it tells one. */
int64_t tg_walk_last_poll(const struct tg_account *account);

/* From when on what is told is news: tg_account_deals_since. */
int64_t tg_walk_news_since(const struct tg_account *account);

/* Whether what has that time happened since the first poll. */
bool tg_walk_has_begun(const struct tg_account *account, int64_t time_ms);

/* Whether what has that time is news. Sources list whole days: what was there before the first poll
 * is history. */
bool tg_walk_is_news(const struct tg_account *account, int64_t time_ms);

/* Whether these records have the time of those before: a cache has served them once more, or the
 * clock of the source stands still. They are no second witness of anything. */
bool tg_walk_is_repeat(const struct tg_account *account, const struct tg_records *records);

/* For how many polls something is held that was so in `polls` and in `repeats` of these. A clock
 * that stands still is not waited for forever. */
int tg_walk_weight(int polls, int repeats);

/* Works out `gap` and whether it can be known. */
void tg_gap_find(struct tg_walk *walk);

/* Notes in a suspect what the account's gap was before a position was missing; `before`: the
 * suspect of the poll before, or NULL. */
void tg_gap_take(const struct tg_walk *walk, const struct tg_suspect *before,
                 struct tg_suspect *suspect);

/* In how many polls a difference is held without a deal. */
int tg_gap_patience(const struct tg_walk *walk, const struct tg_plan *plan,
                    const struct tg_suspect *suspect);

/* Buys and sells; the others move money only. */
bool tg_deal_is_trade(const struct tgl_deal *deal);

/* The plan of that identifier, or NULL. */
const struct tg_plan *tg_walk_plan(const struct tg_walk *walk, uint64_t id);

/* What a deal moves the balance or the credit by. */
double tg_deal_money(const struct tgl_deal *deal);

/* Runs through the untold deals of a plan's position, oldest first. `*at` starts at 0. NULL at the
 * end. */
const struct tgl_deal *tg_walk_next(const struct tg_walk *walk, const struct tg_plan *plan,
                                    uint32_t *at);

/* Works out `settled` and `shown` and whether they hold. */
bool tg_walk_prove(const struct tg_walk *walk, struct tg_plan *plan);

/* The signed volume of a position after a deal; INT64_MIN when it cannot have been made. */
int64_t tg_deal_apply(const struct tgl_deal *deal, int64_t lots);

/* Marks the deals that the plans use up, and those that belong to nothing; tells them, and the
 * balance operations, in their order. */
void tg_walk_deals(struct tg_walk *walk);

/* The order in which a poll is told. */
enum tg_phase { TG_CLOSES, TG_CHANGES, TG_OPENS };

/* Tells what belongs to this phase of a plan. */
void tg_walk_tell(struct tg_walk *walk, const struct tg_plan *plan, enum tg_phase phase);
