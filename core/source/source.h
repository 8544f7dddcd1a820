/* A source: where the states of accounts come from. Drivers: `http`, `mt5_webapi`, `sim`. */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "model/record.h"

#include <uv.h>

/* How a poll ended. Anything but OK changes no state and becomes no event. */
enum tg_poll_end {
    TG_POLL_OK,
    TG_POLL_FAILED,  /* transport, timeout, 5xx, unreadable: the upstream is ill; retry with backoff
                      */
    TG_POLL_BUSY,    /* 429, "too frequent", "busy": slow down; retry_after_ms may say how long */
    TG_POLL_REFUSED, /* our credentials are refused: never retried fast */
    TG_POLL_STALE,   /* an answer that is old, partial or of another account: discarded */
    TG_POLL_UNKNOWN, /* the source has no such account */
    TG_POLL_DENIED,  /* our credentials are good, and do not permit this */
    TG_POLL_ENDS,
};

struct tg_poll;
struct tg_http_source_header;

/* Where an account is found, as the configuration's `route` says. All borrowed; what is NULL or 0
 * is the source's own. */
struct tg_route {
    const char *source; /* the name of the source */
    const char *login;  /* MT5 login; NULL: the account's id is the login */
    const char *url;    /* replaces the source's url */
    const struct tg_http_source_header *headers; /* beside the source's; of one name, these */
    int headers_count;
};

/* What a poll needs to know from its owner. */
struct tg_poll_ops {
    /* The poll has ended; called exactly once, never from inside tg_source_poll. */
    void (*done)(struct tg_poll *poll);
    /* Positions and account are in `records`: are the deals wanted as well? May be NULL = no.
     * Must not start or cancel polls. */
    bool (*wants_deals)(struct tg_poll *poll);
};

/* One poll of one account; the owner embeds it, keeps it alive until `done` or tg_source_cancel,
 * and runs at most one at a time per account. */
struct tg_poll {
    const struct tg_poll_ops *ops;
    const char *account_id;       /* borrowed; checked against protocol.md's alphabet */
    const struct tg_route *route; /* NULL: the source's own url, and the account's id as login */
    const char *subject;          /* token subject of the first viewer, for headers; may be "" */
    int64_t deals_since_ms;       /* UTC; deals from here on are of interest */
    struct tg_records records;    /* filled by the driver; owned by the poll's owner */

    enum tg_poll_end end; /* valid in `done` */
    char code[48];        /* a short upper-case code of the failure, "" when OK */
    char message[200];    /* a sentence for operators, no secrets */
    int64_t retry_after_ms;

    void *driver; /* the driver's own, NULL when idle */
};

struct tg_source;
struct tg_pace;
struct tg_session_stats;

struct tg_source_ops {
    const char *name;
    int (*poll)(struct tg_source *source, struct tg_poll *poll);
    void (*cancel)(struct tg_source *source, struct tg_poll *poll);
    void (*close)(struct tg_source *source);
};

/* The head of every driver's struct. */
struct tg_source {
    const struct tg_source_ops *ops;
    bool together; /* polls that begin at the same moment are served best: they go in batches */
    const struct tg_pace *pace; /* how fast it lets itself be asked; NULL: it keeps no pace */
    /* How its session fares, for metrics. NULL: it has none. */
    void (*session)(const struct tg_source *source, struct tg_session_stats *out);
    /* Appends members of a JSON object about how the source fares. NULL: nothing to tell. */
    void (*describe)(const struct tg_source *source, struct tg_buf *out);
};

/* Starts a poll. 0 and `done` follows later, or an error (-TG_ENOMEM) and `done` never comes. */
static inline int tg_source_poll(struct tg_source *source, struct tg_poll *poll)
{
    return source->ops->poll(source, poll);
}

/* Ends a running poll without `done`. */
static inline void tg_source_cancel(struct tg_source *source, struct tg_poll *poll)
{
    source->ops->cancel(source, poll);
}

/* Starts closing: polls that still run end without `done`; the memory is freed when the loop has
 * closed the driver's handles. */
static inline void tg_source_close(struct tg_source *source)
{
    source->ops->close(source);
}

/* The value may hold {account_id}, {login} and {subject}; a header with a place for "" is not sent.
 */
struct tg_http_source_header {
    const char *name, *value;
};

/* The requests of a poll, in the order in which they are made. */
enum tg_http_part {
    TG_HTTP_SNAPSHOT,  /* one document with several parts */
    TG_HTTP_POSITIONS, /* before the account, so that whatever is missing from them is in the deals
                        */
    TG_HTTP_ORDERS,
    TG_HTTP_ACCOUNT,
    TG_HTTP_DEALS,   /* only when they are wanted */
    TG_HTTP_HISTORY, /* orders that have ended: after the deals, likewise */
    TG_HTTP_PARTS,
};
extern const char *const tg_http_part_names[TG_HTTP_PARTS + 1]; /* "snapshot", …, NULL */

/* A request: templates (source/http_template.h). */
struct tg_http_request {
    const char *path; /* behind the URL; NULL: this part is not asked for by itself */
    const char *body; /* NULL: none */
    bool post;
    const struct tg_http_source_header *headers; /* beside the source's */
    int headers_count;
};

struct tg_json;
struct tg_rest_map;
struct tg_rest_verdict;

