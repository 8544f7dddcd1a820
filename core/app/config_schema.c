/* One table says what a key is called, what it may be, and what it is when nobody says. Reading,
 * refusing, defaults and the check that the documentation is complete all follow it, so none of
 * them can drift from the others. */
#include "app/config_schema.h"

#include "app/config.h"
#include "source/source.h"

/* clang-format off */
#define AT(member) .offset = offsetof(struct tg_config, member)
#define COUNT(member) .count = offsetof(struct tg_config, member)
#define KEY(member) .offset = offsetof(struct tg_config_key, member)
#define CHOICES(...) .choices = (const char *const[]){__VA_ARGS__, NULL}
#define LATER(...) .later = (const char *const[]){__VA_ARGS__, NULL}
#define RANGE(low, high) .min = low, .max = high
#define END {.name = NULL}

#define INT(key, member, low, high, text) \
    {.name = key, .kind = TG_CONFIG_INT, AT(member), RANGE(low, high), .initial = text}
#define LONG(key, member, low, high, text) \
    {.name = key, .kind = TG_CONFIG_LONG, AT(member), RANGE(low, high), .initial = text}
#define NUMBER(key, member, low, high, text) \
    {.name = key, .kind = TG_CONFIG_NUMBER, AT(member), RANGE(low, high), .initial = text}
#define BOOL(key, member, text) \
    {.name = key, .kind = TG_CONFIG_BOOL, AT(member), .initial = text}
#define TEXT(key, member, text) \
    {.name = key, .kind = TG_CONFIG_TEXT, AT(member), RANGE(1, 1024), .initial = text}
#define PATH(key, member) {.name = key, .kind = TG_CONFIG_PATH, AT(member), RANGE(1, 4096)}
#define SECTION(key, table) {.name = key, .kind = TG_CONFIG_SECTION, .fields = table}
#define NOT_YET(key) {.name = key, .kind = TG_CONFIG_LATER}
/* clang-format on */

#define DAY_MS 86400000
#define DAY_S 86400

static const struct tg_config_field listen_fields[] = {
    TEXT("address", listen.address, "0.0.0.0"),
    INT("port", listen.port, 0, 65535, "8080"),
    BOOL("reuse_port", listen.reuse_port, "false"),
    INT("backlog", listen.backlog, 1, 65535, "1024"),
    NOT_YET("tls"),
    END,
};

static const struct tg_config_field admin_fields[] = {
    BOOL("enabled", admin.enabled, "true"),
    TEXT("address", admin.address, "127.0.0.1"),
    INT("port", admin.port, 0, 65535, "9090"),
    {.name = "token",
     .kind = TG_CONFIG_TEXT,
     AT(admin.token),
     .min = 16,
     .max = 1024,
     .secret = true},
    END,
};

static const struct tg_config_field sim_fields[] = {
    LONG("seed", source.sim.seed, 0, 9007199254740991.0, "1"),
    INT("accounts", source.sim.accounts, 1, TG_SIM_ACCOUNTS, "1000"),
    NUMBER("events_per_minute", source.sim.events_per_minute, 0, TG_SIM_EVENTS, "6"),
    INT("outage_every_seconds", source.sim.outage_every_s, 0, DAY_S, "0"),
    INT("outage_for_seconds", source.sim.outage_for_s, 0, DAY_S, "0"),
    INT("latency_ms", source.sim.latency_ms, 0, TG_SIM_LATENCY_MS, "0"),
    END,
};

