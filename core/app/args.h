/* The arguments of one command, read against what the command declares. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

/* One option. Ends with a NULL name. */
struct tg_option {
    const char *name;  /* without the dashes */
    const char *value; /* what stands for its value in the help; NULL: a switch */
    const char *help;
    bool many; /* may be given several times */
};

#define TG_ARGS_MAX 256 /* options and operands of one call */

struct tg_arg {
    const struct tg_option *option; /* NULL: an operand */
    const char *value;              /* borrowed from argv; "" for a switch */
};

struct tg_args {
    struct tg_arg list[TG_ARGS_MAX];
    int count;
    bool help; /* --help or -h was given; nothing else was looked at behind it */
};

/* Reads `--name value`, `--name=value`, `--switch`, and up to `operands` others; `--` ends the
 * options. No value and no operand is empty. 0, or -TG_EINVAL with what is wrong and the nearest
 * option. */
int tg_args_read(struct tg_args *args, const struct tg_option *options, int operands, int argc,
                 char *const *argv, struct tg_err *err);

/* The value of an option, NULL when it was not given. */
const char *tg_args_get(const struct tg_args *args, const char *name);

/* The value of an option that must be there; NULL with a sentence when it is not. */
const char *tg_args_need(const struct tg_args *args, const char *name, struct tg_err *err);

/* The next value of an option that may be repeated, or of the operands (`name` NULL): start with
 * `*cursor = 0`; NULL at the end. */
const char *tg_args_next(const struct tg_args *args, const char *name, int *cursor);

/* A whole number in a range; `*out` is untouched when the option was not given. 0 or -TG_EINVAL. */
int tg_args_number(const struct tg_args *args, const char *name, long low, long high, long *out,
                   struct tg_err *err);
