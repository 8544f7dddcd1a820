/* A run: the rules over accounts, from the steps that C selects to the events that are emitted. */
#pragma once

#include "script/class.h"
#include "script/generation.h"

/* Processor time of this thread in microseconds: what a bound on our own work is measured by, so
 * that a machine that is busy with something else does not use it up. */
int64_t tg_run_burnt_us(void);

/* Whether an account's newest poll could make a rule speak. `wake_wall_ms` is when it wants to be
 * run without one, 0 = never. */
bool tg_run_wakes(const struct tg_generation *generation, const struct tg_account *account,
                  int64_t wake_wall_ms, int64_t wall_ms);

/* Selects the steps of the accounts, lets Lua walk them, and emits what was said. A rule that runs
 * away or eats the memory is muted; the others finish. */
void tg_run_all(struct tg_generation *generation, struct tg_account *const *accounts,
                uint32_t count);

/* Like it, for what `every` held back and nothing else. */
void tg_run_due(struct tg_generation *generation, struct tg_account *account);

/* Like it, for one moment that was told. */
void tg_run_told(struct tg_generation *generation, struct tg_account *account, int kind,
                 const char *what);

/* Drops the events of an account that is about to be freed, and what rules remember of it. */
void tg_run_forget(struct tg_generation *generation, const struct tg_account *account);

/* The snapshot's members; see tg_script_snapshot. */
int tg_run_snapshot(struct tg_generation *generation, struct tg_account *account,
                    struct tg_buf *out);

/* What the rule's `to` says of a class and the event that is being emitted; a fault is "no". */
bool tg_run_permits(struct tg_generation *generation, const struct tg_script_event *event,
                    const struct tg_class *client);

/* Around a run: takes the memory of earlier ones; walks the selected steps and emits. */
void tg_run_begin(struct tg_generation *generation, struct tg_run *run,
                  struct tg_account *const *accounts, uint32_t count);
void tg_run_end(struct tg_generation *generation, struct tg_run *run);

/* For the bridge, while Lua runs: loads an account of the run (0 or -TG_EINVAL); the loaded one or
 * NULL; takes an event; writes a shape into the scratch (`work.text`) for a moment's index or a
 * TGL_STEP_, with `since` as the account's `was` when it is not NULL. */
int tg_run_load(struct tg_generation *generation, uint32_t account);
struct tg_account *tg_run_account(const struct tg_generation *generation);
int tg_run_speak(struct tg_generation *generation, uint32_t rule, const char *json, size_t len);
int tg_run_draw(struct tg_generation *generation, const struct tg_shape *shape, int moment,
                const char *since);
