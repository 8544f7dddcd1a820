/* The interpreter of the unit specs in the sanitized build: LuaJIT whose memory comes from malloc.
 *
 * LuaJIT's own allocator cuts what ffi.new gives from chunks that AddressSanitizer does not know,
 * so a spec that lends C one byte too few overwrites the interpreter's heap and some other spec
 * crashes, much later. Here each object is a block of its own, and the first wrong byte is told
 * with the stack that wrote it.
 *
 *   spec_host script.lua [argument…]      spec_host /usr/bin/busted --run=unit
 *
 * Lines are written when they end: whatever crashes, what was said before is there to read. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

/* Nobody looks for leaks: the specs borrow, and the interpreter that runs them is not ours. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=0:detect_odr_violation=0";
}

static void *allocate(void *ud, void *block, size_t old, size_t size)
{
    (void)ud;
    (void)old;
    if (size) return realloc(block, size);
    free(block);
    return NULL;
}

struct command {
    int argc;
    char **argv;
};

/* `arg` as luajit makes it: the script at 0, this program at -1. */
static void set_arguments(lua_State *L, const struct command *command)
{
    lua_createtable(L, command->argc, 1);
    for (int i = 0; i < command->argc; i++) {
        lua_pushstring(L, command->argv[i]);
        lua_rawseti(L, -2, i - 1);
    }
    lua_setglobal(L, "arg");
}

/* No value is no message: so a script ends with a failure that it has told already. */
static int with_traceback(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) return 1;
    luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

static int run(lua_State *L)
{
    const struct command *command = lua_touserdata(L, 1);
    luaL_openlibs(L);
    set_arguments(L, command);
    lua_pushcfunction(L, with_traceback);
    if (luaL_loadfile(L, command->argv[1])) return lua_error(L);
    for (int i = 2; i < command->argc; i++)
        lua_pushstring(L, command->argv[i]);
    if (lua_pcall(L, command->argc - 2, 0, 2)) return lua_error(L);
    return 0;
}

int main(int argc, char **argv)
{
    struct command command = {argc, argv};
    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s script.lua [argument…]\n", argv[0]);
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    lua_State *L = lua_newstate(allocate, NULL);
    if (!L) {
        (void)fprintf(stderr, "%s: no memory for an interpreter\n", argv[0]);
        return 3;
    }
    int rc = lua_cpcall(L, run, &command);
    if (rc && !lua_isnil(L, -1)) (void)fprintf(stderr, "%s: %s\n", argv[0], lua_tostring(L, -1));
    lua_close(L);
    return rc ? 1 : 0;
}
