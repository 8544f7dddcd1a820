/* The cap is kept by the allocator, so nothing that Lua can do gets around it. LuaJIT does not
 * collect before it gives up, hence the early pace of the collector.
 *
 * An allocation that is refused while compiled code is left for the interpreter crashes this
 * LuaJIT: it throws with a stack that is restored by half. So in a VM that is at work, the first
 * byte over the cap stops the rule (the leash's own way) and is granted; only what no rule in its
 * right mind asks for at once, or what comes in spite of that, is refused. A candidate has the JIT
 * off, so it is refused plainly. */
#include "script/vm.h"

#include "base/embedded.h"

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define GC_PAUSE 110 /* percent of what is in use at which the next collection starts */

static const char prefix[] = "lua/";
static int64_t lost;

/* Over the cap: what is granted to a VM at work. */
static bool is_granted(struct tg_vm *vm, size_t more)
{
    if (!vm->pinch) return false;
    vm->pinch(vm->L);
    return (int64_t)more <= vm->cap / 4 && vm->used + (int64_t)more <= vm->cap * 2;
}

static void *allocate(void *ud, void *block, size_t old, size_t size)
{
    struct tg_vm *vm = ud;
    if (!size) {
        vm->used -= (int64_t)old;
        free(block);
        return NULL;
    }
    if (size > old && vm->used + (int64_t)(size - old) > vm->cap && !is_granted(vm, size - old)) {
        vm->refused = true;
        return NULL;
    }
    void *moved = realloc(block, size);
    if (moved)
        vm->used += (int64_t)size - (int64_t)old;
    else
        vm->refused = true;
    return moved;
}

static int load_module(lua_State *L)
{
    const struct tg_embedded *file = lua_touserdata(L, lua_upvalueindex(1));
    char name[80];
    (void)snprintf(name, sizeof name, "@%s", file->path);
    if (luaL_loadbuffer(L, file->text, file->len, name)) return lua_error(L);
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

static int open_state(lua_State *L)
{
    luaL_openlibs(L);
    lua_gc(L, LUA_GCSETPAUSE, GC_PAUSE);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    for (const struct tg_embedded *file = tg_embedded_files; file->path; file++) {
        size_t len = strlen(file->path);
        if (strncmp(file->path, prefix, sizeof prefix - 1) != 0) continue;
        lua_pushlstring(L, file->path + sizeof prefix - 1, len - (sizeof prefix - 1) - 4);
        lua_pushlightuserdata(L, (void *)(uintptr_t)file);
        lua_pushcclosure(L, load_module, 1);
        lua_rawset(L, -3);
    }
    return 0;
}

int tg_vm_init(struct tg_vm *vm, int64_t cap)
{
    *vm = (struct tg_vm){.cap = cap};
    vm->L = lua_newstate(allocate, vm);
    if (!vm->L) return -TG_ENOMEM;
    if (tg_vm_call(vm, open_state, NULL, NULL)) {
        tg_vm_fini(vm);
        return -TG_ENOMEM;
    }
    tg_vm_compiles(vm, false);
    return 0;
}

void tg_vm_compiles(struct tg_vm *vm, bool on)
{
    (void)luaJIT_setmode(vm->L, 0, LUAJIT_MODE_ENGINE | (on ? LUAJIT_MODE_ON : LUAJIT_MODE_OFF));
}

void tg_vm_fini(struct tg_vm *vm)
{
    if (vm->L) lua_close(vm->L);
    vm->L = NULL;
    lost += vm->used;
    vm->used = 0;
}

int64_t tg_vm_lost(void)
{
    return lost;
}

int tg_vm_call(struct tg_vm *vm, lua_CFunction body, void *arg, struct tg_err *err)
{
    int rc = lua_cpcall(vm->L, body, arg);
    if (!rc) return 0;
    const char *text = lua_type(vm->L, -1) == LUA_TSTRING ? lua_tostring(vm->L, -1) : NULL;
    (void)tg_fail(err, TG_EINVAL, "%s", text ? text : "an error that is not a text");
    lua_settop(vm->L, 0);
    return rc;
}

static int collect(lua_State *L)
{
    lua_gc(L, LUA_GCCOLLECT, 0);
    return 0;
}

void tg_vm_collect(struct tg_vm *vm)
{
    (void)tg_vm_call(vm, collect, NULL, NULL);
}
