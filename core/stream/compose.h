/* Composition: the text of an event and of a snapshot, the gateway's members around the rule's. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Member names (the rules' envelope). `payload` "" = the payload's members stand beside ours. */
struct tg_channel_names {
    const char *type, *seq, *rev, *timestamp, *payload;
};

/* Appends `{type, seq or rev, timestamp, payload…}`. `payload` is one JSON object without blanks
 * around it; its text is kept as it is. Returns the length of the first part, up to and with the
 * type's value: it is alike exactly in messages of one type and one envelope. */
size_t tg_compose_event(struct tg_buf *out, const struct tg_channel_names *names, bool latest,
                        const char *type, uint64_t number, int64_t wall_ms, const char *payload,
                        size_t len);

/* Appends `{type, seq, rev, timestamp, members…, cached, cache_age_seconds}`. The age is whole
 * seconds, 0 when not cached, null when `age_ms` < 0. */
void tg_compose_snapshot(struct tg_buf *out, const struct tg_channel_names *names, uint64_t seq,
                         uint64_t rev, int64_t wall_ms, const char *members, size_t len,
                         bool cached, int64_t age_ms);
