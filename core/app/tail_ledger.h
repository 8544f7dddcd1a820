/* The ledger of a stream: what a client has received, so that it can tell what is missing. */
#pragma once

#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

struct tg_tail_ledger {
    char epoch[64];   /* "": none yet */
    uint64_t seq;     /* newest ordered event that is accounted for */
    uint64_t counted; /* ordered events since `connected` */
    bool renamed;     /* the rules rename members, so ordered events cannot be told apart */
};

/* What a message means for completeness. */
struct tg_tail_note {
    uint64_t lost;   /* `pong` proves that so many ordered events of this connection are missing */
    uint64_t extra;  /* … or that more came than were sent */
    uint64_t missed; /* `connected` shows that so many happened while we were away */
    bool reset;      /* `connected` has a new epoch: what was known before is void */
    bool proved;     /* `pong` proves that nothing is missing */
};

/* Takes a parsed message in; `type` is its type, or "" when it has none. */
struct tg_tail_note tg_tail_ledger_take(struct tg_tail_ledger *ledger, const struct tg_json *json,
                                        const char *type);

/* Whether a type is one of the protocol's own and not an event of the rules. */
bool tg_tail_is_control(const char *type);
