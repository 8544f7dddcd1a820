/* Asks a running gateway why an event came, or did not. */
#include "app/admin_client.h"
#include "app/command.h"
#include "app/config_check.h"
#include "app/explain_text.h"
#include "source/http_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_URL "http://127.0.0.1:9090"

static int show(const struct tg_command *command, const struct tg_buf *answer, bool raw)
{
    struct tg_json json = {0};
    struct tg_buf text = {0};
    struct tg_err err = {{0}};
    int rc = tg_json_parse(&json, answer->data ? answer->data : "", answer->len, &err);
    if (!rc && raw) {
        tg_buf_add(&text, answer->data, answer->len);
        tg_buf_putc(&text, '\n');
    } else if (!rc) {
        rc = tg_explain_text(&json, &text);
    }
    if (rc || text.failed) {
        rc = tg_command_failed(command, TG_EXIT_RUNTIME, "the gateway's answer cannot be read");
    } else {
        bool written = fwrite(text.data, 1, text.len, stdout) == text.len && !fflush(stdout);
        rc = written ? TG_EXIT_DONE
                     : tg_command_failed(command, TG_EXIT_RUNTIME, "the output cannot be written");
    }
    tg_json_fini(&json);
    tg_buf_fini(&text);
    return rc;
}

/* Reads what the command line says of the gateway. */
static int read_request(const struct tg_args *args, struct tg_admin_request *request,
                        struct tg_err *err)
{
    struct tg_err why = {{0}};
    const char *url = tg_args_get(args, "admin"), *token = tg_args_get(args, "admin-token");
    request->url = url ? url : DEFAULT_URL;
    request->token = token ? token : getenv("TIDEGATE_ADMIN_TOKEN");
    if (request->token && !*request->token) request->token = NULL;
    if (request->token && !tg_command_token_good(request->token))
        return tg_fail(err, TG_EINVAL, "the admin token holds bytes that no token has");
    if (!strstr(request->url, "://") || tg_http_url_check(request->url, &why))
        return tg_fail(err, TG_EINVAL,
                       "--admin: expected http://host:port, without user name, query or fragment, "
                       "got \"%.80s\"",
                       request->url);
    return 0;
}

static int run(const struct tg_command *command, const struct tg_args *args)
{
    struct tg_err err = {{0}};
    struct tg_admin_request request;
    struct tg_buf path = {0}, answer = {0};
    long last_s = 0, limit = 100;
    const char *account = tg_args_need(args, "account", &err);
    const char *type = tg_args_get(args, "type");
    if (account && !tg_account_id_valid(account))
        return tg_command_misused(command, "--account: expected 1 to 64 of A-Z a-z 0-9 . _ -");
    if (!account || read_request(args, &request, &err) ||
        tg_args_number(args, "last", 1, 86400, &last_s, &err) ||
        tg_args_number(args, "limit", 1, 10000, &limit, &err))
        return tg_command_misused(command, err.text);
    tg_buf_puts(&path, "/admin/accounts/");
    tg_admin_escape(&path, account);
    tg_buf_printf(&path, "/explain?limit=%ld", limit);
    if (last_s) tg_buf_printf(&path, "&last_seconds=%ld", last_s);
    if (type) {
        tg_buf_puts(&path, "&type=");
        tg_admin_escape(&path, type);
    }
    request.path = path.failed ? "" : path.data;
    int rc = tg_admin_get(&request, &answer, &err);
    if (rc)
        rc = tg_command_failed(command, rc == -TG_EINVAL ? TG_EXIT_FAULT : TG_EXIT_RUNTIME,
                               err.text);
    else
        rc = show(command, &answer, tg_args_get(args, "json") != NULL);
    tg_buf_fini(&path);
    tg_buf_fini(&answer);
    return rc;
}

static const struct tg_option options[] = {
    {.name = "account", .value = "ID", .help = "whose events (needed)"},
    {.name = "type",
     .value = "GLOB",
     .help = "a message's type or a rule's name; its rules are named also where they slept"},
    {.name = "last", .value = "SECONDS", .help = "how far to look back (all that is kept)"},
    {.name = "limit", .value = "N", .help = "polls to show, the newest (100)"},
    {.name = "admin", .value = "URL", .help = "the admin listener (" DEFAULT_URL ")"},
    {.name = "admin-token", .value = "TOKEN", .help = "its token; also from TIDEGATE_ADMIN_TOKEN"},
    {.name = "json", .help = "the answer as the gateway gives it"},
    {.name = NULL},
};

const struct tg_command tg_command_explain = {
    .name = "explain",
    .operands = "",
    .summary = "Tell why an event came, or did not",
    .details =
        "Asks a running gateway what its rules did with each poll of an account in the last\n"
        "minutes: what changed, which rules woke, which spoke, and what held the others\n"
        "back, with file and line.\n",
    .options = options,
    .run = run,
};
