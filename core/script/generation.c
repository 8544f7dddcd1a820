/* A candidate is built aside and either becomes a generation or vanishes: nothing of the one that
 * runs is touched before it is proved. Files run with the JIT off under a quota of instructions,
 * which stops a file that loops in a millisecond and costs the others nothing, because functions
 * are compiled only when they run hot. */
#include "script/generation.h"

#include "base/text.h"
#include "script/leash.h"
#include "script/native.h"
#include "script/proof.h"
#include "script/run.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOAD_QUOTA 1000000    /* instructions of one file */
#define FINISH_QUOTA 10000000 /* of compiling all shapes */

/* One call of an entry of boot.lua while the set is being built. */
struct building {
    struct tg_generation *generation;
    const struct tg_rule_file *file;
    bool builtin; /* only the snapshot rule of the file is wanted */
};

static int boot(lua_State *L)
{
    struct tg_generation *generation = lua_touserdata(L, 1);
    struct {
        const char *name;
        int *ref;
    } entries[] = {
        {"load", &generation->entries.load},         {"finish", &generation->entries.finish},
        {"example", &generation->entries.example},   {"prove", &generation->entries.prove},
        {"beat", &generation->entries.beat},         {"permit", &generation->entries.permit},
        {"forget", &generation->entries.forget},     {"snapshot", &generation->entries.snapshot},
        {"save", &generation->entries.save},         {"restore", &generation->entries.restore},
        {"heaviest", &generation->entries.heaviest}, {"drop", &generation->entries.drop},
        {"describe", &generation->entries.describe},
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
    lua_pushboolean(L, building->builtin);
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

int tg_generation_late(const struct tg_generation *generation, const char *place,
                       struct tg_err *err)
{
    if (tg_run_burnt_us() <= generation->late_us) return 0;
    return tg_fail(err, TG_ELIMIT,
                   "%s: with it, reading the rules and trying their examples takes longer than "
                   "rules.load_ms (%d ms)",
                   place, generation->options.load_ms);
}

static int load_files(struct tg_generation *generation, const struct tg_ruleset *set,
                      struct tg_err *err)
{
    struct tg_ruleset builtin;
    struct building building = {.generation = generation};
    int rc = tg_ruleset_read(&builtin, NULL, 0, err);
    if (rc) return rc;
    for (uint32_t i = 0; i < set->count + builtin.count && !rc; i++) {
        building.builtin = i >= set->count;
        building.file = building.builtin ? &builtin.files[i - set->count] : &set->files[i];
        if (building.builtin && strcmp(building.file->name, "snapshot.lua") != 0) continue;
        tg_leash_quota(generation->vm.L, LOAD_QUOTA, generation->late_us);
        rc = tg_vm_call(&generation->vm, load_file, &building, err);
        if (tg_leash_quota_end(generation->vm.L) && !rc) rc = LUA_ERRRUN;
        if (tg_generation_late(generation, building.file->name, err)) {
            rc = LUA_ERRRUN;
        } else if (rc && err && !strstr(err->text, building.file->name)) {
            struct tg_err why = *err;
            (void)tg_fail(err, TG_EINVAL, "%s: %s", building.file->name, why.text);
        }
    }
    if (!rc) {
        tg_leash_quota(generation->vm.L, FINISH_QUOTA, INT64_MAX);
        rc = tg_vm_call(&generation->vm, finish, &building, err);
        if (tg_leash_quota_end(generation->vm.L) && !rc) rc = LUA_ERRRUN;
    }
    tg_ruleset_fini(&builtin);
    return rc ? -TG_EINVAL : 0;
}

struct tg_generation *tg_generation_new(const struct tg_script_options *options, enum tg_role role,
                                        const struct tg_ruleset *set, struct tg_err *err)
{
    struct tg_generation *generation = calloc(1, sizeof *generation);
    if (!generation) {
        (void)tg_fail(err, TG_ENOMEM, "no memory for the rules");
        return NULL;
    }
    generation->options = *options;
    generation->role = role;
    generation->late_us =
        options->load_ms ? tg_run_burnt_us() + (int64_t)options->load_ms * 1000 : INT64_MAX;
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
    if (role != TG_ROLE_TRIAL && tg_proof_run(generation, err)) goto failed;
    memcpy(generation->name, set->name, sizeof generation->name);
    memcpy(generation->version, set->version, sizeof generation->version);
    generation->vm.pinch = tg_leash_pinch;
    tg_vm_compiles(&generation->vm, true);
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
    free(generation->verdicts);
    tg_buf_fini(&generation->faults.text);
    tg_hushed_fini(&generation->hushed);
    free(generation->work.tallies);
    free(generation->spare.spoken);
    free(generation->sorted);
    tg_buf_fini(&generation->spare.text);
    tg_buf_fini(&generation->scratch);
    tg_json_fini(&generation->json);
    tg_ruleset_fini(&generation->set);
    free(generation);
}
