/* Who may speak and who may not. A rule is silenced as a whole and by number, so the walk tests one
 * word; why and where are kept beside it for the operator who asks. */
#include "base/log.h"
#include "base/text.h"
#include "script/generation.h"
#include "script/run.h"

#include <lauxlib.h>
#include <luajit.h>
#include <stdio.h>
#include <string.h>

/* Times the cap: the search for who holds the memory notes every value it has seen, which takes up
 * to three times what the smallest values themselves take. */
#define SEARCH_ROOM 4

void tg_generation_aim(struct tg_generation *generation)
{
    generation->watch = 0;
    generation->on = 0;
    generation->timed = false;
    for (uint32_t i = 0; i < generation->rules_count; i++) {
        if (generation->work.tallies[i].muted) continue;
        generation->watch |= generation->rules[i].watch;
        generation->on |= generation->rules[i].on;
        generation->timed |= generation->rules[i].timed;
    }
}

struct tg_rule *tg_generation_find(struct tg_generation *generation, const char *name)
{
    for (uint32_t i = 0; i < generation->rules_count; i++)
        if (!strcmp(generation->rules[i].name, name)) return &generation->rules[i];
    return NULL;
}

static void note_fault(struct tg_generation *generation, uint32_t rule, const char *account,
                       const char *text)
{
    struct tg_rule *at = &generation->rules[rule];
    tg_copy(at->last_fault, sizeof at->last_fault, text, strlen(text));
    tg_copy(at->last_fault_account, sizeof at->last_fault_account, account, strlen(account));
    at->last_fault_wall_ms = tg_wall_ms(generation->options.clock);
    if (generation->options.fault && generation->role == TG_ROLE_LIVE)
        generation->options.fault(generation->options.ctx, at->name, at->path, account, text);
}

void tg_generation_fault(struct tg_generation *generation, uint32_t rule, const char *account,
                         const char *text)
{
    const struct tg_rule *at = &generation->rules[rule];
    note_fault(generation, rule, account, text);
    if (generation->role == TG_ROLE_TRIAL) return;
    bool live = generation->role == TG_ROLE_LIVE;
    tg_warn("rules", live ? "fault" : "candidate_fault", tg_s("rule", at->name),
            tg_s("file", at->path), tg_s("account", account), tg_s("message", text));
}

void tg_generation_silence(struct tg_generation *generation, uint32_t rule, int by,
                           const char *reason, const char *where)
{
    struct tg_rule *at = &generation->rules[rule];
    generation->work.tallies[rule].muted = by;
    tg_copy(at->why, sizeof at->why, reason, strlen(reason));
    tg_copy(at->where, sizeof at->where, where, strlen(where));
    tg_generation_aim(generation);
}

void tg_generation_unmute(struct tg_generation *generation, uint32_t rule)
{
    struct tg_rule *at = &generation->rules[rule];
    generation->work.tallies[rule].muted = 0;
    at->why[0] = at->where[0] = '\0';
    tg_generation_aim(generation);
}

int tg_generation_hush(struct tg_generation *generation, const char *name)
{
    struct tg_rule *rule = tg_generation_find(generation, name);
    int rc = tg_hushed_add(&generation->hushed, name);
    if (rc || !rule) return rc;
    tg_generation_silence(generation, (uint32_t)(rule - generation->rules), TG_MUTED_BY_OPERATOR,
                          "muted by the operator", "");
    return 0;
}

bool tg_generation_unhush(struct tg_generation *generation, const char *name)
{
    struct tg_rule *rule = tg_generation_find(generation, name);
    if (!tg_hushed_drop(&generation->hushed, name)) return false;
    if (!rule) return true;
    uint32_t index = (uint32_t)(rule - generation->rules);
    if (generation->work.tallies[index].muted == TG_MUTED_BY_OPERATOR)
        tg_generation_unmute(generation, index);
    return true;
}

void tg_generation_mute(struct tg_generation *generation, uint32_t rule, const char *reason,
                        const char *where)
{
    struct tgl_tally *tally = &generation->work.tallies[rule];
    const struct tg_account *account = tg_run_account(generation);
    char text[TG_FAULT_TEXT];
    (void)snprintf(text, sizeof text, "%s%s%s", where, *where ? ": " : "", reason);
    tally->faults++;
    note_fault(generation, rule, account ? account->id : "", text);
    if (tally->muted) return;
    tg_generation_silence(generation, rule, TG_MUTED_BY_FAULT, reason, where);
    if (generation->role == TG_ROLE_TRIAL) return;
    bool live = generation->role == TG_ROLE_LIVE;
    /* Once for each rule and file, so it is never held back as repeated faults are. */
    tg_audit("rules", live ? "rule_muted" : "candidate_muted",
             tg_s("rule", generation->rules[rule].name), tg_s("file", generation->rules[rule].path),
             tg_s("reason", reason), tg_s("where", where));
}

/* One call of lua/weigh.lua. */
struct weighing {
    int entry; /* of boot.lua */
    int rule;
};

static int heaviest(lua_State *L)
{
    struct weighing *weighing = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, weighing->entry);
    lua_call(L, 0, 1);
    weighing->rule = (int)lua_tointeger(L, -1);
    return 0;
}

static int drop(lua_State *L)
{
    const struct weighing *weighing = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, weighing->entry);
    lua_pushinteger(L, weighing->rule);
    lua_call(L, 1, 0);
    return 0;
}

uint32_t tg_generation_relieve(struct tg_generation *generation, uint32_t rule, bool sure)
{
    struct tg_vm *vm = &generation->vm;
    struct weighing weighing = {.entry = generation->entries.heaviest, .rule = (int)rule};
    char reason[TG_MUTE_REASON];
    tg_vm_collect(vm);
    (void)snprintf(reason, sizeof reason, "the rules' memory was used up (%lld of %lld bytes left)",
                   (long long)(vm->cap - vm->used), (long long)vm->cap);
    if (vm->used > vm->cap / 4 * 3) {
        vm->cap *= SEARCH_ROOM;
        (void)tg_vm_call(vm, heaviest, &weighing, NULL);
        if (weighing.rule < 0 || (uint32_t)weighing.rule >= generation->rules_count)
            weighing.rule = (int)rule;
        weighing.entry = generation->entries.drop;
        (void)tg_vm_call(vm, drop, &weighing, NULL);
        generation->rules[weighing.rule].hollow = true;
        /* Compiled code holds what it was compiled for. */
        (void)luaJIT_setmode(vm->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_FLUSH);
        tg_vm_collect(vm);
        vm->cap /= SEARCH_ROOM;
    } else if (!sure) {
        return TG_NO_RULE;
    }
    tg_generation_mute(generation, (uint32_t)weighing.rule, reason, "");
    return (uint32_t)weighing.rule;
}
