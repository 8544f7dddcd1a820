/* Admin calls: what the operator asks of a running gateway over the admin listener. */
#pragma once

#include "app/gateway_inner.h"
#include "base/json.h"

#include <stdbool.h>

/* One call on its way. Answer it once, with tg_admin_answer or tg_admin_refuse. */
struct tg_admin_call {
    struct tg_gateway *gateway;
    struct tg_conn *conn;
    const struct tg_request *request;
    const char *reference; /* of the support_reference */
    char name[80];         /* what stands for {name} in the path */
    struct tg_json body;   /* parsed; of a call without a body it has no members */
};

typedef void (*tg_admin_handler)(struct tg_admin_call *call);

/* Whether the path belongs to the admin calls: everything below /admin/. */
bool tg_admin_owns(const char *path);

/* Serves a request below /admin/ whose token was checked already. */
void tg_admin_request(struct tg_gateway *gateway, struct tg_conn *conn,
                      const struct tg_request *request, const char *reference);

/* Answers with a JSON object; takes the buffer. */
void tg_admin_answer(struct tg_admin_call *call, struct tg_buf *body);

/* Answers with plain text; takes the buffer. */
void tg_admin_answer_text(struct tg_admin_call *call, struct tg_buf *body);

/* Answers with the protocol's error object. `code` in capitals; the text says what to do. */
void tg_admin_refuse(struct tg_admin_call *call, int status, const char *code, const char *format,
                     ...) __attribute__((format(printf, 4, 5)));

/* A member of the body as text into `out`: its length; -TG_ENOTFOUND without it, -TG_EINVAL when it
 * is no text or too long. */
int tg_admin_text(const struct tg_admin_call *call, const char *member, char *out, size_t size);

/* Writes the call and its outcome into the audit log. `outcome` is "ok" or why it was not done. */
void tg_admin_audit(const struct tg_admin_call *call, const char *event, const char *what,
                    const char *outcome);

/* admin_explain.c */
void tg_admin_explain(struct tg_admin_call *call);

/* Answers with where the rules come from. */
void tg_admin_answer_set(struct tg_admin_call *call);

/* admin_candidate.c */
void tg_admin_candidate_report(struct tg_admin_call *call);
void tg_admin_candidate_start(struct tg_admin_call *call);
void tg_admin_candidate_promote(struct tg_admin_call *call);
void tg_admin_candidate_drop(struct tg_admin_call *call);

/* admin_schema.c */
void tg_admin_schema(struct tg_admin_call *call);

/* admin_rules.c */
void tg_admin_rules_list(struct tg_admin_call *call);
void tg_admin_rules_reload(struct tg_admin_call *call);
void tg_admin_rules_rollback(struct tg_admin_call *call);
void tg_admin_rule_mute(struct tg_admin_call *call);
void tg_admin_rule_unmute(struct tg_admin_call *call);
