/* A file that an operator or a script rewrites while clients are connected. It is judged as a whole
 * before any of it counts: half a file, a subject named twice, an id that could never match would
 * each show or hide accounts by accident. The text is kept and looked into, not converted: a file
 * of a million accounts is one allocation and one parse.
 */
#include "auth/owners.h"

#include "auth/grant.h"
#include "auth/object.h"
#include "base/map.h"
#include "base/reread.h"
#include "base/text.h"

#include <string.h>

struct content {
    struct tg_buf text;
    struct tg_json json;
    struct tg_map subjects; /* → struct tg_json_token of the grant */
};

struct tg_owners {
    struct tg_reread file;
    struct content content;
};

static void content_fini(struct content *content)
{
    tg_buf_fini(&content->text);
    tg_json_fini(&content->json);
    tg_map_fini(&content->subjects);
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
    int rc = tg_reread_read(&owners->file, &next.text, err);
    bool same = !rc && same_text(&owners->content.text, &next.text);
    if (!rc && !same) rc = parse(&next, owners->file.path, err);
    owners->file.failed = rc;
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
    int rc = owners && !tg_reread_init(&owners->file, path, max)
                 ? 0
                 : tg_fail(err, TG_ENOMEM, "%s: out of memory", path);
    if (!rc) rc = reread(owners, err);
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
    tg_reread_fini(&owners->file);
    free(owners);
}

int tg_owners_refresh(struct tg_owners *owners, struct tg_err *err)
{
    int rc = owners->file.failed;
    if (tg_reread_wanted(&owners->file)) rc = reread(owners, &owners->file.why);
    if (rc < 0 && err) *err = owners->file.why;
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
