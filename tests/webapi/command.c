/* The list of commands. Only those that read are there: this server writes nothing, so a client
 * that tries is told so. */
#include "command.h"

#include "retcode.h"
#include "select.h"
#include "stats.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

bool mt_lower_members = true;

const char *mt_param(const struct mt_request *request, const char *name)
{
    for (int i = 0; i < request->params_count; i++)
        if (strcmp(request->params[i].name, name) == 0) return request->params[i].value;
    return "";
}

static void put_upper(struct tg_buf *out, const char *name, const char *value)
{
    for (; *name; name++)
        tg_buf_putc(out, (char)toupper((unsigned char)*name));
    tg_buf_printf(out, "=%s|", value);
}

void mt_answer_top(struct mt_answer *answer, const char *name, const char *value)
{
    put_upper(&answer->raw, name, value);
    tg_buf_printf(&answer->top, ",\r\n\"%s\" : \"%s\"", name, value);
}

void mt_answer_member(struct mt_answer *answer, const char *name, const char *value)
{
    char first = mt_lower_members ? (char)tolower((unsigned char)*name) : *name;
    put_upper(&answer->raw, name, value);
    tg_buf_puts(&answer->member, answer->member.len ? ",\r\n" : "{\r\n");
    tg_buf_printf(&answer->member, "\"%c%s\" : \"%s\"", first, name + 1, value);
}

void mt_answer_fini(struct mt_answer *answer)
{
    tg_buf_fini(&answer->raw);
    tg_buf_fini(&answer->top);
    tg_buf_fini(&answer->member);
    tg_buf_fini(&answer->json);
}

static int run_access(struct mt_call *call)
{
    (void)call;
    return MT_OK;
}

static int run_quit(struct mt_call *call)
{
    call->answer->close = true;
    return MT_OK;
}

/* Groups and symbols are numbered from 0, for clients that walk through them. */
static int index_of(struct mt_call *call, int count, int *out)
{
    uint64_t index;
    if (mt_param_u64(call->request, "INDEX", &index)) return MT_PARAMS;
    if (index >= (uint64_t)count) return MT_NOT_FOUND;
    *out = (int)index;
    return MT_OK;
}

static int tell(struct mt_call *call, enum mt_entity_id entity, const void *record)
{
    if (!record) return MT_NOT_FOUND;
    mt_record_write(&call->answer->json, &call->world->dialect, entity, record, NULL, NULL);
    return MT_OK;
}

static int tell_total(struct mt_call *call, uint64_t total)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)total);
    mt_answer_member(call->answer, "Total", text);
    return MT_OK;
}

static int run_group(struct mt_call *call)
{
    const char *name = mt_param(call->request, "GROUP");
    if (!*name) return MT_PARAMS;
    return tell(call, MT_GROUP, tg_map_get(&call->world->by_group, name, strlen(name)));
}

static int run_group_total(struct mt_call *call)
{
    return tell_total(call, (uint64_t)call->world->groups_count);
}

static int run_group_next(struct mt_call *call)
{
    int at, rc = index_of(call, call->world->groups_count, &at);
    return rc ? rc : tell(call, MT_GROUP, call->world->groups[at]);
}

static int run_symbol(struct mt_call *call)
{
    const char *name = mt_param(call->request, "SYMBOL");
    if (!*name) return MT_PARAMS;
    return tell(call, MT_SYMBOL, mt_world_symbol(call->world, name));
}

static int run_symbol_total(struct mt_call *call)
{
    return tell_total(call, (uint64_t)call->world->symbols_count);
}

static int run_symbol_next(struct mt_call *call)
{
    int at, rc = index_of(call, call->world->symbols_count, &at);
    return rc ? rc : tell(call, MT_SYMBOL, &call->world->symbols[at]);
}

static int run_user_total(struct mt_call *call)
{
    return tell_total(call, call->world->clients_count);
}

static int run_time_server(struct mt_call *call)
{
    time_t now = (time_t)(mt_time_of(&call->world->time, call->wall_ms) / 1000);
    struct tm parts;
    char text[64], date[32];
    (void)strftime(date, sizeof date, "%Y.%m.%d %H:%M:%S", gmtime_r(&now, &parts));
    (void)snprintf(text, sizeof text, "%lld %s", (long long)now, date);
    mt_answer_member(call->answer, "Time", text);
    return MT_OK;
}

static int run_time_get(struct mt_call *call)
{
    const struct mt_time *now = &call->world->time;
    struct tg_buf *out = &call->answer->json;
    tg_buf_printf(out,
                  "{\r\n\"Daylight\" : \"%d\",\r\n\"DaylightState\" : \"%d\",\r\n"
                  "\"TimeZone\" : \"%d\",\r\n\"TimeServer\" : \"127.0.0.1\",\r\n\"Days\" : [",
                  now->daylight, now->daylight_state, now->zone_minutes);
    for (int day = 0; day < 7; day++) {
        tg_buf_puts(out, day ? ",\r\n[" : "\r\n[");
        for (int hour = 0; hour < 24; hour++)
            tg_buf_printf(out, "%s\"%d\"", hour ? "," : "", day > 0 && day < 6);
        tg_buf_putc(out, ']');
    }
    tg_buf_puts(out, "\r\n]\r\n}");
    return MT_OK;
}

