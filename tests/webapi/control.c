/* The control port: HTTP, one JSON object or a list of them a request. What can be asked is listed
 * in main.c; each operation is one function here or in actions.c. */
#include "control.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "http.h"
#include "select.h"
#include "stats.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *mt_op_text(const cJSON *doc, const char *name, const char *otherwise)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(doc, name);
    return cJSON_IsString(item) ? item->valuestring : otherwise;
}

int64_t mt_op_number(const cJSON *doc, const char *name, int64_t otherwise)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(doc, name);
    int64_t number;
    if (cJSON_IsNumber(item)) return (int64_t)item->valuedouble;
    if (cJSON_IsBool(item)) return cJSON_IsTrue(item);
    if (!cJSON_IsString(item)) return otherwise;
    return tg_read_i64(item->valuestring, strlen(item->valuestring), &number) ? otherwise : number;
}

uint64_t mt_op_id(const cJSON *doc, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(doc, name);
    uint64_t number = 0;
    if (cJSON_IsNumber(item)) return (uint64_t)item->valuedouble;
    if (cJSON_IsString(item))
        (void)tg_read_u64(item->valuestring, strlen(item->valuestring), &number);
    return number;
}

int64_t mt_op_now(void)
{
    return tg_wall_ms(tg_clock_system());
}

static int op_fault(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    const cJSON *what = cJSON_GetObjectItemCaseSensitive(doc, "fault");
    const char *name = mt_op_text(what, "kind", ""), *transport = mt_op_text(doc, "transport", "*");
    int kind = mt_fault_kind_of(name);
    (void)server, (void)out;
    if (kind < 0) {
        const char *near = tg_nearest(name, mt_fault_names);
        return tg_fail(err, TG_EINVAL, "no such kind of fault: \"%s\"%s%s", name,
                       near ? "; meant: " : "", near ? near : "");
    }
    struct mt_fault *fault = calloc(1, sizeof *fault);
    tg_must(fault);
    *fault = (struct mt_fault){
        .kind = (enum mt_fault_kind)kind,
        .transport = strcmp(transport, "rest") == 0  ? MT_REST
                     : strcmp(transport, "raw") == 0 ? MT_RAW
                                                     : -1,
        .skip = mt_op_number(doc, "skip", 0),
        .count = mt_op_number(doc, "count", -1),
        .code = mt_op_number(what, "code", 0),
        .ms = mt_op_number(what, "ms", 0),
        .bytes = mt_op_number(what, "bytes", 0),
        .login = mt_op_id(what, "login"),
        .html = mt_op_number(what, "html", 0),
    };
    const char *command = mt_op_text(doc, "command", "*");
    tg_copy(fault->command, sizeof fault->command, command, strlen(command));
    const char *text = mt_op_text(what, "text", NULL);
    if (text) tg_must(fault->text = strdup(text));
    mt_fault_add(fault);
    return 0;
}

static int op_clear(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    (void)server, (void)doc, (void)err, (void)out;
    mt_fault_clear();
    return 0;
}

static int op_restart(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    (void)out;
    const char *mode = mt_op_text(doc, "mode", "refused");
    if (!mt_server_restart(server, mt_op_number(doc, "down_ms", 0), mode))
        return tg_fail(err, TG_EINVAL, "mode must be refused, closed or hung, not \"%s\"", mode);
    return 0;
}

static int op_time(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    struct mt_time *time = &server->world.time;
    (void)err, (void)out;
    mt_time_set(time, mt_op_number(doc, "from_ms", mt_op_now()),
                (int32_t)mt_op_number(doc, "zone_minutes", time->zone_minutes),
                (int32_t)mt_op_number(doc, "daylight", time->daylight),
                (int32_t)mt_op_number(doc, "daylight_state", time->daylight_state));
    return 0;
}

