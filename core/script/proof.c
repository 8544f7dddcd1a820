/* Examples run through the same functions, shapes and bounds as live events do, on an account that
 * exists for the time of the proof: what is proved is what will run. lua/proof.lua decides what is
 * shown to the rule and judges what came of it; here is the account it poses, and the ear.
 *
 * Each example is a call under a quota of instructions with the JIT off, like the loading of a
 * file, so that neither a slow machine nor a loop decides whether a set may go live. */
#include "script/proof.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/text.h"
#include "model/field.h"
#include "script/leash.h"
#include "script/run.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

#define EXAMPLE_QUOTA 3000000 /* instructions of one example, its file's included */

static struct tg_generation *generation_of(struct tgl_work *work)
{
    return tg_of(work, struct tg_generation, work);
}

/* UTC milliseconds of an ISO 8601 text; NaN when it is none. */
static double time_of(struct tgl_work *work, const char *text, size_t len)
{
    int64_t wall_ms;
    (void)work;
    return tg_iso8601_read(text, len, &wall_ms) ? NAN : (double)wall_ms;
}

/* Makes a record of that entity one in which nothing is known. */
static void blank(struct tgl_work *work, const char *entity, void *record)
{
    (void)work;
    if (!strcmp(entity, "account")) tg_account_blank(record);
    if (!strcmp(entity, "position")) tg_position_blank(record);
    if (!strcmp(entity, "order")) tg_order_blank(record);
    if (!strcmp(entity, "deal")) tg_deal_blank(record);
    if (!strcmp(entity, "moment")) tg_moment_blank(record);
}

/* Shows a poll to the rules: the account that is loaded from here on. The arrays are Lua's, which
 * keeps them until the next pose. The bits of the fields that differ. */
static uint64_t pose(struct tgl_work *work, const struct tgl_pose *shown)
{
    struct tg_generation *generation = generation_of(work);
    struct tg_account *model = generation->model;
    if (!model) return 0;
    struct tg_moment *told = shown->moment;
    model->now = *shown->now;
    model->was = *shown->was;
    model->changed = tg_entity_diff(&tg_account_entity, shown->was, shown->now);
    model->positions = (struct tg_positions){shown->positions, shown->positions_count, 0};
    model->positions_was =
        (struct tg_positions){shown->positions_was, shown->positions_was_count, 0};
    model->orders = (struct tg_orders){shown->orders, shown->orders_count, 0};
    model->orders_was = (struct tg_orders){shown->orders_was, shown->orders_was_count, 0};
    model->orders_known = shown->now->orders_known > 0;
    if (told && told->kind == TG_MOMENT_POSITION_MODIFIED)
        told->changed = tg_entity_diff(&tg_position_entity, &told->was, &told->position);
    if (told && told->kind == TG_MOMENT_ORDER_MODIFIED)
        told->changed = tg_entity_diff(&tg_order_entity, &told->order_was, &told->order);
    model->moments = told;
    model->moments_count = told ? 1 : 0;
    generation->run->count = 0;
    tg_buf_clear(&generation->run->text);
    (void)tg_run_load(generation, 0);
    return model->changed;
}

/* What was said since the pose: how many events; the last one's payload is in work.text. */
static int heard(struct tgl_work *work)
{
    const struct tg_generation *generation = generation_of(work);
    const struct tg_run *run = generation->run;
    if (!generation->model || !run->count) return 0;
    const struct tg_spoken *spoken = &run->spoken[run->count - 1];
    work->text = run->text.data + spoken->text;
    work->text_len = (double)spoken->len;
    return (int)run->count;
}

void tg_proof_bridge(struct tgl_work *work)
{
    work->time_of = time_of;
    work->blank = blank;
    work->pose = pose;
    work->heard = heard;
}

struct example {
    struct tg_generation *generation;
    uint32_t index;
    char place[192]; /* file, line and rule; "": there is no such example */
};

static int find(lua_State *L)
{
    struct example *example = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, example->generation->entries.example);
    lua_pushinteger(L, (lua_Integer)example->index);
    lua_call(L, 1, 1);
    size_t len = 0;
    const char *place = lua_tolstring(L, -1, &len);
    tg_copy(example->place, sizeof example->place, place ? place : "", len);
    return 0;
}

static int prove(lua_State *L)
{
    const struct example *example = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, example->generation->entries.prove);
    lua_pushinteger(L, (lua_Integer)example->index);
    lua_call(L, 1, 0);
    return 0;
}

/* Tries one example. What goes wrong outside of an author's lines is said of the example. */
static int try(struct example *example, struct tg_err *err)
{
    struct tg_generation *generation = example->generation;
    tg_leash_quota(generation->vm.L, EXAMPLE_QUOTA, generation->late_us);
    int rc = tg_vm_call(&generation->vm, prove, example, err);
    if (tg_leash_quota_end(generation->vm.L) && !rc) rc = LUA_ERRRUN;
    if (tg_generation_late(generation, example->place, err)) return -TG_ELIMIT;
    if (rc && err && !strstr(err->text, ".lua:")) {
        const struct tg_err why = *err;
        (void)tg_fail(err, TG_EINVAL, "%s: %s", example->place, why.text);
    }
    return rc;
}

int tg_proof_run(struct tg_generation *generation, struct tg_err *err)
{
    struct tg_account model = {0};
    struct tg_account *accounts[] = {&model};
    struct example example = {.generation = generation};
    struct tg_run run;
    int rc = 0;
    tg_account_init(&model, "demo-1");
    generation->model = &model;
    tg_run_begin(generation, &run, accounts, 1);
    while (!(rc = tg_vm_call(&generation->vm, find, &example, err)) && *example.place) {
        if ((rc = try(&example, err))) break;
        example.index++;
    }
    generation->examples_count = example.index;
    run.count = 0;
    tg_run_end(generation, &run);
    generation->model = NULL;
    memset(generation->work.tallies, 0, generation->rules_count * sizeof(struct tgl_tally));
    return rc ? -TG_EINVAL : 0;
}
