/* A payload: a Lua value as JSON text, and JSON text as a Lua value. */
#pragma once

#include "base/json.h"

#include <lua.h>
#include <stddef.h>

#define TG_PAYLOAD_DEPTH 16

/* What a payload may not be, for one writing. */
struct tg_payload_bounds {
    size_t bytes;     /* of JSON text */
    const char *name; /* how the value is called in errors: "payload" */
};

/* Appends the value at `index` as JSON. Member names are sorted, so the same value gives the same
 * bytes. A number is written with at most 15 significant digits, which hides what binary fractions
 * add. False with a sentence in `err` that names the path ("payload.zone[2] is NaN"): not finite, a
 * function or view, a key that is neither text nor a list's index, too deep (or a cycle), too big.
 * Runs no Lua code. */
bool tg_payload_write(lua_State *L, int index, const struct tg_payload_bounds *bounds,
                      struct tg_buf *out, struct tg_err *err);

/* Whether the table at that index was marked. */
bool tg_payload_is_list(lua_State *L, int index);

/* Marks the table at `index` as a list, so that it is `[]` when it is empty. */
void tg_payload_mark_list(lua_State *L, int index);

/* Pushes a parsed value: null is nil (absent), integers that a number does not hold exactly are
 * texts of their digits. May raise an error (memory). */
void tg_payload_push(lua_State *L, const struct tg_json *json, uint32_t token);
