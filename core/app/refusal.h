/* A refusal: why a request is not served, as a client reads it (protocol.md, section 1). */
#pragma once

#include "base/buf.h"

enum tg_refusal {
    TG_REFUSE_INVALID_REQUEST,
    TG_REFUSE_INVALID_ACCOUNT_ID,
    TG_REFUSE_INVALID_PARAMETERS,
    TG_REFUSE_AUTH_REQUIRED,
    TG_REFUSE_AUTH_FAILED,
    TG_REFUSE_TOKEN_EXPIRED,
    TG_REFUSE_NOT_OWNER,
    TG_REFUSE_NOT_FOUND,
    TG_REFUSE_UNKNOWN_ACCOUNT,
    TG_REFUSE_METHOD_NOT_ALLOWED,
    TG_REFUSE_UPGRADE_REQUIRED,
    TG_REFUSE_RATE_LIMITED,
    TG_REFUSE_TOO_MANY_CONNECTIONS,
    TG_REFUSE_OVERLOADED,
    TG_REFUSE_DRAINING,
    TG_REFUSE_OWNERSHIP_UNAVAILABLE,
    TG_REFUSE_NO_STATE,
    TG_REFUSALS,
};

struct tg_refusal_row {
    int status;       /* of HTTP */
    const char *code; /* error.code, and the label in the metrics */
    int close_code;   /* with auth.reject = "close" */
    const char *message;
};

const struct tg_refusal_row *tg_refusal_row(enum tg_refusal refusal);

/* Appends the JSON body. `retry_after_s` 0: null. */
void tg_refusal_body(struct tg_buf *out, enum tg_refusal refusal, int retry_after_s,
                     const char *reference);
