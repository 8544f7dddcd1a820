/* A trace: what the rules did with each poll of the last minutes, to be explained when asked. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "model/account.h"
#include "script/bridge.h"

#include <stdbool.h>
#include <stdint.h>

struct tg_generation;
struct tg_run;
struct tg_script_receipt;
struct tg_trace;

/* The oldest entries make room for the newest; what is older than `seconds` is kept while there is
 * room and not told. NULL when memory is short, or `bytes` is under
 * TG_TRACE_BYTES_MIN. */
#define TG_TRACE_BYTES_MIN 65536
struct tg_trace *tg_trace_new(int64_t bytes, int seconds);
void tg_trace_free(struct tg_trace *trace);

/* Notes the rules of a generation that begins to work: entries name them by index. */
void tg_trace_cast(struct tg_trace *trace, const struct tg_generation *generation);

/* Notes a run whose steps have been walked and whose events are not emitted yet. */
void tg_trace_run(struct tg_trace *trace, struct tg_generation *generation, struct tg_run *run);

/* Notes a poll that woke no rule. */
void tg_trace_idle(struct tg_trace *trace, const struct tg_generation *generation,
                   const struct tg_account *account, int64_t wall_ms);

/* Notes a moment that is told and not polled: the status of the source, a client that came. Where
 * rules listen, tg_trace_run notes it. */
void tg_trace_told(struct tg_trace *trace, const struct tg_generation *generation,
                   const struct tg_account *account, int64_t wall_ms, int kind, const char *what);

/* Completes an event that tg_trace_run noted at `at` (0: it was not): what became of it,
 * and one more class of clients that its rule's `to` let have it, or not. */
void tg_trace_sent(struct tg_trace *trace, uint64_t at, const struct tg_script_receipt *receipt);
void tg_trace_permit(struct tg_trace *trace, uint64_t at, bool yes);

/* What to explain; the limits are set. */
struct tg_trace_question {
    const char *account_id, *type;
    int64_t since_wall_ms;
    uint32_t limit;
};

/* Appends the answer (see tg_script_explain). `generation` is the one that works now. 0 or
 * -TG_ENOMEM. */
int tg_trace_explain(const struct tg_trace *trace, const struct tg_generation *generation,
                     const struct tg_trace_question *question, struct tg_buf *out);
