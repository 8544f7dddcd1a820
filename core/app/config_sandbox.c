/* A configuration is a program here, because `env "SECRET"` and a loop over accounts are worth it.
 * It is the operator's own program, so the walls are against accidents, not against an enemy: no
 * endless loop at a reload of a running gateway, no memory eaten, no reaching out beyond reading
 * environment and files, and no typo that Lua would quietly read as nil.
 *
 * The compiler is off, because compiled loops run past count hooks. There is no pcall in the
 * sandbox, so nothing can catch the end that the hook makes. */
#include "app/config_sandbox_inner.h"

#include "base/err.h"

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK "config" /* how Lua calls the file; replaced by its real name in messages */
#define FUNCTIONS "tidegate.functions"
#define HOOK_STEPS 1000

static void *allocate(void *ctx, void *block, size_t before, size_t after)
{
    struct tg_config_sandbox *sandbox = ctx;
    if (!block) before = 0;
    size_t most = sandbox->memory ? sandbox->memory : TG_CONFIG_MEMORY_MB * 1048576ul;
    if (after > before && sandbox->used + (after - before) > most) return NULL;
    if (!after) {
        if (block) explicit_bzero(block, before); /* it may have held a secret */
        sandbox->used -= before;
        free(block);
        return NULL;
    }
    void *moved = realloc(block, after);
    if (moved) sandbox->used = sandbox->used - before + after;
    return moved;
}

struct tg_config_sandbox *tg_config_sandbox_of(lua_State *lua)
{
    void *ctx;
    (void)lua_getallocf(lua, &ctx);
    return ctx;
}

static void on_steps(lua_State *lua, lua_Debug *debug)
{
    (void)debug;
    if (++tg_config_sandbox_of(lua)->steps <= TG_CONFIG_STEPS / HOOK_STEPS) return;
    luaL_where(lua, 0); /* in a hook, level 0 is what runs */
    lua_pushfstring(lua, "the file does not come to an end (more than %d steps)", TG_CONFIG_STEPS);
    lua_concat(lua, 2);
    lua_error(lua);
}

struct job {
    const char *source;
    size_t len;
};

static void open_library(lua_State *lua, lua_CFunction open, const char *name)
{
    lua_pushcfunction(lua, open);
    lua_pushstring(lua, name);
    lua_call(lua, 1, 0);
}

/* Runs protected: every failure, out of memory too, ends in the caller's lua_pcall. */
static int l_run(lua_State *lua)
{
    const struct job *job = lua_touserdata(lua, 1);
    open_library(lua, luaopen_base, "");
    open_library(lua, luaopen_string, LUA_STRLIBNAME);
    open_library(lua, luaopen_table, LUA_TABLIBNAME);
    open_library(lua, luaopen_math, LUA_MATHLIBNAME);
    open_library(lua, luaopen_debug, LUA_DBLIBNAME);
    tg_config_sandbox_bound(lua);
    lua_createtable(lua, TG_CONFIG_FUNCTIONS, 0);
    for (int i = 1; i <= TG_CONFIG_FUNCTIONS; i++) { /* places, so that keeping allocates nothing */
        lua_pushboolean(lua, false);
        lua_rawseti(lua, -2, i);
    }
    lua_setfield(lua, LUA_REGISTRYINDEX, FUNCTIONS);
    lua_newtable(lua);
    lua_setfield(lua, LUA_REGISTRYINDEX, TG_CONFIG_MAPPINGS);
    (void)luaJIT_setmode(lua, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    if (luaL_loadbufferx(lua, job->source, job->len, "@" CHUNK, "t")) return lua_error(lua);
    tg_config_sandbox_environment(lua);
    lua_setfenv(lua, -2);
    lua_sethook(lua, on_steps, LUA_MASKCOUNT, HOOK_STEPS);
    lua_call(lua, 0, 1);
    luaL_checkstack(lua, 64, "reading the configuration");
    if (lua_istable(lua, -1)) tg_config_mappings_take(lua);
    lua_sethook(lua, NULL, 0, 0);
    if (!lua_istable(lua, -1)) {
        lua_pushfstring(lua, CHUNK ":0: the file must return a table, and returns %s",
                        lua_isnil(lua, -1) ? "nothing" : luaL_typename(lua, -1));
        return lua_error(lua);
    }
    return 1;
}

void tg_config_sandbox_explain(const struct tg_config_sandbox *sandbox, struct tg_buf *why)
{
    const char *text = lua_type(sandbox->lua, -1) == LUA_TSTRING ? lua_tostring(sandbox->lua, -1)
                                                                 : "an error that is no text";
    const char *rest = text + sizeof CHUNK - 1;
    tg_buf_puts(why, sandbox->file);
    if (strncmp(text, CHUNK ":0: ", sizeof CHUNK + 3) == 0)
        tg_buf_puts(why, rest + 2); /* no line to point at */
    else if (strncmp(text, CHUNK ":", sizeof CHUNK) == 0)
        tg_buf_puts(why, rest);
    else
        tg_buf_printf(why, ": %s", text);
}

/* The table of kept functions; its name is a string of the registry, so this allocates nothing. */
static void push_functions(lua_State *lua)
{
    lua_getfield(lua, LUA_REGISTRYINDEX, FUNCTIONS);
}

int tg_config_sandbox_keep(lua_State *lua)
{
    struct tg_config_sandbox *sandbox = tg_config_sandbox_of(lua);
    if (sandbox->functions == TG_CONFIG_FUNCTIONS) return 0;
    push_functions(lua);
    lua_pushvalue(lua, -2);
    lua_rawseti(lua, -2, ++sandbox->functions);
    lua_pop(lua, 1);
    return sandbox->functions;
}

void tg_config_sandbox_push(lua_State *lua, int number)
{
    push_functions(lua);
    lua_rawgeti(lua, -1, number);
    lua_remove(lua, -2);
}

void tg_config_sandbox_over(struct tg_config_sandbox *sandbox)
{
    sandbox->over = true;
    sandbox->scan = NULL;
    sandbox->here = NULL;
    lua_settop(sandbox->lua, 0);
    (void)lua_gc(sandbox->lua, LUA_GCCOLLECT, 0);
    tg_buf_fini(&sandbox->scratch);
}

int tg_config_sandbox_run(struct tg_config_sandbox *sandbox, const char *source, size_t len,
                          struct tg_buf *why)
{
    struct job job = {source, len};
    sandbox->lua = lua_newstate(allocate, sandbox);
    if (!sandbox->lua) return -TG_ENOMEM;
    lua_pushcfunction(sandbox->lua, l_run); /* a light function in an empty state: cannot fail */
    lua_pushlightuserdata(sandbox->lua, &job);
    if (lua_pcall(sandbox->lua, 1, 1, 0) == 0) return 0;
    tg_config_sandbox_explain(sandbox, why);
    tg_buf_putc(why, '\n');
    return -TG_EINVAL;
}

void tg_config_sandbox_fini(struct tg_config_sandbox *sandbox)
{
    if (sandbox->lua) lua_close(sandbox->lua);
    sandbox->lua = NULL;
    tg_buf_fini(&sandbox->scratch);
}
