/* One line is built in memory and written with one fwrite, so lines of a process never interleave.
 * The brake on repeated faults is a small table keyed by module and event: a broken upstream with
 * ten thousand accounts must not turn the log into the second outage. */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#include <string.h>

#define BRAKES 64

static struct {
    enum tg_log_level level;
    enum tg_log_format format;
    FILE *out;
    struct {
        char name[64];
        int64_t until_ms;
        int64_t held;
    } brake[BRAKES];
} logger = {.level = TG_LOG_INFO, .format = TG_LOG_JSON};

void tg_log_setup(enum tg_log_level level, enum tg_log_format format, FILE *out)
{
    logger.level = level;
    logger.format = format;
    logger.out = out;
    memset(logger.brake, 0, sizeof logger.brake);
}

bool tg_log_on(enum tg_log_level level)
{
    return level >= logger.level;
}

/* Whether this fault may be written now; `*held` receives how many were not since the last. */
static bool released(const char *module, const char *event, int64_t *held)
{
    char name[sizeof logger.brake[0].name];
    unsigned hash = 5381;
    int64_t now = tg_mono_ms(tg_clock_system());
    (void)snprintf(name, sizeof name, "%s.%s", module, event);
    for (const char *at = name; *at; at++)
        hash = hash * 33 + (unsigned char)*at;
    unsigned i = hash % BRAKES;
    if (strcmp(logger.brake[i].name, name) != 0) {
        tg_copy(logger.brake[i].name, sizeof name, name, strlen(name));
        logger.brake[i].until_ms = logger.brake[i].held = 0;
    }
    if (now < logger.brake[i].until_ms) {
        logger.brake[i].held++;
        return false;
    }
    *held = logger.brake[i].held;
    logger.brake[i].until_ms = now + 1000;
    logger.brake[i].held = 0;
    return true;
}

static void put_json(struct tg_buf *line, const char *head[4], const struct tg_kv *fields)
{
    static const char *const names[4] = {"time", "level", "module", "event"};
    tg_buf_putc(line, '{');
    for (int i = 0; i < 4; i++) {
        tg_json_key(line, names[i]);
        tg_json_string(line, head[i], strlen(head[i]));
    }
    for (; fields->key; fields++) {
        tg_json_key(line, fields->key);
        if (fields->text)
            tg_json_string(line, fields->text, strlen(fields->text));
        else
            tg_json_i64(line, fields->number);
    }
    tg_buf_puts(line, "}\n");
}

/* Control bytes become dots: a log line in a terminal must not move its cursor. */
static void put_text(struct tg_buf *line, const char *head[4], const struct tg_kv *fields)
{
    tg_buf_printf(line, "%.8s %-5s %s %s", head[0] + 11, head[1], head[2], head[3]);
    for (; fields->key; fields++) {
        tg_buf_printf(line, " %s=", fields->key);
        if (!fields->text) tg_buf_printf(line, "%lld", (long long)fields->number);
        for (const char *at = fields->text; at && *at; at++)
            tg_buf_putc(line, (unsigned char)*at < 0x20 || *at == 0x7f ? '.' : *at);
    }
    tg_buf_putc(line, '\n');
}

static void put(const char *level, const char *module, const char *event, int64_t held,
                const struct tg_kv *fields)
{
    char time[TG_ISO8601_SIZE];
    struct tg_buf line = {0};
    struct tg_kv all[32];
    size_t n = 0;
    for (; fields->key && n < 30; fields++)
        all[n++] = *fields;
    if (held) all[n++] = tg_i("repeated", held);
    all[n] = (struct tg_kv){0};
    tg_iso8601_write(time, tg_wall_ms(tg_clock_system()));
    const char *head[4] = {time, level, module, event};
    if (logger.format == TG_LOG_JSON)
        put_json(&line, head, all);
    else
        put_text(&line, head, all);
    FILE *out = logger.out ? logger.out : stderr;
    if (!line.failed) {
        (void)fwrite(line.data, 1, line.len, out);
        (void)fflush(out);
    }
    tg_buf_fini(&line);
}

void tg_log_write(enum tg_log_level level, const char *module, const char *event,
                  const struct tg_kv *fields)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    int64_t held = 0;
    if (!tg_log_on(level)) return;
    if (level >= TG_LOG_WARN && !released(module, event, &held)) return;
    put(names[level], module, event, held, fields);
}

void tg_audit_write(const char *module, const char *event, const struct tg_kv *fields)
{
    put("audit", module, event, 0, fields);
}
