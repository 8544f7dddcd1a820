/* The schema: everything that may stand in gateway.lua, as data. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum tg_config_kind {
    TG_CONFIG_SECTION,  /* a table of `fields`; `offset` is where their struct begins */
    TG_CONFIG_BOOL,     /* bool */
    TG_CONFIG_INT,      /* int, whole, min … max */
    TG_CONFIG_LONG,     /* int64_t, whole, min … max */
    TG_CONFIG_NUMBER,   /* double, min … max */
    TG_CONFIG_TEXT,     /* char *, min … max bytes, no control characters */
    TG_CONFIG_BYTES,    /* char * and, at `count`, its size_t length; any bytes */
    TG_CONFIG_PATH,     /* char *, made absolute from the file's folder */
    TG_CONFIG_CHOICE,   /* char *, one of `choices` */
    TG_CONFIG_SWITCH,   /* bool, spelt as one of two `choices`; the second is true */
    TG_CONFIG_TEXTS,    /* char ** and, at `count`, an int: a list */
    TG_CONFIG_PATHS,    /* the same of paths; one alone may stand without a list */
    TG_CONFIG_RECORDS,  /* a list of tables of `fields`: pointer and, at `count`, an int */
    TG_CONFIG_NAMED,    /* the same under names, which become each record's first member (char *);
                         * sorted by them, and what a record does not give has its default */
    TG_CONFIG_HEADERS,  /* a table of names and values: struct tg_config_header * and an int */
    TG_CONFIG_OPTIONS,  /* char *: the rules' options as a JSON object of objects */
    TG_CONFIG_FUNCTION, /* int: the number under which the sandbox keeps it; 0: none */
    TG_CONFIG_LATER,    /* known to the documentation of a later version, refused in this one */
};

struct tg_config_field {
    const char *name; /* NULL ends a list of fields */
    enum tg_config_kind kind;
    size_t offset; /* in struct tg_config, or in the record that `fields` describe */
    size_t count;  /* offset of the length or the number of elements */
    double min, max;
    const char *initial;        /* the default as a person would write it; NULL: none */
    const char *const *choices; /* ends with NULL */
    const char *const *later;   /* choices of later versions, or NULL */
    const struct tg_config_field *fields;
    size_t size;         /* RECORDS, NAMED: of one record */
    bool required;       /* in a record: must be given */
    bool secret;         /* its value never stands in a message */
    const char *drivers; /* of a source: the drivers that read it, as words; NULL: all do */
};

/* The top-level fields, and those of one source. */
extern const struct tg_config_field tg_config_schema[];
extern const struct tg_config_field tg_config_source_fields[];
