/* The names are collected in a hash map, one object at a time: comparing each with each would let
 * one token of 8 KiB cost milliseconds before anybody knows who sent it. */
#include "auth/object.h"

#include "base/map.h"

/* -TG_EEXIST when the object at `index` names a member twice. */
static int names_once(const struct tg_json *json, uint32_t index, struct tg_map *seen,
                      struct tg_buf *name)
{
    const struct tg_json_token *tokens = json->tokens;
    for (uint32_t key = index + 1; key < tokens[index].next; key = tokens[key + 1].next) {
        void *before = NULL;
        tg_buf_clear(name);
        tg_json_unescape(name, &tokens[key]);
        if (name->failed ||
            tg_map_put(seen, name->data ? name->data : "", name->len, seen, &before))
            return -TG_ENOMEM;
        if (before) return -TG_EEXIST;
    }
    return 0;
}

int tg_object_parse(struct tg_json *json, const char *text, size_t len, struct tg_err *err)
{
    struct tg_buf name = {0};
    int rc = tg_json_parse(json, text, len, err);
    if (rc) return rc;
    if (json->tokens[0].type != TG_JSON_OBJECT)
        return tg_fail(err, TG_EINVAL, "JSON: not an object");
    for (uint32_t i = 0; i < json->count && !rc; i++) {
        struct tg_map seen = {0};
        if (json->tokens[i].type != TG_JSON_OBJECT || json->tokens[i].count < 2) continue;
        rc = names_once(json, i, &seen, &name);
        tg_map_fini(&seen);
    }
    tg_buf_fini(&name);
    if (rc == -TG_EEXIST) return tg_fail(err, TG_EINVAL, "JSON: a member is named twice");
    return rc ? tg_fail(err, -rc, "JSON: out of memory") : 0;
}
