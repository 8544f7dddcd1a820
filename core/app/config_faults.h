/* The faults of a configuration: collected, then told in the order of the file. */
#pragma once

#include "app/config_scan.h"
#include "base/buf.h"

#include <stdarg.h>
#include <stdbool.h>

struct tg_config_fault {
    int line; /* 0: not known */
    char *text;
};

/* Fill `file` and `scan`, zero the rest. */
struct tg_config_faults {
    const char *file;
    const struct tg_config_scan *scan; /* NULL: there is no source to point into */
    struct tg_config_fault *list;
    int count, cap;
    bool failed; /* out of memory */
};

/* Adds "key: sentence", found on the key's line. */
void tg_config_fault(struct tg_config_faults *faults, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends at most `max` lines `file:line: key: sentence`, and one that counts the others. */
void tg_config_faults_write(struct tg_config_faults *faults, int max, struct tg_buf *out);

void tg_config_faults_fini(struct tg_config_faults *faults);
