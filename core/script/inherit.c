/* What a generation takes over from the one before: memory as bytes, because no value of the old VM
 * may survive it, and the silence of rules that are still the same. The bytes are copied out of the
 * VM that made them, so the same ones may serve a trial, the generation itself and a later return.
 */
#include "base/log.h"
#include "base/text.h"
#include "script/generation.h"
#include "script/leash.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

/* Instructions of all migrations of a load; beside it, four for each byte that is restored: many
 * accounts that remember little must not look like one that loops. */
#define MIGRATE_QUOTA 10000000
#define MIGRATE_BYTES (256 << 20)

/* One call of lua/carry.lua. */
struct carrying {
    int entry; /* of boot.lua */
    char *copy;
    size_t len;
    const struct tg_memories *memories;
};

static int save(lua_State *L)
{
    struct carrying *carrying = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, carrying->entry);
    lua_call(L, 0, 1);
    const char *text = lua_tolstring(L, -1, &carrying->len);
    carrying->copy = malloc(carrying->len + 1);
    if (!carrying->copy) return luaL_error(L, "not enough memory");
    memcpy(carrying->copy, text, carrying->len);
    return 0;
}

int tg_generation_save(struct tg_generation *generation, char **out, size_t *len)
{
    struct carrying carrying = {.entry = generation->entries.save};
    struct tg_err why = {{0}};
    if (tg_vm_call(&generation->vm, save, &carrying, &why)) {
        /* A set that has filled its memory must still be replaceable. */
        tg_error("rules", "memory_not_carried", tg_s("message", why.text));
        return -TG_ENOMEM;
    }
    *out = carrying.copy;
    *len = carrying.len;
    return 0;
}

static int restore(lua_State *L)
{
    const struct carrying *carrying = lua_touserdata(L, 1);
    const struct tg_memories *memories = carrying->memories;
    lua_rawgeti(L, LUA_REGISTRYINDEX, carrying->entry);
    lua_pushlstring(L, memories->bytes, memories->len);
    lua_pushboolean(L, memories->back);
    if (memories->former)
        lua_pushlstring(L, memories->former, memories->former_len);
    else
        lua_pushnil(L);
    lua_call(L, 3, 0);
    return 0;
}

/* A fault's mute ends with the file that was at fault; an operator's only when he says so, and not
 * with a set that has no such rule. */
static int keep_silent(struct tg_generation *generation, const struct tg_generation *from)
{
    int rc = 0;
    for (uint32_t k = 0; k < from->rules_count; k++) {
        const struct tg_rule *old = &from->rules[k];
        const struct tgl_tally *tally = &from->work.tallies[k];
        struct tg_rule *rule = tg_generation_find(generation, old->name);
        if (!rule) continue;
        rule->faulty_before = tally->muted       ? 1
                              : tally->calls > 0 ? tally->faults / tally->calls
                                                 : 0;
        if (tally->muted != TG_MUTED_BY_FAULT || rule->file_hash != old->file_hash) continue;
        tg_generation_silence(generation, (uint32_t)(rule - generation->rules), tally->muted,
                              old->why, old->where);
    }
    for (uint32_t i = 0; i < from->hushed.count && !rc; i++)
        rc = tg_generation_hush(generation, from->hushed.names[i]);
    return rc;
}

int tg_generation_inherit(struct tg_generation *generation, const struct tg_generation *from,
                          const struct tg_memories *memories, struct tg_err *err)
{
    struct carrying carrying = {.entry = generation->entries.restore, .memories = memories};
    if (memories->bytes) {
        size_t len = memories->len < MIGRATE_BYTES ? memories->len : MIGRATE_BYTES;
        tg_vm_compiles(&generation->vm, false);
        tg_leash_quota(generation->vm.L, MIGRATE_QUOTA + 4 * (int)len, INT64_MAX);
        int rc = tg_vm_call(&generation->vm, restore, &carrying, err);
        bool spent = tg_leash_quota_end(generation->vm.L);
        tg_vm_compiles(&generation->vm, true);
        if (spent || rc) return -TG_EINVAL;
    }
    if (keep_silent(generation, from)) return tg_fail(err, TG_ENOMEM, "no memory for the rules");
    return 0;
}
