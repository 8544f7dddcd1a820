/* The payload is text that the rules' encoder has made and checked; it is spliced, not parsed. What
 * would break it is a payload that is no object: that is our own mistake, never a client's or an
 * operator's, and stops the process rather than put half a message before someone's money. */
#include "stream/compose.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"

static void put_payload(struct tg_buf *out, const char *name, const char *payload, size_t len)
{
    tg_must(len >= 2 && payload[0] == '{' && payload[len - 1] == '}');
    if (*name) {
        tg_json_key(out, name);
        tg_json_raw(out, payload, len);
    } else if (len > 2) {
        tg_json_raw(out, payload + 1, len - 2);
    }
}

size_t tg_compose_event(struct tg_buf *out, const struct tg_channel_names *names, bool latest,
                        const char *type, uint64_t number, int64_t wall_ms, const char *payload,
                        size_t len)
{
    size_t start = out->len;
    tg_json_open(out, '{');
    tg_json_key(out, names->type);
    tg_json_text(out, type);
    size_t head = out->len - start;
    tg_json_member_u64(out, latest ? names->rev : names->seq, number);
    tg_json_member_time(out, names->timestamp, wall_ms);
    put_payload(out, names->payload, payload, len);
    tg_json_close(out, '}');
    return head;
}

void tg_compose_snapshot(struct tg_buf *out, const struct tg_channel_names *names, uint64_t seq,
                         uint64_t rev, int64_t wall_ms, const char *members, size_t len,
                         bool cached, int64_t age_ms)
{
    tg_json_open(out, '{');
    tg_json_key(out, names->type);
    tg_json_text(out, "snapshot");
    tg_json_member_u64(out, names->seq, seq);
    tg_json_member_u64(out, names->rev, rev);
    tg_json_member_time(out, names->timestamp, wall_ms);
    put_payload(out, names->payload, members, len);
    tg_json_member_bool(out, "cached", cached);
    tg_json_key(out, "cache_age_seconds");
    if (age_ms < 0)
        tg_json_text(out, NULL);
    else
        tg_json_i64(out, cached ? age_ms / 1000 : 0);
    tg_json_close(out, '}');
}
