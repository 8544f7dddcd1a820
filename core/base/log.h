/* The log: one JSON object a line on stderr, or plain text on a terminal. */
#pragma once

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum tg_log_level { TG_LOG_DEBUG, TG_LOG_INFO, TG_LOG_WARN, TG_LOG_ERROR };

enum tg_log_format { TG_LOG_TEXT, TG_LOG_JSON };

/* One field of a log line. The strings are only read during the call. */
struct tg_kv {
    const char *key;
    const char *text; /* NULL: the field is a number */
    int64_t number;
};

static inline struct tg_kv tg_s(const char *key, const char *text)
{
    return (struct tg_kv){key, text ? text : "", 0};
}

static inline struct tg_kv tg_i(const char *key, int64_t number)
{
    return (struct tg_kv){key, NULL, number};
}

/* Process-wide settings; the defaults are info, JSON, stderr. `out` is not closed by us. */
void tg_log_setup(enum tg_log_level level, enum tg_log_format format, FILE *out);

/* The clock that dates the lines and times the brake on repeated faults; the system's by default
 * (NULL). It must outlive its use. */
void tg_log_clock(const struct tg_clock *clock);

bool tg_log_on(enum tg_log_level level);

/* Writes `time level module event` and the fields. Warnings and errors with the same module and
 * event are written at most once a second; the next one says how many were held back (`repeated`).
 * Fields end at the first NULL key; what follows the thirtieth is left out. Never pass a token or a
 * secret. */
void tg_log_write(enum tg_log_level level, const char *module, const char *event,
                  const struct tg_kv *fields);

/* The audit stream (authentication, ownership, admin actions, reloads): same form, level "audit",
 * never held back and never filtered by level. */
void tg_audit_write(const char *module, const char *event, const struct tg_kv *fields);

#define TG_FIELDS(...) ((const struct tg_kv[]){__VA_ARGS__ __VA_OPT__(, )(struct tg_kv){0}})
#define tg_debug(module, event, ...)                                                             \
    (tg_log_on(TG_LOG_DEBUG) ? tg_log_write(TG_LOG_DEBUG, module, event, TG_FIELDS(__VA_ARGS__)) \
                             : (void)0)
#define tg_info(module, event, ...) tg_log_write(TG_LOG_INFO, module, event, TG_FIELDS(__VA_ARGS__))
#define tg_warn(module, event, ...) tg_log_write(TG_LOG_WARN, module, event, TG_FIELDS(__VA_ARGS__))
#define tg_error(module, event, ...) \
    tg_log_write(TG_LOG_ERROR, module, event, TG_FIELDS(__VA_ARGS__))
#define tg_audit(module, event, ...) tg_audit_write(module, event, TG_FIELDS(__VA_ARGS__))
