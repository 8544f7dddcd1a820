/* The inside of the http driver, shared by its polls and what it makes of answers. */
#pragma once

#include "base/list.h"
#include "source/http_client.h"
#include "source/http_plan.h"
#include "source/rest_map.h"
#include "source/source.h"

struct tg_http_source {
    struct tg_source source;
    const struct tg_clock *clock;
    struct tg_http_client *client;
    struct tg_http_plan plan;
    struct tg_http_mapper mapper; /* map NULL: the MT5 REST service's */
    struct tg_rest_map *map;
    struct tg_buf base; /* the URL up to the paths; empty: each route has one */
    int64_t timeout_ms, queue_ms, max_stale_ms, utc_offset_ms;
    int concurrency, running_count, spare_count, handles;
    bool closing, told_orders;
    uv_timer_t patience; /* runs while polls wait */
    struct tg_list running, waiting;
    struct tg_list spare; /* jobs for reuse, with their buffers; at most `concurrency` */
};

/* A poll on its way. */
struct tg_http_job {
    struct tg_list node;
    struct tg_http_source *source;
    struct tg_poll *poll;
    bool running; /* holds a slot; else it waits */
    bool again;   /* the positions have been looked at a second time */
    enum tg_http_part part;
    int64_t deadline_ms; /* of the poll; while it waits, of the waiting */
    struct tg_http_call call;
    struct tg_http_lines *lines; /* of the request that is under way */
    struct tg_buf url, body;
    struct tg_json json; /* of a mapped answer */
};

/* The MT5 login that the account is asked for by. */
static inline const char *tg_http_login_of(const struct tg_poll *poll)
{
    return poll->route && poll->route->login ? poll->route->login : poll->account_id;
}

/* Puts what has been answered into the poll's records. 0, or -TG_EPROTO with the verdict. */
int tg_http_map_answer(struct tg_http_job *job, struct tg_rest_verdict *verdict);
