/* Publishing has two passes. The first puts the event into every outbox and calls nobody; the
 * second tells the hosts. With one pass, a host that ends a client because of event 7 and thereby
 * makes the rules speak would publish 8 to the clients that have not been offered 7 yet.
 *
 * The second pass may free any session, also the next one in the list. So a pass is a walk that the
 * channel knows of, and a session that leaves moves every walk that was about to visit it.
 *
 * One event costs one composition and one frame however many listen; a listener costs a reference.
 */
#include "stream/channel.h"

#include "base/err.h"
#include "base/rand.h"
#include "stream/history.h"
#include "stream/session.h"

#include <string.h>

#define EPOCH_LEN 16 /* 80 random bits: two lives of an account never share one */

struct walk {
    struct tg_list *next;
    struct walk *outer;
};

struct tg_channel {
    struct tg_list sessions;
    struct walk *walks; /* that are under way, innermost first */
    const struct tg_clock *clock;
    struct tg_history history;
    uint64_t seq, rev;
    uint32_t count;
    bool offering; /* the first pass runs */
    char epoch[EPOCH_LEN + 1];
};

static void new_epoch(struct tg_channel *channel)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char random[EPOCH_LEN];
    tg_random_bytes(random, sizeof random);
    for (int i = 0; i < EPOCH_LEN; i++)
        channel->epoch[i] = digits[random[i] % 32];
    channel->epoch[EPOCH_LEN] = '\0';
}

struct tg_channel *tg_channel_new(const struct tg_channel_options *options)
{
    struct tg_channel *channel = calloc(1, sizeof *channel);
    if (!channel) return NULL;
    tg_must(options->clock);
    tg_list_init(&channel->sessions);
    channel->clock = options->clock;
    tg_history_init(&channel->history, options->history_events, options->history_ms);
    new_epoch(channel);
    return channel;
}

void tg_channel_free(struct tg_channel *channel)
{
    if (!channel) return;
    tg_must(tg_list_empty(&channel->sessions) && !channel->walks);
    tg_history_fini(&channel->history);
    free(channel);
}

const char *tg_channel_epoch(const struct tg_channel *channel)
{
    return channel->epoch;
}

uint64_t tg_channel_seq(const struct tg_channel *channel)
{
    return channel->seq;
}

uint64_t tg_channel_rev(const struct tg_channel *channel)
{
    return channel->rev;
}

static void walk_start(struct tg_channel *channel, struct walk *walk)
{
    walk->next = channel->sessions.next;
    walk->outer = channel->walks;
    channel->walks = walk;
}

/* The next session, or NULL at the end, which also ends the walk. */
static struct tg_session *walk_next(struct tg_channel *channel, struct walk *walk)
{
    struct tg_list *node = walk->next;
    if (node == &channel->sessions) {
        channel->walks = walk->outer;
        return NULL;
    }
    walk->next = node->next;
    return tg_of(node, struct tg_session, node);
}

/* Something that clients should have had cannot be given to them: what they hold of this epoch is
 * worth nothing any more, and they must know. */
static void doom_all(struct tg_channel *channel)
{
    struct walk walk;
    struct tg_session *session;
    tg_history_reset(&channel->history);
    new_epoch(channel);
    channel->seq = 0;
    walk_start(channel, &walk);
    while ((session = walk_next(channel, &walk)))
        tg_session_doom(session);
}

static void offer_all(struct tg_channel *channel, const struct tg_offer *offer)
{
    struct walk walk;
    struct tg_session *session;
    channel->offering = true;
    walk_start(channel, &walk);
    while ((session = walk_next(channel, &walk)))
        tg_session_offer(session, offer);
    channel->offering = false;
}

static void settle_all(struct tg_channel *channel)
{
    struct walk walk;
    struct tg_session *session;
    walk_start(channel, &walk);
    while ((session = walk_next(channel, &walk)))
        tg_session_settle(session);
}

int tg_channel_publish(struct tg_channel *channel, const struct tg_publication *publication)
{
    struct tg_buf out = {0};
    struct tg_offer offer = {.publication = publication};
    bool latest = publication->latest, heard = channel->count > 0;
    tg_must(!channel->offering);
    uint64_t number = latest ? ++channel->rev : ++channel->seq;
    if (latest && !heard) return 0;
    offer.head = tg_compose_event(&out, publication->names, latest, publication->type, number,
                                  publication->wall_ms, publication->payload, publication->len);
    if (!out.failed) offer.frame = publication->frame(out.data, out.len);
    if (offer.frame && latest) offer.text = tg_blob_new(out.data, out.len);
    tg_buf_fini(&out);
    int rc = offer.frame && (offer.text || !latest) ? 0 : -TG_ENOMEM;
    if (rc) {
        doom_all(channel);
    } else {
        if (!latest)
            tg_history_add(&channel->history, number, offer.frame, tg_mono_ms(channel->clock));
        offer_all(channel, &offer);
    }
    tg_blob_unref(offer.text);
    tg_blob_unref(offer.frame);
    settle_all(channel);
    return rc;
}

void tg_channel_reset(struct tg_channel *channel)
{
    tg_must(!channel->offering);
    doom_all(channel);
    settle_all(channel);
}

int tg_channel_snapshot(struct tg_channel *channel, const struct tg_channel_names *names,
                        const char *members, size_t len, bool cached, int64_t age_ms,
                        int64_t wall_ms, struct tg_buf *out)
{
    tg_compose_snapshot(out, names, channel->seq, ++channel->rev, wall_ms, members, len, cached,
                        age_ms);
    return out->failed ? -TG_ENOMEM : 0;
}

void tg_channel_tidy(struct tg_channel *channel)
{
    tg_history_expire(&channel->history, tg_mono_ms(channel->clock));
}

struct tg_list *tg_channel_sessions(struct tg_channel *channel)
{
    return &channel->sessions;
}

uint32_t tg_channel_sessions_count(const struct tg_channel *channel)
{
    return channel->count;
}

void tg_channel_join(struct tg_channel *channel, struct tg_session *session)
{
    tg_list_append(&channel->sessions, &session->node);
    channel->count++;
}

void tg_channel_leave(struct tg_channel *channel, struct tg_session *session)
{
    for (struct walk *walk = channel->walks; walk; walk = walk->outer)
        if (walk->next == &session->node) walk->next = session->node.next;
    tg_list_remove(&session->node);
    channel->count--;
}
