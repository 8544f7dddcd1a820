/* A layout: the fields of a recording as its header lists them, by name, so that one made by an
 * older or a newer build can be read. */
#pragma once

#include "record/part.h"
#include "record/varint.h"

/* How a value stands in the file. */
enum tg_wire {
    TG_WIRE_TEXT = 't',
    TG_WIRE_ENUM = 'e',   /* by its index in the names that the header lists */
    TG_WIRE_SMALL = 'w',  /* 32 bits */
    TG_WIRE_LARGE = 'q',  /* 64 bits */
    TG_WIRE_DOUBLE = 'd', /* decimals, or eight bytes */
};

struct tg_layout_field {
    const struct tg_field *ours; /* NULL: this build has no such field */
    char wire;
    int32_t *map; /* ENUM: our index of each of the file's; owned */
    uint32_t map_count;
};

struct tg_layout_entity {
    const struct tg_entity *ours; /* NULL: this build has no such entity */
    int part;                     /* in tg_parts; -1: the account, or unknown */
    int count;
    struct tg_layout_field fields[64];
};

/* The account first, then the parts, each with its bit in a poll's flags. */
struct tg_layout {
    int count;
    struct tg_layout_entity entities[1 + TG_PARTS_MAX];
};

/* How the kind of a field is written. */
char tg_wire_of(const struct tg_field *field);

/* Appends this build's fields. */
void tg_layout_write(struct tg_buf *out);

/* Reads a file's. 0, -TG_EINVAL (not a list of fields) or -TG_ENOMEM; in any case tg_layout_fini
 * afterwards. */
int tg_layout_read(struct tg_layout *layout, struct tg_bytes *in);
void tg_layout_fini(struct tg_layout *layout);

/* Appends a number and a text. */
void tg_varint_add(struct tg_buf *out, uint64_t value);
void tg_text_add(struct tg_buf *out, const char *text);
