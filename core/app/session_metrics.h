/* How sessions with servers fare, in Prometheus text format. */
#pragma once

#include "app/scheduler.h"
#include "base/buf.h"

/* Appends a family for each figure, with a sample for each source that has a session. */
void tg_session_metrics(const struct tg_scheduler *scheduler, struct tg_buf *out);
