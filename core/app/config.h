/* The configuration: gateway.lua as a struct. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "source/source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tg_config_key {
    char *algorithm, *secret, *kid;
    size_t secret_len;
};

struct tg_config_header {
    char *name, *value;
};

/* One request of a source (source/source.h). */
struct tg_config_request {
    char *path, *body; /* path NULL: not asked for */
    bool post;
    struct tg_config_header *headers;
    int headers_count;
};

/* The most sources of one gateway. */
#define TG_CONFIG_SOURCES 64
#define TG_CONFIG_MAIN "main" /* what the one of `source` is called */

/* Where accounts come from: `source`, which is called "main", or a member of `sources`. */
struct tg_config_source {
    char *name;
    char *driver; /* "http", "mt5_webapi", "sim", "replay" */
    int interval_ms, timeout_ms, queue_ms, concurrency;
    int64_t max_body_bytes, max_stale_ms;
    char *url, *ca_file;
    int currency_digits;
    struct tg_config_header *headers;
    int headers_count;
    int retry_first_ms, retries, probe_ms; /* backoff 1, 2, 4 s, then ERROR and a probe */
    int breaker_failures; /* failures in a row over all accounts that open the circuit */
    int refused_first_ms, refused_max_ms; /* bad credentials: 60 s … 15 min */
    int grace_ms;                         /* polling goes on this long after the last viewer left */
    int suspect_polls;        /* a vanished position without a deal is held this many polls */
    char *mapping;            /* where requests and map come from that are not given here; NULL */
    int map;                  /* a kept function (config_sandbox.h); 0: none */
    struct tg_mapper *mapper; /* that calls it; NULL without */
    int utc_offset_s;         /* the service's clock is so far ahead of UTC */
    struct tg_config_request requests[TG_HTTP_PARTS];
    struct {
        char **fallback_urls;
        int fallback_urls_count;
        char *login, *password, *agent, *groups, *utc_offset;
        int version, batch_logins, single_requests, gather_ms, poll_timeout_ms;
        int keepalive_s, clock_check_s, history_s, deals_overlap_s, metadata_refresh_s,
            dormant_refresh_s;
        int64_t row_bytes, answer_bytes;
        bool crypt, orders;
    } webapi;
    struct {
        int64_t seed;
        int accounts, outage_every_s, outage_for_s, latency_ms;
        double events_per_minute;
    } sim;
    struct {
        char **paths;
        int paths_count;
        double speed;
        bool loop;
    } replay;
};

/* Every string is owned by the config; NULL where a key may be absent and was. */
struct tg_config {
    char *file; /* NULL: no file, the built-in demonstration */
    struct {
        char *address;
        int port;
        bool reuse_port;
        int backlog;
    } listen;
    struct {
        char *address;
        int port;
        bool enabled;
        int connections;
        char *token;
    } admin;
    struct tg_config_source single;   /* `source` while the file is read; then it is in the list */
    struct tg_config_source *sources; /* at least one, by name */
    int sources_count;
    int route; /* a kept function (config_sandbox.h), like auth.authorize; 0: none */
    struct {
        char *file, *url; /* at most one of them */
        struct tg_config_header *headers;
        int headers_count;
        int interval_ms, timeout_ms;
        int64_t max_bytes;
        char *ca_file;
        bool missing_is_default;
    } routes;
    struct {
        int budget_ms, memory_mb;
    } hooks;
    struct tg_hooks *functions; /* where the kept functions live; NULL: the file gave none */
    struct {
        char **always;
        int always_count;
        int maximum;
    } accounts;
    struct {
        struct tg_config_key *keys;
        int keys_count;
        char *issuer, *audience;
        int leeway_seconds, recheck_seconds, expiry_warning_seconds;
        bool reject_by_close; /* auth.reject = "close" */
        bool hide_unknown;
        int cache_tokens;                       /* verified tokens that are remembered; 0: none */
        char *ownership_claim, *ownership_file; /* one of them is NULL */
        int64_t ownership_file_bytes;
        int authorize;
    } auth;
    struct {
        char **paths;
        int paths_count;
        char *options; /* JSON: {"file": {"option": value}}; NULL: none */
        bool reload, jit;
        int budget_ms, memory_mb, events_per_tick, bytes_per_tick, payload_bytes, rest_after_faults,
            rest_seconds;
        int explain_mb, explain_seconds;
        char **candidate, *candidate_root;
        int candidate_count, candidate_ms_per_second;
        int load_ms, trial_accounts, trial_ms, keep_generations;
        int probation_seconds, rollback_faults, rollback_events_minimum;
        double rollback_events_factor;
    } rules;
    struct {
        bool ids_as_text;
        int ping_seconds, timeout_seconds;
    } protocol;
    struct {
        int history_events, history_seconds;
    } stream;
    struct {
        int connections, per_subject, per_account, per_address, handshakes_per_second;
        int health_per_second;
        int message_bytes, messages_per_second, bad_messages, queue_bytes, fragments;
        int token_bytes, head_bytes;
        int handshake_seconds, idle_seconds, close_seconds, drain_seconds;
    } limits;
    struct {
        char *path; /* NULL: nothing is recorded */
        char **accounts;
        int accounts_count; /* 0: all */
        int file_mb, total_mb, min_free_mb, buffer_mb, flush_seconds, retry_seconds;
    } record;
    struct {
        char *level, *format;
    } log;
};

/* The most faults of a file that are told at once. */
#define TG_CONFIG_FAULTS 10

/* Reads a file (NULL: the demonstration: simulator, loopback, the development key of
 * app/dev_key.h). On failure `why` gets up to TG_CONFIG_FAULTS lines, each with file, line, key,
 * what was expected and the nearest known key; secrets are never shown. `*out` is freed with
 * tg_config_free. 0, -TG_EINVAL, -TG_EIO (the file cannot be read) or -TG_ENOMEM. */
int tg_config_read(const char *path, struct tg_config **out, struct tg_buf *why);

/* The same with the first fault alone as one sentence, which says how many more there are. */
int tg_config_load(const char *path, struct tg_config **out, struct tg_err *err);

/* Sets record.path. 0 or -TG_ENOMEM. */
int tg_config_record(struct tg_config *config, const char *path);

/* The source of accounts that nothing sends elsewhere: the only one, or the one that is called
 * "main". Its index, or -1 when there are several and none has that name. */
int tg_config_default_source(const struct tg_config *config);

/* Wipes the secrets. NULL is allowed. */
void tg_config_free(struct tg_config *config);
