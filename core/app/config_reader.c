/* The file's table is walked, not asked: every key it holds must find its field in the schema, so
 * none can be ignored. Walking uses lua_next alone, which neither allocates nor runs Lua code; a
 * table with metamethods shows what is in it and not what it pretends. */
#include "app/config_reader.h"

#include "app/config_options.h"
#include "app/config_sandbox.h"
#include "app/config_value.h"
#include "base/err.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void read_fields(struct tg_config_reader *reader, const struct tg_config_field *fields,
                        void *base);

static int set_defaults(const struct tg_config_field *fields, void *base)
{
    int rc = 0;
    for (; fields->name && !rc; fields++)
        rc = fields->kind == TG_CONFIG_SECTION
                 ? set_defaults(fields->fields, (char *)base + fields->offset)
                 : tg_config_value_default(fields, base);
    return rc;
}

static void path_cut(struct tg_buf *path, size_t len)
{
    path->len = len;
    if (path->data) path->data[len] = '\0';
}

/* Grows a list by one zeroed element of `size` bytes and gives its place, or NULL. */
static void *append(struct tg_config_reader *reader, void **list, int *count, size_t size)
{
    void *grown = *list;
    if ((*count & (*count - 1)) == 0) /* full at every power of two */
        grown = realloc(*list, (*count ? (size_t)*count * 2 : 1) * size);
    if (!grown) {
        reader->failed = true;
        return NULL;
    }
    *list = grown;
    return memset((char *)grown + (size_t)(*count)++ * size, 0, size);
}

/* Whether the table on top of the stack is a list: keys 1 … n and no others. */
static bool is_list(struct tg_config_reader *reader)
{
    lua_State *lua = reader->lua;
    size_t n = lua_objlen(lua, -1), seen = 0;
    lua_pushnil(lua);
    while (lua_next(lua, -2)) {
        lua_pop(lua, 1);
        double key = lua_type(lua, -1) == LUA_TNUMBER ? lua_tonumber(lua, -1) : 0;
        if (!(key >= 1 && key <= (double)n) || key != floor(key)) {
            lua_pop(lua, 1);
            return false;
        }
        seen++;
    }
    return seen == n;
}

static void read_element(struct tg_config_reader *reader, const struct tg_config_field *field,
                         void *base)
{
    void **list = (void **)(void *)((char *)base + field->offset);
    int *count = (int *)(void *)((char *)base + field->count);
    if (field->kind != TG_CONFIG_RECORDS) {
        char *text = tg_config_value_text(reader, field);
        if (!text) return;
        char **slot = append(reader, list, count, sizeof *slot);
        if (slot)
            *slot = text;
        else
            free(text);
        return;
    }
    void *record = append(reader, list, count, field->size);
    if (record) read_fields(reader, field->fields, record);
}

static void read_list(struct tg_config_reader *reader, const struct tg_config_field *field,
                      void *base)
{
    lua_State *lua = reader->lua;
    size_t mark = reader->path.len;
    if (field->kind == TG_CONFIG_PATHS && lua_type(lua, -1) == LUA_TSTRING) {
        read_element(reader, field, base);
        return;
    }
    if (!lua_istable(lua, -1) || !is_list(reader)) {
        tg_config_value_refuse(reader, field,
                               field->kind == TG_CONFIG_PATHS     ? "a path or a list of paths"
                               : field->kind == TG_CONFIG_RECORDS ? "a list of tables"
                                                                  : "a list of strings, no holes");
        return;
    }
    int n = (int)lua_objlen(lua, -1);
    if (field->kind == TG_CONFIG_RECORDS && (n < (int)field->min || n > (int)field->max)) {
        tg_config_fault(reader->faults, reader->path.data, "expected %.0f to %.0f entries, got %d",
                        field->min, field->max, n);
        return;
    }
    for (int i = 1; i <= n && !reader->failed; i++) {
        lua_rawgeti(lua, -1, i);
        tg_config_path_index(&reader->path, i);
        read_element(reader, field, base);
        path_cut(&reader->path, mark);
        lua_pop(lua, 1);
    }
}

/* An HTTP field name (RFC 9110, section 5.1): a token. */
static bool is_token(const char *name, size_t len)
{
    static const char also[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!word && (!c || !strchr(also, c))) return false;
    }
    return len > 0 && len <= 128;
}

