/* Compiled Lua looks at no hook. It looks at one thing only, and only if asked when it is compiled:
 * whether the profiler wants a sample. So the profiler is started with an interval that never
 * comes, which plants the check on every line of every trace. When a call has burnt its budget, a
 * watchdog thread signals this thread; the handler arms a hook for every instruction and raises the
 * profiler's own signal; the trace sees the flag, leaves to the interpreter, and the hook throws at
 * each instruction until the rule's last pcall is behind.
 *
 * The watchdog reads one word and the processor time of the VM's thread. Processor time, not the
 * wall: a rule is innocent of a machine that is busy with something else; and of that time only
 * what charge.c can be sure of, for which the same signal asks the thread whether it runs. The word
 * is static, so a VM that is closed takes nothing away from the watchdog.
 *
 * What would break it: a second VM profiled at the same time (the profiler is one a process, so the
 * entered VM takes it over), another user of the signals, bytecode without lines, functions that
 * run where no hook fires (xpcall's handlers, finalizers: the sandbox has neither), and C functions
 * that never return (the sandbox bounds them; a call that the bell does not end in five seconds of
 * processor time ends the process instead, because a gateway that is silent is worse). */
#include "script/leash.h"

#include "base/err.h"
#include "base/log.h"
#include "script/canary.h"
#include "script/charge.h"

#include <lauxlib.h>
#include <luajit.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define AWAKE_NAPS 200      /* naps without a call before the watchdog sleeps for good */
#define GIVE_UP_MS 5000     /* processor time after an unanswered bell */
#define HOOK_COUNT 10000    /* instructions between looks at the time, without the bell */
#define QUOTA_COUNT 200     /* the same while a file is loaded */
#define QUOTA_RATE 4        /* instructions of a quota that must be done in a microsecond */
#define BELL (SIGRTMIN + 5) /* a spare real-time signal */

static struct {
    int holders;
    bool rings;  /* the canary died */
    bool bare;   /* no checks are planted: only for the benchmark */
    bool judged; /* there was a canary */
    pthread_t watchdog;
    clockid_t vm_clock;
    pthread_t vm_thread;
    sem_t wake;
    int inside, asleep, stop; /* atomic */
    int budget_ms;            /* atomic */
    uint32_t rung;            /* atomic: the serial the bell was last rung for */
    int answered;             /* atomic: the thread ran since the watchdog last asked */
    lua_State *L;             /* VM thread only, handler included */
    lua_State *profiled;
    bool counted;                  /* the VM that is entered is held by the interpreter's hook */
    uint32_t hook_serial;          /* without the bell: the call that the hook is timing */
    int64_t hook_seen_us, hook_us; /* the time at the last look; charged to the call */
    int64_t quota, quota_until_us; /* instructions left; processor time at which it ends */
    bool quota_spent;
    struct tg_leash_report report;
} leash;

static struct tgl_leash word;

struct tgl_leash *tg_leash_word(void)
{
    return &word;
}

void tg_leash_begin(void)
{
    word.last = word.last % 0x7fffffff + 1;
    __atomic_store_n(&word.serial, word.last, __ATOMIC_RELAXED);
}

bool tg_leash_rings(void)
{
    return leash.rings;
}

void tg_leash_muffle(bool on)
{
    leash.rings = !on;
}

void tg_leash_bare(bool on)
{
    leash.bare = on;
}

void tg_leash_judge(void)
{
    leash.judged = leash.rings = true;
    leash.rings = tg_canary_dies();
    if (!leash.rings)
        tg_error("rules", "canary_lived",
                 tg_s("message", "runaway rules cannot be stopped in compiled code here: rules "
                                 "run without the JIT compiler, several times slower"));
}

static int64_t burnt_us(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time)) return 0;
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* Where the author's own code stands: the innermost function that is not the runtime's. */
static void find_author(lua_State *L, char *where, size_t size)
{
    lua_Debug at;
    for (int level = 0; lua_getstack(L, level, &at); level++) {
        if (!lua_getinfo(L, "Sl", &at) || at.currentline <= 0) continue;
        if (!strncmp(at.source, "@lua/", 5) || at.source[0] != '@') continue;
        (void)snprintf(where, size, "%s:%d", at.short_src, at.currentline);
        return;
    }
    (void)snprintf(where, size, "rules");
}

