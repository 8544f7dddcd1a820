/* The proof: a candidate's `expect` examples, run before it may go live. */
#pragma once

#include "script/generation.h"

/* Runs every example of the set on an account built for it. 0, or -TG_EINVAL with the sentence of
 * the first that does not hold: file and line of the example, the path that differs, expected and
 * got. Leaves no trace in the generation. */
int tg_proof_run(struct tg_generation *generation, struct tg_err *err);

/* Fills in the functions that only examples use. */
void tg_proof_bridge(struct tgl_work *work);
