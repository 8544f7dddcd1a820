/* Times are written as the broker's wall clock pretending to be an epoch. When summer time begins,
 * the old records keep their old numbers, so the old offset must go on holding for them: else every
 * open position would seem to have been opened an hour earlier than a moment ago. Changes from
 * before our start cannot be known; those records are read by the offset of now, steadily. */
#include "source/webapi_zone.h"

#include "base/err.h"

#include <stdio.h>
#include <string.h>

bool tg_webapi_zone_set(struct tg_webapi_zone *zone, int32_t offset_s, int64_t now_ms)
{
    if (zone->known && zone->offset_s == offset_s) return false;
    if (zone->known) {
        if (zone->count == TG_WEBAPI_SHIFTS) {
            memmove(zone->shifts, zone->shifts + 1, sizeof zone->shifts - sizeof *zone->shifts);
            zone->count--;
        }
        zone->shifts[zone->count].until_ms = now_ms;
        zone->shifts[zone->count++].offset_s = zone->offset_s;
    }
    zone->known = true;
    zone->offset_s = offset_s;
    return true;
}

int64_t tg_webapi_zone_utc(const struct tg_webapi_zone *zone, int64_t server_ms)
{
    int32_t offset = zone->offset_s;
    if (!server_ms) return 0;
    for (int i = zone->count; i-- > 0 && server_ms < zone->shifts[i].until_ms;)
        offset = zone->shifts[i].offset_s;
    return server_ms - offset * INT64_C(1000);
}

int64_t tg_webapi_zone_server_s(const struct tg_webapi_zone *zone, int64_t utc_ms)
{
    return utc_ms / 1000 + zone->offset_s;
}

int tg_webapi_zone_read(const char *text, int32_t *offset_s)
{
    char sign, colon;
    int hours, minutes, used = 0;
    if (!strcmp(text, "Z")) {
        *offset_s = 0;
        return 0;
    }
    if (sscanf(text, "%c%2d%c%2d%n", &sign, &hours, &colon, &minutes, &used) != 4 || used != 6 ||
        text[used] || colon != ':' || (sign != '+' && sign != '-') || hours < 0 || hours > 14 ||
        minutes < 0 || minutes > 59 || strspn(text + 1, "0123456789:") != 5)
        return -TG_EINVAL;
    *offset_s = (hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
    return 0;
}