/* Throws at every instruction; the first place is the one that counts. */
static void on_hook(lua_State *L, lua_Debug *at)
{
    (void)at;
    if (!leash.report.where[0]) find_author(L, leash.report.where, sizeof leash.report.where);
    lua_pushfstring(L, "%s: stopped: it ran for too long", leash.report.where);
    lua_error(L);
}

/* Arms the hook, and makes compiled code look at it. Safe in a signal handler on the VM's thread:
 * both calls are meant to be made from one. */
static void stop_call(void)
{
    leash.report.rung = true;
    leash.report.cursor = word.cursor;
    lua_sethook(leash.L, on_hook, LUA_MASKCOUNT, 1);
    if (leash.profiled == leash.L) (void)raise(SIGPROF);
}

/* On the VM's thread, in the middle of whatever it is doing. */
static void on_bell(int number)
{
    (void)number;
    __atomic_store_n(&leash.answered, 1, __ATOMIC_SEQ_CST);
    if (leash.L && word.serial && word.serial == __atomic_load_n(&leash.rung, __ATOMIC_RELAXED))
        stop_call();
}

void tg_leash_pinch(lua_State *L)
{
    if (leash.L != L || !word.serial || leash.report.rung) return;
    leash.report.pinched = true;
    stop_call();
}

/* Without the bell: the interpreter comes by every so many instructions and looks at the time. */
static void on_count(lua_State *L, lua_Debug *at)
{
    uint32_t serial = word.serial;
    int64_t now = burnt_us(leash.vm_clock);
    if (serial == 0) return;
    if (serial != leash.hook_serial) {
        leash.hook_serial = serial;
        leash.hook_us = 0;
    } else { /* a jump of the clock is a held machine, so it takes two looks to be stopped */
        int64_t piece = now - leash.hook_seen_us, most = leash.budget_ms * INT64_C(600);
        leash.hook_us += piece < most ? piece : most;
    }
    leash.hook_seen_us = now;
    if (leash.hook_us <= leash.budget_ms * INT64_C(1000)) return;
    stop_call();
    on_hook(L, at);
}

/* Only write(2): the VM's thread may stand inside any lock. */
static void give_up(void)
{
    static const char text[] = "{\"level\":\"error\",\"module\":\"rules\",\"event\":\"stuck\","
                               "\"message\":\"a rule does not come back from a C function\"}\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
    abort();
}

static void *watch(void *unused)
{
    (void)unused;
    struct tg_charge charge = {0};
    int idle = 0;
    while (!__atomic_load_n(&leash.stop, __ATOMIC_SEQ_CST)) {
        int nap_ms = tg_charge_nap_ms(__atomic_load_n(&leash.budget_ms, __ATOMIC_RELAXED));
        struct timespec nap = {0, nap_ms * 1000000L};
        if (__atomic_load_n(&leash.inside, __ATOMIC_SEQ_CST)) {
            idle = 0;
        } else if (++idle > AWAKE_NAPS) {
            __atomic_store_n(&leash.asleep, 1, __ATOMIC_SEQ_CST);
            if (!__atomic_load_n(&leash.inside, __ATOMIC_SEQ_CST) &&
                !__atomic_load_n(&leash.stop, __ATOMIC_SEQ_CST))
                (void)sem_wait(&leash.wake);
            __atomic_store_n(&leash.asleep, 0, __ATOMIC_SEQ_CST);
            idle = 0;
        }
        (void)nanosleep(&nap, NULL);
        uint32_t serial = __atomic_load_n(&word.serial, __ATOMIC_RELAXED);
        if (!__atomic_load_n(&leash.inside, __ATOMIC_SEQ_CST)) serial = 0;
        bool answered = __atomic_exchange_n(&leash.answered, 0, __ATOMIC_SEQ_CST);
        if (!tg_charge_look(&charge, serial, burnt_us(leash.vm_clock), nap_ms, answered)) continue;
        int64_t budget_us = __atomic_load_n(&leash.budget_ms, __ATOMIC_RELAXED) * INT64_C(1000);
        if (charge.us + charge.silent_us > budget_us + GIVE_UP_MS * 1000) give_up();
        if (charge.us >= budget_us) __atomic_store_n(&leash.rung, serial, __ATOMIC_RELAXED);
        (void)pthread_kill(leash.vm_thread, BELL);
    }
    return NULL;
}

