/* The calls of rules that are not part of the walk: a filter, a snapshot, and forgetting. They are
 * on the same leash, and each has an answer for the case that the rule has none: "no", the built-in
 * snapshot, and a memory that its account's birth makes unreachable. */
#include "base/log.h"
#include "script/leash.h"
#include "script/run.h"

#include <string.h>

struct asking {
    struct tg_generation *generation;
    const struct tg_script_event *event;
    const struct tg_class *client;
    const struct tg_account *account;
    struct tg_buf *out;
    bool yes;
};

/* Calls `body` on the leash, as one call of rule `rule`. Whether it came back well. */
static bool ask(struct asking *asking, lua_CFunction body, uint32_t rule)
{
    struct tg_generation *generation = asking->generation;
    struct tg_leash_report report;
    struct tg_err err = {{0}};
    generation->vm.refused = false;
    tg_leash_enter(generation->vm.L, generation->options.budget_ms,
                   generation->options.interpreted);
    tg_leash_begin();
    int rc = tg_vm_call(&generation->vm, body, asking, &err);
    tg_leash_leave(&report);
    if (!rc && !report.rung) return true;
    if (report.pinched || (rc == LUA_ERRMEM && generation->vm.refused)) {
        (void)tg_generation_relieve(generation, rule, true);
    } else if (report.rung) {
        tg_generation_mute(generation, rule, "it ran longer than rules.budget_ms", report.where);
    } else {
        generation->work.tallies[rule].faults++;
        tg_generation_fault(generation, rule, asking->account ? asking->account->id : "", err.text);
    }
    return false;
}

static int permit(lua_State *L)
{
    struct asking *asking = lua_touserdata(L, 1);
    const struct tg_script_event *event = asking->event;
    lua_rawgeti(L, LUA_REGISTRYINDEX, asking->generation->entries.permit);
    lua_pushinteger(L, (lua_Integer)event->rule);
    lua_pushstring(L, asking->client->subject);
    lua_pushstring(L, asking->client->claims);
    lua_pushstring(L, asking->client->query);
    lua_pushstring(L, event->type);
    lua_pushstring(L, asking->account->id);
    lua_pushlstring(L, event->payload, event->len);
    lua_call(L, 7, 1);
    asking->yes = lua_toboolean(L, -1);
    return 0;
}

bool tg_run_permits(struct tg_generation *generation, const struct tg_script_event *event,
                    const struct tg_class *client)
{
    struct asking asking = {
        .generation = generation, .event = event, .client = client, .account = event->account};
    if (event->rule >= generation->rules_count || generation->work.tallies[event->rule].muted)
        return false;
    return ask(&asking, permit, event->rule) && asking.yes;
}

static int snapshot(lua_State *L)
{
    struct asking *asking = lua_touserdata(L, 1);
    size_t len;
    lua_rawgeti(L, LUA_REGISTRYINDEX, asking->generation->entries.snapshot);
    lua_call(L, 0, 1);
    const char *text = lua_tolstring(L, -1, &len);
    if (!text) return 0;
    tg_buf_clear(asking->out);
    tg_buf_add(asking->out, text, len);
    asking->yes = true;
    return 0;
}

/* The shape, written into the scratch and added whole. */
static int draw(struct tg_generation *generation, int shape, struct tg_buf *out)
{
    struct tgl_work *work = &generation->work;
    int rc = work->draw(work, shape, TGL_STEP_TOLD, NULL);
    if (rc == TGL_DROPPED) return -TG_ENOMEM;
    tg_buf_add(out, work->text, (size_t)work->text_len);
    return out->failed ? -TG_ENOMEM : 0;
}

int tg_run_snapshot(struct tg_generation *generation, struct tg_account *account,
                    struct tg_buf *out)
{
    const struct tg_snapshot_maker *maker = &generation->snapshot;
    struct tg_account *const accounts[] = {account};
    struct asking asking = {.generation = generation, .account = account};
    struct tg_buf members = {0};
    struct tg_run run;
    int rc = 0;
    tg_run_begin(generation, &run, accounts, 1);
    (void)tg_run_load(generation, 0);
    if (maker->shape >= 0) {
        rc = draw(generation, maker->shape, out);
    } else {
        uint32_t rule = (uint32_t)maker->rule;
        asking.out = &members;
        bool good = !generation->work.tallies[rule].muted && ask(&asking, snapshot, rule) &&
                    asking.yes && !members.failed;
        if (good)
            tg_buf_add(out, members.data, members.len);
        else if (!(rc = draw(generation, maker->fallback, out)))
            rc = -TG_EINVAL;
        tg_buf_fini(&members);
    }
    tg_run_end(generation, &run);
    return rc;
}

static int forget(lua_State *L)
{
    const struct asking *asking = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, asking->generation->entries.forget);
    lua_pushnumber(L, asking->account->slot);
    lua_pushnumber(L, (lua_Number)asking->account->birth);
    lua_call(L, 2, 0);
    return 0;
}

void tg_run_forget(struct tg_generation *generation, const struct tg_account *account)
{
    struct asking asking = {.generation = generation, .account = account};
    struct tg_err err;
    for (struct tg_run *run = generation->run; run; run = run->outer)
        for (uint32_t i = 0; i < run->count; i++)
            if (run->spoken[i].account == account) run->spoken[i].account = NULL;
    if (tg_vm_call(&generation->vm, forget, &asking, &err))
        tg_error("rules", "forget_failed", tg_s("message", err.text));
}
