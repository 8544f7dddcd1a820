/* It stands in core/app because a source knows no recordings and a recording no sources.
 *
 * The gateway polls when it likes, not when the recording was made, so what the tape has told since
 * the last poll is gathered: of what is (account, positions, orders) the newest, of what happened
 * (deals, orders that ended) all of it, because a deal that is left out is a close without proof.
 * While the recorded source was away, so is this one. Hours in which nothing was recorded are
 * skipped. */
#include "app/replay_source.h"

#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "record/part.h"
#include "record/reel.h"

#include <stdlib.h>
#include <string.h>

#define LOOP_PAUSE_MS 1000 /* for which the last state is shown before the first comes again */

/* An account of the recording, as far as the tape has been played. */
struct actor {
    struct tg_records records;
    bool seen, away;
};

/* A poll under way; `poll->driver` points here. */
struct waiting {
    struct tg_list node;
    struct tg_poll *poll;
};

struct replay_source {
    struct tg_source source;
    const struct tg_clock *clock;
    double speed;
    bool loop;
    uv_timer_t timer;
    struct tg_list waiting, answering;
    struct tg_reel *reel;
    struct tg_note note; /* read and not played yet */
    bool ahead, ended;
    bool fresh;             /* something was read since the beginning */
    bool begun, skip;       /* the place in time is set; it is set anew by the next note */
    int64_t at_ms, mono_ms; /* the recording's time at a time of the monotonic clock */
    int64_t not_before_ms;  /* the next note, on the monotonic clock */
    struct tg_map actors;
    bool failed; /* out of memory */
};

static void forget(struct waiting *waiting)
{
    tg_list_remove(&waiting->node);
    waiting->poll->driver = NULL;
    free(waiting);
}

static bool is_past(const struct tg_part *part)
{
    return !strcmp(part->name, "deals") || !strcmp(part->name, "history");
}

/* Adds rows of things that happened; one that is listed again in every poll is added once. */
static int gather(const struct tg_part *part, struct tg_records *into, struct tg_records *from)
{
    size_t size = part->entity->size;
    uint32_t *count = tg_part_count(part, into), more = *tg_part_count(part, from);
    if (tg_part_reserve(part, into, *count + more)) return -TG_ENOMEM;
    char *rows = tg_part_rows(part, into);
    for (uint32_t i = 0; i < more; i++) {
        const char *row = tg_part_rows(part, from) + i * size;
        bool known = false;
        for (uint32_t k = 0; k < *count && !known; k++)
            known = !memcmp(rows + k * size, row, size);
        if (!known) memcpy(rows + (*count)++ * size, row, size);
    }
    return 0;
}

static int take_poll(struct actor *actor, const struct tg_note *note)
{
    struct tg_records *into = &actor->records, *from = note->records;
    actor->seen = true;
    actor->away = false;
    into->source_time_ms = from->source_time_ms ? from->source_time_ms : note->wall_ms;
    if (from->account_known) {
        into->account_known = true;
        into->account = from->account;
        into->account_fields = from->account_fields;
    }
    for (int i = 0; i < tg_parts_count; i++) {
        const struct tg_part *part = &tg_parts[i];
        if (!*tg_part_known(part, from)) continue;
        *tg_part_known(part, into) = true;
        if (is_past(part) ? gather(part, into, from) : tg_part_copy(part, into, from))
            return -TG_ENOMEM;
    }
    return 0;
}

static struct actor *actor_of(struct replay_source *replay, const char *id)
{
    return tg_map_get(&replay->actors, id, strlen(id));
}

static void play(struct replay_source *replay, const struct tg_note *note)
{
    struct actor *actor = note->account ? actor_of(replay, note->account) : NULL;
    if (!actor) return;
    if (note->kind == TG_NOTE_POLL && take_poll(actor, note)) replay->failed = true;
    if (note->kind == TG_NOTE_STATUS)
        actor->away = strcmp(note->text, "live") != 0 && strcmp(note->text, "connecting") != 0;
}

