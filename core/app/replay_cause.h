/* A cause: what of an account's input a rule can have spoken for, in words and as JSON. */
#pragma once

#include "app/replay.h"
#include "base/buf.h"
#include "model/account.h"

/* Appends it as a person reads it, on one line: "equity 10000.00 → 9950.00, position_closed 41". */
void tg_cause_text(struct tg_buf *out, const struct tg_replay_input *input,
                   const struct tg_account *account);

/* Appends it as JSON: {"note":"poll","fields":{"equity":{"old":…,"new":…}},"moments":[…]}. */
void tg_cause_json(struct tg_buf *out, const struct tg_replay_input *input,
                   const struct tg_account *account);
