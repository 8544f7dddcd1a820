/* The reader: from a Lua table and the schema to struct tg_config. */
#pragma once

#include "app/config.h"
#include "app/config_faults.h"
#include "app/config_schema.h"
#include "base/map.h"

#include <lua.h>

/* Fill the pointers, zero the rest. */
struct tg_config_reader {
    lua_State *lua;
    const char *here; /* absolute folder that relative paths start from */
    struct tg_config *config;
    struct tg_config_faults *faults;
    struct tg_map given; /* paths of the fields that the file gives, for tg_config_is_given */
    struct tg_buf path;  /* where reading stands */
    bool failed;         /* out of memory */
};

/* Puts the schema's defaults into a zeroed config. 0 or -TG_ENOMEM. */
int tg_config_defaults(struct tg_config *config);

/* Reads the table on top of the Lua stack over the defaults; what is wrong becomes a fault. Never
 * raises a Lua error: it neither allocates in Lua nor calls metamethods. 0 or -TG_ENOMEM. */
int tg_config_reader_run(struct tg_config_reader *reader);

/* Whether the file gave that key ("source.url"). */
bool tg_config_is_given(const struct tg_config_reader *reader, const char *path);

void tg_config_reader_fini(struct tg_config_reader *reader);

/* Frees what the schema's fields own in a config. */
void tg_config_release(struct tg_config *config);