/* Bits of the fields that this server does not know, from {"position": ["VolumeExt"], …}. */
static int omit(struct mt_server *server, const cJSON *entities, struct tg_err *err)
{
    for (int e = 0; e < MT_ENTITIES; e++) {
        const cJSON *names = cJSON_GetObjectItemCaseSensitive(entities, mt_entities[e].name), *name;
        if (!names) continue;
        uint64_t bits = 0;
        cJSON_ArrayForEach(name, names)
        {
            const char *text = cJSON_IsString(name) ? name->valuestring : "";
            int at = mt_field_find((enum mt_entity_id)e, text);
            if (at < 0)
                return tg_fail(err, TG_EINVAL, "%s has no field \"%s\"", mt_entities[e].name, text);
            bits |= UINT64_C(1) << at;
        }
        server->world.dialect.omitted[e] = bits;
    }
    return 0;
}

/* The limits in force, for who asks with a `settings` that changes nothing. */
static void tell_limits(const struct mt_server *server, cJSON *out)
{
    cJSON_AddNumberToObject(out, "idle_ms", (double)server->idle_ms);
    cJSON_AddNumberToObject(out, "ping_ms", (double)server->ping_ms);
    cJSON_AddNumberToObject(out, "auth_window_ms", (double)mt_auth_window_ms);
    cJSON_AddNumberToObject(out, "packet_bytes", (double)server->packet_most);
}

static int op_settings(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    static const char *const modes[] = {"omit", "partial", "refuse"};
    const char *missing = mt_op_text(doc, "missing", modes[mt_missing]);
    int mode = 0;
    while (mode < 3 && strcmp(modes[mode], missing) != 0)
        mode++;
    if (mode == 3)
        return tg_fail(err, TG_EINVAL, "missing must be omit, partial or refuse, not \"%s\"",
                       missing);
    mt_missing = (enum mt_missing)mode;
    int64_t packet = mt_op_number(doc, "packet_bytes", (int64_t)server->packet_most);
    if (packet < 1 || packet > 65535)
        return tg_fail(err, TG_EINVAL, "packet_bytes must be between 1 and 65535");
    server->packet_most = (size_t)packet;
    server->idle_ms = mt_op_number(doc, "idle_ms", server->idle_ms);
    server->ping_ms = mt_op_number(doc, "ping_ms", server->ping_ms);
    server->error_status = (int)mt_op_number(doc, "error_status", server->error_status);
    server->cookie = (int)mt_op_number(doc, "cookie", server->cookie);
    mt_auth_window_ms = mt_op_number(doc, "auth_window_ms", mt_auth_window_ms);
    mt_lower_members = mt_op_number(doc, "lower_members", mt_lower_members);
    int64_t frozen = mt_op_number(doc, "freeze", -1);
    if (frozen >= 0) server->world.frozen_ms = frozen ? mt_op_now() : 0;
    tell_limits(server, out);
    return omit(server, cJSON_GetObjectItemCaseSensitive(doc, "omit"), err);
}

static int op_random(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    const char *srv = mt_op_text(doc, "srv_rand", NULL),
               *crypt = mt_op_text(doc, "crypt_rand", NULL);
    struct mt_fixed *fixed = &mt_auth_fixed;
    (void)server, (void)out;
    fixed->srv_known = srv && mt_hex_read(srv, fixed->srv_rand, sizeof fixed->srv_rand);
    fixed->crypt_known = crypt && mt_hex_read(crypt, fixed->crypt_rand, sizeof fixed->crypt_rand);
    if ((srv && !fixed->srv_known) || (crypt && !fixed->crypt_known))
        return tg_fail(err, TG_EINVAL, "srv_rand is 16 bytes of hex, crypt_rand 256");
    return 0;
}

static int op_manager(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    uint64_t login = mt_op_id(doc, "login");
    struct mt_manager *manager = mt_world_manager(&server->world, login);
    const char *password = mt_op_text(doc, "password", manager ? manager->password : "");
    (void)out;
    if (!login) return tg_fail(err, TG_EINVAL, "login: a number is needed");
    char kept[sizeof manager->password];
    tg_copy(kept, sizeof kept, password, strlen(password));
    manager = mt_world_add_manager(&server->world, login, kept);
    manager->refused = (int)mt_op_number(doc, "refused", 0);
    return 0;
}

