/* Only files of our own making are counted and removed: whoever points `record.path` at a folder
 * with other things in it loses none of them. */
#include "record/shelf.h"

#include "base/clock.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const char form[] = "dddddddd-dddddd-ddd-xxxxxxxxxxxxxxxx-dddddd.tgr";

void tg_shelf_name(char out[TG_SHELF_NAME], int64_t wall_ms, uint64_t run, uint64_t number)
{
    char t[TG_ISO8601_SIZE];
    tg_iso8601_write(t, wall_ms);
    (void)snprintf(out, TG_SHELF_NAME, "%.4s%.2s%.2s-%.2s%.2s%.2s-%.3s-%016llx-%06llu.tgr", t,
                   t + 5, t + 8, t + 11, t + 14, t + 17, t + 20, (unsigned long long)run,
                   (unsigned long long)(number % 1000000));
}

static bool is_ours(const char *name)
{
    if (strlen(name) != sizeof form - 1) return false;
    for (size_t i = 0; i < sizeof form - 1; i++) {
        bool digit = name[i] >= '0' && name[i] <= '9';
        bool hex = digit || (name[i] >= 'a' && name[i] <= 'f');
        if (form[i] == 'd' ? !digit : form[i] == 'x' ? !hex : name[i] != form[i]) return false;
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct tg_shelf_tape *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static int add(struct tg_shelf *shelf, const char *name, int64_t bytes)
{
    if (shelf->count == shelf->cap) {
        size_t cap = shelf->cap ? shelf->cap * 2 : 16;
        struct tg_shelf_tape *tapes = realloc(shelf->tapes, cap * sizeof *tapes);
        if (!tapes) return -TG_ENOMEM;
        shelf->tapes = tapes;
        shelf->cap = cap;
    }
    struct tg_shelf_tape *tape = &shelf->tapes[shelf->count++];
    tg_copy(tape->name, sizeof tape->name, name, strlen(name));
    tape->bytes = bytes;
    shelf->bytes += bytes;
    return 0;
}

int tg_shelf_list(const char *folder, struct tg_shelf *shelf)
{
    *shelf = (struct tg_shelf){0};
    DIR *dir = opendir(folder);
    if (!dir) return -TG_EIO;
    int rc = 0;
    for (struct dirent *entry; !rc && (entry = readdir(dir));) {
        struct stat info;
        if (!is_ours(entry->d_name) ||
            fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) ||
            !S_ISREG(info.st_mode))
            continue;
        rc = add(shelf, entry->d_name, (int64_t)info.st_size);
    }
    (void)closedir(dir);
    if (shelf->count) qsort(shelf->tapes, shelf->count, sizeof *shelf->tapes, by_name);
    return rc;
}

void tg_shelf_fini(struct tg_shelf *shelf)
{
    free(shelf->tapes);
    *shelf = (struct tg_shelf){0};
}

int tg_shelf_trim(const char *folder, const char *but, int64_t bytes)
{
    struct tg_shelf shelf;
    int removed = 0, rc = tg_shelf_list(folder, &shelf), failed = 0;
    int dir = rc ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) failed = errno;
    for (size_t i = 0; dir >= 0 && i < shelf.count && shelf.bytes > bytes; i++) {
        if (!strcmp(shelf.tapes[i].name, but)) continue;
        if (unlinkat(dir, shelf.tapes[i].name, 0) && errno != ENOENT) {
            failed = errno;
            continue;
        }
        shelf.bytes -= shelf.tapes[i].bytes;
        removed++;
    }
    if (dir >= 0) (void)close(dir);
    tg_shelf_fini(&shelf);
    errno = failed;
    return failed ? -1 : removed;
}

int64_t tg_shelf_free(const char *folder)
{
    struct statvfs info;
    if (statvfs(folder, &info)) return -1;
    return (int64_t)info.f_bavail * (int64_t)info.f_frsize;
}
