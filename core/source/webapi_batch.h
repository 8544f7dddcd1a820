/* A batch: many accounts' polls as one chain of requests. No I/O: it says what to ask next and
 * takes the rows and answers. */
#pragma once

#include "base/list.h"
#include "source/rest_error.h"
#include "source/webapi_client.h"
#include "source/webapi_wire.h"

enum tg_webapi_place { TG_WEBAPI_QUEUED, TG_WEBAPI_BATCHED, TG_WEBAPI_FINISHED };

/* A poll's place in a batch, or in the queue before it. */
struct tg_webapi_job {
    struct tg_list node;  /* the owner's */
    struct tg_poll *poll; /* NULL: cancelled */
    struct tg_webapi_client *client;
    int64_t arrived_ms;
    int64_t since_ms;         /* deals from here on are asked for */
    int64_t history_since_ms; /* and ended orders, when `asked_history` */
    enum tg_webapi_place place;
    struct tg_webapi_account account;
    struct tg_rest_verdict verdict;
    bool has_account, failed; /* `verdict` says why */
    bool orders_bad, history_bad, deals_bad, moving, asked_history, late;
    bool wants_user, wants_state; /* a look at the client's record, at its own trade state */
    bool user_told, user_gone;
};

/* The steps of a batch, in order. */
enum tg_webapi_step {
    TG_WEBAPI_POSITIONS,
    TG_WEBAPI_ORDERS,
    TG_WEBAPI_HISTORY,
    TG_WEBAPI_DEALS,
    TG_WEBAPI_DEALS_LATE,
    TG_WEBAPI_ACCOUNTS,
    TG_WEBAPI_POSITIONS_AGAIN,
    TG_WEBAPI_USERS,
    TG_WEBAPI_USERS_SINGLE,
    TG_WEBAPI_STATES,
    TG_WEBAPI_GROUPS,
    TG_WEBAPI_SYMBOLS,
    TG_WEBAPI_STEPS,
};

struct tg_webapi_batch_options {
    const char *groups; /* masks for whole-server requests; NULL: logins only */
    int logins;         /* logins of one request, 1 … TG_WEBAPI_SOURCE_LOGINS */
    int single_max;     /* requests for one account or name alone, a step and batch */
    bool orders;        /* read pending orders */
    int64_t history_ms; /* how often all accounts' ended orders are read; 0: never */
    int64_t deals_overlap_ms;
    int64_t metadata_ms; /* clients' and groups' records are read again after this */
    int64_t dormant_ms;  /* … and those of dormant accounts, whose balance is in them */
};

struct tg_webapi_batch {
    const struct tg_webapi_batch_options *options;
    struct tg_webapi_clients *clients;
    const struct tg_webapi_zone *zone;
    struct tg_webapi_rows rows;
    struct tg_webapi_job **jobs;
    uint32_t count, cap;
    bool by_group, history_all, user_singles; /* the last: the server knows no USER_GET_BATCH */
    enum tg_webapi_step step;
    uint32_t cursor;   /* the first job that this step has not asked for */
    uint32_t from, to; /* jobs of the request under way */
    int singles;
    bool broken;                   /* a row of nobody's: this answer is not believed */
    bool failed;                   /* as a whole */
    struct tg_webapi_client *last; /* whose row came last */
    int64_t users_after_ms; /* clients' records are refused to us; asked for again from here on */
    int64_t started_ms, started_wall_ms;
    struct tg_webapi_fact *fact; /* that is being asked for */
    uint64_t *logins;
    struct tg_webapi_client **asked; /* whose those are */
    uint32_t logins_count;
    uint32_t near; /* of `logins`: behind the one that rows came of last */
    char from_text[24], to_text[24], login_text[24];
};

/* Zero-initialise, then set the three pointers. */
void tg_webapi_batch_fini(struct tg_webapi_batch *batch);

/* Takes up jobs, at least one: their polls' records are cleared. The jobs stay the caller's, and
 * must outlive the batch's run. 0 or -TG_ENOMEM. */
int tg_webapi_batch_begin(struct tg_webapi_batch *batch, struct tg_webapi_job **jobs,
                          uint32_t count, int64_t now_ms, int64_t wall_ms);

/* What to ask next; borrowed until the next call. False: nothing, the batch is done and every job
 * has its records or its verdict. */
bool tg_webapi_batch_next(struct tg_webapi_batch *batch, struct tg_webapi_request *request);

/* A row of the answer to that. */
void tg_webapi_batch_row(struct tg_webapi_batch *batch, const struct tg_webapi_row *row);

/* Its end. When it says that the batch as a whole has failed, `verdict` says how and true is
 * returned: the jobs that had not failed by themselves have that verdict, and the batch is done. */
bool tg_webapi_batch_answer(struct tg_webapi_batch *batch, const struct tg_webapi_answer *answer,
                            struct tg_rest_verdict *verdict);

/* Gives every job that has not failed by itself this verdict, and ends the batch. */
void tg_webapi_batch_fail(struct tg_webapi_batch *batch, const struct tg_rest_verdict *verdict);

/* Lets go of the jobs. */
void tg_webapi_batch_end(struct tg_webapi_batch *batch);

/* Takes a cancelled job out of what the rows are for; it stays in the batch. */
void tg_webapi_batch_cancel(struct tg_webapi_job *job);

/* What an answer's return code or status means for polls. Whether it is a failure. */
bool tg_webapi_judge(const struct tg_webapi_answer *answer, const char *command,
                     struct tg_rest_verdict *verdict);
