/* What the driver of the Web API tells of its session. */
#include "base/json.h"
#include "source/session_stats.h"
#include "source/webapi_source_inner.h"

#include <string.h>

_Static_assert((int)TG_SESSION_CLASSES == (int)TG_WEBAPI_CLASSES + 1, "a name for each class");

const char *const tg_session_class_names[TG_SESSION_CLASSES] = {
    [TG_WEBAPI_DONE] = "done",    [TG_WEBAPI_NO_DATA] = "no_data", [TG_WEBAPI_RETRY] = "retry",
    [TG_WEBAPI_SLOW] = "slow",    [TG_WEBAPI_MOVE] = "move",       [TG_WEBAPI_REFUSED] = "refused",
    [TG_WEBAPI_CLASSES] = "none",
};

const int tg_session_size_bounds[TG_SESSION_SIZES - 1] = {1, 10, 50, 200, 1000, 5000, 20000};

void tg_webapi_note_batch(struct tg_webapi_source *source, uint32_t accounts)
{
    int i = 0;
    while (i < TG_SESSION_SIZES - 1 && accounts > (uint32_t)tg_session_size_bounds[i])
        i++;
    source->counters.batch_sizes[i]++;
    source->counters.batch_accounts += accounts;
    source->counters.batches++;
}

void tg_webapi_stats(const struct tg_source *base, struct tg_session_stats *out)
{
    const struct tg_webapi_source *source = tg_of(base, struct tg_webapi_source, source);
    const struct tg_webapi_session *session = &source->session;
    *out = (struct tg_session_stats){
        .endpoint = source->endpoints[session->endpoint].authority,
        .ready = session->ready_told,
        .clock_stopped = session->frozen,
        .slow_level = source->pace.level,
        .requests = session->counters.requests,
        .logins = session->counters.connects,
        .refused = session->counters.refused,
        .lost = session->counters.drops,
        .moves = session->counters.moves,
        .slowdowns = source->counters.slowed,
        .batch_accounts = source->counters.batch_accounts,
        .batches = source->counters.batches,
        .round_trip = session->counters.round_trip,
    };
    memcpy(out->answers, session->counters.answers, sizeof out->answers);
    memcpy(out->batch_sizes, source->counters.batch_sizes, sizeof out->batch_sizes);
}

void tg_webapi_describe(const struct tg_source *base, struct tg_buf *out)
{
    const struct tg_webapi_source *source = tg_of(base, struct tg_webapi_source, source);
    const struct tg_webapi_session *session = &source->session;
    tg_json_key(out, "session");
    tg_json_open(out, '{');
    tg_json_key(out, "state");
    tg_json_text(out, tg_webapi_state_name(session->state));
    tg_json_key(out, "endpoint");
    tg_json_text(out, source->endpoints[session->endpoint].authority);
    if (*session->fault.code) {
        tg_json_key(out, "code");
        tg_json_text(out, session->fault.code);
        tg_json_key(out, "message");
        tg_json_text(out, session->fault.message);
    }
    tg_json_member_i64(out, "connects", (int64_t)session->counters.connects);
    tg_json_member_i64(out, "drops", (int64_t)session->counters.drops);
    tg_json_member_i64(out, "refused", (int64_t)session->counters.refused);
    tg_json_member_i64(out, "requests", (int64_t)session->counters.requests);
    tg_json_member_i64(out, "batches", (int64_t)source->counters.batches);
    tg_json_member_i64(out, "slowed", (int64_t)source->counters.slowed);
    tg_json_member_i64(out, "pace_ms", tg_pace_ms(&source->pace));
    tg_json_member_i64(out, "waiting", source->waiting_count);
    tg_json_member_bool(out, "clock_stopped", session->frozen);
    if (session->zone.known) {
        tg_json_member_i64(out, "utc_offset_s", session->zone.offset_s);
        tg_json_member_i64(out, "clock_apart_s", session->zone.skew_ms / 1000);
    }
    tg_json_close(out, '}');
}
