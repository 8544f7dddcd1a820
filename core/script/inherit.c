/* What a generation takes over from the one before: memory as bytes, because no value of the old VM
 * may survive it, and the silence of rules that are still the same. */
#include "base/log.h"
#include "base/text.h"
#include "script/generation.h"
#include "script/leash.h"

#include <lauxlib.h>
#include <string.h>

#define MIGRATE_QUOTA 10000000 /* instructions of all migrations of a load */

/* One call of lua/carry.lua. The text stays in the VM that made it. */
struct carrying {
    int entry; /* of boot.lua */
    const char *text;
    size_t len;
};

static int save(lua_State *L)
{
    struct carrying *carrying = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, carrying->entry);
    lua_call(L, 0, 1);
    carrying->text = lua_tolstring(L, -1, &carrying->len);
    lua_setfield(L, LUA_REGISTRYINDEX, "tidegate.saved"); /* holds the text */
    return 0;
}

static int let_go(lua_State *L)
{
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "tidegate.saved");
    return 0;
}

static int restore(lua_State *L)
{
    const struct carrying *carrying = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, carrying->entry);
    lua_pushlstring(L, carrying->text, carrying->len);
    lua_call(L, 1, 0);
    return 0;
}

static int carry(struct tg_generation *generation, struct tg_generation *from, struct tg_err *err)
{
    struct carrying carrying = {.entry = from->entries.save};
    struct tg_err why = {{0}};
    if (tg_vm_call(&from->vm, save, &carrying, &why)) {
        /* A set that has filled its memory must still be replaceable. */
        tg_error("rules", "memory_not_carried", tg_s("message", why.text));
        return 0;
    }
    carrying.entry = generation->entries.restore;
    tg_leash_quota(generation->vm.L, MIGRATE_QUOTA);
    int rc = tg_vm_call(&generation->vm, restore, &carrying, err);
    bool over = tg_leash_quota_end(generation->vm.L);
    (void)tg_vm_call(&from->vm, let_go, NULL, NULL);
    return over || rc ? -TG_EINVAL : 0;
}

/* A fault's mute ends with the file that was at fault; an operator's only when he says so. */
static void keep_silent(struct tg_generation *generation, const struct tg_generation *from)
{
    for (uint32_t k = 0; k < from->rules_count; k++) {
        const struct tg_rule *old = &from->rules[k];
        int by = from->work.tallies[k].muted;
        const struct tg_rule *rule = by ? tg_generation_find(generation, old->name) : NULL;
        if (!rule || (by == TG_MUTED_BY_FAULT && rule->file_hash != old->file_hash)) continue;
        tg_generation_silence(generation, (uint32_t)(rule - generation->rules), by, old->why,
                              old->where);
    }
}

int tg_generation_inherit(struct tg_generation *generation, struct tg_generation *from,
                          struct tg_err *err)
{
    int rc = carry(generation, from, err);
    if (!rc) keep_silent(generation, from);
    return rc;
}
