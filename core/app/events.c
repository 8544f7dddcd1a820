/* Polls that end in one turn of the loop are judged together: one entry into Lua for all of them.
 * Events go to the account's channel as they are made; snapshots follow when the last event of the
 * turn is out, because a snapshot must not show what a later event will tell. */
#include "app/gateway_inner.h"
#include "base/log.h"
#include "stream/message_out.h"

#include <stdlib.h>
#include <string.h>

/* The rules' clock is set when they begin to run and stands still until they are done: what they
 * answer to `now()`, what they hold back and what their messages are dated depends on one moment,
 * which a recording can name and a replay can repeat. */
static void begin_turn(struct tg_gateway *gateway)
{
    if (gateway->turns++) return;
    gateway->turn.mono = tg_mono_ms(gateway->clock);
    gateway->turn.wall = tg_wall_ms(gateway->clock);
}

static void end_turn(struct tg_gateway *gateway)
{
    gateway->turns--;
}

static struct tg_blob *frame_text(const char *text, size_t len)
{
    return tg_frame_new(false, text, len);
}

static bool permits(void *ctx, const struct tg_session *session)
{
    return tg_client_permits(ctx, session);
}

struct tg_channel *tg_events_channel(struct tg_gateway *gateway, struct tg_watch *watch)
{
    const struct tg_config *config = gateway->config;
    struct tg_channel_options options = {
        .clock = gateway->clock,
        .history_events = (uint32_t)config->stream.history_events,
        .history_ms = (int64_t)config->stream.history_seconds * 1000,
    };
    if (!watch->channel) watch->channel = tg_channel_new(&options);
    return watch->channel;
}

void tg_events_emit(void *ctx, const struct tg_script_event *event)
{
    struct tg_gateway *gateway = ctx;
    struct tg_watch *watch = event->account->owner;
    const void *offer[2] = {gateway, event};
    if (!tg_events_channel(gateway, watch)) {
        gateway->counters.events_lost++;
        return;
    }
    struct tg_publication publication = {
        .latest = event->lane == TG_LANE_LATEST,
        .type = event->type,
        .payload = event->payload,
        .len = event->len,
        .wall_ms = gateway->turn.wall,
        .names = &gateway->names,
        .permits = event->filtered ? permits : NULL,
        .ctx = (void *)offer,
        .frame = frame_text,
    };
    *event->receipt = (struct tg_script_receipt){
        .number = 1 + (publication.latest ? tg_channel_rev(watch->channel)
                                          : tg_channel_seq(watch->channel)),
        .listeners = tg_channel_sessions_count(watch->channel),
    };
    if (publication.latest)
        gateway->counters.events_latest++;
    else
        gateway->counters.events_ordered++;
    if (tg_channel_publish(watch->channel, &publication)) {
        gateway->counters.events_lost++;
        tg_gateway_fault(gateway, "an event could not be sent: out of memory");
    }
}

void tg_events_applied(void *ctx, struct tg_watch *watch)
{
    struct tg_gateway *gateway = ctx;
    if (!gateway->turns) {
        gateway->turn.mono = watch->account->good_mono_ms;
        gateway->turn.wall = watch->account->good_wall_ms;
    }
    tg_recording_note(gateway, TG_NOTE_POLL, watch, NULL);
}

void tg_events_fresh(void *ctx, struct tg_watch *watch, bool first)
{
    struct tg_gateway *gateway = ctx;
    bool awaited = first || watch->account->revealed;
    if (!awaited && !tg_script_wakes(gateway->script, watch->account)) {
        tg_script_idle(gateway->script, watch->account);
        if (watch->channel) tg_channel_tidy(watch->channel);
        return;
    }
    if (gateway->fresh_count == gateway->fresh_cap) {
        uint32_t cap = gateway->fresh_cap * 2;
        struct tg_account **fresh = realloc(gateway->fresh, cap * sizeof *fresh);
        if (!fresh) {
            tg_events_flush(gateway); /* makes room at the price of a second entry into Lua */
        } else {
            gateway->fresh = fresh;
            gateway->fresh_cap = cap;
        }
    }
    gateway->fresh[gateway->fresh_count++] = watch->account;
}

/* The first state of an account: those who wait for its snapshot get it. A list that is told only
 * later is no event about its rows; those who were shown the account without it get another. */
static void show(struct tg_watch *watch)
{
    if (!watch->channel) return;
    tg_list_each(node, tg_channel_sessions(watch->channel))
    {
        struct tg_session *session = tg_of(node, struct tg_session, node);
        if (session->awaits_snapshot)
            tg_session_snapshot_ready(session);
        else if (watch->account->revealed)
            tg_session_snapshot_again(session);
    }
}

static void run_rules(struct tg_gateway *gateway, uint32_t count)
{
    int64_t begun = tg_mono_us();
    gateway->fresh_count = 0;
    tg_script_run(gateway->script, gateway->fresh, count);
    for (uint32_t i = 0; i < count; i++)
        show(gateway->fresh[i]->owner);
    tg_histogram_note(&gateway->counters.rules, tg_mono_us() - begun);
}

void tg_events_flush(struct tg_gateway *gateway)
{
    uint32_t count = gateway->fresh_count;
    begin_turn(gateway);
    if (tg_recorder_polled(gateway->recorder)) tg_recording_note(gateway, TG_NOTE_TURN, NULL, NULL);
    if (count) run_rules(gateway, count);
    end_turn(gateway);
}

