/* One row a driver: its name, and how it is made of its keys. */
#include "app/source_open.h"

#include "app/mapper.h"
#include "app/replay_source.h"

#include <stdlib.h>
#include <string.h>

#define FROZEN_LEAST_MS 2000

static int open_sim(uv_loop_t *loop, const struct tg_clock *clock,
                    const struct tg_config_source *config, struct tg_source **out,
                    struct tg_err *err)
{
    const struct tg_sim_source_options options = {
        .seed = (uint64_t)config->sim.seed,
        .accounts = config->sim.accounts,
        .events_per_minute = config->sim.events_per_minute,
        .outage_every_s = config->sim.outage_every_s,
        .outage_for_s = config->sim.outage_for_s,
        .latency_ms = config->sim.latency_ms,
    };
    return tg_sim_source_open(loop, clock, &options, out, err);
}

/* The headers as the driver takes them; they borrow. NULL when memory is short. */
static struct tg_http_source_header *headers_of(const struct tg_config_header *from, int count)
{
    struct tg_http_source_header *headers = calloc((size_t)count + 1, sizeof *headers);
    for (int i = 0; headers && i < count; i++)
        headers[i] = (struct tg_http_source_header){from[i].name, from[i].value};
    return headers;
}

static int open_http(uv_loop_t *loop, const struct tg_clock *clock,
                     const struct tg_config_source *config, struct tg_source **out,
                     struct tg_err *err)
{
    struct tg_http_source_header *more[TG_HTTP_PARTS] = {NULL},
                                 *headers = headers_of(config->headers, config->headers_count);
    const struct tg_http_mapper own = {tg_mapper_map, config->mapper};
    struct tg_http_source_options options = {
        .url = config->url,
        .timeout_ms = config->timeout_ms,
        .queue_ms = config->queue_ms,
        .concurrency = config->concurrency,
        .max_body = config->max_body_bytes,
        .max_stale_ms = config->max_stale_ms,
        .currency_digits = config->currency_digits,
        .headers = headers,
        .headers_count = config->headers_count,
        .ca_file = config->ca_file,
        .mapper = config->mapper ? &own : NULL,
        .utc_offset_ms = (int64_t)config->utc_offset_s * 1000,
    };
    bool short_of_memory = !headers;
    for (int i = 0; i < TG_HTTP_PARTS; i++) {
        const struct tg_config_request *request = &config->requests[i];
        more[i] = headers_of(request->headers, request->headers_count);
        short_of_memory = short_of_memory || !more[i];
        options.requests[i] = (struct tg_http_request){request->path, request->body, request->post,
                                                       more[i], request->headers_count};
    }
    int rc = short_of_memory ? tg_fail(err, TG_ENOMEM, "no memory for the source")
                             : tg_http_source_open(loop, clock, &options, out, err);
    for (int i = 0; i < TG_HTTP_PARTS; i++)
        free(more[i]);
    free(headers);
    return rc;
}

static int open_webapi(uv_loop_t *loop, const struct tg_clock *clock,
                       const struct tg_config_source *config, struct tg_source **out,
                       struct tg_err *err)
{
    int count = 1 + config->webapi.fallback_urls_count;
    const char **urls = calloc((size_t)count, sizeof *urls);
    if (!urls) return tg_fail(err, TG_ENOMEM, "no memory for the source");
    urls[0] = config->url;
    for (int i = 1; i < count; i++)
        urls[i] = config->webapi.fallback_urls[i - 1];
    const struct tg_webapi_source_options options = {
        .urls = urls,
        .urls_count = count,
        .login = config->webapi.login,
        .password = config->webapi.password,
        .agent = config->webapi.agent,
        .version = config->webapi.version,
        .crypt = config->webapi.crypt,
        .groups = config->webapi.groups,
        .batch_logins = config->webapi.batch_logins,
        .single_requests = config->webapi.single_requests,
        .orders = config->webapi.orders,
        .history_s = config->webapi.history_s,
        .interval_ms = config->interval_ms,
        .gather_ms = config->webapi.gather_ms,
        .timeout_ms = config->timeout_ms,
        .poll_timeout_ms = config->webapi.poll_timeout_ms,
        .clock_check_s = config->webapi.clock_check_s,
        .keepalive_s = config->webapi.keepalive_s,
        .deals_overlap_s = config->webapi.deals_overlap_s,
        .metadata_refresh_s = config->webapi.metadata_refresh_s,
        .dormant_refresh_s = config->webapi.dormant_refresh_s,
        .row_bytes = config->webapi.row_bytes,
        .answer_bytes = config->webapi.answer_bytes,
        .refused_first_ms = config->refused_first_ms,
        .refused_max_ms = config->refused_max_ms,
        .utc_offset = config->webapi.utc_offset,
        .ca_file = config->ca_file,
    };
    int rc = tg_webapi_source_open(loop, clock, &options, out, err);
    free(urls);
    return rc;
}

