/* The sandbox in which gateway.lua runs, once, to say what it wants. */
#pragma once

#include "app/config_scan.h"
#include "base/buf.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#define TG_CONFIG_STEPS 10000000      /* VM instructions the file may take */
#define TG_CONFIG_MEMORY_MB 64        /* all it may allocate */
#define TG_CONFIG_FILE_BYTES 16777216 /* of gateway.lua, and of one file() */

#define TG_CONFIG_FUNCTIONS 128 /* that a file may give */

struct tg_config_sandbox {
    lua_State *lua; /* the file's table is on top of its stack */
    size_t used;    /* bytes */
    size_t memory;  /* all it may allocate; 0: TG_CONFIG_MEMORY_MB */
    int steps;      /* instructions, in thousands */
    int functions;  /* kept by tg_config_sandbox_keep */
    bool over;      /* the file has been read: env and file are gone */
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
/* Keeps the function on top of the stack for the time after the file; its number, from 1 on, or 0
 * when there are too many. Allocates nothing. */
int tg_config_sandbox_keep(lua_State *lua);

/* Ends the reading: the file's table is let go, what the file borrowed is forgotten, and only the
 * functions that were kept live on. */
void tg_config_sandbox_over(struct tg_config_sandbox *sandbox);

/* Pushes a kept function. */
void tg_config_sandbox_push(lua_State *lua, int number);

/* Appends the error on top of the stack with the file's name in place of Lua's name for it. */
void tg_config_sandbox_explain(const struct tg_config_sandbox *sandbox, struct tg_buf *why);

void tg_config_sandbox_fini(struct tg_config_sandbox *sandbox);

/* Reads a whole file of at most `max` bytes. 0, -TG_EIO (errno says why), -TG_ELIMIT, -TG_ENOMEM.
 */
int tg_config_slurp(const char *path, size_t max, struct tg_buf *out);
