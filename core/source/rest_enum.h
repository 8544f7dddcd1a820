/* Enumerations as MT5 services spell them. */
#pragma once

#include "base/json.h"
#include "model/field.h"

/* The index of an ENUM field's value: our own name, MQL5's constant with or without its prefix
 * (POSITION_TYPE_BUY, DEAL_REASON_SO), both without case, or MQL5's number. 0, or -TG_EINVAL when
 * the value is none of these; then what is not needed to follow positions (reason, modes) is
 * unknown instead, and an unheard-of deal type is "other". */
int tg_rest_enum(const struct tg_field *field, const struct tg_json_token *token, int32_t *out);
