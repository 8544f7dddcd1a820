/* Change is seen by stat(2) rather than by watching: it works through renames, symbolic links and
 * network mounts alike. File times tick in milliseconds at best, so a file that was written within
 * SETTLE_MS of being read is read once more when that time is over. */
#include "base/reread.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SETTLE_MS 2000

int tg_reread_init(struct tg_reread *reread, const char *path, size_t max)
{
    *reread = (struct tg_reread){.path = strdup(path), .max = max};
    return reread->path ? 0 : -TG_ENOMEM;
}

void tg_reread_fini(struct tg_reread *reread)
{
    free(reread->path);
    *reread = (struct tg_reread){0};
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           same_time(a->st_mtim, b->st_mtim) && same_time(a->st_ctim, b->st_ctim);
}

/* File times are of the system's clock, so they are compared with no other. */
static bool settled(const struct stat *file)
{
    int64_t written = (int64_t)file->st_ctim.tv_sec * 1000 + file->st_ctim.tv_nsec / 1000000;
    int64_t age = tg_wall_ms(tg_clock_system()) - written;
    return age > SETTLE_MS || age < -SETTLE_MS;
}

static int read_all(int fd, size_t size, struct tg_buf *out)
{
    if (tg_buf_reserve(out, size + 1)) return -TG_ENOMEM;
    while (out->len <= size) { /* one byte more than there should be tells of growth */
        ssize_t n = read(fd, out->data + out->len, size + 1 - out->len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -TG_EIO;
        if (!n) break;
        out->len += (size_t)n;
    }
    out->data[out->len] = '\0';
    return out->len == size ? 0 : -TG_EAGAIN;
}

static int read_open(const struct tg_reread *reread, int fd, struct stat *seen, struct tg_buf *out,
                     struct tg_err *err)
{
    struct stat after;
    if (fstat(fd, seen)) return tg_fail(err, TG_EIO, "%s: %s", reread->path, strerror(errno));
    if (!S_ISREG(seen->st_mode)) return tg_fail(err, TG_EIO, "%s: not a file", reread->path);
    if ((uint64_t)seen->st_size > reread->max)
        return tg_fail(err, TG_EINVAL, "%s: larger than %zu bytes", reread->path, reread->max);
    int rc = read_all(fd, (size_t)seen->st_size, out);
    if (rc == -TG_ENOMEM) return tg_fail(err, TG_ENOMEM, "%s: out of memory", reread->path);
    if (rc == -TG_EIO) return tg_fail(err, TG_EIO, "%s: %s", reread->path, strerror(errno));
    if (rc || fstat(fd, &after) || !same_file(seen, &after)) {
        *seen = (struct stat){0}; /* no file is like this one: the next refresh reads again */
        return tg_fail(err, TG_EIO, "%s: changed while it was read", reread->path);
    }
    return 0;
}

bool tg_reread_wanted(const struct tg_reread *reread)
{
    struct stat now;
    bool there = !stat(reread->path, &now);
    return !there || !reread->settled || !same_file(&reread->seen, &now);
}

int tg_reread_read(struct tg_reread *reread, struct tg_buf *out, struct tg_err *err)
{
    struct stat seen = {0};
    int fd = open(reread->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;
    if (fd < 0) {
        rc = tg_fail(err, TG_EIO, "%s: %s", reread->path, strerror(errno));
    } else {
        rc = read_open(reread, fd, &seen, out, err);
        (void)close(fd);
    }
    reread->seen = seen;
    reread->settled = settled(&seen);
    return rc;
}
