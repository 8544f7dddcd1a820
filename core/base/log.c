/* One line is built in memory and written with one fwrite, so lines of a process never interleave.
 * The brake on repeated faults is a small table keyed by module and event: a broken upstream with
 * ten thousand accounts must not turn the log into the second outage. */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/redact.h"
#include "base/text.h"

#include <string.h>

#define BRAKES 64

static struct {
    enum tg_log_level level;
    enum tg_log_format format;
    FILE *out;
    const struct tg_clock *clock;
    struct brake {
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

void tg_log_clock(const struct tg_clock *clock)
{
    logger.clock = clock;
}

static const struct tg_clock *the_clock(void)
{
    return logger.clock ? logger.clock : tg_clock_system();
}

bool tg_log_on(enum tg_log_level level)
{
    return level >= logger.level;
}

/* The brake of that name. When all are taken the one that was released longest ago is reused: two
 * faults that share a brake would wave each other through. */
static struct brake *brake_of(const char *name)
{
    struct brake *pick = &logger.brake[0];
    for (int i = 0; i < BRAKES; i++) {
        struct brake *brake = &logger.brake[i];
        if (!strcmp(brake->name, name)) return brake;
        if (brake->until_ms < pick->until_ms) pick = brake;
        if (!brake->name[0]) {
            pick = brake;
            break;
        }
    }
    *pick = (struct brake){.until_ms = INT64_MIN};
    tg_copy(pick->name, sizeof pick->name, name, strlen(name));
    return pick;
}

/* Whether this fault may be written now; `*held` receives how many were not since the last. */
static bool released(const char *module, const char *event, int64_t *held)
{
    char name[sizeof logger.brake[0].name];
    int64_t now = tg_mono_ms(the_clock());
    (void)snprintf(name, sizeof name, "%s.%s", module, event);
    struct brake *brake = brake_of(name);
    if (now < brake->until_ms) {
        brake->held++;
        return false;
    }
    *held = brake->held;
    brake->until_ms = now + 1000;
    brake->held = 0;
    return true;
}

/* The text as it may be shown: whatever looks like a token is masked, wherever it came from. */
static const char *masked(struct tg_buf *scratch, const char *text)
{
    tg_buf_clear(scratch);
    tg_redact(scratch, text, strlen(text));
    return scratch->failed || !scratch->data ? "" : scratch->data;
}

static void put_json(struct tg_buf *line, struct tg_buf *scratch, const char *head[4],
                     const struct tg_kv *fields)
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
            tg_json_text(line, masked(scratch, fields->text));
        else
            tg_json_i64(line, fields->number);
    }
    tg_buf_puts(line, "}\n");
}

/* Control characters become dots, the C1 set in its UTF-8 form included: a log line in a terminal
 * must not move its cursor. */
static void put_plain(struct tg_buf *line, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        bool c1 = at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f;
        if (c1) at++;
        tg_buf_putc(line, c1 || *at < 0x20 || *at == 0x7f ? '.' : (char)*at);
    }
}

static void put_text(struct tg_buf *line, struct tg_buf *scratch, const char *head[4],
                     const struct tg_kv *fields)
{
    tg_buf_printf(line, "%.8s %-5s %s %s", head[0] + 11, head[1], head[2], head[3]);
    for (; fields->key; fields++) {
        tg_buf_printf(line, " %s=", fields->key);
        if (fields->text)
            put_plain(line, masked(scratch, fields->text));
        else
            tg_buf_printf(line, "%lld", (long long)fields->number);
    }
    tg_buf_putc(line, '\n');
}

static void put(const char *level, const char *module, const char *event, int64_t held,
                const struct tg_kv *fields)
{
    char time[TG_ISO8601_SIZE];
    struct tg_buf line = {0}, scratch = {0};
    struct tg_kv all[32];
    size_t n = 0;
    for (; fields->key && n < 30; fields++)
        all[n++] = *fields;
    if (held) all[n++] = tg_i("repeated", held);
    all[n] = (struct tg_kv){0};
    tg_iso8601_write(time, tg_wall_ms(the_clock()));
    const char *head[4] = {time, level, module, event};
    if (logger.format == TG_LOG_JSON)
        put_json(&line, &scratch, head, all);
    else
        put_text(&line, &scratch, head, all);
    FILE *out = logger.out ? logger.out : stderr;
    if (!line.failed) {
        (void)fwrite(line.data, 1, line.len, out);
        (void)fflush(out);
    }
    tg_buf_fini(&line);
    tg_buf_fini(&scratch);
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