static void read_header(struct tg_config_reader *reader, const struct tg_config_field *field,
                        struct tg_config_header **list, int *count)
{
    const struct tg_config_field text = {
        .kind = TG_CONFIG_TEXT, .min = 1, .max = 4096, .secret = field->secret};
    size_t len;
    const char *name = lua_tolstring(reader->lua, -2, &len); /* a string, so nothing converts */
    if (!is_token(name, len)) {
        tg_config_fault(reader->faults, reader->path.data, "this is no name of an HTTP header");
        return;
    }
    for (int i = 0; i < *count; i++)
        if (strcasecmp((*list)[i].name, name) == 0)
            tg_config_fault(reader->faults, reader->path.data,
                            "the header \"%s\" is given twice; upper and lower case are the same",
                            name);
    char *value = tg_config_value_text(reader, &text);
    if (!value) return;
    struct tg_config_header *header = append(reader, (void **)(void *)list, count, sizeof **list);
    if (!header) {
        free(value);
        return;
    }
    header->value = value;
    header->name = strdup(name);
    if (!header->name) reader->failed = true;
}

static bool is_name(const char *name, size_t len)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz"
                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return len >= 1 && len <= 32 && strspn(name, alphabet) == len;
}

static int by_first_member(const void *a, const void *b)
{
    const char *left = *(char *const *)a, *right = *(char *const *)b;
    return left && right ? strcmp(left, right) : 0;
}

/* A record under its name, the value on top of the stack. */
static void read_named_record(struct tg_config_reader *reader, const struct tg_config_field *field,
                              void *base, const char *name, size_t len)
{
    void **list = (void **)(void *)((char *)base + field->offset);
    int *count = (int *)(void *)((char *)base + field->count);
    if (!is_name(name, len)) {
        tg_config_fault(reader->faults, reader->path.data,
                        "expected a name of 1 to 32 letters, digits, _ and -");
        return;
    }
    if (*count == (int)field->max) {
        tg_config_fault(reader->faults, reader->path.data, "more than %.0f", field->max);
        return;
    }
    char **record = append(reader, list, count, field->size);
    if (!record) return;
    *record = strdup(name);
    if (!*record || set_defaults(field->fields, record)) reader->failed = true;
    read_fields(reader, field->fields, record);
}

static void read_named(struct tg_config_reader *reader, const struct tg_config_field *field,
                       void *base)
{
    lua_State *lua = reader->lua;
    size_t mark = reader->path.len;
    const int *count = (int *)(void *)((char *)base + field->count);
    if (!lua_istable(lua, -1)) {
        tg_config_value_refuse(reader, field, "a table of names and tables");
        return;
    }
    lua_pushnil(lua);
    while (!reader->failed && lua_next(lua, -2)) {
        if (lua_type(lua, -2) != LUA_TSTRING) {
            tg_config_fault(reader->faults, reader->path.data,
                            "expected name = { … }, got an entry without a name");
        } else {
            size_t len;
            const char *name = lua_tolstring(lua, -2, &len);
            tg_config_path_key(&reader->path, name, len);
            read_named_record(reader, field, base, name, len);
            path_cut(&reader->path, mark);
        }
        lua_pop(lua, 1);
    }
    if (*count < (int)field->min && !reader->faults->count)
        tg_config_fault(reader->faults, reader->path.data, "expected at least %.0f", field->min);
    if (*count)
        qsort(*(void **)(void *)((char *)base + field->offset), (size_t)*count, field->size,
              by_first_member);
}

static void read_headers(struct tg_config_reader *reader, const struct tg_config_field *field,
                         void *base)
{
    lua_State *lua = reader->lua;
    struct tg_config_header **list = (void *)((char *)base + field->offset);
    int *count = (int *)(void *)((char *)base + field->count);
    size_t mark = reader->path.len;
    if (!lua_istable(lua, -1)) {
        tg_config_value_refuse(reader, field, "a table of header names and values");
        return;
    }
    lua_pushnil(lua);
    while (lua_next(lua, -2)) {
        if (lua_type(lua, -2) != LUA_TSTRING) {
            tg_config_fault(reader->faults, reader->path.data,
                            "expected [\"Name\"] = \"value\", got an entry without a name");
        } else {
            size_t len;
            const char *name = lua_tolstring(lua, -2, &len);
            tg_config_path_key(&reader->path, name, len);
            if (*count < (int)field->max)
                read_header(reader, field, list, count);
            else
                tg_config_fault(reader->faults, reader->path.data, "more than %.0f", field->max);
            path_cut(&reader->path, mark);
        }
        lua_pop(lua, 1);
    }
    if (*count) qsort(*list, (size_t)*count, sizeof **list, by_first_member);
}

static void read_function(struct tg_config_reader *reader, const struct tg_config_field *field,
                          void *base)
{
    int *place = (int *)(void *)((char *)base + field->offset);
    if (!lua_isfunction(reader->lua, -1))
        tg_config_value_refuse(reader, field, "a function");
    else if (!(*place = tg_config_sandbox_keep(reader->lua)))
        tg_config_fault(reader->faults, reader->path.data, "more than %d functions",
                        TG_CONFIG_FUNCTIONS);
}

