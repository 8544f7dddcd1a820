/* The bridge: the memory and the functions that the rules' runtime shares with C. */
#pragma once

#include "model/record.h"

#include <stddef.h>
#include <stdint.h>

/* One text, two readers: the C compiler, and LuaJIT through ffi.cdef (tgl_bridge_cdef). Only the
 * runtime in lua/ ever holds these pointers; a rule sees copies. The functions append to C queues
 * and never call back into Lua: a Lua call inside one that was compiled would be a panic. */
/* clang-format off */
#define TGL_BRIDGE                                                                                \
    struct tgl_leash {                                                                            \
        uint32_t serial;  /* of the rule call that is running, 0 = none; read by the watchdog */  \
        uint32_t cursor;  /* the step that is running */                                          \
        uint32_t last;    /* serial that was given last: none is given twice in a long time */    \
    };                                                                                            \
    struct tgl_step {                                                                             \
        uint32_t account; /* index into the accounts of this run */                               \
        uint32_t rule;                                                                            \
        int32_t moment;   /* index into the account's moments, or a TGL_STEP_ value */            \
    };                                                                                            \
    struct tgl_tally {                                                                            \
        double calls, events, faults, dropped, nanoseconds;                                       \
        int32_t muted, spare;                                                                     \
    };                                                                                            \
    struct tgl_pose { /* a poll that an example shows (proof.c) */                                \
        const struct tgl_account *now, *was;                                                      \
        struct tgl_position *positions, *positions_was;                                           \
        struct tgl_order *orders, *orders_was;                                                    \
        void *moment; /* a struct tg_moment or NULL */                                            \
        uint32_t positions_count, positions_was_count, orders_count, orders_was_count;            \
    };                                                                                            \
    struct tgl_work {                                                                             \
        struct tgl_leash *leash;                                                                  \
        const struct tgl_step *steps;                                                             \
        uint8_t *verdicts; /* of the steps: what became of each, enum tgl_verdict */              \
        struct tgl_tally *tallies;                                                                \
        const struct tgl_account *now, *was;                                                      \
        const struct tgl_position *positions, *positions_was;                                     \
        const struct tgl_order *orders, *orders_was;                                              \
        const char *moments;                                                                      \
        const char *told;                                                                         \
        const char *text;                                                                         \
        double text_len;                                                                          \
        double now_ms;                                                                            \
        double slot, birth;                                                                       \
        double stay;      /* rises with each account that is loaded: dates the views of it */     \
            uint32_t count;   /* of steps */                                                          \
        uint32_t account; /* the one that is loaded, 2^32-1 = none */                             \
        uint32_t positions_count, positions_was_count, moments_count;                             \
        uint32_t orders_count, orders_was_count;                                                  \
        int32_t told_kind;                                                                        \
        int32_t verdict;  /* of the step that is running */                                       \
        int (*load)(struct tgl_work *, uint32_t account);                                         \
        int (*rule)(struct tgl_work *, const char *name, const char *file, const char *path,      \
                    const char *type, int latest, int filtered, int every_ms);                    \
        int (*watch)(struct tgl_work *, int rule, int field);                                     \
        int (*on)(struct tgl_work *, int rule, int kind);                                         \
        int (*place)(struct tgl_work *, int rule, int which, int line);                           \
        int (*plain)(struct tgl_work *, int rule, int kind, int shape);                           \
        int (*shape)(struct tgl_work *);                                                          \
        int (*op)(struct tgl_work *, int shape, int code, int source, int field, uint32_t arg,    \
                  const char *text, size_t len);                                                  \
        void (*aim)(struct tgl_work *, int shape, int op, int span);                              \
        int (*speak)(struct tgl_work *, int rule, const char *json, size_t len);                  \
        int (*draw)(struct tgl_work *, int shape, int moment, const char *since);                 \
        int (*speak_text)(struct tgl_work *, int rule);                                           \
        void (*fault)(struct tgl_work *, int rule, const char *text);                             \
        void (*note)(struct tgl_work *, const char *file, const char *text);                      \
        void (*wake)(struct tgl_work *, double wall_ms);                                          \
        double (*nanoseconds)(void);                                                              \
        double (*round)(double value, int digits);                                                \
        const char *(*iso8601)(struct tgl_work *, double wall_ms);                                \
        double (*time_of)(struct tgl_work *, const char *iso8601, size_t len);                    \
        void (*blank)(struct tgl_work *, const char *entity, void *record);                       \
        uint64_t (*pose)(struct tgl_work *, const struct tgl_pose *);                             \
        int (*heard)(struct tgl_work *);                                                          \
    };
/* clang-format on */

TGL_BRIDGE

/* Steps that are about no moment of the account. */
enum {
    TGL_STEP_WATCH = -1, /* the poll changed a watched field */
    TGL_STEP_DUE = -2,   /* something held back by `every` may be due */
    TGL_STEP_TICK = -3,  /* every poll */
    TGL_STEP_TOLD = -4,  /* tg_script_tell: `told` says what */
};

/* What became of a step. The numbers are known to lua/verdict.lua. */
enum tgl_verdict {
    TGL_NOT_RUN,     /* the walk ended before it */
    TGL_SPOKE,       /* an event was made */
    TGL_ONLY,        /* `only` said: not this account */
    TGL_SILENT,      /* `detect` had nothing to tell */
    TGL_NO_PAYLOAD,  /* `payload` gave nothing, or a `changes` was empty */
    TGL_HELD,        /* `every` holds it back */
    TGL_NOTHING_DUE, /* `every`: nothing was held back, or its time has not come */
    TGL_FAULT,       /* an error */
    TGL_RESTS,       /* after repeated faults on this account */
    TGL_MUTED,
    TGL_OVER_BOUND, /* more events than an account may have in a poll */
    TGL_STOPPED,    /* it ran too long, or the memory was used up */
    TGL_VERDICTS,
};

/* Whose lines `place` tells. */
enum tgl_place {
    TGL_PLACE_RULE,
    TGL_PLACE_ONLY,
    TGL_PLACE_DETECT,
    TGL_PLACE_PAYLOAD,
    TGL_PLACE_TO,
    TGL_PLACES,
};

/* The text above as ffi.cdef takes it, without the record structs. */
extern const char tgl_bridge_cdef[];

/* Fills in the functions. `work` is that of a struct tg_generation. */
void tgl_bridge_init(struct tgl_work *work);

/* What `draw` and `speak` answer. */
enum {
    TGL_SPOKEN = 0,
    TGL_EMPTY = 1,   /* a `changes` of the shape has none: nothing is said */
    TGL_DROPPED = 2, /* over the bound of events per account and tick, or no memory */
    TGL_TOO_BIG = 3, /* over the payload bound */
};
