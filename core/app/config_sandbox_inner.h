/* The inside of the configuration's sandbox, shared by its words and its mappings. */
#pragma once

#include "app/config_sandbox.h"

#define TG_CONFIG_MAPPINGS "tidegate.mappings" /* registry: name → what its file returned */

/* The sandbox that a state belongs to. */
struct tg_config_sandbox *tg_config_sandbox_of(lua_State *lua);

/* Raises that a word is no more, because the file has been read. */
int tg_config_sandbox_refuse(lua_State *lua, const char *word);

/* Pushes a new environment: the words of the configuration and what is harmless of Lua's. */
void tg_config_sandbox_environment(lua_State *lua);

/* Puts bounded functions in the place of those of C that may take long, which no hook can stop
 * (lua/bounded.lua), as methods of texts, too. Leaves nothing on the stack; raises. */
void tg_config_sandbox_bound(lua_State *lua);

/* mapping(name): what the file of a mapping returns, a table with `requests` and `map`. */
int tg_config_mapping(lua_State *lua);

/* Gives the sources of the file's table, which is on top, what their mappings have and they have
 * not. */
void tg_config_mappings_take(lua_State *lua);
