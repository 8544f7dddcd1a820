/* A channel: the ordered stream of one account and those who listen to it. */
#pragma once

#include "base/blob.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "stream/compose.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tg_channel;
struct tg_session;

/* An event on its way to the clients of one account. */
struct tg_publication {
    bool latest; /* the latest lane: rev, merged, not logged */
    const char *type;
    const char *payload; /* a JSON object without blanks around it */
    size_t len;
    int64_t wall_ms;
    const struct tg_channel_names *names;
    /* Whether a session may have it; NULL: all. It only answers: it publishes and closes nothing.
     */
    bool (*permits)(void *ctx, const struct tg_session *session);
    void *ctx;
    /* Frames a message for the wire; the caller owns the reference. NULL when memory is short. */
    struct tg_blob *(*frame)(const char *text, size_t len);
};

struct tg_channel_options {
    const struct tg_clock *clock; /* for the age of the log */
    uint32_t history_events;
    int64_t history_ms;
};

/* A channel with a fresh random epoch, seq 0. NULL when memory is short. */
struct tg_channel *tg_channel_new(const struct tg_channel_options *options);

/* Frees it; it must have no sessions, and none of the functions below may be running. */
void tg_channel_free(struct tg_channel *channel);

const char *tg_channel_epoch(const struct tg_channel *channel);
uint64_t tg_channel_seq(const struct tg_channel *channel); /* of the newest ordered event */
uint64_t tg_channel_rev(const struct tg_channel *channel);

/* Numbers the event, keeps it in the log when it is ordered, frames it once, and offers it to every
 * session that is open; one that awaits its snapshot is passed over, because the snapshot tells
 * what it missed. When all have it, hosts are told (outgoing, close); from there publishing again
 * and ending sessions is allowed. 0 or -TG_ENOMEM: then the epoch is changed and every session is
 * closed 4004, because a hole must never go unseen. */
int tg_channel_publish(struct tg_channel *channel, const struct tg_publication *publication);

/* What the stream told so far is about something else than what comes now: the epoch is changed and
 * every session is closed 4004. */
void tg_channel_reset(struct tg_channel *channel);

/* Numbers and composes a snapshot (seq of the newest event, next rev). `members` is the rules' JSON
 * object; cached and cache_age_seconds are appended. Call it between polls: with the events of the
 * state it shows all published. 0 or -TG_ENOMEM with `out` spoilt. */
int tg_channel_snapshot(struct tg_channel *channel, const struct tg_channel_names *names,
                        const char *members, size_t len, bool cached, int64_t age_ms,
                        int64_t wall_ms, struct tg_buf *out);

/* Forgets logged events that are too old. Publishing does it too; call it now and then for a
 * channel that is silent. */
void tg_channel_tidy(struct tg_channel *channel);

/* The sessions that listen, as a list of tg_session.node. */
struct tg_list *tg_channel_sessions(struct tg_channel *channel);
uint32_t tg_channel_sessions_count(const struct tg_channel *channel);

/* For the session: joins and leaves. */
void tg_channel_join(struct tg_channel *channel, struct tg_session *session);
void tg_channel_leave(struct tg_channel *channel, struct tg_session *session);
