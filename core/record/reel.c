/* Two tapes belong together when one gateway made them in one life and nothing was lost between
 * them: same run, next number, no fault. Else what is known of the accounts ends at the seam, as it
 * does when a gateway is started again; to join them would tell the difference as if it had
 * happened in one poll. */
#include "record/reel.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct tg_reel {
    char **paths;
    size_t count, cap;
    size_t next; /* the tape that is opened next */
    struct tg_tape *tape;
    struct tg_tape_facts facts; /* of that tape, or the one before */
    bool begun;                 /* facts are good */
    bool restart;               /* a RESTART is due */
};

static int add(struct tg_reel *reel, char *path)
{
    if (!path) return -TG_ENOMEM;
    if (reel->count == reel->cap) {
        size_t cap = reel->cap ? reel->cap * 2 : 16;
        char **paths = realloc(reel->paths, cap * sizeof *paths);
        if (!paths) {
            free(path);
            return -TG_ENOMEM;
        }
        reel->paths = paths;
        reel->cap = cap;
    }
    reel->paths[reel->count++] = path;
    return 0;
}

static int is_tape(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 4 && entry->d_name[0] != '.' && !strcmp(entry->d_name + len - 4, ".tgr");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_folder(struct tg_reel *reel, const char *folder, struct tg_err *err)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_tape, by_name), rc = 0;
    if (count < 0) return tg_fail(err, TG_EIO, "%s: %s", folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        char *path = NULL;
        if (!rc && asprintf(&path, "%s/%s", folder, entries[i]->d_name) < 0) path = NULL;
        if (!rc) rc = add(reel, path);
        free(entries[i]);
    }
    free(entries);
    if (rc) return tg_fail(err, TG_ENOMEM, "%s: no memory", folder);
    if (!count)
        return tg_fail(err, TG_ENOTFOUND, "%s: there is no recording (*.tgr) in it", folder);
    return 0;
}

int tg_reel_open(const char *const *paths, int count, struct tg_reel **out, struct tg_err *err)
{
    struct tg_reel *reel = calloc(1, sizeof *reel);
    if (!reel) return tg_fail(err, TG_ENOMEM, "no memory");
    int rc = 0;
    for (int i = 0; i < count && !rc; i++) {
        struct stat info;
        if (stat(paths[i], &info))
            rc = tg_fail(err, TG_EIO, "%s: %s", paths[i], strerror(errno));
        else if (S_ISDIR(info.st_mode))
            rc = add_folder(reel, paths[i], err);
        else if (add(reel, strdup(paths[i])))
            rc = tg_fail(err, TG_ENOMEM, "%s: no memory", paths[i]);
    }
    if (rc) {
        tg_reel_close(reel);
        return rc;
    }
    *out = reel;
    return 0;
}

void tg_reel_close(struct tg_reel *reel)
{
    if (!reel) return;
    tg_tape_close(reel->tape);
    for (size_t i = 0; i < reel->count; i++)
        free(reel->paths[i]);
    free(reel->paths);
    free(reel);
}

void tg_reel_rewind(struct tg_reel *reel)
{
    tg_tape_close(reel->tape);
    reel->tape = NULL;
    reel->next = 0;
    reel->restart = reel->begun;
    reel->begun = false;
}

static void end_tape(struct tg_reel *reel)
{
    tg_tape_close(reel->tape);
    reel->tape = NULL;
}

static int open_next(struct tg_reel *reel, struct tg_err *err)
{
    int rc = tg_tape_open(reel->paths[reel->next++], &reel->tape, err);
    if (rc) {
        end_tape(reel);
        reel->restart = true;
        return rc;
    }
    const struct tg_tape_facts *facts = tg_tape_facts(reel->tape);
    if (reel->begun && (facts->run != reel->facts.run || facts->number != reel->facts.number + 1))
        reel->restart = true;
    reel->facts = *facts;
    reel->begun = true;
    return 0;
}

int tg_reel_next(struct tg_reel *reel, struct tg_note *note, struct tg_err *err)
{
    for (;;) {
        if (!reel->tape) {
            if (reel->next == reel->count) return 0;
            int rc = open_next(reel, err);
            if (rc) return rc;
        }
        if (reel->restart) {
            reel->restart = false;
            *note = (struct tg_note){.kind = TG_NOTE_RESTART, .wall_ms = reel->facts.begun_ms};
            return 1;
        }
        int rc = tg_tape_next(reel->tape, note, err);
        if (rc > 0) return rc;
        end_tape(reel);
        if (rc < 0) {
            reel->restart = true;
            return rc;
        }
    }
}

const struct tg_tape_facts *tg_reel_facts(const struct tg_reel *reel)
{
    return reel->begun ? &reel->facts : NULL;
}

size_t tg_reel_count(const struct tg_reel *reel)
{
    return reel->count;
}

const char *tg_reel_path(const struct tg_reel *reel, size_t index)
{
    return index < reel->count ? reel->paths[index] : NULL;
}