static void read_field(struct tg_config_reader *reader, const struct tg_config_field *field,
                       void *base)
{
    const struct tg_buf *path = &reader->path;
    if (path->failed || tg_map_put(&reader->given, path->data, path->len, reader, NULL)) {
        reader->failed = true;
        return;
    }
    switch (field->kind) {
    case TG_CONFIG_LATER:
        tg_config_fault(reader->faults, path->data, "not supported in this version");
        break;
    case TG_CONFIG_SECTION: read_fields(reader, field->fields, (char *)base + field->offset); break;
    case TG_CONFIG_NAMED: read_named(reader, field, base); break;
    case TG_CONFIG_TEXTS:
    case TG_CONFIG_PATHS:
    case TG_CONFIG_RECORDS: read_list(reader, field, base); break;
    case TG_CONFIG_HEADERS: read_headers(reader, field, base); break;
    case TG_CONFIG_OPTIONS: tg_config_options_read(reader, field, base); break;
    case TG_CONFIG_FUNCTION: read_function(reader, field, base); break;
    default: tg_config_value_read(reader, field, base);
    }
}

static void refuse_key(struct tg_config_reader *reader, const struct tg_config_field *fields,
                       const char *key)
{
    const char *names[64];
    size_t n = 0;
    struct tg_buf known = {0};
    for (; fields[n].name; n++) {
        tg_must(n + 1 < sizeof names / sizeof *names);
        names[n] = fields[n].name;
        if (fields[n].kind != TG_CONFIG_LATER)
            tg_buf_printf(&known, "%s%s", known.len ? ", " : "", fields[n].name);
    }
    names[n] = NULL;
    const char *near = tg_nearest(key, names);
    if (near)
        tg_config_fault(reader->faults, reader->path.data,
                        "there is no such key; did you mean \"%s\"?", near);
    else
        tg_config_fault(reader->faults, reader->path.data, "there is no such key; there are %s",
                        known.data ? known.data : "none");
    tg_buf_fini(&known);
}

static void require_fields(struct tg_config_reader *reader, const struct tg_config_field *fields)
{
    size_t mark = reader->path.len;
    for (; fields->name; fields++) {
        if (!fields->required) continue;
        tg_config_path_key(&reader->path, fields->name, strlen(fields->name));
        if (!tg_config_is_given(reader, reader->path.data))
            tg_config_fault(reader->faults, reader->path.data, "this is required and missing");
        path_cut(&reader->path, mark);
    }
}

static void read_fields(struct tg_config_reader *reader, const struct tg_config_field *fields,
                        void *base)
{
    lua_State *lua = reader->lua;
    size_t mark = reader->path.len;
    const struct tg_config_field table = {.kind = TG_CONFIG_SECTION};
    if (!lua_istable(lua, -1)) {
        tg_config_value_refuse(reader, &table, "a table");
        return;
    }
    lua_pushnil(lua);
    while (!reader->failed && lua_next(lua, -2)) {
        if (lua_type(lua, -2) != LUA_TSTRING) {
            tg_config_fault(reader->faults, mark ? reader->path.data : "",
                            "expected key = value, got an entry without a key");
        } else {
            size_t len;
            const char *key = lua_tolstring(lua, -2, &len);
            const struct tg_config_field *field = fields;
            while (field->name && (strlen(field->name) != len || strcmp(field->name, key) != 0))
                field++;
            tg_config_path_key(&reader->path, key, len);
            if (field->name)
                read_field(reader, field, base);
            else
                refuse_key(reader, fields, key);
            path_cut(&reader->path, mark);
        }
        lua_pop(lua, 1);
    }
    if (!reader->failed) require_fields(reader, fields);
}

int tg_config_reader_run(struct tg_config_reader *reader)
{
    read_fields(reader, tg_config_schema, reader->config);
    return reader->failed || reader->path.failed ? -TG_ENOMEM : 0;
}

bool tg_config_is_given(const struct tg_config_reader *reader, const char *path)
{
    return tg_map_get(&reader->given, path, strlen(path)) != NULL;
}

void tg_config_reader_fini(struct tg_config_reader *reader)
{
    tg_map_fini(&reader->given);
    tg_buf_fini(&reader->path);
}

int tg_config_defaults(struct tg_config *config)
{
    return set_defaults(tg_config_schema, config);
}

void tg_config_release(struct tg_config *config)
{
    for (const struct tg_config_field *field = tg_config_schema; field->name; field++)
        tg_config_value_free(field, config);
}