static const struct tg_config_field source_fields[] = {
    {.name = "driver",
     .kind = TG_CONFIG_CHOICE,
     AT(source.driver),
     .initial = "http",
     CHOICES("http", "sim"),
     LATER("mt5_webapi", "replay")},
    TEXT("url", source.url, NULL),
    INT("interval_ms", source.interval_ms, 100, 3600000, "1000"),
    INT("timeout_ms", source.timeout_ms, 50, 600000, "2000"),
    INT("concurrency", source.concurrency, 1, 4096, "256"),
    LONG("max_body_bytes", source.max_body_bytes, 1024, 1073741824, "4194304"),
    LONG("max_stale_ms", source.max_stale_ms, 0, DAY_MS, "10000"),
    PATH("ca_file", source.ca_file),
    INT("currency_digits", source.currency_digits, 0, 8, "2"),
    {.name = "headers",
     .kind = TG_CONFIG_HEADERS,
     AT(source.headers),
     COUNT(source.headers_count),
     .max = 32,
     .secret = true},
    INT("retry_first_ms", source.retry_first_ms, 10, 600000, "1000"),
    INT("retries", source.retries, 0, 20, "3"),
    INT("probe_ms", source.probe_ms, 100, DAY_MS, "30000"),
    INT("breaker_failures", source.breaker_failures, 1, 1000000, "20"),
    INT("refused_first_ms", source.refused_first_ms, 1000, DAY_MS, "60000"),
    INT("refused_max_ms", source.refused_max_ms, 1000, DAY_MS, "900000"),
    INT("grace_ms", source.grace_ms, 0, 3600000, "10000"),
    INT("suspect_polls", source.suspect_polls, 1, 100, "3"),
    SECTION("sim", sim_fields),
    NOT_YET("map"),
    END,
};

static const struct tg_config_field accounts_fields[] = {
    {.name = "always",
     .kind = TG_CONFIG_TEXTS,
     AT(accounts.always),
     COUNT(accounts.always_count),
     .min = 1,
     .max = 64},
    INT("maximum", accounts.maximum, 1, 10000000, "100000"),
    END,
};

static const struct tg_config_field key_fields[] = {
    {.name = "algorithm",
     .kind = TG_CONFIG_CHOICE,
     KEY(algorithm),
     .required = true,
     CHOICES("HS256", "HS384", "HS512"),
     LATER("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")},
    {.name = "secret",
     .kind = TG_CONFIG_BYTES,
     KEY(secret),
     .min = 1,
     .max = 4096,
     .count = offsetof(struct tg_config_key, secret_len),
     .required = true,
     .secret = true},
    {.name = "kid", .kind = TG_CONFIG_TEXT, KEY(kid), .min = 1, .max = 256},
    {.name = "public_key", .kind = TG_CONFIG_LATER},
    END,
};

static const struct tg_config_field ownership_fields[] = {
    TEXT("claim", auth.ownership_claim, "accounts"),
    PATH("file", auth.ownership_file),
    LONG("file_bytes", auth.ownership_file_bytes, 1024, 1073741824, "16777216"),
    NOT_YET("url"),
    NOT_YET("headers"),
    END,
};

static const struct tg_config_field auth_fields[] = {
    {.name = "keys",
     .kind = TG_CONFIG_RECORDS,
     .min = 1,
     AT(auth.keys),
     COUNT(auth.keys_count),
     .fields = key_fields,
     .size = sizeof(struct tg_config_key),
     .max = 32},
    NOT_YET("jwks_url"),
    TEXT("issuer", auth.issuer, NULL),
    TEXT("audience", auth.audience, NULL),
    INT("leeway_seconds", auth.leeway_seconds, 0, 300, "30"),
    INT("recheck_seconds", auth.recheck_seconds, 1, DAY_S, "300"),
    INT("expiry_warning_seconds", auth.expiry_warning_seconds, 0, 3600, "60"),
    {.name = "reject",
     .kind = TG_CONFIG_SWITCH,
     AT(auth.reject_by_close),
     .initial = "http",
     CHOICES("http", "close")},
    BOOL("hide_unknown", auth.hide_unknown, "true"),
    INT("cache_tokens", auth.cache_tokens, 0, 1000000, "4096"),
    SECTION("ownership", ownership_fields),
    NOT_YET("authorize"),
    END,
};

