/* What a rule call is charged: the processor time in which it was surely running. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tg_charge {
    uint32_t serial;   /* of the call; 0: none is looked at */
    int64_t seen_us;   /* the thread's processor time at the last look */
    int64_t us;        /* charged: what the budget is held against */
    int64_t silent_us; /* burnt in naps in which the thread did not answer */
    uint32_t looks;    /* since the call was first seen */
};

/* Milliseconds between two looks at a call with this budget: enough looks that none decides alone,
 * and no more of them than that takes. */
int tg_charge_nap_ms(int budget_ms);

/* One look, after a nap of `nap_ms`: the thread is in the call `serial` (0: in none) and has burnt
 * `burnt_us` of processor time in its life; `answered` tells whether it has answered the question
 * of the look before. True when this is the same call as at the last look, and it should be asked
 * (again). */
bool tg_charge_look(struct tg_charge *charge, uint32_t serial, int64_t burnt_us, int nap_ms,
                    bool answered);
