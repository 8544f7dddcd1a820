/* A candidate is built aside and either becomes a generation or vanishes: nothing of the one that
 * runs is touched before it is proved. Files run with the JIT off under a quota of instructions,
 * which stops a file that loops in a millisecond and costs the others nothing, because functions
 * are compiled only when they run hot. */
#include "script/generation.h"

#include "base/log.h"
#include "base/text.h"
#include "script/leash.h"
#include "script/native.h"

#include <lauxlib.h>
#include <luajit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOAD_QUOTA 1000000     /* instructions of one file */
#define MIGRATE_QUOTA 10000000 /* of all migrations of a load */

/* Times the cap: the search for who holds the memory notes every value it has seen, which takes up
 * to three times what the smallest values themselves take. */
#define SEARCH_ROOM 4

/* One call of an entry of boot.lua while the set is being built. */
struct building {
    struct tg_generation *generation;
    const struct tg_rule_file *file;
    const char *name, *text;
    size_t len;
    int entry;
    bool flag;
};

static int boot(lua_State *L)
{
    struct tg_generation *generation = lua_touserdata(L, 1);
    struct {
        const char *name;
        int *ref;
    } entries[] = {
        {"load", &generation->entries.load},         {"finish", &generation->entries.finish},
        {"beat", &generation->entries.beat},         {"permit", &generation->entries.permit},
        {"forget", &generation->entries.forget},     {"snapshot", &generation->entries.snapshot},
        {"save", &generation->entries.save},         {"restore", &generation->entries.restore},
        {"heaviest", &generation->entries.heaviest}, {"drop", &generation->entries.drop},
    };
    lua_getglobal(L, "require");
    lua_pushliteral(L, "boot");
    lua_call(L, 1, 1);
    tg_native_push(L, generation);
    lua_call(L, 1, 1);
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        lua_getfield(L, -1, entries[i].name);
        if (!lua_isfunction(L, -1)) return luaL_error(L, "no entry %s", entries[i].name);
        *entries[i].ref = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    return 0;
}

static int load_file(lua_State *L)
{
    const struct building *building = lua_touserdata(L, 1);
    const struct tg_rule_file *file = building->file;
    lua_rawgeti(L, LUA_REGISTRYINDEX, building->generation->entries.load);
    lua_pushlstring(L, file->text, file->len);
    lua_pushstring(L, file->name);
    lua_pushstring(L, file->path);
    lua_pushboolean(L, building->flag);
    lua_call(L, 4, 0);
    return 0;
}

static int finish(lua_State *L)
{
    const struct building *building = lua_touserdata(L, 1);
    struct tg_generation *generation = building->generation;
    lua_rawgeti(L, LUA_REGISTRYINDEX, generation->entries.finish);
    lua_call(L, 0, 4);
    generation->snapshot.rule = (int)lua_tointeger(L, -4);
    generation->snapshot.shape = (int)lua_tointeger(L, -3);
    generation->snapshot.fallback = (int)lua_tointeger(L, -2);
    struct {
        const char *name;
        char *out;
    } names[] = {{"type", generation->envelope.type},
                 {"seq", generation->envelope.seq},
                 {"rev", generation->envelope.rev},
                 {"timestamp", generation->envelope.timestamp},
                 {"payload", generation->envelope.payload}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        lua_getfield(L, -1, names[i].name);
        size_t len;
        const char *text = luaL_checklstring(L, -1, &len);
        tg_copy(names[i].out, sizeof generation->envelope.type, text, len);
        lua_pop(L, 1);
    }
    return 0;
}

static int load_files(struct tg_generation *generation, const struct tg_ruleset *set,
                      struct tg_err *err)
{
    struct tg_ruleset builtin;
    struct building building = {.generation = generation};
    int rc = tg_ruleset_read(&builtin, NULL, 0, err);
    if (rc) return rc;
    for (uint32_t i = 0; i < set->count + builtin.count && !rc; i++) {
        building.flag = i >= set->count;
        building.file = building.flag ? &builtin.files[i - set->count] : &set->files[i];
        if (building.flag && strcmp(building.file->name, "snapshot.lua") != 0) continue;
        tg_leash_quota(generation->vm.L, LOAD_QUOTA);
        rc = tg_vm_call(&generation->vm, load_file, &building, err);
        if (tg_leash_quota_end(generation->vm.L) && !rc) rc = LUA_ERRRUN;
        if (rc && err && !strstr(err->text, building.file->name)) {
            struct tg_err why = *err;
            (void)tg_fail(err, TG_EINVAL, "%s: %s", building.file->name, why.text);
        }
    }
    if (!rc) rc = tg_vm_call(&generation->vm, finish, &building, err);
    tg_ruleset_fini(&builtin);
    return rc ? -TG_EINVAL : 0;
}

