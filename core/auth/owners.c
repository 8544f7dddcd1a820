/* A file that an operator or a script rewrites while clients are connected. It is judged as a whole
 * before any of it counts: half a file, a subject named twice, an id that could never match would
 * each show or hide accounts by accident. The text is kept and looked into, not converted: a file
 * of a million accounts is one allocation and one parse.
 *
 * Change is seen by stat(2) rather than by watching: it works through renames, symbolic links and
 * network mounts alike. File times tick in milliseconds at best, so a file that was written within
 * SETTLE_MS of being read is read once more when that time is over. */
#include "auth/owners.h"

#include "auth/grant.h"
#include "auth/object.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTLE_MS 2000

struct content {
    struct tg_buf text;
    struct tg_json json;
    struct tg_map subjects; /* → struct tg_json_token of the grant */
};

struct tg_owners {
    char *path;
    size_t max;
    struct content content;
    struct stat seen; /* the file at the last reading, good or bad */
    bool settled;     /* it had not been written just before */
    int failed;       /* of the last reading: 0 or -TG_E… */
    struct tg_err why;
};

static void content_fini(struct content *content)
{
    tg_buf_fini(&content->text);
    tg_json_fini(&content->json);
    tg_map_fini(&content->subjects);
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

static int read_open(const struct tg_owners *owners, int fd, struct stat *seen, struct tg_buf *out,
                     struct tg_err *err)
{
    struct stat after;
    if (fstat(fd, seen)) return tg_fail(err, TG_EIO, "%s: %s", owners->path, strerror(errno));
    if (!S_ISREG(seen->st_mode)) return tg_fail(err, TG_EIO, "%s: not a file", owners->path);
    if ((uint64_t)seen->st_size > owners->max)
        return tg_fail(err, TG_EINVAL, "%s: larger than %zu bytes", owners->path, owners->max);
    int rc = read_all(fd, (size_t)seen->st_size, out);
    if (rc == -TG_ENOMEM) return tg_fail(err, TG_ENOMEM, "%s: out of memory", owners->path);
    if (rc == -TG_EIO) return tg_fail(err, TG_EIO, "%s: %s", owners->path, strerror(errno));
    if (rc || fstat(fd, &after) || !same_file(seen, &after)) {
        *seen = (struct stat){0}; /* no file is like this one: the next refresh reads again */
        return tg_fail(err, TG_EIO, "%s: changed while it was read", owners->path);
    }
    return 0;
}

static int bad_grant(const struct tg_json_token *subject, const char *path, struct tg_err *err)
{
    char name[65];
    tg_copy(name, sizeof name, subject->text, subject->len);
    return tg_fail(err, TG_EINVAL, "%s: \"%s\" must have an account id, a list of them or \"*\"",
                   path, name);
}

static int index_subjects(struct content *content, const char *path, struct tg_err *err)
{
    struct tg_json_token *tokens = content->json.tokens;
    struct tg_buf subject = {0};
    int rc = 0;
    for (uint32_t key = 1; key < tokens[0].next && !rc; key = tokens[key + 1].next) {
        tg_buf_clear(&subject);
        tg_json_unescape(&subject, &tokens[key]);
        if (subject.failed || tg_map_put(&content->subjects, subject.data ? subject.data : "",
                                         subject.len, &tokens[key + 1], NULL))
            rc = tg_fail(err, TG_ENOMEM, "%s: out of memory", path);
        else if (!tg_grant_valid(&content->json, key + 1))
            rc = bad_grant(&tokens[key], path, err);
    }
    tg_buf_fini(&subject);
    return rc;
}

static int parse(struct content *content, const char *path, struct tg_err *err)
{
    struct tg_err why = {0};
    int rc = tg_object_parse(&content->json, content->text.data, content->text.len, &why);
    if (rc) return tg_fail(err, -rc, "%s: %s", path, why.text);
    return index_subjects(content, path, err);
}

static bool same_text(const struct tg_buf *a, const struct tg_buf *b)
{
    return a->data && a->len == b->len && !memcmp(a->data, b->data, a->len);
}

/* Replaces the content when all of the new is good: 1; 0 when it is the old; or an error. */
static int reread(struct tg_owners *owners, struct tg_err *err)
{
    struct content next = {0};
    struct stat seen = {0};
    int fd = open(owners->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;
    if (fd < 0) {
        rc = tg_fail(err, TG_EIO, "%s: %s", owners->path, strerror(errno));
    } else {
        rc = read_open(owners, fd, &seen, &next.text, err);
        (void)close(fd);
    }
    bool same = !rc && same_text(&owners->content.text, &next.text);
    if (!rc && !same) rc = parse(&next, owners->path, err);
    owners->seen = seen;
    owners->settled = settled(&seen);
    owners->failed = rc;
    if (rc || same) {
        content_fini(&next);
        return rc;
    }
    content_fini(&owners->content);
    owners->content = next;
    return 1;
}

int tg_owners_new(const char *path, size_t max, struct tg_owners **out, struct tg_err *err)
{
    struct tg_owners *owners = calloc(1, sizeof *owners);
    if (owners) owners->path = strdup(path);
    int rc = owners && owners->path ? 0 : tg_fail(err, TG_ENOMEM, "%s: out of memory", path);
    if (!rc) {
        owners->max = max;
        rc = reread(owners, err);
    }
    if (rc < 0)
        tg_owners_free(owners);
    else
        *out = owners;
    return rc < 0 ? rc : 0;
}

void tg_owners_free(struct tg_owners *owners)
{
    if (!owners) return;
    content_fini(&owners->content);
    free(owners->path);
    free(owners);
}

int tg_owners_refresh(struct tg_owners *owners, struct tg_err *err)
{
    struct stat now;
    bool there = !stat(owners->path, &now);
    int rc = owners->failed;
    if (!there || !owners->settled || !same_file(&owners->seen, &now))
        rc = reread(owners, &owners->why);
    if (rc < 0 && err) *err = owners->why;
    return rc;
}

uint32_t tg_owners_find(const struct tg_owners *owners, const char *subject,
                        const struct tg_json **json)
{
    const struct content *content = &owners->content;
    const struct tg_json_token *grant = tg_map_get(&content->subjects, subject, strlen(subject));
    if (!grant) return 0;
    *json = &content->json;
    return (uint32_t)(grant - content->json.tokens);
}
