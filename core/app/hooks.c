/* One VM holds them all: it is the one the file ran in, so a hook sees the file's own locals. It
 * stands beside the rules' VM and is entered interpreted (script/leash.h), because hooks are few
 * and short while the bell belongs to the rules. A hook that fails is worth nothing but its own
 * answer: the poll that asked fails, the caller that asked is no owner, and the next call starts
 * afresh. */
#include "app/hooks.h"

#include "base/log.h"
#include "script/leash.h"

#include <lauxlib.h>
#include <string.h>

static const char *const names[TG_HOOKS] = {"route", "map", "authorize"};

struct tg_hooks *tg_hooks_new(void)
{
    return calloc(1, sizeof(struct tg_hooks));
}

int tg_hooks_ready(struct tg_hooks *hooks, int budget_ms, size_t memory_bytes)
{
    hooks->file = strdup(hooks->sandbox.file ? hooks->sandbox.file : "");
    if (!hooks->file) return -TG_ENOMEM;
    tg_config_sandbox_over(&hooks->sandbox);
    hooks->sandbox.file = hooks->file;
    hooks->sandbox.memory = memory_bytes;
    hooks->budget_ms = budget_ms;
    return 0;
}

void tg_hooks_free(struct tg_hooks *hooks)
{
    if (!hooks) return;
    if (hooks->held) tg_leash_forget(hooks->sandbox.lua);
    tg_config_sandbox_fini(&hooks->sandbox);
    if (hooks->held) tg_leash_release();
    free(hooks->file);
    free(hooks);
}

static int l_call(lua_State *lua)
{
    const struct tg_hook_call *call = lua_touserdata(lua, 1);
    lua_settop(lua, 0);
    luaL_checkstack(lua, 64, "a hook's arguments");
    tg_config_sandbox_push(lua, call->function);
    lua_call(lua, call->push(lua, call->arg), call->results);
    call->take(lua, call->arg);
    return 0;
}

/* What went wrong, in one sentence that names the place. */
static void explain(struct tg_hooks *hooks, const struct tg_leash_report *report,
                    struct tg_err *err)
{
    struct tg_buf why = {0};
    tg_config_sandbox_explain(&hooks->sandbox, &why);
    const char *text = why.data ? why.data : "out of memory";
    if (report->rung && !strstr(text, "it ran for too long"))
        (void)tg_fail(err, TG_EINVAL, "%s: %s: it ran for too long", hooks->file, report->where);
    else
        (void)tg_fail(err, TG_EINVAL, "%s", text);
    tg_buf_fini(&why);
}

int tg_hooks_call(struct tg_hooks *hooks, const struct tg_hook_call *call, struct tg_err *err)
{
    struct tg_leash_report report;
    lua_State *lua = hooks->sandbox.lua;
    if (!hooks->held) {
        int rc = tg_leash_hold();
        if (rc) return tg_fail(err, -rc, "hooks: no watchdog: %s", tg_strerror(rc));
        hooks->held = true;
    }
    hooks->counters.calls[call->kind]++;
    tg_leash_enter(lua, hooks->budget_ms, true);
    tg_leash_begin();
    int rc = lua_cpcall(lua, l_call, (void *)(uintptr_t)call);
    tg_leash_leave(&report);
    if (!rc && !report.rung) {
        lua_settop(lua, 0);
        return 0;
    }
    hooks->counters.faults[call->kind]++;
    explain(hooks, &report, err);
    lua_settop(lua, 0);
    if (rc == LUA_ERRMEM) (void)lua_gc(lua, LUA_GCCOLLECT, 0);
    return -TG_EINVAL;
}

void tg_hooks_metrics(const struct tg_hooks *hooks, struct tg_buf *out)
{
    if (!hooks) return;
    tg_buf_puts(out, "# HELP tidegate_hook_calls_total calls of the configuration's functions\n"
                     "# TYPE tidegate_hook_calls_total counter\n");
    for (int i = 0; i < TG_HOOKS; i++)
        tg_buf_printf(out, "tidegate_hook_calls_total{hook=\"%s\"} %llu\n", names[i],
                      (unsigned long long)hooks->counters.calls[i]);
    tg_buf_puts(out, "# HELP tidegate_hook_faults_total calls that failed or were stopped\n"
                     "# TYPE tidegate_hook_faults_total counter\n");
    for (int i = 0; i < TG_HOOKS; i++)
        tg_buf_printf(out, "tidegate_hook_faults_total{hook=\"%s\"} %llu\n", names[i],
                      (unsigned long long)hooks->counters.faults[i]);
    tg_buf_puts(out, "# HELP tidegate_hooks_memory_bytes memory of the VM of hooks\n"
                     "# TYPE tidegate_hooks_memory_bytes gauge\n");
    tg_buf_printf(out, "tidegate_hooks_memory_bytes %zu\n", hooks->sandbox.used);
}
