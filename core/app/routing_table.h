/* The routing table: a JSON document that says where accounts are found, and changes while we run.
 */
#pragma once

#include "app/routing.h"
#include "base/buf.h"

struct tg_routing_table;

/* A table that is empty. The configuration is borrowed. NULL when memory is short. */
struct tg_routing_table *tg_routing_table_new(const struct tg_config *config);
void tg_routing_table_free(struct tg_routing_table *table);

/* Takes a new document, {"account": {"source": …, "login": …, "url": …, "headers": {…}}, …}, which
 * moves out of `text`. A row may be a text, the name of the source, and a faulty row is the fault
 * of its account alone. 1 when the table is another one now, 0 when it is as it was; -TG_EINVAL
 * with a sentence (not a JSON object, an account named twice) or -TG_ENOMEM, and the old table
 * stays. */
int tg_routing_table_take(struct tg_routing_table *table, struct tg_buf *text, struct tg_err *err);

/* The account's row as a routing of its own in `*out`: 0; -TG_ENOTFOUND: it has none; -TG_EINVAL
 * with a sentence; -TG_ENOMEM. */
int tg_routing_table_find(const struct tg_routing_table *table, const char *account_id,
                          struct tg_routing **out, struct tg_err *err);

uint32_t tg_routing_table_count(const struct tg_routing_table *table);
