/* Names outlive builds; positions and enumerations do not. What a file has and we do not is read
 * and dropped, what we have and a file does not stays blank, and a name of an enumeration that we
 * do not know is "unknown", which is the first of every list. */
#include "record/layout.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 64
#define ENUM_NAMES 256

char tg_wire_of(const struct tg_field *field)
{
    switch (field->kind) {
    case TG_KIND_TEXT: return TG_WIRE_TEXT;
    case TG_KIND_ENUM: return TG_WIRE_ENUM;
    case TG_KIND_BOOL:
    case TG_KIND_INT: return TG_WIRE_SMALL;
    case TG_KIND_ID:
    case TG_KIND_MAGIC:
    case TG_KIND_TIME: return TG_WIRE_LARGE;
    default: return TG_WIRE_DOUBLE;
    }
}

void tg_varint_add(struct tg_buf *out, uint64_t value)
{
    unsigned char bytes[TG_VARINT_MAX];
    tg_buf_add(out, bytes, (size_t)(tg_varint_put(bytes, value) - bytes));
}

void tg_text_add(struct tg_buf *out, const char *text)
{
    tg_varint_add(out, strlen(text));
    tg_buf_puts(out, text);
}

static void write_entity(struct tg_buf *out, const char *name, const struct tg_entity *entity)
{
    tg_text_add(out, name);
    tg_varint_add(out, (uint64_t)entity->count);
    for (int i = 0; i < entity->count; i++) {
        const struct tg_field *field = &entity->fields[i];
        tg_text_add(out, field->name);
        tg_buf_putc(out, tg_wire_of(field));
        if (tg_wire_of(field) != TG_WIRE_ENUM) continue;
        uint64_t names = 0;
        while (field->names[names])
            names++;
        tg_varint_add(out, names);
        for (uint64_t k = 0; k < names; k++)
            tg_text_add(out, field->names[k]);
    }
}

void tg_layout_write(struct tg_buf *out)
{
    tg_varint_add(out, (uint64_t)tg_parts_count + 1);
    write_entity(out, tg_account_entity.name, &tg_account_entity);
    for (int i = 0; i < tg_parts_count; i++)
        write_entity(out, tg_parts[i].name, tg_parts[i].entity);
}

/* A short name as a C string. */
static bool read_name(struct tg_bytes *in, char name[NAME_MAX_BYTES])
{
    size_t len;
    const char *text = tg_text_get(in, &len);
    if (!text || len >= NAME_MAX_BYTES) return false;
    memcpy(name, text, len);
    name[len] = '\0';
    return true;
}

static int read_names(struct tg_layout_field *field, struct tg_bytes *in)
{
    char name[NAME_MAX_BYTES];
    uint64_t count = tg_varint_get(in);
    if (in->bad || count > ENUM_NAMES) return -TG_EINVAL;
    field->map = calloc((size_t)count + 1, sizeof *field->map);
    if (!field->map) return -TG_ENOMEM;
    field->map_count = (uint32_t)count;
    for (uint32_t i = 0; i < field->map_count; i++) {
        if (!read_name(in, name)) return -TG_EINVAL;
        for (int k = 0; field->ours && field->ours->names[k]; k++)
            if (!strcmp(field->ours->names[k], name)) field->map[i] = k;
    }
    return 0;
}

static int read_field(struct tg_layout_entity *entity, struct tg_layout_field *field,
                      struct tg_bytes *in)
{
    char name[NAME_MAX_BYTES];
    if (!read_name(in, name)) return -TG_EINVAL;
    field->wire = (char)tg_bytes_byte(in);
    if (!field->wire || !strchr("tewqd", field->wire)) return -TG_EINVAL;
    if (entity->ours) field->ours = tg_field_find(entity->ours, name);
    if (field->ours && tg_wire_of(field->ours) != field->wire) field->ours = NULL;
    return field->wire == TG_WIRE_ENUM ? read_names(field, in) : 0;
}

static int read_entity(struct tg_layout_entity *entity, struct tg_bytes *in)
{
    char name[NAME_MAX_BYTES];
    if (!read_name(in, name)) return -TG_EINVAL;
    entity->part = -1;
    if (!strcmp(name, tg_account_entity.name)) entity->ours = &tg_account_entity;
    for (int i = 0; i < tg_parts_count; i++) {
        if (strcmp(name, tg_parts[i].name) != 0) continue;
        entity->ours = tg_parts[i].entity;
        entity->part = i;
    }
    uint64_t count = tg_varint_get(in);
    if (in->bad || count > sizeof entity->fields / sizeof *entity->fields) return -TG_EINVAL;
    for (; entity->count < (int)count; entity->count++) {
        int rc = read_field(entity, &entity->fields[entity->count], in);
        if (!rc) continue;
        entity->count++; /* its names are freed with the rest */
        return rc;
    }
    return 0;
}

int tg_layout_read(struct tg_layout *layout, struct tg_bytes *in)
{
    *layout = (struct tg_layout){0};
    uint64_t count = tg_varint_get(in);
    if (in->bad || !count || count > 1 + TG_PARTS_MAX) return -TG_EINVAL;
    for (; layout->count < (int)count; layout->count++) {
        int rc = read_entity(&layout->entities[layout->count], in);
        if (!rc) continue;
        layout->count++;
        return rc;
    }
    return layout->entities[0].ours == &tg_account_entity && !in->bad ? 0 : -TG_EINVAL;
}

void tg_layout_fini(struct tg_layout *layout)
{
    for (int i = 0; i < layout->count; i++)
        for (int k = 0; k < layout->entities[i].count; k++)
            free(layout->entities[i].fields[k].map);
    *layout = (struct tg_layout){0};
}
