/* A reel: several tapes read as one recording, in order. */
#pragma once

#include "record/tape.h"

struct tg_reel;

/* Takes files and folders (of which every `*.tgr` is taken, by name). 0, -TG_ENOTFOUND (no tape in
 * a folder), -TG_EIO or -TG_ENOMEM, with the path in `err`. */
int tg_reel_open(const char *const *paths, int count, struct tg_reel **out, struct tg_err *err);
void tg_reel_close(struct tg_reel *reel);

/* The next note: 1; 0 at the end of the last tape; or a fault of a tape (see tg_tape_open and
 * tg_tape_next), which ends that tape: the next call goes on with the one behind it. Where a tape
 * does not continue the one before, or that one ended with a fault, a RESTART comes first. */
int tg_reel_next(struct tg_reel *reel, struct tg_note *note, struct tg_err *err);

/* The head of the tape that is being read; NULL before the first note. */
const struct tg_tape_facts *tg_reel_facts(const struct tg_reel *reel);

/* Goes back to the beginning. */
void tg_reel_rewind(struct tg_reel *reel);

/* How many tapes there are, and the path of one. */
size_t tg_reel_count(const struct tg_reel *reel);
const char *tg_reel_path(const struct tg_reel *reel, size_t index);
