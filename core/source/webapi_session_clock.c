/* The server's clock: what it is ahead of UTC, how far it is from ours, and whether it moves. */
#include "source/webapi_session_inner.h"

#include "base/log.h"
#include "base/text.h"
#include "source/webapi_read.h"

#include <string.h>

#define HOUR_MS 3600000
#define QUARTER_MS 900000
#define TELLING_MS 2900 /* times are told in whole seconds: less than this tells nothing */

void tg_webapi_session_ask_time(struct tg_webapi_session *session, bool server)
{
    const struct tg_webapi_request request = {.command = server ? TG_WEBAPI_TIME_SERVER
                                                                : TG_WEBAPI_TIME_GET};
    session->server_asked = server;
    session->checked_ms = session->now_ms;
    if (server)
        session->server_s = 0;
    else
        session->offset_told = false;
    tg_webapi_session_send(session, &request, TG_WEBAPI_TIMING,
                           session->now_ms + session->options->request_ms);
}

/* A server that answers and whose clock stands still answers from a cache, or is stuck: it moved by
 * less than half of what time has passed. One that was set back, or another server's, has moved. */
static void note_clock(struct tg_webapi_session *session)
{
    int64_t elapsed = session->now_ms - session->clock_ms;
    int64_t moved = session->server_s - session->clock_s;
    if (!session->server_s || (session->clock_s && elapsed < TELLING_MS)) return;
    bool frozen = session->clock_s && moved >= 0 && moved * 2000 < elapsed;
    if (frozen && !session->frozen)
        tg_warn("source", "clock_stopped", tg_i("server_s", session->server_s));
    if (!frozen && session->frozen) tg_info("source", "clock_moves", tg_i("behind_s", moved));
    session->frozen = frozen;
    session->clock_s = session->server_s;
    session->clock_ms = session->now_ms;
}

/* Zones lie whole quarters of an hour apart: a server's clock that is further from ours than half
 * of one, its offset taken off, has another offset than it says or is told to have, or one of the
 * two clocks is wrong. Its times would be told as much too early or too late. */
static void note_apart(struct tg_webapi_session *session)
{
    int64_t skew_ms = session->zone.skew_ms;
    bool apart = skew_ms > QUARTER_MS / 2 || skew_ms < -QUARTER_MS / 2;
    if (apart && !session->apart)
        tg_warn("source", "clock_apart", tg_i("seconds", skew_ms / 1000),
                tg_i("utc_offset_s", session->zone.offset_s));
    session->apart = apart;
}

/* The offset from the server's zone, or, when it does not say, from its clock and ours, which
 * differ by whole quarters of an hour and a little. */
static void take_clock(struct tg_webapi_session *session)
{
    const struct tg_webapi_session_options *options = session->options;
    int64_t server_ms = session->server_s * 1000, apart = server_ms - session->wall_ms;
    bool server_told = session->server_s > 0;
    int64_t offset_s = session->zone.offset_s;
    if (options->offset_fixed) {
        offset_s = options->offset_s;
    } else if (session->offset_told) {
        offset_s = session->offset_s;
    } else if (server_told) {
        offset_s = (apart + (apart < 0 ? -QUARTER_MS : QUARTER_MS) / 2) / QUARTER_MS * 900;
    } else if (!session->zone.known) {
        tg_webapi_session_fail(session, TG_POLL_FAILED, "NO_SERVER_TIME",
                               "the server tells neither its zone nor its time: set utc_offset");
        return;
    }
    if (tg_webapi_zone_set(&session->zone, (int32_t)offset_s, session->wall_ms + offset_s * 1000) &&
        session->zone.count)
        tg_info("source", "utc_offset_changed", tg_i("utc_offset_s", offset_s));
    if (server_told && !session->frozen) session->zone.skew_ms = apart - offset_s * 1000;
    note_apart(session);
    session->timed_ms = session->now_ms;
    session->hour = session->wall_ms / HOUR_MS;
    tg_webapi_session_become_ready(session);
}

void tg_webapi_session_take_time(struct tg_webapi_session *session,
                                 const struct tg_webapi_answer *answer)
{
    const char *time = tg_webapi_fields_get(answer->fields, "TIME");
    const char *zone = tg_webapi_fields_get(answer->fields, "TIMEZONE");
    const char *summer = tg_webapi_fields_get(answer->fields, "DAYLIGHTSTATE");
    const char *saving = tg_webapi_fields_get(answer->fields, "DAYLIGHT");
    bool unsaid = !summer && saving && *saving != '0';
    int64_t minutes;
    if (session->server_asked) {
        if (time && !session->server_s)
            (void)tg_webapi_read_time_text(time, strlen(time), &session->server_s);
        note_clock(session);
        if (session->checking)
            tg_webapi_session_become_ready(session);
        else
            take_clock(session);
        return;
    }
    if (zone && !unsaid && !session->offset_told && !tg_read_i64(zone, strlen(zone), &minutes) &&
        minutes >= -14 * 60 && minutes <= 14 * 60) {
        session->offset_s = (int32_t)minutes * 60 + (summer && *summer != '0' ? 3600 : 0);
        session->offset_told = true;
    }
    tg_webapi_session_ask_time(session, true);
}

/* Summer time begins and ends at whole hours, so a new hour is a reason to look at the clock. */
void tg_webapi_session_rest(struct tg_webapi_session *session, int64_t now_ms, int64_t wall_ms)
{
    session->now_ms = now_ms;
    session->wall_ms = wall_ms;
    if (session->state != TG_WEBAPI_READY) return;
    bool due = now_ms - session->timed_ms >= session->options->time_ms ||
               (session->hour != wall_ms / HOUR_MS && wall_ms % HOUR_MS >= 2000);
    bool check = now_ms - session->checked_ms >= session->options->check_ms;
    if (!due && !check) return;
    session->checking = !due;
    tg_webapi_session_ask_time(session, session->checking || session->options->offset_fixed);
}
