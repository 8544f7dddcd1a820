/* The leash stands on an interplay of LuaJIT's parts that nobody promised. So it is not believed
 * but tried, in every process, before the first rule runs. */
#include "script/canary.h"

#include "script/leash.h"

#include <lauxlib.h>
#include <lualib.h>

#define BUDGET_MS 5

/* The loop ends by itself, late, so that a leash that does not hold costs half a second and not the
 * process, which the leash ends after five. What pcall catches must not keep it alive. */
static const char loop[] = "local n = 0\n"
                           "for _ = 1, 40 do\n"
                           "  pcall(function()\n"
                           "    for i = 1, 2e6 do\n"
                           "      n = n + i % 7\n"
                           "    end\n"
                           "  end)\n"
                           "end\n"
                           "return n\n";

static int run(lua_State *L)
{
    luaL_openlibs(L);
    if (luaL_loadstring(L, loop)) return lua_error(L);
    lua_call(L, 0, 1);
    return 0;
}

bool tg_canary_dies(void)
{
    struct tg_leash_report report;
    lua_State *L = luaL_newstate();
    if (!L) return false;
    tg_leash_enter(L, BUDGET_MS, false);
    tg_leash_begin();
    int rc = lua_cpcall(L, run, NULL);
    tg_leash_leave(&report);
    tg_leash_forget(L);
    lua_close(L);
    return rc != 0 && report.rung;
}
