/* One source: what stands in `source`, and in each member of `sources`. A key that only some
 * drivers read names them; given with another driver it is a fault, so a driver brings its rows and
 * its name in `driver`, and no check of its own. */
#include "app/config.h"
#include "app/config_rows.h"
#include "app/replay_source.h"
#include "source/source.h"

#define ROWS_OF struct tg_config_source

static const struct tg_config_field sim_fields[] = {
    LONG("seed", sim.seed, 0, 9007199254740991.0, "1"),
    INT("accounts", sim.accounts, 1, TG_SIM_ACCOUNTS, "1000"),
    NUMBER("events_per_minute", sim.events_per_minute, 0, TG_SIM_EVENTS, "6"),
    INT("outage_every_seconds", sim.outage_every_s, 0, DAY_S, "0"),
    INT("outage_for_seconds", sim.outage_for_s, 0, DAY_S, "0"),
    INT("latency_ms", sim.latency_ms, 0, TG_SIM_LATENCY_MS, "0"),
    END,
};

/* clang-format off */
#define WEBAPI ONLY("mt5_webapi")
#define WEBAPI_ROWS \
    {.name = "fallback_urls", .kind = TG_CONFIG_TEXTS, AT(webapi.fallback_urls), \
     COUNT(webapi.fallback_urls_count), .min = 1, .max = 1024, WEBAPI}, \
    TEXT("login", webapi.login, NULL, WEBAPI), \
    TEXT("password", webapi.password, NULL, .secret = true, WEBAPI), \
    TEXT("agent", webapi.agent, "tidegate", WEBAPI), \
    INT("version", webapi.version, 484, 99999, "3470", WEBAPI), \
    BOOL("crypt", webapi.crypt, "true", WEBAPI), \
    TEXT("groups", webapi.groups, NULL, WEBAPI), \
    INT("batch_logins", webapi.batch_logins, 1, TG_WEBAPI_SOURCE_LOGINS, "200", WEBAPI), \
    INT("single_requests", webapi.single_requests, 1, 10000, "50", WEBAPI), \
    BOOL("orders", webapi.orders, "true", WEBAPI), \
    INT("history_seconds", webapi.history_s, 0, 3600, "5", WEBAPI), \
    INT("gather_ms", webapi.gather_ms, 0, 10000, "20", WEBAPI), \
    INT("poll_timeout_ms", webapi.poll_timeout_ms, 100, 600000, "10000", WEBAPI), \
    INT("clock_check_seconds", webapi.clock_check_s, 3, 3600, "5", WEBAPI), \
    INT("keepalive_seconds", webapi.keepalive_s, 5, 170, "20", WEBAPI), \
    INT("deals_overlap_seconds", webapi.deals_overlap_s, 0, DAY_S, "10", WEBAPI), \
    INT("metadata_refresh_seconds", webapi.metadata_refresh_s, 60, DAY_S, "3600", WEBAPI), \
    INT("dormant_refresh_seconds", webapi.dormant_refresh_s, 5, DAY_S, "60", WEBAPI), \
    LONG("row_bytes", webapi.row_bytes, 4096, 16777216, "262144", WEBAPI), \
    LONG("answer_bytes", webapi.answer_bytes, 65536, 4294967296.0, "268435456", WEBAPI), \
    TEXT("utc_offset", webapi.utc_offset, "auto", WEBAPI)
/* clang-format on */

static const struct tg_config_field replay_fields[] = {
    {.name = "path",
     .kind = TG_CONFIG_PATHS,
     AT(replay.paths),
     COUNT(replay.paths_count),
     .min = 1,
     .max = 4096},
    NUMBER("speed", replay.speed, TG_REPLAY_SPEED_MIN, TG_REPLAY_SPEED_MAX, "1"),
    BOOL("loop", replay.loop, "false"),
    END,
};

#undef ROWS_OF
#define ROWS_OF struct tg_config_request

static const struct tg_config_field request_fields[] = {
    {.name = "path", .kind = TG_CONFIG_TEXT, AT(path), RANGE(1, 2048)},
    {.name = "method",
     .kind = TG_CONFIG_SWITCH,
     AT(post),
     .initial = "GET",
     CHOICES("GET", "POST")},
    {.name = "body", .kind = TG_CONFIG_TEXT, AT(body), RANGE(1, 4096)},
    {.name = "headers",
     .kind = TG_CONFIG_HEADERS,
     AT(headers),
     COUNT(headers_count),
     .max = 32,
     .secret = true},
    END,
};

#undef ROWS_OF
#define ROWS_OF struct tg_config_source

#define REQUEST(key, part)                                                                   \
    {                                                                                        \
        .name = key, .kind = TG_CONFIG_SECTION, AT(requests[part]), .fields = request_fields \
    }
static const struct tg_config_field requests_fields[] = {
    REQUEST("snapshot", TG_HTTP_SNAPSHOT),
    REQUEST("account", TG_HTTP_ACCOUNT),
    REQUEST("positions", TG_HTTP_POSITIONS),
    REQUEST("orders", TG_HTTP_ORDERS),
    REQUEST("deals", TG_HTTP_DEALS),
    REQUEST("history", TG_HTTP_HISTORY),
    END,
};
#undef REQUEST

const struct tg_config_field tg_config_source_fields[] = {
    {.name = "driver",
     .kind = TG_CONFIG_CHOICE,
     AT(driver),
     .initial = "http",
     CHOICES("http", "mt5_webapi", "sim", "replay")},
    TEXT("url", url, NULL, ONLY("http mt5_webapi")),
    INT("interval_ms", interval_ms, 100, 3600000, "1000"),
    INT("timeout_ms", timeout_ms, 50, 600000, "2000", ONLY("http mt5_webapi")),
    INT("queue_ms", queue_ms, 100, 600000, "10000", ONLY("http")),
    INT("concurrency", concurrency, 1, 4096, "256", ONLY("http")),
    LONG("max_body_bytes", max_body_bytes, 1024, 1073741824, "4194304", ONLY("http")),
    LONG("max_stale_ms", max_stale_ms, 0, DAY_MS, "10000", ONLY("http")),
    PATH("ca_file", ca_file, ONLY("http mt5_webapi")),
    INT("currency_digits", currency_digits, 0, 8, "2", ONLY("http")),
    {.name = "headers",
     .kind = TG_CONFIG_HEADERS,
     AT(headers),
     COUNT(headers_count),
     .max = 32,
     .secret = true,
     ONLY("http")},
    INT("retry_first_ms", retry_first_ms, 10, 600000, "1000"),
    INT("retries", retries, 0, 20, "3"),
    INT("probe_ms", probe_ms, 100, DAY_MS, "30000"),
    INT("breaker_failures", breaker_failures, 1, 1000000, "20"),
    INT("refused_first_ms", refused_first_ms, 1000, DAY_MS, "60000"),
    INT("refused_max_ms", refused_max_ms, 1000, DAY_MS, "900000"),
    INT("grace_ms", grace_ms, 0, 3600000, "10000"),
    INT("suspect_polls", suspect_polls, 1, 100, "3"),
    WEBAPI_ROWS,
    SECTION("sim", sim_fields, ONLY("sim")),
    SECTION("replay", replay_fields, ONLY("replay")),
    TEXT("mapping", mapping, NULL, ONLY("http")),
    SECTION("requests", requests_fields, ONLY("http")),
    {.name = "map", .kind = TG_CONFIG_FUNCTION, AT(map), ONLY("http")},
    INT("utc_offset_seconds", utc_offset_s, -DAY_S, DAY_S, "0", ONLY("http")),
    END,
};
