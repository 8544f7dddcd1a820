/* The leash: stops a rule that runs too long, compiled loops included. One for the process. */
#pragma once

#include "script/bridge.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Starts the watchdog with the first holder and stops it with the last. At the first start a canary
 * is hung on purpose; if it cannot be stopped with the JIT on, every VM is held by the
 * interpreter's own hook from then on. 0, or -TG_EIO when no thread or signal can be had,
 * -TG_ENOMEM. */
int tg_leash_hold(void);
void tg_leash_release(void);

/* Whether runaways are stopped with the JIT on (the canary died). */
bool tg_leash_rings(void);

/* The word that tells the watchdog what is running; static. */
struct tgl_leash *tg_leash_word(void);

/* Begins a call that C itself makes, within tg_leash_enter. (Lua begins its own.) */
void tg_leash_begin(void);

/* What was stopped, if anything was. */
struct tg_leash_report {
    bool rung;
    bool pinched;    /* for the memory, not for the time */
    uint32_t cursor; /* of the call that was stopped */
    char where[80];  /* file:line at which it was */
};

/* Around every call of rules in a VM, on the thread that calls: a rule call (one `serial`) may burn
 * `budget_ms` of processor time. Not nested. The bell serves one VM at a time, and moving it to
 * another throws away the traces of both: a VM that works beside the live one (a candidate, the
 * hooks of the configuration) is entered `interpreted`, held by the interpreter's own hook with the
 * JIT off, and leaves the bell where it is. A VM is always entered the same way. */
void tg_leash_enter(lua_State *L, int budget_ms, bool interpreted);
void tg_leash_leave(struct tg_leash_report *out);

/* Stops the call that is running in this VM, if one is, at once and for the memory; from within an
 * allocation. */
void tg_leash_pinch(lua_State *L);

/* Hangs the canary (again) and goes by what comes of it; says so in the log when it lives. */
void tg_leash_judge(void);

/* Holds every VM by the interpreter's hook, as if the canary had lived. For tests of that case. */
void tg_leash_muffle(bool on);

/* Leaves compiled code without the checks, so that nothing stops it: for the benchmark of what they
 * cost, and for nothing else. */
void tg_leash_bare(bool on);

/* To be called before lua_close of a VM that was ever entered. */
void tg_leash_forget(lua_State *L);

/* Around the loading of a file, in a VM that compiles nothing: `instructions` may run, in a quarter
 * of a second of processor time for each million and not after the thread has used `late_us`
 * (microseconds, INT64_MAX: any) in all; then every further one raises an error, so that no pcall
 * of the file can hold it. Answers whether the quota was used up. */
void tg_leash_quota(lua_State *L, int instructions, int64_t late_us);
bool tg_leash_quota_end(lua_State *L);
