/* A rule set: the Lua files that make a generation, as they were when they were read. */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define TG_RULESET_FILES 1000                    /* files of one set */
#define TG_RULESET_BYTES (1024 * 1024)           /* of one file */
#define TG_RULESET_TOTAL (16 * TG_RULESET_BYTES) /* of all files */

struct tg_rule_file {
    char *path; /* as it was found */
    char *name; /* its last part: what errors begin with */
    char *text;
    size_t len;
    uint64_t hash; /* of the text */
};

struct tg_ruleset {
    struct tg_rule_file *files;
    uint32_t count, cap;
    size_t bytes;     /* of all texts */
    char name[64];    /* the folders' names, or "default" */
    char version[17]; /* hash of all names and texts, hex */
};

/* Reads folders (their *.lua, in name order) and single files, in the order given; without any, the
 * built-in default set. Only regular files are read, and only UTF-8 is taken. 0, or with a sentence
 * that names the path: -TG_ENOTFOUND, -TG_EIO, -TG_EINVAL, -TG_ELIMIT, -TG_ENOMEM; then the set is
 * empty. */
int tg_ruleset_read(struct tg_ruleset *set, const char *const *paths, int count,
                    struct tg_err *err);
void tg_ruleset_fini(struct tg_ruleset *set);

/* The same set once more. 0 or -TG_ENOMEM. */
int tg_ruleset_copy(struct tg_ruleset *out, const struct tg_ruleset *set);

/* A number that differs when a file was added, removed, replaced or written (names, sizes, times,
 * inodes): cheap enough to ask every second. */
uint64_t tg_ruleset_signature(const char *const *paths, int count);
