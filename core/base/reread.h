/* A file that is read again when it changes. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/stat.h>

/* Zero-initialise. What its text is worth is the owner's to judge. */
struct tg_reread {
    char *path;
    size_t max;       /* bytes */
    struct stat seen; /* the file at the last reading, good or bad */
    bool settled;     /* it had not been written just before */
    int failed;       /* the owner's verdict on the newest text: 0 or -TG_E… */
    struct tg_err why;
};

/* The path is copied. 0 or -TG_ENOMEM. */
int tg_reread_init(struct tg_reread *reread, const char *path, size_t max);
void tg_reread_fini(struct tg_reread *reread);

/* Whether stat(2) says that it is another file (device, inode, size, times), or it was so fresh at
 * the last reading that a further edit could hide behind the same times. */
bool tg_reread_wanted(const struct tg_reread *reread);

/* Reads it as a whole and NUL-terminated into the zeroed `out`. 0, -TG_EIO (not there, not a file,
 * changed while it was read), -TG_EINVAL (over `max`) or -TG_ENOMEM, with a sentence that names the
 * file. */
int tg_reread_read(struct tg_reread *reread, struct tg_buf *out, struct tg_err *err);
