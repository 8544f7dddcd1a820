/* Hooks: the functions of gateway.lua that are called while the gateway runs. */
#pragma once

#include "app/config_sandbox.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

enum tg_hook_kind {
    TG_HOOK_ROUTE,     /* route(account_id) */
    TG_HOOK_MAP,       /* source.map(name, document, context) */
    TG_HOOK_AUTHORIZE, /* auth.authorize(claims, account_id) */
    TG_HOOKS,
};

struct tg_hooks_counters {
    uint64_t calls[TG_HOOKS], faults[TG_HOOKS];
};

/* The VM of one configuration with the functions it kept. */
struct tg_hooks {
    struct tg_config_sandbox sandbox;
    char *file;
    int budget_ms;
    int authorize; /* the kept function, 0: none */
    bool held;     /* the leash */
    struct tg_hooks_counters counters;
};

/* A call: both functions run inside the VM, protected, and may raise errors and allocate. */
struct tg_hook_call {
    enum tg_hook_kind kind;
    int function; /* as kept by the sandbox */
    int results;
    int (*push)(lua_State *lua, void *arg);  /* pushes the arguments, answers how many */
    void (*take)(lua_State *lua, void *arg); /* reads the results at 1 … results */
    void *arg;
};

/* Empty hooks, whose sandbox the configuration is read in. NULL when memory is short. */
struct tg_hooks *tg_hooks_new(void);

/* Ends the reading (tg_config_sandbox_over). 0 or -TG_ENOMEM. */
int tg_hooks_ready(struct tg_hooks *hooks, int budget_ms, size_t memory_bytes);

/* NULL is allowed. */
void tg_hooks_free(struct tg_hooks *hooks);

/* Calls a function under the leash. 0, or -TG_EINVAL with file, line and reason: it raised an
 * error, ran for too long, took too much memory, or `take` did not like its results. Not from
 * within a run of the rules or another hook. */
int tg_hooks_call(struct tg_hooks *hooks, const struct tg_hook_call *call, struct tg_err *err);

/* Appends the metrics of hooks; `hooks` may be NULL. */
void tg_hooks_metrics(const struct tg_hooks *hooks, struct tg_buf *out);
