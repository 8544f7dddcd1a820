/* A block is on the tape as a whole or not at all: what a full disk took of it is cut off again, so
 * that what was recorded before stays readable without a fault. Room is made before a tape is begun
 * and not after, for a disk that is full cannot be emptied by writing to it.
 *
 * Nothing is synced: a recording survives the end of the process, not that of the machine, which
 * would cost a disk's patience every few seconds to save seconds. */
#include "record/press.h"

#include "record/block.h"
#include "record/shelf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct tg_press {
    struct tg_press_options options;
    char *folder;
    char path[PATH_MAX];
    struct tg_packer *packer;
    struct tg_buf packed;
    int fd; /* -1: no tape */
    int64_t size, bytes;
    uint64_t number, tapes;
};

struct tg_press *tg_press_new(const struct tg_press_options *options)
{
    struct tg_press *press = calloc(1, sizeof *press);
    if (!press) return NULL;
    press->options = *options;
    press->fd = -1;
    press->folder = strdup(options->folder);
    press->packer = tg_packer_new();
    if (press->folder && press->packer) return press;
    tg_press_free(press);
    return NULL;
}

static void close_tape(struct tg_press *press)
{
    if (press->fd >= 0) (void)close(press->fd);
    press->fd = -1;
    press->size = 0;
}

void tg_press_free(struct tg_press *press)
{
    if (!press) return;
    close_tape(press);
    tg_packer_free(press->packer);
    tg_buf_fini(&press->packed);
    free(press->folder);
    free(press);
}

static int failed(struct tg_err *err, const char *path)
{
    return tg_fail(err, TG_EIO, "%s: %s", path, strerror(errno));
}

static int open_tape(struct tg_press *press, bool gap, int64_t wall_ms, struct tg_err *err)
{
    const struct tg_press_options *options = &press->options;
    char name[TG_SHELF_NAME];
    struct tg_tape_facts facts = options->facts;
    close_tape(press);
    if (mkdir(press->folder, 0700) && errno != EEXIST) return failed(err, press->folder);
    int64_t room = options->total_bytes - options->file_bytes;
    if (tg_shelf_trim(press->folder, "", room > 0 ? room : 0) < 0)
        return failed(err, press->folder);
    press->number += 1 + gap;
    facts.number = press->number;
    facts.begun_ms = wall_ms;
    tg_shelf_name(name, wall_ms, facts.run, facts.number);
    int len = snprintf(press->path, sizeof press->path, "%s/%s", press->folder, name);
    if (len >= (int)sizeof press->path) return tg_fail(err, TG_EIO, "%s: too long", press->folder);
    press->fd = open(press->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (press->fd < 0) return failed(err, press->path);
    press->tapes++;
    return tg_tape_head(press->packer, &facts, &press->packed)
               ? tg_fail(err, TG_ENOMEM, "%s: no memory", press->path)
               : 0;
}

static int check_room(const struct tg_press *press, struct tg_err *err)
{
    int64_t left = tg_shelf_free(press->folder);
    if (left < 0) return failed(err, press->folder);
    if (left >= press->options.min_free_bytes) return 0;
    return tg_fail(err, TG_ELIMIT, "%s: %lld MB are free, and record.min_free_mb is %lld",
                   press->folder, (long long)(left >> 20),
                   (long long)(press->options.min_free_bytes >> 20));
}

/* Writes all that is packed, or takes back what was written of it. */
static int put(struct tg_press *press, struct tg_err *err)
{
    const char *at = press->packed.data;
    size_t left = press->packed.len;
    while (left) {
        ssize_t wrote = write(press->fd, at, left);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) {
            int rc = failed(err, press->path);
            if (ftruncate(press->fd, (off_t)press->size)) return rc; /* the reader copes */
            if (!press->size) (void)unlink(press->path);
            return rc;
        }
        at += wrote;
        left -= (size_t)wrote;
    }
    press->size += (int64_t)press->packed.len;
    press->bytes += (int64_t)press->packed.len;
    return 0;
}

/* A tape that was removed or moved by somebody goes on being written where nobody finds it. */
static bool is_there(const struct tg_press *press)
{
    struct stat info;
    return press->fd >= 0 && !fstat(press->fd, &info) && info.st_nlink > 0;
}

static int print(struct tg_press *press, const void *block, size_t len, bool fresh, bool gap,
                 int64_t wall_ms, struct tg_err *err)
{
    tg_buf_clear(&press->packed);
    if (!fresh && !is_there(press))
        return tg_fail(err, TG_EIO, "%s: the tape was taken away", press->path);
    int rc = fresh ? open_tape(press, gap, wall_ms, err) : 0;
    if (!rc) rc = check_room(press, err);
    if (!rc && tg_block_pack(press->packer, block, len, &press->packed))
        rc = tg_fail(err, TG_ENOMEM, "%s: no memory", press->path);
    if (!rc) return put(press, err);
    if (press->fd >= 0 && !press->size) (void)unlink(press->path);
    return rc;
}

int tg_press_write(struct tg_press *press, const void *block, size_t len, bool fresh, bool gap,
                   int64_t wall_ms, struct tg_err *err)
{
    int rc = print(press, block, len, fresh, gap, wall_ms, err);
    if (rc) close_tape(press);
    return rc;
}

bool tg_press_full(const struct tg_press *press)
{
    return press->fd < 0 || press->size >= press->options.file_bytes;
}

int64_t tg_press_bytes(const struct tg_press *press)
{
    return press->bytes;
}

uint64_t tg_press_tapes(const struct tg_press *press)
{
    return press->tapes;
}
