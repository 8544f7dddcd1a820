/* What somebody was granted: an account id, a list of them, or "*" for every account. */
#pragma once

#include "base/json.h"

/* Whether the value at `index` grants the account. Ids are compared byte by byte. A number stands
 * for its own digits (MetaTrader's account ids are logins). Whatever is neither a string nor such a
 * number grants nothing. */
bool tg_grant_covers(const struct tg_json *json, uint32_t index, const char *account_id);

/* Whether the value is nothing but ids (of the form that tg_grant_covers can ever match) and "*".
 */
bool tg_grant_valid(const struct tg_json *json, uint32_t index);
