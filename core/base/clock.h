/* Time as an argument: the system's clocks, or a virtual one for tests and simulation. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* `mono` never jumps and drives every deadline; `wall` is UTC and only ever shown or compared with
 * times that others wrote (token expiry). Both in milliseconds. */
struct tg_clock {
    int64_t (*mono_ms)(const struct tg_clock *clock);
    int64_t (*wall_ms)(const struct tg_clock *clock);
};

/* CLOCK_MONOTONIC and CLOCK_REALTIME; static, never freed. */
const struct tg_clock *tg_clock_system(void);

/* A clock that moves only when told. Embed it, point `clock` users at `.clock`. */
struct tg_clock_virtual {
    struct tg_clock clock;
    int64_t mono, wall;
};

void tg_clock_virtual_init(struct tg_clock_virtual *clock, int64_t mono_ms, int64_t wall_ms);

/* Moves both clocks forward. */
void tg_clock_virtual_advance(struct tg_clock_virtual *clock, int64_t ms);

static inline int64_t tg_mono_ms(const struct tg_clock *clock)
{
    return clock->mono_ms(clock);
}

static inline int64_t tg_wall_ms(const struct tg_clock *clock)
{
    return clock->wall_ms(clock);
}

/* CLOCK_MONOTONIC in microseconds, for measuring how long our own work took. */
int64_t tg_mono_us(void);

/* Room for "2026-01-31T23:59:59.999Z" and its NUL. */
#define TG_ISO8601_SIZE 25

/* Writes a UTC time with milliseconds. Years outside 0000–9999 are clamped. */
void tg_iso8601_write(char out[TG_ISO8601_SIZE], int64_t wall_ms);

/* Reads RFC 3339 ("2026-01-31T23:59:59Z", optional fraction, offset or none = UTC, 'T' or a space).
 * 0 or -TG_EINVAL with `*out` untouched. */
int tg_iso8601_read(const char *text, size_t len, int64_t *wall_ms_out);
