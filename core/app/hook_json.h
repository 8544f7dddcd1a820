/* JSON documents as Lua values, for hooks. */
#pragma once

#include "base/json.h"

#include <lua.h>

/* Pushes the value at `at`. A member that is null is not there; null in a list is false, so that
 * its places stay. Whole numbers beyond 2^53 become texts with their digits, because a Lua number
 * would make another one of them. May raise (memory). */
void tgl_json_push(lua_State *lua, const struct tg_json *json, uint32_t at);
