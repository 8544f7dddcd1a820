/* What the server saw: counters that tests compare with what they meant to happen. */
#pragma once

#include "command.h"

struct cJSON;

struct mt_stats {
    uint64_t connections, open, authenticated, commands, writes, pings_in, pings_out, closed_idle;
    uint64_t protocol_errors, serial_jumps, bytes_out, restarts;
};
extern struct mt_stats mt_stats;

/* Counts a command. */
void mt_stats_command(const struct mt_call *call);

/* A JSON object of all counters, of commands by name, and of the newest requests. */
struct cJSON *mt_stats_json(void);
void mt_stats_clear(void);