static const struct tg_config_field rules_fields[] = {
    {.name = "path",
     .kind = TG_CONFIG_PATHS,
     AT(rules.paths),
     COUNT(rules.paths_count),
     .min = 1,
     .max = 4096},
    BOOL("reload", rules.reload, "true"),
    INT("budget_ms", rules.budget_ms, 1, 1000, "20"),
    INT("memory_mb", rules.memory_mb, 4, 4096, "64"),
    INT("events_per_tick", rules.events_per_tick, 1, 100000, "256"),
    INT("payload_bytes", rules.payload_bytes, 256, 16777216, "65536"),
    INT("rest_after_faults", rules.rest_after_faults, 1, 1000, "5"),
    INT("rest_seconds", rules.rest_seconds, 1, DAY_S, "60"),
    INT("explain_mb", rules.explain_mb, 0, 4096, "16"),
    INT("explain_seconds", rules.explain_seconds, 1, DAY_S, "600"),
    NOT_YET("candidate"),
    END,
};

static const struct tg_config_field protocol_fields[] = {
    {.name = "ids",
     .kind = TG_CONFIG_SWITCH,
     AT(protocol.ids_as_text),
     .initial = "number",
     CHOICES("number", "string")},
    INT("ping_seconds", protocol.ping_seconds, 1, 3600, "30"),
    INT("timeout_seconds", protocol.timeout_seconds, 2, 7200, "90"),
    NOT_YET("compression"),
    END,
};

static const struct tg_config_field stream_fields[] = {
    INT("history_events", stream.history_events, 1, 1000000, "512"),
    INT("history_seconds", stream.history_seconds, 1, DAY_S, "300"),
    END,
};

static const struct tg_config_field limits_fields[] = {
    INT("connections", limits.connections, 1, 10000000, "100000"),
    INT("per_subject", limits.per_subject, 1, 10000000, "50"),
    INT("per_account", limits.per_account, 1, 10000000, "1000"),
    INT("per_address", limits.per_address, 1, 10000000, "200"),
    INT("handshakes_per_second", limits.handshakes_per_second, 1, 1000000, "500"),
    INT("health_per_second", limits.health_per_second, 1, 1000000, "20"),
    INT("message_bytes", limits.message_bytes, 128, 16777216, "4096"),
    INT("messages_per_second", limits.messages_per_second, 1, 100000, "10"),
    INT("bad_messages", limits.bad_messages, 1, 100000, "10"),
    INT("queue_bytes", limits.queue_bytes, 4096, 1073741824, "262144"),
    INT("fragments", limits.fragments, 1, 1000000, "64"),
    INT("token_bytes", limits.token_bytes, 256, 65536, "8192"),
    INT("head_bytes", limits.head_bytes, 1024, 65536, "8192"),
    INT("handshake_seconds", limits.handshake_seconds, 1, 300, "10"),
    INT("idle_seconds", limits.idle_seconds, 1, 3600, "30"),
    INT("close_seconds", limits.close_seconds, 1, 300, "5"),
    INT("drain_seconds", limits.drain_seconds, 1, 3600, "20"),
    END,
};

static const struct tg_config_field log_fields[] = {
    {.name = "level",
     .kind = TG_CONFIG_CHOICE,
     AT(log.level),
     .initial = "info",
     CHOICES("debug", "info", "warn", "error")},
    {.name = "format",
     .kind = TG_CONFIG_CHOICE,
     AT(log.format),
     .initial = "auto",
     CHOICES("auto", "json", "text")},
    END,
};

const struct tg_config_field tg_config_schema[] = {
    SECTION("listen", listen_fields),
    SECTION("admin", admin_fields),
    SECTION("source", source_fields),
    SECTION("accounts", accounts_fields),
    SECTION("auth", auth_fields),
    SECTION("rules", rules_fields),
    SECTION("protocol", protocol_fields),
    SECTION("stream", stream_fields),
    SECTION("limits", limits_fields),
    SECTION("log", log_fields),
    END,
};
