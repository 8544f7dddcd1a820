/* The sandbox in which gateway.lua runs, once, to say what it wants. */
#pragma once

#include "app/config_scan.h"
#include "base/buf.h"

#include <lua.h>
#include <stddef.h>

#define TG_CONFIG_STEPS 10000000      /* VM instructions the file may take */
#define TG_CONFIG_MEMORY_MB 64        /* all it may allocate */
#define TG_CONFIG_FILE_BYTES 16777216 /* of gateway.lua, and of one file() */

struct tg_config_sandbox {
    lua_State *lua; /* the file's table is on top of its stack */
    size_t used;    /* bytes */
    int steps;      /* instructions, in thousands */
    struct tg_buf scratch;
    const char *file, *here;
    const struct tg_config_scan *scan;
};

/* Runs the source (zero the struct, fill `file`, `here` and `scan`) with `env`, `file`, `here`, the
 * harmless parts of the standard library, and nothing else. `file` is the name for messages, `here`
 * the absolute folder for `file()`; both are borrowed until the end, as is `scan`, which finds the
 * key that an `env` stands for. On failure one line `file:line: reason` is appended to `why`. Free
 * with tg_config_sandbox_fini either way.
 */
int tg_config_sandbox_run(struct tg_config_sandbox *sandbox, const char *source, size_t len,
                          struct tg_buf *why);
void tg_config_sandbox_fini(struct tg_config_sandbox *sandbox);

/* Reads a whole file of at most `max` bytes. 0, -TG_EIO (errno says why), -TG_ELIMIT, -TG_ENOMEM.
 */
int tg_config_slurp(const char *path, size_t max, struct tg_buf *out);
