/* A value is taken only in its own type: "8080" is no port and 1 is no boolean. Guessing what was
 * meant would be kind once and wrong some other day. */
#include "app/config_value.h"

#include "base/err.h"
#include "base/text.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *place(const struct tg_config_field *field, void *base)
{
    return (char *)base + field->offset;
}

/* What was found, short enough for a message; a secret only by its type. */
static void describe(lua_State *lua, bool secret, char *out, size_t size)
{
    int type = lua_type(lua, -1);
    if (type == LUA_TSTRING && !secret) {
        char text[48];
        size_t len;
        const char *bytes = lua_tolstring(lua, -1, &len);
        tg_copy(text, sizeof text, bytes, len);
        for (char *at = text; *at; at++)
            if ((unsigned char)*at < 0x20 || *at == 0x7f) *at = '?';
        (void)snprintf(out, size, "\"%s%s\"", text, len >= sizeof text ? "…" : "");
    } else if (type == LUA_TNUMBER && isnan(lua_tonumber(lua, -1))) {
        (void)snprintf(out, size, "not a number");
    } else if (type == LUA_TNUMBER && !secret) {
        (void)snprintf(out, size, "%.15g", lua_tonumber(lua, -1));
    } else if (type == LUA_TBOOLEAN) {
        (void)snprintf(out, size, "%s", lua_toboolean(lua, -1) ? "true" : "false");
    } else {
        (void)snprintf(out, size, "a %s", lua_typename(lua, type));
    }
}

void tg_config_value_refuse(struct tg_config_reader *reader, const struct tg_config_field *field,
                            const char *expected)
{
    char got[96];
    bool number = field->kind == TG_CONFIG_INT || field->kind == TG_CONFIG_LONG ||
                  field->kind == TG_CONFIG_NUMBER;
    describe(reader->lua, field->secret, got, sizeof got);
    tg_config_fault(reader->faults, reader->path.data, "expected %s, got %s%s", expected, got,
                    number && lua_type(reader->lua, -1) == LUA_TSTRING
                        ? " (a string: put tonumber(…) around it)"
                        : "");
}

static void read_number(struct tg_config_reader *reader, const struct tg_config_field *field,
                        void *base)
{
    char expected[96];
    bool whole = field->kind != TG_CONFIG_NUMBER;
    double value = lua_type(reader->lua, -1) == LUA_TNUMBER ? lua_tonumber(reader->lua, -1) : NAN;
    if (!(value >= field->min && value <= field->max) || (whole && value != floor(value))) {
        (void)snprintf(expected, sizeof expected, "a %snumber from %.15g to %.15g",
                       whole ? "whole " : "", field->min, field->max);
        tg_config_value_refuse(reader, field, expected);
    } else if (field->kind == TG_CONFIG_INT) {
        *(int *)place(field, base) = (int)value;
    } else if (field->kind == TG_CONFIG_LONG) {
        *(int64_t *)place(field, base) = (int64_t)value;
    } else {
        *(double *)place(field, base) = value;
    }
}

static bool plain_text(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) return false;
    return tg_utf8_valid(text, len);
}

static char *copy(struct tg_config_reader *reader, const char *bytes, size_t len)
{
    char *text = malloc(len + 1);
    if (!text) {
        reader->failed = true;
        return NULL;
    }
    memcpy(text, bytes, len);
    text[len] = '\0';
    return text;
}

/* `path`, from the file's folder on when it is relative. */
static char *absolute(struct tg_config_reader *reader, const char *path, size_t len)
{
    struct tg_buf out = {0};
    if (*path != '/') tg_buf_printf(&out, "%s/", reader->here);
    tg_buf_add(&out, path, len);
    char *text = tg_buf_take(&out);
    if (!text) reader->failed = true;
    return text;
}

char *tg_config_value_text(struct tg_config_reader *reader, const struct tg_config_field *field)
{
    char expected[96];
    size_t len = 0;
    bool bytes = field->kind == TG_CONFIG_BYTES;
    bool path = field->kind == TG_CONFIG_PATH || field->kind == TG_CONFIG_PATHS;
    const char *text = NULL;
    if (lua_type(reader->lua, -1) == LUA_TSTRING) text = lua_tolstring(reader->lua, -1, &len);
    if (!text || (double)len < field->min || (double)len > field->max) {
        (void)snprintf(expected, sizeof expected, "%s of %.0f to %.0f bytes",
                       path ? "a path" : "a string", field->min, field->max);
        if (text && field->secret)
            tg_config_fault(reader->faults, reader->path.data, "expected %s, got %zu bytes",
                            expected, len);
        else
            tg_config_value_refuse(reader, field, expected);
        return NULL;
    }
    if (!bytes && !plain_text(text, len)) {
        tg_config_value_refuse(reader, field, "UTF-8 text without control characters");
        return NULL;
    }
    return path ? absolute(reader, text, len) : copy(reader, text, len);
}

static void wipe(const struct tg_config_field *field, char *text, size_t len)
{
    if (text && field->secret) explicit_bzero(text, len);
    free(text);
}

static void read_text(struct tg_config_reader *reader, const struct tg_config_field *field,
                      void *base)
{
    char *text = tg_config_value_text(reader, field);
    if (!text) return;
    tg_config_value_free(field, base);
    *(char **)place(field, base) = text;
    if (field->kind == TG_CONFIG_BYTES)
        *(size_t *)(void *)((char *)base + field->count) = lua_objlen(reader->lua, -1);
}