static const struct {
    const char *name;
    mt_handler *run;
    bool open; /* also for those who are not authenticated */
} commands[] = {
    {"AUTH_START", mt_auth_start, true},
    {"AUTH_ANSWER", mt_auth_answer, true},
    {"TEST_ACCESS", run_access, false},
    {"QUIT", run_quit, true},
    {"USER_ACCOUNT_GET", mt_account_get, false},
    {"USER_ACCOUNT_GET_BATCH", mt_account_batch, false},
    {"USER_GET", mt_user_get, false},
    {"USER_GET_BATCH", mt_user_batch, false},
    {"USER_LOGINS", mt_user_logins, false},
    {"POSITION_GET", mt_position_get, false},
    {"POSITION_GET_TOTAL", mt_rows_total, false},
    {"POSITION_GET_PAGE", mt_rows_page, false},
    {"POSITION_GET_BATCH", mt_rows_batch, false},
    {"ORDER_GET", mt_order_get, false},
    {"ORDER_GET_TOTAL", mt_rows_total, false},
    {"ORDER_GET_PAGE", mt_rows_page, false},
    {"ORDER_GET_BATCH", mt_rows_batch, false},
    {"HISTORY_GET", mt_history_get, false},
    {"HISTORY_GET_TOTAL", mt_rows_total, false},
    {"HISTORY_GET_PAGE", mt_rows_page, false},
    {"HISTORY_GET_BATCH", mt_rows_batch, false},
    {"DEAL_GET", mt_deal_get, false},
    {"DEAL_GET_TOTAL", mt_rows_total, false},
    {"DEAL_GET_PAGE", mt_rows_page, false},
    {"DEAL_GET_BATCH", mt_rows_batch, false},
    {"USER_TOTAL", run_user_total, false},
    {"GROUP_GET", run_group, false},
    {"GROUP_TOTAL", run_group_total, false},
    {"GROUP_NEXT", run_group_next, false},
    {"SYMBOL_GET", run_symbol, false},
    {"SYMBOL_TOTAL", run_symbol_total, false},
    {"SYMBOL_NEXT", run_symbol_next, false},
    {"TIME_SERVER", run_time_server, false},
    {"TIME_GET", run_time_get, false},
};

/* A command that the real server has and this one does not, for all that writes; or one that nobody
 * has. */
static int unknown(const char *command)
{
    static const char *const nouns[] = {
        "USER_",    "TRADE_",  "DEALER_",  "POSITION_", "ORDER_",  "HISTORY_",
        "DEAL_",    "GROUP_",  "SYMBOL_",  "TIME_",     "TICK_",   "MAIL_",
        "NEWS_",    "COMMON_", "SERVER_",  "CHART_",    "PLUGIN_", "MANAGER_",
        "HOLIDAY_", "FEEDER_", "GATEWAY_", "REPORT_",   "ROUTE_",  "BACKUP_",
    };
    for (size_t i = 0; i < sizeof nouns / sizeof *nouns; i++)
        if (strncmp(command, nouns[i], strlen(nouns[i])) == 0) return MT_NOT_IMPLEMENTED;
    return MT_NOT_SUPPORTED;
}

static int run(struct mt_call *call)
{
    const char *command = call->request->command;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, command) != 0) continue;
        if (commands[i].open || call->session->state == MT_AUTHENTICATED)
            return commands[i].run(call);
    }
    if (call->session->state == MT_AUTHENTICATED) return unknown(command);
    call->answer->http_status = 403;
    call->answer->close = true;
    return MT_PERMISSIONS;
}

static bool answers_list(const struct mt_answer *answer)
{
    return answer->json.len && answer->json.data[0] == '[';
}

/* Whether the command comes too soon, by a rule that allows one each so often. */
static bool comes_too_soon(struct mt_fault *fault, int64_t mono_ms)
{
    if (fault->served_ms && mono_ms - fault->served_ms < fault->ms) return true;
    fault->served_ms = mono_ms;
    return false;
}

void mt_command_run(struct mt_call *call)
{
    struct mt_fault *fault = call->fault;
    struct mt_answer *answer = call->answer;
    mt_stats_command(call);
    bool refused =
        fault && (fault->kind == MT_FAULT_RETCODE ||
                  (fault->kind == MT_FAULT_OFTEN && comes_too_soon(fault, call->mono_ms)));
    if (refused) {
        bool auth = strncmp(call->request->command, "AUTH_", 5) == 0;
        answer->retcode = (int)fault->code;
        answer->text = fault->text;
        if (auth) call->session->state = MT_STRANGER;
        if (auth) answer->http_status = 403, answer->close = true;
        return;
    }
    answer->retcode = run(call);
    if (fault && fault->kind == MT_FAULT_EMPTY && answers_list(answer)) {
        tg_buf_clear(&answer->json);
        tg_buf_puts(&answer->json, "[\r\n]");
    }
    if (fault && fault->kind == MT_FAULT_GARBLE) {
        tg_buf_clear(&answer->json);
        tg_buf_puts(&answer->json, "{\r\n\"Login\" : \"12\x01,,, <garbled> }]");
    }
    if (fault && fault->kind == MT_FAULT_TRUNCATE && answer->json.len) {
        size_t cut = (size_t)(fault->bytes > 0 ? fault->bytes : 20);
        answer->json.len -= cut < answer->json.len ? cut : answer->json.len - 1;
        answer->json.data[answer->json.len] = '\0';
    }
}
