#include "stats.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#define NAMES 64
#define NEWEST 50

struct mt_stats mt_stats;

static struct {
    char name[48];
    uint64_t count;
} names[NAMES];
static char newest[NEWEST][200];
static uint64_t seen;

static bool writes(const char *command)
{
    static const char *const verbs[] = {"_ADD",     "_UPDATE", "_DELETE",  "_SEND",   "_FIX",
                                        "_BALANCE", "_SHIFT",  "_RESTORE", "_REOPEN", "_CLOSE"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strstr(command, verbs[i])) return true;
    return strncmp(command, "TRADE_", 6) == 0 || strncmp(command, "DEALER_", 7) == 0;
}

static void remember(const struct mt_request *request)
{
    char *out = newest[seen++ % NEWEST];
    size_t size = sizeof *newest, used = (size_t)snprintf(out, size, "%s", request->command);
    for (int i = 0; i < request->params_count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "|%s=%s", request->params[i].name,
                                 request->params[i].value);
}

void mt_stats_command(const struct mt_call *call)
{
    const char *command = call->request->command;
    mt_stats.commands++;
    mt_stats.writes += writes(command);
    remember(call->request);
    for (int i = 0; i < NAMES; i++) {
        if (!*names[i].name) (void)snprintf(names[i].name, sizeof names[i].name, "%s", command);
        if (strcmp(names[i].name, command) != 0) continue;
        names[i].count++;
        return;
    }
}

cJSON *mt_stats_json(void)
{
    cJSON *all = cJSON_CreateObject(), *by_name = cJSON_AddObjectToObject(all, "by_command");
    cJSON *list = cJSON_AddArrayToObject(all, "newest");
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        {"connections", mt_stats.connections},
        {"open", mt_stats.open},
        {"authenticated", mt_stats.authenticated},
        {"commands", mt_stats.commands},
        {"writes", mt_stats.writes},
        {"pings_in", mt_stats.pings_in},
        {"pings_out", mt_stats.pings_out},
        {"closed_idle", mt_stats.closed_idle},
        {"protocol_errors", mt_stats.protocol_errors},
        {"serial_jumps", mt_stats.serial_jumps},
        {"bytes_out", mt_stats.bytes_out},
        {"restarts", mt_stats.restarts},
    };
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        cJSON_AddNumberToObject(all, counters[i].name, (double)counters[i].value);
    for (int i = 0; i < NAMES && *names[i].name; i++)
        cJSON_AddNumberToObject(by_name, names[i].name, (double)names[i].count);
    for (uint64_t i = seen > NEWEST ? seen - NEWEST : 0; i < seen; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(newest[i % NEWEST]));
    return all;
}

void mt_stats_clear(void)
{
    uint64_t open = mt_stats.open;
    mt_stats = (struct mt_stats){.open = open};
    memset(names, 0, sizeof names);
    memset(newest, 0, sizeof newest);
    seen = 0;
}