/* Reads the next note ahead; false at the end. */
static bool read_ahead(struct replay_source *replay, int64_t now)
{
    struct tg_err err;
    int rc;
    while (!replay->ahead && !replay->ended) {
        rc = tg_reel_next(replay->reel, &replay->note, &err);
        if (rc > 0 && replay->note.kind == TG_NOTE_RESTART)
            replay->skip = true;
        else if (rc > 0)
            replay->ahead = replay->fresh = true;
        else if (rc == 0 && replay->loop && replay->fresh) {
            tg_reel_rewind(replay->reel);
            replay->skip = true;
            replay->fresh = false;
            replay->not_before_ms = now + LOOP_PAUSE_MS;
        } else if (rc == 0)
            replay->ended = true;
    }
    return replay->ahead;
}

/* Plays up to the present. */
static void move(struct replay_source *replay)
{
    int64_t now = tg_mono_ms(replay->clock);
    while (!replay->failed && read_ahead(replay, now) && now >= replay->not_before_ms) {
        if (!replay->begun || replay->skip) {
            replay->at_ms = replay->note.wall_ms;
            replay->mono_ms = now;
            replay->begun = true;
            replay->skip = false;
        }
        double passed = (double)(now - replay->mono_ms) * replay->speed;
        if ((double)(replay->note.wall_ms - replay->at_ms) > passed) return;
        play(replay, &replay->note);
        replay->ahead = false;
    }
}

static void end(struct tg_poll *poll, enum tg_poll_end how, const char *code, const char *message)
{
    poll->end = how;
    poll->retry_after_ms = 0;
    (void)snprintf(poll->code, sizeof poll->code, "%s", code);
    (void)snprintf(poll->message, sizeof poll->message, "%s", message);
}

/* Gives out a copy; what happened is given out once. */
static int give(struct actor *actor, struct tg_records *out)
{
    struct tg_records *from = &actor->records;
    out->source_time_ms = from->source_time_ms;
    out->account_known = from->account_known;
    out->account = from->account;
    out->account_fields = from->account_fields;
    for (int i = 0; i < tg_parts_count; i++) {
        const struct tg_part *part = &tg_parts[i];
        if (!*tg_part_known(part, from)) continue;
        if (tg_part_copy(part, out, from)) return -TG_ENOMEM;
        *tg_part_known(part, out) = true;
    }
    for (int i = 0; i < tg_parts_count; i++) {
        if (!is_past(&tg_parts[i])) continue;
        *tg_part_known(&tg_parts[i], from) = false;
        *tg_part_count(&tg_parts[i], from) = 0;
    }
    return 0;
}

static void answer(struct replay_source *replay, struct tg_poll *poll)
{
    struct actor *actor = actor_of(replay, poll->account_id);
    tg_records_clear(&poll->records);
    if (!actor)
        end(poll, TG_POLL_UNKNOWN, "UNKNOWN_ACCOUNT", "the recording has no such account");
    else if (!actor->seen)
        end(poll, TG_POLL_FAILED, "NOT_YET", "the recording has not come to this account yet");
    else if (actor->away)
        end(poll, TG_POLL_FAILED, "CONNECTION_LOST", "the recorded source was away");
    else if (replay->failed || give(actor, &poll->records)) {
        tg_records_clear(&poll->records);
        end(poll, TG_POLL_FAILED, "NO_MEMORY", "out of memory");
    } else
        end(poll, TG_POLL_OK, "", "");
    poll->ops->done(poll);
}