void tg_events_due(struct tg_gateway *gateway)
{
    size_t cursor = 0;
    tg_events_flush(gateway); /* what a poll has brought is told first */
    begin_turn(gateway);
    int64_t now_ms = gateway->turn.wall;
    tg_recording_note(gateway, TG_NOTE_TICK, NULL, NULL);
    for (struct tg_watch *watch; (watch = tg_scheduler_next(gateway->scheduler, &cursor));) {
        int64_t wake_ms = watch->account->wake_wall_ms;
        if (wake_ms && wake_ms <= now_ms - watch->upstream->interval_ms)
            tg_script_due(gateway->script, watch->account);
    }
    end_turn(gateway);
}

uint32_t tg_events_live(void *ctx, struct tg_account **out, uint32_t max)
{
    struct tg_gateway *gateway = ctx;
    uint32_t known = 0, taken = 0, at = 0;
    size_t cursor = 0;
    if (!gateway->scheduler) return 0; /* the first load, before anything is polled */
    for (struct tg_watch *watch; (watch = tg_scheduler_next(gateway->scheduler, &cursor));)
        known += watch->account->known;
    if (!out) return known;
    cursor = 0;
    for (struct tg_watch *watch; (watch = tg_scheduler_next(gateway->scheduler, &cursor));) {
        if (!watch->account->known) continue;
        /* Every n-th, so that they are spread over all. */
        if (taken < max && (uint64_t)at * max / known >= taken) out[taken++] = watch->account;
        at++;
    }
    return taken;
}

int tg_events_snapshot(struct tg_gateway *gateway, struct tg_watch *watch, struct tg_buf *out)
{
    struct tg_buf members = {0};
    if (!watch->account->known) return -TG_EAGAIN;
    begin_turn(gateway);
    tg_recording_note(gateway, TG_NOTE_SNAPSHOT, watch, NULL);
    (void)tg_script_snapshot(gateway->script, watch->account, &members);
    bool cached = watch->state != TG_SOURCE_CONNECTED;
    int rc = members.failed || !members.len
                 ? -TG_ENOMEM
                 : tg_channel_snapshot(watch->channel, &gateway->names, members.data, members.len,
                                       cached, tg_watch_age_ms(watch), gateway->turn.wall, out);
    end_turn(gateway);
    tg_buf_fini(&members);
    gateway->counters.snapshots++;
    return rc;
}

static const struct word {
    const char *code, *message;
} words[] = {
    [TG_TROUBLE_NONE] = {"CONNECTION_LOST", "MT5 connection lost, attempting reconnect"},
    [TG_TROUBLE_LOST] = {"CONNECTION_LOST", "MT5 connection lost, attempting reconnect"},
    [TG_TROUBLE_REFUSED] = {"SOURCE_REFUSED", "MT5 refuses the gateway's credentials"},
    [TG_TROUBLE_DENIED] = {"SOURCE_REFUSED", "MT5 does not let the gateway read this account"},
    [TG_TROUBLE_BUSY] = {"SOURCE_BUSY", "MT5 wants to be asked less often, updates are slower"},
    [TG_TROUBLE_FROZEN] = {"SOURCE_STALE", "MT5 answers with an old state"},
};

void tg_events_status(void *ctx, struct tg_watch *watch, const char *code, const char *message,
                      int64_t retry_in_ms)
{
    struct tg_gateway *gateway = ctx;
    struct tg_buf text = {0};
    const char *status = tg_watch_status(watch);
    (void)message; /* the operator's words stay in the log */
    if (code) {
        const struct word *word = &words[watch->trouble];
        tg_message_error(&text, word->code, word->message,
                         retry_in_ms < 0 ? -1 : (retry_in_ms + 999) / 1000);
        tg_client_tell(watch, text.data, text.len);
        tg_buf_clear(&text);
    }
    tg_message_status(&text, status, watch->since_wall_ms, tg_watch_age_ms(watch));
    tg_client_tell(watch, text.data, text.len);
    tg_buf_fini(&text);
    begin_turn(gateway);
    tg_recording_note(gateway, TG_NOTE_STATUS, watch, status);
    tg_script_tell(gateway->script, watch->account, "source_status", status);
    end_turn(gateway);
}

void tg_events_client(struct tg_gateway *gateway, struct tg_watch *watch, bool connected,
                      const char *subject)
{
    begin_turn(gateway);
    tg_recording_note(gateway, connected ? TG_NOTE_CONNECTED : TG_NOTE_DISCONNECTED, watch,
                      subject);
    tg_script_tell(gateway->script, watch->account,
                   connected ? "client_connected" : "client_disconnected", subject);
    end_turn(gateway);
}

void tg_events_unknown(void *ctx, struct tg_watch *watch)
{
    (void)ctx;
    tg_client_end_all(watch, 4504, "unknown account");
}

/* What waits for the rules of this account, and what they remember of it. */
static void forget(struct tg_gateway *gateway, struct tg_watch *watch)
{
    for (uint32_t i = 0; i < gateway->fresh_count; i++)
        if (gateway->fresh[i] == watch->account)
            gateway->fresh[i--] = gateway->fresh[--gateway->fresh_count];
    tg_recording_note(gateway, TG_NOTE_ENDED, watch, NULL);
    tg_script_forget(gateway->script, watch->account);
}

void tg_events_replaced(void *ctx, struct tg_watch *watch)
{
    forget(ctx, watch);
    if (watch->channel) tg_channel_reset(watch->channel);
}

void tg_events_ended(void *ctx, struct tg_watch *watch)
{
    struct tg_gateway *gateway = ctx;
    forget(gateway, watch);
    if (watch->channel) tg_channel_free(watch->channel);
    watch->channel = NULL;
}
