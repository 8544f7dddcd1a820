/* The commands of the Web API that this driver can say: all of them read. */
#pragma once

#include <stdint.h>

/* Whatever is not in this list cannot be sent: requests name their command by it alone. */
enum tg_webapi_command {
    TG_WEBAPI_AUTH_START,
    TG_WEBAPI_AUTH_ANSWER,
    TG_WEBAPI_TEST_ACCESS,
    TG_WEBAPI_QUIT,
    TG_WEBAPI_TIME_GET,
    TG_WEBAPI_TIME_SERVER,
    TG_WEBAPI_USER_GET,
    TG_WEBAPI_USER_GET_BATCH,
    TG_WEBAPI_USER_ACCOUNT_GET,
    TG_WEBAPI_USER_ACCOUNT_GET_BATCH,
    TG_WEBAPI_POSITION_GET_BATCH,
    TG_WEBAPI_ORDER_GET_BATCH,
    TG_WEBAPI_HISTORY_GET_BATCH,
    TG_WEBAPI_DEAL_GET_BATCH,
    TG_WEBAPI_GROUP_GET,
    TG_WEBAPI_SYMBOL_GET,
    TG_WEBAPI_COMMANDS,
};

/* "POSITION_GET_BATCH", as the raw protocol spells it; static. */
const char *tg_webapi_command_name(enum tg_webapi_command command);

/* "/api/position/get_batch", as REST spells it; static. */
const char *tg_webapi_command_path(enum tg_webapi_command command);

#define TG_WEBAPI_PARAMS 8

/* A parameter: its lower-case name, and its value as plain text (each protocol escapes it). */
struct tg_webapi_param {
    const char *name, *value;
};

/* A request. All borrowed. */
struct tg_webapi_request {
    enum tg_webapi_command command;
    struct tg_webapi_param params[TG_WEBAPI_PARAMS];
    int params_count;
    const uint64_t *logins; /* NULL: no list of logins */
    uint32_t logins_count;
};

/* Adds a parameter; the bound is ours to keep. */
void tg_webapi_request_add(struct tg_webapi_request *request, const char *name, const char *value);