static int index_of(const char *const *choices, const char *text)
{
    for (int i = 0; choices && choices[i]; i++)
        if (strcmp(choices[i], text) == 0) return i;
    return -1;
}

static void refuse_choice(struct tg_config_reader *reader, const struct tg_config_field *field)
{
    struct tg_buf expected = {0};
    const char *text =
        lua_type(reader->lua, -1) == LUA_TSTRING ? lua_tostring(reader->lua, -1) : "";
    const char *near = tg_nearest(text, field->choices);
    if (index_of(field->later, text) >= 0) {
        tg_config_fault(reader->faults, reader->path.data,
                        "\"%s\" is not supported in this version", text);
        return;
    }
    for (int i = 0; field->choices[i]; i++)
        tg_buf_printf(&expected, "%s\"%s\"",
                      !i                      ? ""
                      : field->choices[i + 1] ? ", "
                                              : " or ",
                      field->choices[i]);
    if (near) tg_buf_printf(&expected, " (did you mean \"%s\"?)", near);
    if (expected.failed) reader->failed = true;
    tg_config_value_refuse(reader, field, expected.data ? expected.data : "another value");
    tg_buf_fini(&expected);
}

static void read_choice(struct tg_config_reader *reader, const struct tg_config_field *field,
                        void *base)
{
    int index = -1;
    if (lua_type(reader->lua, -1) == LUA_TSTRING)
        index = index_of(field->choices, lua_tostring(reader->lua, -1));
    if (index < 0) {
        refuse_choice(reader, field);
    } else if (field->kind == TG_CONFIG_SWITCH) {
        *(bool *)place(field, base) = index == 1;
    } else {
        char *text = copy(reader, field->choices[index], strlen(field->choices[index]));
        if (!text) return;
        tg_config_value_free(field, base);
        *(char **)place(field, base) = text;
    }
}

void tg_config_value_read(struct tg_config_reader *reader, const struct tg_config_field *field,
                          void *base)
{
    switch (field->kind) {
    case TG_CONFIG_BOOL:
        if (lua_type(reader->lua, -1) == LUA_TBOOLEAN)
            *(bool *)place(field, base) = lua_toboolean(reader->lua, -1);
        else
            tg_config_value_refuse(reader, field, "true or false");
        break;
    case TG_CONFIG_INT:
    case TG_CONFIG_LONG:
    case TG_CONFIG_NUMBER: read_number(reader, field, base); break;
    case TG_CONFIG_TEXT:
    case TG_CONFIG_BYTES:
    case TG_CONFIG_PATH: read_text(reader, field, base); break;
    case TG_CONFIG_CHOICE:
    case TG_CONFIG_SWITCH: read_choice(reader, field, base); break;
    default: tg_must_failed("the kind is a scalar one", __FILE__, __LINE__);
    }
}

int tg_config_value_default(const struct tg_config_field *field, void *base)
{
    const char *text = field->initial;
    void *at = place(field, base);
    if (!text) return 0;
    switch (field->kind) {
    case TG_CONFIG_BOOL: *(bool *)at = strcmp(text, "true") == 0; break;
    case TG_CONFIG_SWITCH: *(bool *)at = index_of(field->choices, text) == 1; break;
    case TG_CONFIG_INT: *(int *)at = (int)strtol(text, NULL, 10); break;
    case TG_CONFIG_LONG: *(int64_t *)at = strtoll(text, NULL, 10); break;
    case TG_CONFIG_NUMBER: *(double *)at = strtod(text, NULL); break;
    default:
        *(char **)at = strdup(text);
        if (!*(char **)at) return -TG_ENOMEM;
    }
    return 0;
}

static void free_fields(const struct tg_config_field *fields, void *base)
{
    for (; fields->name; fields++)
        tg_config_value_free(fields, base);
}

static void free_records(const struct tg_config_field *field, char *records, int count)
{
    for (int i = 0; i < count; i++) {
        char *record = records + (size_t)i * field->size;
        free_fields(field->fields, record);
        if (field->kind == TG_CONFIG_NAMED) free(*(char **)(void *)record);
    }
    free(records);
}

void tg_config_value_free(const struct tg_config_field *field, void *base)
{
    void *at = place(field, base);
    int *count = (int *)(void *)((char *)base + field->count);
    switch (field->kind) {
    case TG_CONFIG_TEXT:
    case TG_CONFIG_PATH:
    case TG_CONFIG_CHOICE:
    case TG_CONFIG_OPTIONS:
        if (*(char **)at) wipe(field, *(char **)at, strlen(*(char **)at));
        *(char **)at = NULL;
        return;
    case TG_CONFIG_BYTES:
        wipe(field, *(char **)at, *(size_t *)(void *)count);
        *(char **)at = NULL;
        return;
    case TG_CONFIG_TEXTS:
    case TG_CONFIG_PATHS:
        for (int i = 0; i < *count; i++)
            free((*(char ***)at)[i]);
        free(*(char ***)at);
        break;
    case TG_CONFIG_HEADERS:
        for (int i = 0; i < *count; i++) {
            struct tg_config_header *header = &(*(struct tg_config_header **)at)[i];
            free(header->name);
            if (header->value) wipe(field, header->value, strlen(header->value));
        }
        free(*(struct tg_config_header **)at);
        break;
    case TG_CONFIG_SECTION: free_fields(field->fields, at); return;
    case TG_CONFIG_RECORDS:
    case TG_CONFIG_NAMED: free_records(field, *(char **)at, *count); break;
    default: return;
    }
    *(void **)at = NULL;
    *count = 0;
}
