/* From an answer to records: the documents of the MT5 REST service, or another one's through a map.
 */
#include "source/http_source_inner.h"

/* The documents of the MT5 REST service. */
static int map_rest(struct tg_http_job *job, const struct tg_rest_answer *answer,
                    struct tg_rest_verdict *verdict)
{
    const struct tg_http_source *source = job->source;
    struct tg_records *records = &job->poll->records;
    const struct tg_rest_demand demand = {job->poll->account_id, source->max_stale_ms};
    switch (job->part) {
    case TG_HTTP_POSITIONS:
        return tg_rest_map_positions(source->map, answer, &demand, records, verdict);
    case TG_HTTP_ACCOUNT: return tg_rest_map_info(source->map, answer, &demand, records, verdict);
    case TG_HTTP_DEALS: return tg_rest_map_history(source->map, answer, &demand, records, verdict);
    default:
        return tg_rest_fail(verdict, TG_POLL_FAILED, "NO_MAP", "%s needs a map of its own",
                            tg_http_part_names[job->part]);
    }
}

/* The documents of another one, by the operator's own function. */
static int map_own(struct tg_http_job *job, const struct tg_rest_answer *answer,
                   struct tg_rest_verdict *verdict)
{
    const struct tg_http_source *source = job->source;
    const struct tg_route *route = job->poll->route;
    bool placed = route && (route->url || route->headers_count);
    const struct tg_http_document document = {
        .part = job->part,
        .json = &job->json,
        .poll = job->poll,
        .login = tg_http_login_of(job->poll),
        .anonymous = !placed && !source->plan.rows[job->part].named,
        .since_ms = job->poll->deals_since_ms,
        .now_ms = tg_wall_ms(source->clock),
        .utc_offset_ms = source->utc_offset_ms,
        .map = source->map,
    };
    int rc = tg_rest_document_parse(&job->json, answer, verdict);
    return rc ? rc
              : source->mapper.map(source->mapper.ctx, &document, &job->poll->records, verdict);
}

int tg_http_map_answer(struct tg_http_job *job, struct tg_rest_verdict *verdict)
{
    const struct tg_http_call *call = &job->call;
    const struct tg_rest_answer answer = {call->status, call->body.data ? call->body.data : "",
                                          call->body.len, call->retry_after_ms};
    if (call->rc) return tg_rest_fail(verdict, TG_POLL_FAILED, call->code, "%s", call->message);
    return job->source->mapper.map ? map_own(job, &answer, verdict)
                                   : map_rest(job, &answer, verdict);
}
