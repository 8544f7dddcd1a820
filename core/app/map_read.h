/* What a map function answered, read into records. */
#pragma once

#include "source/rest_error.h"
#include "source/source.h"

#include <lua.h>

/* An answer that is being read. */
struct tg_map_answer {
    const struct tg_http_document *document; /* that it is about */
    struct tg_records *records;
    struct tg_rest_verdict verdict; /* why it is worth nothing, when `rc` is not 0 */
    int rc;
};

/* Reads the table at index 1. May raise (memory); the answer then is what the caller makes of it.
 * Only parts that the table has become known, and all of them or none. */
void tg_map_read(lua_State *lua, struct tg_map_answer *answer);
