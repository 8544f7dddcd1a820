/* One table says what a key is called, what it may be, and what it is when nobody says. Reading,
 * refusing, defaults and the check that the documentation is complete all follow it, so none of
 * them can drift from the others. */
#include "app/config_schema.h"

#include "app/config.h"
#include "app/config_rows.h"

#define ROWS_OF struct tg_config
#define KEY(member) .offset = offsetof(struct tg_config_key, member)

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
    INT("connections", admin.connections, 1, 10000, "32"),
    {.name = "token",
     .kind = TG_CONFIG_TEXT,
     AT(admin.token),
     .min = 16,
     .max = 1024,
     .secret = true},
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
    {.name = "authorize", .kind = TG_CONFIG_FUNCTION, AT(auth.authorize)},
    END,
};

static const struct tg_config_field rules_fields[] = {
    {.name = "path",
     .kind = TG_CONFIG_PATHS,
     AT(rules.paths),
     COUNT(rules.paths_count),
     .min = 1,
     .max = 4096},
    {.name = "options", .kind = TG_CONFIG_OPTIONS, AT(rules.options)},
    BOOL("reload", rules.reload, "true"),
    BOOL("jit", rules.jit, "true"),
    INT("budget_ms", rules.budget_ms, 1, 1000, "20"),
    INT("memory_mb", rules.memory_mb, 4, 4096, "64"),
    INT("events_per_tick", rules.events_per_tick, 1, 100000, "256"),
    INT("bytes_per_tick", rules.bytes_per_tick, 1024, 67108864, "1048576"),
    INT("payload_bytes", rules.payload_bytes, 256, 16777216, "65536"),
    INT("rest_after_faults", rules.rest_after_faults, 1, 1000, "5"),
    INT("rest_seconds", rules.rest_seconds, 1, DAY_S, "60"),
    INT("explain_mb", rules.explain_mb, 0, 4096, "16"),
    INT("explain_seconds", rules.explain_seconds, 1, DAY_S, "600"),
    INT("load_ms", rules.load_ms, 50, 60000, "3000"),
    INT("trial_accounts", rules.trial_accounts, 0, 100000, "256"),
    INT("trial_ms", rules.trial_ms, 1, 10000, "50"),
    INT("keep_generations", rules.keep_generations, 0, 32, "4"),
    INT("probation_seconds", rules.probation_seconds, 0, DAY_S, "60"),
    INT("rollback_faults", rules.rollback_faults, 0, 1000000, "5"),
    NUMBER("rollback_events_factor", rules.rollback_events_factor, 0, 1000000, "10"),
    INT("rollback_events_minimum", rules.rollback_events_minimum, 0, 100000000, "100"),
    {.name = "candidate",
     .kind = TG_CONFIG_PATHS,
     AT(rules.candidate),
     COUNT(rules.candidate_count),
     .min = 1,
     .max = 4096},
    PATH("candidate_root", rules.candidate_root),
    INT("candidate_ms_per_second", rules.candidate_ms_per_second, 1, 1000, "100"),
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

static const struct tg_config_field record_fields[] = {
    PATH("path", record.path),
    {.name = "accounts",
     .kind = TG_CONFIG_TEXTS,
     AT(record.accounts),
     COUNT(record.accounts_count),
     .min = 1,
     .max = 64},
    INT("file_mb", record.file_mb, 1, 1024, "16"),
    INT("total_mb", record.total_mb, 2, 16777216, "1024"),
    INT("min_free_mb", record.min_free_mb, 0, 16777216, "512"),
    INT("buffer_mb", record.buffer_mb, 1, 1024, "8"),
    INT("flush_seconds", record.flush_seconds, 1, 60, "5"),
    INT("retry_seconds", record.retry_seconds, 1, 3600, "10"),
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

static const struct tg_config_field routes_fields[] = {
    PATH("file", routes.file),
    TEXT("url", routes.url, NULL),
    {.name = "headers",
     .kind = TG_CONFIG_HEADERS,
     AT(routes.headers),
     COUNT(routes.headers_count),
     .max = 32,
     .secret = true},
    INT("interval_ms", routes.interval_ms, 1000, DAY_MS, "10000"),
    INT("timeout_ms", routes.timeout_ms, 50, 600000, "5000"),
    LONG("max_bytes", routes.max_bytes, 1024, 1073741824, "16777216"),
    PATH("ca_file", routes.ca_file),
    {.name = "missing",
     .kind = TG_CONFIG_SWITCH,
     AT(routes.missing_is_default),
     .initial = "unknown",
     CHOICES("unknown", "default")},
    END,
};

static const struct tg_config_field hooks_fields[] = {
    INT("budget_ms", hooks.budget_ms, 1, 1000, "20"),
    INT("memory_mb", hooks.memory_mb, 4, 4096, "64"),
    END,
};

const struct tg_config_field tg_config_schema[] = {
    SECTION("listen", listen_fields),
    SECTION("admin", admin_fields),
    {.name = "source", .kind = TG_CONFIG_SECTION, AT(single), .fields = tg_config_source_fields},
    {.name = "sources",
     .kind = TG_CONFIG_NAMED,
     AT(sources),
     COUNT(sources_count),
     .fields = tg_config_source_fields,
     .size = sizeof(struct tg_config_source),
     .min = 1,
     .max = TG_CONFIG_SOURCES},
    {.name = "route", .kind = TG_CONFIG_FUNCTION, AT(route)},
    SECTION("routes", routes_fields),
    SECTION("hooks", hooks_fields),
    SECTION("accounts", accounts_fields),
    SECTION("auth", auth_fields),
    SECTION("rules", rules_fields),
    SECTION("protocol", protocol_fields),
    SECTION("stream", stream_fields),
    SECTION("limits", limits_fields),
    SECTION("record", record_fields),
    SECTION("log", log_fields),
    END,
};
