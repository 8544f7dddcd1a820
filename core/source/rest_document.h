/* A document of the MT5 REST service that has been found fit to be believed. */
#pragma once

#include "base/json.h"
#include "source/rest_error.h"

/* One HTTP answer. The body is borrowed and must outlive the use of the parsed document. */
struct tg_rest_answer {
    int status;
    const char *body;
    size_t len;
    int64_t retry_after_ms; /* of the header, 0 = none */
};

/* What is asked of an answer before its contents count. */
struct tg_rest_demand {
    const char *account_id; /* what was asked for */
    int64_t max_stale_ms;   /* oldest `cached` state that still counts */
};

/* Parses an answer of any service: HTTP status 2xx and strict JSON. What is neither is judged as in
 * tg_rest_error_read. 0, or -TG_EPROTO with the verdict. */
int tg_rest_document_parse(struct tg_json *json, const struct tg_rest_answer *answer,
                           struct tg_rest_verdict *verdict);

/* Parses an answer and checks its envelope: HTTP status 200, strict JSON, an object, `success`
 * true, no error reported, `account_id` (where it is told) the one that was asked for, and when
 * `cached` of a told age within the bound. `*time_ms` (UTC) receives the time of the state: its
 * `timestamp` less its cache age, 0 when not told. 0, or -TG_EPROTO with the verdict. */
int tg_rest_document_open(struct tg_json *json, const struct tg_rest_answer *answer,
                          const struct tg_rest_demand *demand, int64_t *time_ms,
                          struct tg_rest_verdict *verdict);
