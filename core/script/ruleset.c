/* Files are read whole before the first line of any runs, so a set is never half of one state of
 * the disk and half of another within a file. An editor that writes in place may still be seen half
 * way; then the set is refused or changes again, and the next look finds a new signature. */
#include "script/ruleset.h"

#include "base/buf.h"
#include "base/embedded.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FNV_START UINT64_C(0xcbf29ce484222325)

static const char builtin[] = "plugins/rules/default/";

static uint64_t fnv(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_lua(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && name[0] != '.' && !strcmp(name + len - 4, ".lua");
}

/* Takes the text, also when it fails. */
static int add_file(struct tg_ruleset *set, const char *path, char *text, size_t len)
{
    if (set->count == TG_RULESET_FILES) {
        free(text);
        return -TG_ELIMIT;
    }
    if (set->count == set->cap) {
        uint32_t cap = set->cap ? set->cap * 2 : 8;
        struct tg_rule_file *files = realloc(set->files, cap * sizeof *files);
        if (!files) {
            free(text);
            return -TG_ENOMEM;
        }
        set->files = files;
        set->cap = cap;
    }
    struct tg_rule_file *file = &set->files[set->count];
    *file = (struct tg_rule_file){strdup(path), strdup(last_part(path)), text, len,
                                  fnv(FNV_START, text, len)};
    set->count++;
    set->bytes += len;
    return file->path && file->name ? 0 : -TG_ENOMEM;
}

/* The line of the first byte that is not UTF-8, or 0. */
static int broken_line(const char *text, size_t len)
{
    int line = 1;
    for (const char *at = text; at < text + len; line++) {
        const char *end = memchr(at, '\n', (size_t)(text + len - at));
        size_t n = end ? (size_t)(end - at) : (size_t)(text + len - at);
        if (!tg_utf8_valid(at, n) || memchr(at, '\0', n)) return line;
        at += n + 1;
    }
    return 0;
}

/* Text as Lua and JSON need it: UTF-8, without the mark that some editors put in front. Compiled
 * Lua passes: whoever loads it has the better sentence. */
static int check_text(struct tg_buf *text, const char *path, struct tg_err *err)
{
    static const char mark[] = "\xef\xbb\xbf";
    bool wide = text->len >= 2 &&
                (!memcmp(text->data, "\xff\xfe", 2) || !memcmp(text->data, "\xfe\xff", 2));
    if (wide) return tg_fail(err, TG_EINVAL, "%s: this is UTF-16; save it as UTF-8", path);
    if (text->len >= 3 && !memcmp(text->data, mark, 3)) tg_buf_consume(text, 3);
    int line = text->len && text->data[0] == 27 ? 0 : broken_line(text->data, text->len);
    if (!line) return 0;
    if (tg_utf8_valid(text->data, text->len))
        return tg_fail(err, TG_EINVAL, "%s:%d: a zero byte: this is no text", path, line);
    return tg_fail(err, TG_EINVAL, "%s:%d: not UTF-8; save the file as UTF-8", path, line);
}

/* Reads what is a regular file: opening a pipe would wait for its writer, and the gateway with it.
 */
static int read_bytes(const char *path, struct tg_buf *text, struct tg_err *err)
{
    struct stat about;
    char block[16384];
    ssize_t n = 0;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return tg_fail(err, TG_EIO, "%s: %s", path,
                       errno == ENXIO ? "not a regular file" : strerror(errno));
    if (fstat(fd, &about) || !S_ISREG(about.st_mode)) {
        (void)close(fd);
        return tg_fail(err, TG_EIO, "%s: not a regular file", path);
    }
    while (text->len <= TG_RULESET_BYTES && (n = read(fd, block, sizeof block)) > 0)
        tg_buf_add(text, block, (size_t)n);
    int why = errno;
    (void)close(fd);
    if (n < 0) return tg_fail(err, TG_EIO, "%s: %s", path, strerror(why));
    if (text->failed) return tg_fail(err, TG_ENOMEM, "%s: no memory", path);
    if (text->len > TG_RULESET_BYTES) return tg_fail(err, TG_ELIMIT, "%s: larger than 1 MiB", path);
    return 0;
}

static int read_file(struct tg_ruleset *set, const char *path, struct tg_err *err)
{
    struct tg_buf text = {0};
    int rc = read_bytes(path, &text, err);
    tg_buf_putc(&text, '\n'); /* so that an empty file has bytes as well */
    if (!rc && text.failed) rc = tg_fail(err, TG_ENOMEM, "%s: no memory", path);
    if (!rc) rc = check_text(&text, path, err);
    if (!rc && set->bytes + text.len > TG_RULESET_TOTAL)
        rc = tg_fail(err, TG_ELIMIT, "%s: with it the files are larger than 16 MiB", path);
    if (rc) {
        tg_buf_fini(&text);
        return rc;
    }
    size_t len = text.len;
    rc = add_file(set, path, tg_buf_take(&text), len);
    if (rc == -TG_ELIMIT)
        return tg_fail(err, TG_ELIMIT, "%s: more than %d files", path, TG_RULESET_FILES);
    return rc ? tg_fail(err, -rc, "%s: no memory", path) : 0;
}

static int rule_files(const struct dirent *entry)
{
    return is_lua(entry->d_name);
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Calls `each` with the path of every file that `paths` names, in order. */
static int walk(const char *const *paths, int count,
                int (*each)(void *ctx, const char *path, struct tg_err *err), void *ctx,
                struct tg_err *err)
{
    int rc = 0;
    for (int i = 0; i < count && !rc; i++) {
        struct stat about;
        struct dirent **entries = NULL;
        if (stat(paths[i], &about))
            return tg_fail(err, TG_ENOTFOUND, "%s: %s", paths[i], strerror(errno));
        if (!S_ISDIR(about.st_mode)) {
            rc = each(ctx, paths[i], err);
            continue;
        }
        int n = scandir(paths[i], &entries, rule_files, by_bytes);
        if (n < 0) return tg_fail(err, TG_EIO, "%s: %s", paths[i], strerror(errno));
        size_t len = strlen(paths[i]);
        bool slash = len && paths[i][len - 1] == '/';
        for (int k = 0; k < n; k++) {
            struct tg_buf path = {0};
            tg_buf_printf(&path, "%s%s%s", paths[i], slash ? "" : "/", entries[k]->d_name);
            if (!rc) rc = path.failed ? -TG_ENOMEM : each(ctx, path.data, err);
            tg_buf_fini(&path);
            free(entries[k]);
        }
        free(entries);
    }
    return rc;
}

static int read_each(void *ctx, const char *path, struct tg_err *err)
{
    return read_file(ctx, path, err);
}

static int read_builtin(struct tg_ruleset *set)
{
    int rc = 0;
    for (const struct tg_embedded *file = tg_embedded_files; file->path && !rc; file++) {
        if (strncmp(file->path, builtin, sizeof builtin - 1) != 0) continue;
        char *text = malloc(file->len + 1);
        if (!text) return -TG_ENOMEM;
        memcpy(text, file->text, file->len + 1);
        rc = add_file(set, file->path, text, file->len);
    }
    return rc;
}

/* "rules+margin_zones" */
static void name_set(struct tg_ruleset *set, const char *const *paths, int count)
{
    size_t len = 0;
    for (int i = 0; i < count; i++) {
        size_t end = strlen(paths[i]);
        while (end > 1 && paths[i][end - 1] == '/')
            end--;
        size_t start = end;
        while (start && paths[i][start - 1] != '/')
            start--;
        if (i && len + 1 < sizeof set->name) set->name[len++] = '+';
        tg_copy(set->name + len, sizeof set->name - len, paths[i] + start, end - start);
        len += strlen(set->name + len);
    }
    if (!count) tg_copy(set->name, sizeof set->name, "default", 7);
}

int tg_ruleset_read(struct tg_ruleset *set, const char *const *paths, int count, struct tg_err *err)
{
    *set = (struct tg_ruleset){0};
    int rc = count ? walk(paths, count, read_each, set, err) : read_builtin(set);
    if (!rc && !set->count) {
        rc = tg_fail(err, TG_ENOTFOUND, "%s: no *.lua files", count ? paths[0] : builtin);
    } else if (rc == -TG_ENOMEM) {
        (void)tg_fail(err, TG_ENOMEM, "no memory for the rule files");
    }
    if (rc) {
        tg_ruleset_fini(set);
        return rc;
    }
    uint64_t hash = FNV_START;
    for (uint32_t i = 0; i < set->count; i++) {
        hash = fnv(hash, set->files[i].name, strlen(set->files[i].name) + 1);
        hash = fnv(hash, &set->files[i].hash, sizeof set->files[i].hash);
    }
    (void)snprintf(set->version, sizeof set->version, "%016llx", (unsigned long long)hash);
    name_set(set, paths, count);
    return 0;
}

void tg_ruleset_fini(struct tg_ruleset *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        free(set->files[i].path);
        free(set->files[i].name);
        free(set->files[i].text);
    }
    free(set->files);
    *set = (struct tg_ruleset){0};
}

int tg_ruleset_copy(struct tg_ruleset *out, const struct tg_ruleset *set)
{
    *out = (struct tg_ruleset){0};
    int rc = 0;
    for (uint32_t i = 0; i < set->count && !rc; i++) {
        const struct tg_rule_file *file = &set->files[i];
        char *text = malloc(file->len + 1);
        if (!text) {
            rc = -TG_ENOMEM;
            break;
        }
        memcpy(text, file->text, file->len);
        text[file->len] = '\0';
        rc = add_file(out, file->path, text, file->len);
    }
    memcpy(out->name, set->name, sizeof out->name);
    memcpy(out->version, set->version, sizeof out->version);
    if (rc) tg_ruleset_fini(out);
    return rc;
}

static int sign_each(void *ctx, const char *path, struct tg_err *err)
{
    uint64_t *hash = ctx;
    struct stat about;
    (void)err;
    *hash = fnv(*hash, path, strlen(path) + 1);
    if (stat(path, &about)) return 0;
    *hash = fnv(*hash, &about.st_size, sizeof about.st_size);
    *hash = fnv(*hash, &about.st_mtim, sizeof about.st_mtim);
    *hash = fnv(*hash, &about.st_ino, sizeof about.st_ino);
    return 0;
}

uint64_t tg_ruleset_signature(const char *const *paths, int count)
{
    uint64_t hash = FNV_START;
    int rc = walk(paths, count, sign_each, &hash, NULL);
    return fnv(hash, &rc, sizeof rc);
}
