/* A walk: one comparison of two polls, shared by the files that make up the lifecycle. */
#pragma once

#include "model/lifecycle.h"

struct tg_walk {
    struct tg_account *account;
    const struct tg_records *records;
    const struct tg_account_policy *policy;
    struct tg_positions *next; /* the new set; room for every row was made beforehand */
    int64_t mono_ms;
    uint32_t told; /* keys of deals that were remembered before this poll */
    int rc;
};

/* How far back deals are news: as far as the scheduler asks for them. */
#define TG_NEWS_MS 60000
/* What is granted to clocks that tell whole seconds, and to snapshots that lag. */
#define TG_CLOCK_MS 2000

/* Appends a moment with the figures of a position, which may be NULL. NULL without memory, and the
 * walk's rc says so. */
struct tg_moment *tg_walk_add(struct tg_walk *walk, int kind, const struct tgl_position *position);

/* When the last good poll was, by the source's own clock where it tells one. */
int64_t tg_walk_last_poll(const struct tg_account *account);

/* Whether what has that time is news. Sources list whole days: what was there before the first poll
 * is history. */
bool tg_walk_is_news(const struct tg_account *account, int64_t time_ms);

/* Fills the close figures of a moment, and a position's own with what was realised. */
void tg_walk_confirm(struct tg_moment *moment, const struct tg_closing *closing);
void tg_walk_realised(struct tgl_position *position, const struct tg_closing *closing);

/* Whether the position is missing without proof and stays open for now. */
bool tg_walk_holds(const struct tg_walk *walk, uint64_t position_id);

/* The position as the records of this poll have it, or NULL. */
const struct tgl_position *tg_walk_now(const struct tg_records *records, uint64_t position_id);

/* Uses up the deals that turned up after what they did was told: they are evidence no more. */
void tg_walk_settle(struct tg_walk *walk);

/* Tells the deals that are news, and the trades that only the deals saw. After the suspects are
 * known, before the positions are told. */
void tg_walk_tell(struct tg_walk *walk);
