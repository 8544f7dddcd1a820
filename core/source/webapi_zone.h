/* A zone: how the trade server's wall clock, in which all its times are written, relates to UTC. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TG_WEBAPI_SHIFTS 4 /* changes that are remembered: two years of summer time */

/* Zero-initialise: the server's clock is UTC until told otherwise. */
struct tg_webapi_zone {
    bool known;
    int32_t offset_s; /* server time less UTC, now */
    int64_t skew_ms;  /* the server's clock less ours, both as UTC */
    int count;
    struct {
        int64_t until_ms; /* server time before which… */
        int32_t offset_s; /* … this was the offset */
    } shifts[TG_WEBAPI_SHIFTS];
};

/* Takes in the offset that holds from the server time `now_ms` on. Whether it changed. */
bool tg_webapi_zone_set(struct tg_webapi_zone *zone, int32_t offset_s, int64_t now_ms);

/* UTC milliseconds of a server time in milliseconds; 0 stays 0. */
int64_t tg_webapi_zone_utc(const struct tg_webapi_zone *zone, int64_t server_ms);

/* Server time in seconds of a UTC time in milliseconds, by the offset of now. */
int64_t tg_webapi_zone_server_s(const struct tg_webapi_zone *zone, int64_t utc_ms);

/* Reads an offset as it is configured: "+03:00", "-05:30", "Z". 0 or -TG_EINVAL. */
int tg_webapi_zone_read(const char *text, int32_t *offset_s);
