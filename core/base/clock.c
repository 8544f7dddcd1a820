/* The civil-date arithmetic is Howard Hinnant's days_from_civil: exact for the whole range, no
 * tables, no time zone database, and the same on every machine, which replay depends on. */
#include "base/clock.h"

#include "base/err.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id, int64_t per_second)
{
    struct timespec ts;
    (void)clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * per_second + ts.tv_nsec / (1000000000 / per_second);
}

static int64_t system_mono(const struct tg_clock *clock)
{
    (void)clock;
    return read_clock(CLOCK_MONOTONIC, 1000);
}

static int64_t system_wall(const struct tg_clock *clock)
{
    (void)clock;
    return read_clock(CLOCK_REALTIME, 1000);
}

const struct tg_clock *tg_clock_system(void)
{
    static const struct tg_clock clock = {system_mono, system_wall};
    return &clock;
}

static int64_t virtual_mono(const struct tg_clock *clock)
{
    return ((const struct tg_clock_virtual *)(const void *)clock)->mono;
}

static int64_t virtual_wall(const struct tg_clock *clock)
{
    return ((const struct tg_clock_virtual *)(const void *)clock)->wall;
}

void tg_clock_virtual_init(struct tg_clock_virtual *clock, int64_t mono_ms, int64_t wall_ms)
{
    *clock = (struct tg_clock_virtual){{virtual_mono, virtual_wall}, mono_ms, wall_ms};
}

void tg_clock_virtual_advance(struct tg_clock_virtual *clock, int64_t ms)
{
    clock->mono += ms;
    clock->wall += ms;
}

int64_t tg_mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC, 1000000);
}

static int64_t days_of(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void tg_iso8601_write(char out[TG_ISO8601_SIZE], int64_t wall_ms)
{
    const int64_t first = -62167219200000, last = 253402300799999;
    if (wall_ms < first) wall_ms = first;
    if (wall_ms > last) wall_ms = last;
    int64_t days = wall_ms / 86400000, ms = wall_ms % 86400000;
    if (ms < 0) ms += 86400000, days--;
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    unsigned d = (unsigned)(doy - (153 * mp + 2) / 5 + 1),
             m = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    unsigned y = (unsigned)(yoe + era * 400 + (m <= 2)), t = (unsigned)ms;
    const unsigned part[7] = {y, m, d, t / 3600000, t / 60000 % 60, t / 1000 % 60, t % 1000};
    static const char form[] = "YYYY-MM-DDTHH:MM:SS.mmmZ";
    static const unsigned char at[7] = {0, 5, 8, 11, 14, 17, 20}, width[7] = {4, 2, 2, 2, 2, 2, 3};
    memcpy(out, form, TG_ISO8601_SIZE);
    for (int i = 0; i < 7; i++) {
        unsigned v = part[i];
        for (int k = width[i] - 1; k >= 0; k--, v /= 10)
            out[at[i] + k] = (char)('0' + v % 10);
    }
}

/* Reads exactly `n` digits at `*at` and moves past them. */
static bool digits(const char **at, const char *end, int n, int *out)
{
    int value = 0;
    for (int i = 0; i < n; i++, (*at)++) {
        if (*at >= end || **at < '0' || **at > '9') return false;
        value = value * 10 + (**at - '0');
    }
    *out = value;
    return true;
}

static bool byte(const char **at, const char *end, const char *any)
{
    if (*at >= end || !**at || !strchr(any, **at)) return false;
    (*at)++;
    return true;
}

int tg_iso8601_read(const char *text, size_t len, int64_t *wall_ms_out)
{
    const char *at = text, *end = text + len;
    int y, mo, d, h, mi, s, ms = 0, oh = 0, om = 0, sign = 0;
    if (!digits(&at, end, 4, &y) || !byte(&at, end, "-.") || !digits(&at, end, 2, &mo) ||
        !byte(&at, end, "-.") || !digits(&at, end, 2, &d) || !byte(&at, end, "Tt ") ||
        !digits(&at, end, 2, &h) || !byte(&at, end, ":") || !digits(&at, end, 2, &mi) ||
        !byte(&at, end, ":") || !digits(&at, end, 2, &s))
        return -TG_EINVAL;
    if (byte(&at, end, ".,")) {
        int scale = 100, seen = 0;
        for (; at < end && *at >= '0' && *at <= '9'; at++, scale /= 10, seen++)
            ms += (*at - '0') * scale;
        if (!seen) return -TG_EINVAL;
    }
    if (at < end && (*at == '+' || *at == '-')) {
        sign = *at++ == '+' ? 1 : -1;
        if (!digits(&at, end, 2, &oh)) return -TG_EINVAL;
        (void)byte(&at, end, ":");
        if (!digits(&at, end, 2, &om)) return -TG_EINVAL;
    } else {
        (void)byte(&at, end, "Zz");
    }
    static const int month[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (at != end || mo < 1 || mo > 12 || h > 23 || mi > 59 || s > 60 || oh > 23 || om > 59)
        return -TG_EINVAL;
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    if (d < 1 || d > month[mo - 1] + (mo == 2 && leap)) return -TG_EINVAL;
    int64_t seconds = days_of(y, mo, d) * 86400 + h * 3600 + mi * 60 + s;
    *wall_ms_out = (seconds - sign * (oh * 3600 + om * 60)) * 1000 + ms;
    return 0;
}