/* The watchdog takes no signals: they belong to the loop's thread. */
static int start_watchdog(void)
{
    sigset_t all, before;
    struct sigaction action = {.sa_handler = on_bell, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    leash.stop = leash.inside = leash.asleep = 0;
    leash.vm_thread = pthread_self();
    if (pthread_getcpuclockid(leash.vm_thread, &leash.vm_clock)) return -TG_EIO;
    if (sigaction(BELL, &action, NULL) || sem_init(&leash.wake, 0, 0)) return -TG_EIO;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&leash.watchdog, NULL, watch, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc ? -TG_EIO : 0;
}

int tg_leash_hold(void)
{
    if (leash.holders++) return 0;
    int rc = start_watchdog();
    if (rc) {
        leash.holders--;
        return rc;
    }
    if (!leash.judged) tg_leash_judge();
    return 0;
}

void tg_leash_release(void)
{
    if (--leash.holders) return;
    __atomic_store_n(&leash.stop, 1, __ATOMIC_SEQ_CST);
    (void)sem_post(&leash.wake);
    (void)pthread_join(leash.watchdog, NULL);
    (void)sem_destroy(&leash.wake);
    (void)signal(BELL, SIG_IGN);
}

static void on_sample(void *data, lua_State *L, int samples, int state)
{
    (void)data;
    (void)L;
    (void)samples;
    (void)state;
}

/* Plants the checks. Starting and stopping flushes all traces, so a VM keeps the profiler until
 * another one is entered. */
static void profile(lua_State *L)
{
    if (leash.profiled == L || leash.bare) return;
    if (leash.profiled) luaJIT_profile_stop(leash.profiled);
    leash.profiled = L;
    luaJIT_profile_start(L, "li100000000", on_sample, NULL);
}

void tg_leash_forget(lua_State *L)
{
    if (leash.profiled != L) return;
    luaJIT_profile_stop(L);
    leash.profiled = NULL;
}

void tg_leash_enter(lua_State *L, int budget_ms, bool interpreted)
{
    tg_must(!leash.L);
    if (!pthread_equal(leash.vm_thread, pthread_self())) {
        leash.vm_thread = pthread_self();
        (void)pthread_getcpuclockid(leash.vm_thread, &leash.vm_clock);
    }
    memset(&leash.report, 0, sizeof leash.report);
    __atomic_store_n(&word.serial, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&leash.budget_ms, budget_ms, __ATOMIC_RELAXED);
    leash.counted = interpreted || !leash.rings;
    if (!leash.counted) {
        profile(L);
    } else {
        (void)luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
        leash.hook_serial = 0;
        lua_sethook(L, on_count, LUA_MASKCOUNT, HOOK_COUNT);
    }
    leash.L = L;
    __atomic_store_n(&leash.inside, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&leash.asleep, __ATOMIC_SEQ_CST)) (void)sem_post(&leash.wake);
}

void tg_leash_leave(struct tg_leash_report *out)
{
    lua_State *L = leash.L;
    __atomic_store_n(&word.serial, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&leash.inside, 0, __ATOMIC_SEQ_CST);
    leash.L = NULL;
    if (leash.counted || leash.report.rung) lua_sethook(L, NULL, 0, 0);
    *out = leash.report;
}

/* The library's functions are one instruction each, whatever they cost: so the time counts too. */
static void on_quota(lua_State *L, lua_Debug *at)
{
    (void)at;
    leash.quota -= QUOTA_COUNT;
    if (!leash.quota_spent) {
        if (leash.quota > 0 && burnt_us(CLOCK_THREAD_CPUTIME_ID) <= leash.quota_until_us) return;
        leash.quota_spent = true;
        leash.report.where[0] = '\0';
        find_author(L, leash.report.where, sizeof leash.report.where);
        lua_sethook(L, on_quota, LUA_MASKCOUNT, 1);
    }
    lua_pushfstring(L,
                    "%s: still running after its quota of instructions or of time: does it loop?",
                    leash.report.where);
    lua_error(L);
}

void tg_leash_quota(lua_State *L, int instructions, int64_t late_us)
{
    leash.quota_spent = false;
    leash.quota = instructions;
    leash.quota_until_us = burnt_us(CLOCK_THREAD_CPUTIME_ID) + instructions / QUOTA_RATE;
    if (late_us < leash.quota_until_us) leash.quota_until_us = late_us;
    lua_sethook(L, on_quota, LUA_MASKCOUNT, QUOTA_COUNT);
}

bool tg_leash_quota_end(lua_State *L)
{
    lua_sethook(L, NULL, 0, 0);
    return leash.quota_spent;
}
