/* What the driver keeps of trading accounts between polls: clients, their groups, their symbols. */
#pragma once

#include "base/map.h"
#include "source/webapi_read.h"

struct tg_webapi_job;

/* A trading account, by its login. */
struct tg_webapi_client {
    uint64_t login;
    struct tg_webapi_user user;
    int64_t user_ms;    /* when it was read; 0: never */
    int64_t state_ms;   /* when the server last told its trade state; 0: never */
    int64_t dormant_ms; /* when the server last said that it keeps no trade state of it; 0: it does
                         */
    int64_t seen_ms;    /* when it was last polled */
    int64_t deals_ms;   /* UTC of the newest poll whose deals were known; 0: none */
    int64_t history_ms; /* the same of those whose order history was */
    int32_t positions;  /* of the newest good poll; -1: none yet */
    int32_t missed;     /* polls in a row that missed it though it had positions */
    bool by_login;      /* no group mask finds it */
    struct tg_webapi_job *job; /* its place in the batch that runs */
};

/* A group or a symbol: what was read of it, and when it was last asked for. */
struct tg_webapi_fact {
    char name[128];
    int64_t read_ms, asked_ms; /* 0: never */
    struct tg_webapi_group group;
    int32_t digits;
};

/* Zero-initialise. All times are on the monotonic clock, in milliseconds, from 1. */
struct tg_webapi_clients {
    struct tg_map by_login, groups, symbols;
};

void tg_webapi_clients_fini(struct tg_webapi_clients *clients);

/* The client of a login; made when there is none. NULL when memory is short. */
struct tg_webapi_client *tg_webapi_clients_open(struct tg_webapi_clients *clients, uint64_t login);

/* The client of a login, or NULL. */
struct tg_webapi_client *tg_webapi_clients_find(const struct tg_webapi_clients *clients,
                                                uint64_t login);

/* Forgets those that were not seen since, and are in no batch. */
void tg_webapi_clients_sweep(struct tg_webapi_clients *clients, int64_t since_ms);

/* The group or the symbol of that name, made when there is none; NULL when memory is short. `map`
 * is one of the two. */
struct tg_webapi_fact *tg_webapi_fact_open(struct tg_map *map, const char *name);
