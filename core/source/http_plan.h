/* A plan: what a source is asked for in a poll, and in which words. */
#pragma once

#include "source/http_template.h"
#include "source/request_headers.h"
#include "source/source.h"

struct tg_http_plan {
    struct {
        char *path, *body; /* path NULL: not asked for */
        bool post;
        bool named;                     /* the request says which account it is about */
        enum tg_http_encoding encoding; /* of the body */
        struct tg_request_headers *headers;
    } rows[TG_HTTP_PARTS];
};

/* Checks and copies the requests; without any, those of the MT5 REST service. 0, -TG_EINVAL with a
 * sentence that names the request, -TG_ENOMEM. */
int tg_http_plan_init(struct tg_http_plan *plan, const struct tg_http_source_options *options,
                      struct tg_err *err);
void tg_http_plan_fini(struct tg_http_plan *plan);

/* The part to ask for after `part` (-1: the first), the deals left out; TG_HTTP_PARTS: none. */
enum tg_http_part tg_http_plan_next(const struct tg_http_plan *plan, int part);

bool tg_http_plan_has(const struct tg_http_plan *plan, enum tg_http_part part);

/* Masks what an answer to the request may quote of our secrets. */
void tg_http_plan_mask(const struct tg_http_plan *plan, enum tg_http_part part,
                       const struct tg_route *route, char *text);
