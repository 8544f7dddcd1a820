/* What boot.lua is given: the bridge, the fields, and the C functions that need the Lua API. */
#pragma once

#include "script/generation.h"

/* Pushes the table. May raise an error (memory). */
void tg_native_push(lua_State *L, struct tg_generation *generation);
