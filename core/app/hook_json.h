/* JSON documents as Lua values, for hooks. */
#pragma once

#include "base/json.h"

#include <lua.h>

/* Pushes the value at `at`. A member that is null is not there; null in a list is false, so that
 * its places stay. Whole numbers from 2^53 on become texts with their digits, because a Lua number
 * would make another one of them. May raise (memory). */
void tgl_json_push(lua_State *lua, const struct tg_json *json, uint32_t at);

/* Whether the table at `index` came out of a document as a list, or as an object. */
bool tgl_json_is_list(lua_State *lua, int index);
bool tgl_json_is_object(lua_State *lua, int index);
