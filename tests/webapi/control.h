/* Operations that tests may ask of the server, and how they read what they are given. */
#pragma once

#include "base/err.h"
#include "server.h"

struct cJSON;

/* Members of an operation. Numbers may be given as text, so that ids beyond 2^53 stay exact. */
const char *mt_op_text(const struct cJSON *doc, const char *name, const char *otherwise);
int64_t mt_op_number(const struct cJSON *doc, const char *name, int64_t otherwise);
uint64_t mt_op_id(const struct cJSON *doc, const char *name);

/* UTC milliseconds. */
int64_t mt_op_now(void);

/* One operation: 0, or an error with a sentence; what it has to say goes into `out`. */
typedef int mt_op(struct mt_server *server, const struct cJSON *doc, struct tg_err *err,
                  struct cJSON *out);
mt_op mt_op_group, mt_op_account, mt_op_open, mt_op_modify, mt_op_close, mt_op_reverse;
mt_op mt_op_close_by, mt_op_balance, mt_op_order, mt_op_order_modify, mt_op_order_done, mt_op_deal;
mt_op mt_op_deal_delete;