static int op_reset_stats(struct mt_server *server, const cJSON *doc, struct tg_err *err,
                          cJSON *out)
{
    (void)server, (void)doc, (void)err, (void)out;
    mt_stats_clear();
    return 0;
}

static const struct {
    const char *name;
    mt_op *run;
} ops[] = {
    {"fault", op_fault},
    {"clear", op_clear},
    {"restart", op_restart},
    {"time", op_time},
    {"settings", op_settings},
    {"random", op_random},
    {"manager", op_manager},
    {"reset_stats", op_reset_stats},
    {"group", mt_op_group},
    {"account", mt_op_account},
    {"open", mt_op_open},
    {"modify", mt_op_modify},
    {"close", mt_op_close},
    {"reverse", mt_op_reverse},
    {"close_by", mt_op_close_by},
    {"balance", mt_op_balance},
    {"order", mt_op_order},
    {"order_modify", mt_op_order_modify},
    {"order_done", mt_op_order_done},
    {"deal", mt_op_deal},
    {"deal_delete", mt_op_deal_delete},
};

static int run_one(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    const char *name = mt_op_text(doc, "op", "");
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (strcmp(ops[i].name, name) == 0) return ops[i].run(server, doc, err, out);
    return tg_fail(err, TG_EINVAL, "no such op: \"%s\"", name);
}

/* Carries out one object or a list; the answer is that of the last. */
static int run_all(struct mt_server *server, const cJSON *doc, struct tg_err *err, cJSON *out)
{
    const cJSON *one;
    if (!cJSON_IsArray(doc)) return run_one(server, doc, err, out);
    cJSON_ArrayForEach(one, doc)
    {
        int rc = run_one(server, one, err, out);
        if (rc) return rc;
    }
    return 0;
}

static void respond(struct mt_conn *conn, int status, const cJSON *json)
{
    struct tg_buf out = {0};
    char *body = cJSON_PrintUnformatted(json);
    tg_must(body);
    tg_buf_printf(&out,
                  "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                  status, status == 200 ? "OK" : "Bad Request", strlen(body));
    tg_buf_puts(&out, body);
    mt_conn_send(conn, &out);
    tg_buf_fini(&out);
    free(body);
}

static void serve(struct mt_conn *conn, const struct mt_http *http)
{
    struct tg_err err = {{0}};
    if (strcmp(http->method, "GET") == 0) {
        cJSON *stats = mt_stats_json();
        respond(conn, 200, stats);
        cJSON_Delete(stats);
        return;
    }
    cJSON *doc = cJSON_ParseWithLength(http->body, http->body_len), *out = cJSON_CreateObject();
    int rc = doc ? run_all(conn->server, doc, &err, out)
                 : tg_fail(&err, TG_EINVAL, "the body is not JSON");
    if (rc) {
        cJSON_AddStringToObject(out, "error", err.text);
    } else {
        cJSON_AddTrueToObject(out, "ok");
    }
    respond(conn, rc ? 400 : 200, out);
    cJSON_Delete(doc);
    cJSON_Delete(out);
}

static bool control_take(struct mt_conn *conn)
{
    struct mt_http http;
    if (!conn->in.len) return false;
    int rc = mt_http_read(conn->in.data, conn->in.len, &http);
    if (rc == -TG_EPROTO) mt_conn_close(conn);
    if (rc) return false;
    serve(conn, &http);
    if (!http.keep_alive) mt_conn_finish(conn);
    tg_buf_consume(&conn->in, http.used);
    return true;
}

static void control_fini(struct mt_conn *conn)
{
    (void)conn;
}

const struct mt_protocol mt_control = {"control", control_take, NULL, NULL, control_fini};
