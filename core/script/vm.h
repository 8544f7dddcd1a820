/* A VM: one Lua state with a cap on its memory and the product's runtime inside. */
#pragma once

#include "base/err.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tg_vm {
    lua_State *L;
    int64_t used, cap; /* bytes */
    /* Told when an allocation goes over the cap: stops the rule that runs, if one does; the
     * allocation is then granted. NULL: it is refused. */
    void (*pinch)(lua_State *L);
    bool refused; /* an allocation was; whoever reads it takes it back */
};

/* A state with LuaJIT's libraries, in which `require "view"` finds lua/view.lua of the runtime. The
 * cap counts from here on, nothing is compiled yet. 0 or -TG_ENOMEM. */
int tg_vm_init(struct tg_vm *vm, int64_t cap);

/* Whether hot code is compiled from here on; a new VM does not. */
void tg_vm_compiles(struct tg_vm *vm, bool on);

void tg_vm_fini(struct tg_vm *vm);

/* Bytes that VMs did not give back when they were closed: 0, or something is wrong. */
int64_t tg_vm_lost(void);

/* Runs `body(L)` with `arg` as a light userdata at index 1, protected: every call into a VM goes
 * through here, because even pushing a string may throw. 0, or the Lua status (LUA_ERRMEM, …) with
 * the sentence in `err` (NULL: not wanted). */
int tg_vm_call(struct tg_vm *vm, lua_CFunction body, void *arg, struct tg_err *err);

/* Collects all garbage. */
void tg_vm_collect(struct tg_vm *vm);
