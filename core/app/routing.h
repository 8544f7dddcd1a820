/* A routing: where one account is found. */
#pragma once

#include "app/config.h"
#include "source/source.h"

#define TG_ROUTING_HEADERS 32

struct tg_routing {
    struct tg_route route;
    int upstream; /* index of the source */
    struct tg_http_source_header headers[TG_ROUTING_HEADERS];
};

/* An empty one: the default source as it is. NULL when memory is short. */
struct tg_routing *tg_routing_new(void);
void tg_routing_free(struct tg_routing *routing); /* wipes the headers' values; NULL is allowed */

/* Sets "source", "login" or "url". 0; -TG_EINVAL with a sentence when there is no such member (it
 * names the nearest) or the text cannot be one; -TG_ENOMEM. */
int tg_routing_set(struct tg_routing *routing, const char *member, const char *text,
                   struct tg_err *err);

/* Adds a header. Errors as above. */
int tg_routing_header(struct tg_routing *routing, const char *name, const char *value,
                      struct tg_err *err);

/* Finds the source's index among the configuration's. 0, or -TG_EINVAL: there is no such source, or
 * none was named and there is no default. */
int tg_routing_settle(struct tg_routing *routing, const struct tg_config *config,
                      struct tg_err *err);

/* Whether both lead to the same place in the same way. NULL: the default source as it is. */
bool tg_routing_same(const struct tg_routing *a, const struct tg_routing *b);

/* Whether both speak of the same MT5 login (NULL, or none given: the account's id). */
bool tg_routing_same_login(const struct tg_routing *a, const struct tg_routing *b);