/* A document that is to be mapped, and for whom. All borrowed. */
struct tg_http_document {
    enum tg_http_part part;
    const struct tg_json *json; /* strict JSON, of an answer with a status of 2xx */
    const struct tg_poll *poll;
    const char *login; /* the account's, as it was asked for */
    bool anonymous; /* neither the request nor the route says whose: every account is answered alike
                     */
    int64_t since_ms, now_ms; /* UTC */
    int64_t utc_offset_ms;    /* of times that the service tells on a clock of its own */
    struct tg_rest_map *map;  /* for tg_rest_check_… (source/rest_check.h) */
};

/* Documents to records, in place of the mapping that is built in. */
struct tg_http_mapper {
    /* Fills the parts that the document tells, all or nothing: 0, or -TG_EPROTO with the verdict.
     */
    int (*map)(void *ctx, const struct tg_http_document *document, struct tg_records *records,
               struct tg_rest_verdict *verdict);
    void *ctx;
};

struct tg_http_source_options {
    const char *url;      /* NULL: each account's route has one */
    int timeout_ms;       /* of a whole poll, from when it leaves the queue */
    int queue_ms;         /* the longest a poll waits for a slot */
    int concurrency;      /* requests under way at once; more wait in order */
    int64_t max_body;     /* bytes of one answer */
    int64_t max_stale_ms; /* a "cached":true answer older than this is TG_POLL_STALE */
    int currency_digits;  /* when the source does not say; 2 */
    const struct tg_http_source_header *headers;
    int headers_count;
    const char *ca_file;                            /* NULL: the system's */
    struct tg_http_request requests[TG_HTTP_PARTS]; /* none has a path: the MT5 REST service's */
    const struct tg_http_mapper *mapper;            /* NULL: the MT5 REST service's documents */
    int64_t utc_offset_ms;                          /* the service's clock is so far ahead of UTC */
};

/* The driver of services that speak JSON over HTTP. The options are copied, the mapper's context is
 * borrowed. 0, -TG_EINVAL with a sentence, -TG_ENOMEM. */
int tg_http_source_open(uv_loop_t *loop, const struct tg_clock *clock,
                        const struct tg_http_source_options *options, struct tg_source **out,
                        struct tg_err *err);

#define TG_SIM_ACCOUNTS 1000000
#define TG_SIM_EVENTS 120
#define TG_SIM_LATENCY_MS 60000

struct tg_sim_source_options {
    uint64_t seed;
    int accounts;                     /* demo-1 … demo-N exist; 1 … TG_SIM_ACCOUNTS */
    double events_per_minute;         /* lifecycle events per account, mean; 0 … TG_SIM_EVENTS */
    int outage_every_s, outage_for_s; /* the last so many seconds of every so many; 0: never */
    int latency_ms; /* from a poll to its answer; 0 (the next turn) … TG_SIM_LATENCY_MS */
};

/* The embedded simulator; time is counted from the opening. The options are copied. 0, -TG_ENOMEM,
 * or -TG_EINVAL with the option and its bounds in `err`. */
int tg_sim_source_open(uv_loop_t *loop, const struct tg_clock *clock,
                       const struct tg_sim_source_options *options, struct tg_source **out,
                       struct tg_err *err);

#define TG_WEBAPI_SOURCE_LOGINS 2000 /* most logins of one request: their list fits one packet */

struct tg_webapi_source_options {
    const char *const *urls; /* of one platform's servers, the preferred one first; at least one */
    int urls_count;
    const char *login, *password; /* of a manager; the password is the API password */
    const char *agent;            /* what we call ourselves; no blanks */
    int version;                  /* build that we speak as */
    bool crypt;                   /* mt5:// only */
    const char *groups;           /* masks of the groups to read at once; NULL: by logins */
    int batch_logins;             /* logins of one request */
    int single_requests;          /* requests for one account alone, of one kind, in a batch */
    bool orders;                  /* read pending orders */
    int history_s;   /* how often the ended orders of all accounts are read; 0: only where needed */
    int interval_ms; /* how often the owner polls an account */
    int gather_ms;   /* a batch waits so long for more polls */
    int timeout_ms;  /* for an answer to begin, and between any two of its bytes */
    int poll_timeout_ms; /* for a whole answer, and for a poll to wait for its batch */
    int clock_check_s;   /* how often is looked whether the server's clock moves */
    int keepalive_s, deals_overlap_s, metadata_refresh_s, dormant_refresh_s;
    int64_t row_bytes, answer_bytes;
    int refused_first_ms, refused_max_ms;
    const char *utc_offset; /* "auto", or "+03:00" */
    const char *ca_file;    /* NULL: the system's */
};

/* The MetaTrader 5 Web API, REST (https://) and raw (mt5://). The options are copied; nothing is
 * connected before the first poll. */
int tg_webapi_source_open(uv_loop_t *loop, const struct tg_clock *clock,
                          const struct tg_webapi_source_options *options, struct tg_source **out,
                          struct tg_err *err);

/* Whether a URL names a Web API server; whether a text is an offset. 0 or -TG_EINVAL with what was
 * expected. */
int tg_webapi_source_check_url(const char *url, struct tg_err *err);
int tg_webapi_source_check_offset(const char *text, struct tg_err *err);