/* What waits is set aside first: `done` may cancel any poll, start new ones or close the source. */
static void on_timer(uv_timer_t *timer)
{
    struct replay_source *replay = timer->data;
    struct tg_list *node;
    move(replay);
    while ((node = tg_list_first(&replay->waiting))) {
        tg_list_remove(node);
        tg_list_append(&replay->answering, node);
    }
    while ((node = tg_list_first(&replay->answering))) {
        struct waiting *waiting = tg_of(node, struct waiting, node);
        struct tg_poll *poll = waiting->poll;
        forget(waiting);
        answer(replay, poll);
    }
}

static int start(struct tg_source *source, struct tg_poll *poll)
{
    struct replay_source *replay = tg_of(source, struct replay_source, source);
    struct waiting *waiting = malloc(sizeof *waiting);
    if (!waiting) return -TG_ENOMEM;
    waiting->poll = poll;
    poll->driver = waiting;
    tg_list_init(&waiting->node);
    tg_list_append(&replay->waiting, &waiting->node);
    if (!uv_is_active((uv_handle_t *)&replay->timer))
        (void)uv_timer_start(&replay->timer, on_timer, 0, 0);
    return 0;
}

static void cancel(struct tg_source *source, struct tg_poll *poll)
{
    (void)source;
    if (poll->driver) forget(poll->driver);
}

static void release(struct replay_source *replay)
{
    size_t cursor = 0;
    for (struct tg_map_slot *slot; (slot = tg_map_next(&replay->actors, &cursor));) {
        tg_records_fini(&((struct actor *)slot->value)->records);
        free(slot->value);
    }
    tg_map_fini(&replay->actors);
    tg_reel_close(replay->reel);
    free(replay);
}

static void on_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void stop(struct tg_source *source)
{
    struct replay_source *replay = tg_of(source, struct replay_source, source);
    struct tg_list *node;
    while ((node = tg_list_first(&replay->waiting)) || (node = tg_list_first(&replay->answering)))
        forget(tg_of(node, struct waiting, node));
    uv_close((uv_handle_t *)&replay->timer, on_closed);
}

static const struct tg_source_ops ops = {"replay", start, cancel, stop};

static int add_actor(struct replay_source *replay, const char *id)
{
    if (actor_of(replay, id)) return 0;
    struct actor *actor = calloc(1, sizeof *actor);
    if (!actor || tg_map_put(&replay->actors, id, strlen(id), actor, NULL)) {
        free(actor);
        return -TG_ENOMEM;
    }
    tg_records_clear(&actor->records);
    return 0;
}

/* Who plays. What is damaged is said here, once. */
static int cast(struct replay_source *replay, struct tg_err *err)
{
    struct tg_note note;
    int rc;
    while ((rc = tg_reel_next(replay->reel, &note, err))) {
        if (rc < 0) tg_warn("source", "recording_damaged", tg_s("reason", err->text));
        if (rc == -TG_ENOMEM ||
            (rc > 0 && note.kind == TG_NOTE_POLL && add_actor(replay, note.account)))
            return tg_fail(err, TG_ENOMEM, "out of memory");
    }
    tg_reel_rewind(replay->reel);
    return replay->actors.count ? 0 : tg_fail(err, TG_EINVAL, "no account in the recording");
}

int tg_replay_source_open(uv_loop_t *loop, const struct tg_clock *clock,
                          const struct tg_replay_source_options *options, struct tg_source **out,
                          struct tg_err *err)
{
    struct replay_source *replay = calloc(1, sizeof *replay);
    if (!replay) return tg_fail(err, TG_ENOMEM, "out of memory");
    replay->source.ops = &ops;
    replay->clock = clock;
    replay->speed = options->speed;
    replay->loop = options->loop;
    tg_list_init(&replay->waiting);
    tg_list_init(&replay->answering);
    int rc = tg_reel_open(options->paths, options->paths_count, &replay->reel, err);
    if (!rc) rc = cast(replay, err);
    if (rc) {
        release(replay);
        return rc;
    }
    (void)uv_timer_init(loop, &replay->timer);
    replay->timer.data = replay;
    *out = &replay->source;
    return 0;
}