struct tg_generation *tg_generation_new(const struct tg_script_options *options,
                                        const struct tg_ruleset *set, struct tg_err *err)
{
    struct tg_generation *generation = calloc(1, sizeof *generation);
    if (!generation) {
        (void)tg_fail(err, TG_ENOMEM, "no memory for the rules");
        return NULL;
    }
    generation->options = *options;
    tgl_bridge_init(&generation->work);
    if (tg_vm_init(&generation->vm, options->memory_bytes)) {
        (void)tg_fail(err, TG_ENOMEM, "no memory for the rules");
        goto failed;
    }
    if (tg_vm_call(&generation->vm, boot, generation, err)) goto failed;
    if (load_files(generation, set, err)) goto failed;
    generation->work.tallies = calloc(generation->rules_count + 1, sizeof(struct tgl_tally));
    if (!generation->work.tallies) {
        (void)tg_fail(err, TG_ENOMEM, "no memory for the rules");
        goto failed;
    }
    for (uint32_t i = 0; i < generation->rules_count; i++)
        for (uint32_t k = 0; k < set->count; k++)
            if (!strcmp(generation->rules[i].path, set->files[k].path))
                generation->rules[i].file_hash = set->files[k].hash;
    memcpy(generation->name, set->name, sizeof generation->name);
    memcpy(generation->version, set->version, sizeof generation->version);
    generation->vm.pinch = tg_leash_pinch;
    tg_generation_aim(generation);
    return generation;
failed:
    tg_generation_free(generation);
    return NULL;
}

void tg_generation_free(struct tg_generation *generation)
{
    if (!generation) return;
    if (generation->vm.L) tg_leash_forget(generation->vm.L);
    tg_vm_fini(&generation->vm);
    for (uint32_t i = 0; i < generation->rules_count; i++) {
        free(generation->rules[i].name);
        free(generation->rules[i].file);
        free(generation->rules[i].path);
        free(generation->rules[i].type);
    }
    for (uint32_t i = 0; i < generation->shapes_count; i++)
        tg_shape_fini(&generation->shapes[i]);
    free(generation->rules);
    free(generation->shapes);
    free(generation->steps);
    free(generation->work.tallies);
    free(generation->spare.spoken);
    tg_buf_fini(&generation->spare.text);
    tg_buf_fini(&generation->scratch);
    tg_json_fini(&generation->json);
    free(generation);
}

static int save(lua_State *L)
{
    struct building *building = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, building->entry);
    lua_call(L, 0, 1);
    building->text = lua_tolstring(L, -1, &building->len);
    luaL_ref(L, LUA_REGISTRYINDEX); /* holds the text until the VM is closed */
    return 0;
}

static int restore(lua_State *L)
{
    const struct building *building = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, building->entry);
    lua_pushlstring(L, building->text, building->len);
    lua_call(L, 1, 0);
    return 0;
}

int tg_generation_inherit(struct tg_generation *generation, struct tg_generation *from,
                          struct tg_err *err)
{
    struct building building = {.generation = from, .entry = from->entries.save};
    struct tg_err why = {{0}};
    if (tg_vm_call(&from->vm, save, &building, &why)) {
        /* A set that has filled its memory must still be replaceable. */
        tg_error("rules", "memory_not_carried", tg_s("message", why.text));
    } else {
        building.entry = generation->entries.restore;
        tg_leash_quota(generation->vm.L, MIGRATE_QUOTA);
        int rc = tg_vm_call(&generation->vm, restore, &building, err);
        if (tg_leash_quota_end(generation->vm.L) || rc) return -TG_EINVAL;
    }
    for (uint32_t i = 0; i < generation->rules_count; i++)
        for (uint32_t k = 0; k < from->rules_count; k++)
            if (from->work.tallies[k].muted &&
                from->rules[k].file_hash == generation->rules[i].file_hash &&
                !strcmp(from->rules[k].name, generation->rules[i].name))
                generation->work.tallies[i].muted = 1;
    tg_generation_aim(generation);
    return 0;
}

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

void tg_generation_mute(struct tg_generation *generation, uint32_t rule, const char *reason,
                        const char *where)
{
    struct tgl_tally *tally = &generation->work.tallies[rule];
    tally->faults++;
    if (tally->muted) return;
    tally->muted = 1;
    tg_generation_aim(generation);
    tg_error("rules", "rule_muted", tg_s("rule", generation->rules[rule].name),
             tg_s("file", generation->rules[rule].path), tg_s("reason", reason),
             tg_s("where", where));
}

static int heaviest(lua_State *L)
{
    struct building *building = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, building->generation->entries.heaviest);
    lua_call(L, 0, 1);
    building->entry = (int)lua_tointeger(L, -1);
    return 0;
}

static int drop(lua_State *L)
{
    const struct building *building = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, building->generation->entries.drop);
    lua_pushinteger(L, building->entry);
    lua_call(L, 1, 0);
    return 0;
}

uint32_t tg_generation_relieve(struct tg_generation *generation, uint32_t rule)
{
    struct tg_vm *vm = &generation->vm;
    struct building building = {.generation = generation, .entry = (int)rule};
    char reason[TG_MUTE_REASON];
    tg_vm_collect(vm);
    (void)snprintf(reason, sizeof reason, "the rules' memory was used up (%lld of %lld bytes left)",
                   (long long)(vm->cap - vm->used), (long long)vm->cap);
    if (vm->used > vm->cap / 4 * 3) {
        vm->cap *= SEARCH_ROOM;
        (void)tg_vm_call(vm, heaviest, &building, NULL);
        if (building.entry < 0 || (uint32_t)building.entry >= generation->rules_count)
            building.entry = (int)rule;
        (void)tg_vm_call(vm, drop, &building, NULL);
        /* Compiled code holds what it was compiled for. */
        (void)luaJIT_setmode(vm->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_FLUSH);
        tg_vm_collect(vm);
        vm->cap /= SEARCH_ROOM;
    }
    tg_generation_mute(generation, (uint32_t)building.entry, reason, "");
    return (uint32_t)building.entry;
}
