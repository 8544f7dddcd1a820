/* The one place where commands are spelled. A command that writes, trades or changes anything has
 * no row here, and there is no other way to put a command on the wire. */
#include "source/webapi_command.h"

#include "base/err.h"

static const struct {
    const char *name, *path;
} commands[TG_WEBAPI_COMMANDS] = {
    [TG_WEBAPI_AUTH_START] = {"AUTH_START", "/api/auth/start"},
    [TG_WEBAPI_AUTH_ANSWER] = {"AUTH_ANSWER", "/api/auth/answer"},
    [TG_WEBAPI_TEST_ACCESS] = {"TEST_ACCESS", "/api/test/access"},
    [TG_WEBAPI_QUIT] = {"QUIT", "/api/quit"},
    [TG_WEBAPI_TIME_GET] = {"TIME_GET", "/api/time/get"},
    [TG_WEBAPI_TIME_SERVER] = {"TIME_SERVER", "/api/time/server"},
    [TG_WEBAPI_USER_GET] = {"USER_GET", "/api/user/get"},
    [TG_WEBAPI_USER_GET_BATCH] = {"USER_GET_BATCH", "/api/user/get_batch"},
    [TG_WEBAPI_USER_ACCOUNT_GET] = {"USER_ACCOUNT_GET", "/api/user/account/get"},
    [TG_WEBAPI_USER_ACCOUNT_GET_BATCH] = {"USER_ACCOUNT_GET_BATCH", "/api/user/account/get_batch"},
    [TG_WEBAPI_POSITION_GET_BATCH] = {"POSITION_GET_BATCH", "/api/position/get_batch"},
    [TG_WEBAPI_ORDER_GET_BATCH] = {"ORDER_GET_BATCH", "/api/order/get_batch"},
    [TG_WEBAPI_HISTORY_GET_BATCH] = {"HISTORY_GET_BATCH", "/api/history/get_batch"},
    [TG_WEBAPI_DEAL_GET_BATCH] = {"DEAL_GET_BATCH", "/api/deal/get_batch"},
    [TG_WEBAPI_GROUP_GET] = {"GROUP_GET", "/api/group/get"},
    [TG_WEBAPI_SYMBOL_GET] = {"SYMBOL_GET", "/api/symbol/get"},
};

const char *tg_webapi_command_name(enum tg_webapi_command command)
{
    tg_must(command >= 0 && command < TG_WEBAPI_COMMANDS);
    return commands[command].name;
}

const char *tg_webapi_command_path(enum tg_webapi_command command)
{
    tg_must(command >= 0 && command < TG_WEBAPI_COMMANDS);
    return commands[command].path;
}

void tg_webapi_request_add(struct tg_webapi_request *request, const char *name, const char *value)
{
    tg_must(request->params_count < TG_WEBAPI_PARAMS);
    request->params[request->params_count++] = (struct tg_webapi_param){name, value};
}