static int open_replay(uv_loop_t *loop, const struct tg_clock *clock,
                       const struct tg_config_source *config, struct tg_source **out,
                       struct tg_err *err)
{
    const struct tg_replay_source_options options = {
        .paths = (const char *const *)config->replay.paths,
        .paths_count = config->replay.paths_count,
        .speed = config->replay.speed,
        .loop = config->replay.loop,
    };
    return tg_replay_source_open(loop, clock, &options, out, err);
}

static const struct {
    const char *name;
    int (*open)(uv_loop_t *loop, const struct tg_clock *clock,
                const struct tg_config_source *config, struct tg_source **out, struct tg_err *err);
} drivers[] = {
    {"http", open_http},
    {"mt5_webapi", open_webapi},
    {"sim", open_sim},
    {"replay", open_replay},
};

int tg_source_open(uv_loop_t *loop, const struct tg_clock *clock,
                   const struct tg_config_source *config, struct tg_source **out,
                   struct tg_err *err)
{
    struct tg_err why = {0};
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
        if (strcmp(drivers[i].name, config->driver) != 0) continue;
        int rc = drivers[i].open(loop, clock, config, out, &why);
        return rc ? tg_fail(err, -rc, "source %s: %s", config->name, why.text) : 0;
    }
    return tg_fail(err, TG_EINVAL, "source %s: there is no driver \"%s\"", config->name,
                   config->driver);
}

/* A wait for the answer to a probe that outlasts any poll. */
static int64_t probe_lost_ms(const struct tg_config_source *config)
{
    return 2 * (int64_t)config->timeout_ms + 1000;
}

/* How long a source's clock may stand still before what it answers is called old. Services tell
 * whole seconds, some of them from a cache. */
static int64_t frozen_ms(const struct tg_config_source *config)
{
    int64_t least = 3 * (int64_t)config->interval_ms, most = 0;
    if (!strcmp(config->driver, "http")) most = config->max_stale_ms;
    if (!most && strcmp(config->driver, "mt5_webapi") != 0) return 0;
    if (least < FROZEN_LEAST_MS) least = FROZEN_LEAST_MS;
    return most < least ? least : most;
}

static struct tg_upstream upstream_of(const struct tg_config_source *config)
{
    return (struct tg_upstream){
        .name = config->name,
        .driver = config->driver,
        .interval_ms = config->interval_ms,
        .grace_ms = config->grace_ms,
        .stale_ms = (int64_t)config->interval_ms + config->timeout_ms,
        .frozen_ms = frozen_ms(config),
        .backoff = {config->retry_first_ms, config->retries, config->probe_ms,
                    config->refused_first_ms, config->refused_max_ms},
        .breaker_policy = {config->breaker_failures, config->retry_first_ms, config->probe_ms,
                           probe_lost_ms(config)},
        .account = {config->suspect_polls},
    };
}

int tg_upstreams_open(uv_loop_t *loop, const struct tg_clock *clock, const struct tg_config *config,
                      struct tg_upstream **out, struct tg_err *err)
{
    int count = config->sources_count;
    struct tg_upstream *upstreams = calloc((size_t)count, sizeof *upstreams);
    if (!upstreams) return tg_fail(err, TG_ENOMEM, "no memory for the sources");
    for (int i = 0; i < count; i++) {
        upstreams[i] = upstream_of(&config->sources[i]);
        int rc = tg_source_open(loop, clock, &config->sources[i], &upstreams[i].source, err);
        if (!rc) continue;
        tg_upstreams_close(upstreams, i);
        return rc;
    }
    *out = upstreams;
    return 0;
}

void tg_upstreams_close(struct tg_upstream *upstreams, int count)
{
    for (int i = 0; upstreams && i < count; i++)
        tg_source_close(upstreams[i].source);
    free(upstreams);
}
