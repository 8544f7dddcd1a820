/* A mapper: the configuration's function as the mapping of a source's documents. */
#pragma once

#include "app/hooks.h"
#include "source/source.h"

/* Zero `function`: there is none. */
struct tg_mapper {
    const char *source; /* its name */
    struct tg_hooks *hooks;
    int function;
};

/* As tg_http_mapper.map; `mapper` is a struct tg_mapper. */
int tg_mapper_map(void *mapper, const struct tg_http_document *document, struct tg_records *records,
                  struct tg_rest_verdict *verdict);
