/* An explanation as text for people. */
#pragma once

#include "base/buf.h"
#include "base/json.h"

/* Appends a parsed answer of GET /admin/accounts/{id}/explain as lines: one for each poll with what
 * it changed, and one below it for each rule. What a gateway sends is made safe for a terminal. 0,
 * or -TG_EINVAL when it is no such answer. */
int tg_explain_text(const struct tg_json *answer, struct tg_buf *out);
