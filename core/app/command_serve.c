/* Runs the gateway. Without a configuration somebody is trying Tidegate out for the first time, and
 * what they need next is printed ready to be pasted. */
#include "app/command.h"
#include "app/gateway.h"
#include "app/mint.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEMO_ACCOUNT "demo-1"
#define DEMO_TTL_S 86400

static int introduce(const struct tg_config *config, struct tg_err *err)
{
    const struct tg_mint mint = {
        .subject = "developer",
        .ttl_seconds = DEMO_TTL_S,
        .accounts = {"*"},
        .accounts_count = 1,
    };
    char *token = NULL;
    int rc = tg_mint_token(&mint, config, &token, err);
    if (rc) return rc;
    struct tg_buf url = {0};
    tg_buf_printf(&url, "ws://%s:%d/ws/account/" DEMO_ACCOUNT "?token=%s", config->listen.address,
                  config->listen.port, token);
    free(token);
    if (url.failed)
        rc = tg_fail(err, TG_ENOMEM, "out of memory");
    else
        (void)fprintf(
            stderr,
            "Tidegate %s: no configuration, so this is a simulated market on this machine alone.\n"
            "Accounts are demo-1 to demo-%d. The token below is good for a day.\n\n"
            "  Watch     %s tail --account " DEMO_ACCOUNT "\n"
            "  wscat     wscat -c '%s'\n"
            "  websocat  websocat '%s'\n"
            "  Browser   new WebSocket('%s').onmessage = e => console.log(e.data)\n"
            "  Health    curl http://%s:%d/health\n\n",
            TIDEGATE_VERSION, config->sources->sim.accounts, program_invocation_name, url.data,
            url.data, url.data, config->admin.address, config->admin.port);
    if (!rc && access("gateway.lua", R_OK) == 0)
        (void)fprintf(stderr, "The gateway.lua in this folder is not used; that takes "
                              "--config gateway.lua\n\n");
    tg_buf_fini(&url);
    return rc;
}

static void open_log(const struct tg_config *config)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    enum tg_log_level level = TG_LOG_DEBUG;
    while (strcmp(levels[level], config->log.level) != 0)
        level++;
    bool text = strcmp(config->log.format, "text") == 0 ||
                (strcmp(config->log.format, "auto") == 0 && isatty(STDERR_FILENO));
    tg_log_setup(level, text ? TG_LOG_TEXT : TG_LOG_JSON, stderr);
}

static int run(const struct tg_command *command, const struct tg_args *args)
{
    struct tg_err err = {{0}};
    struct tg_config *config = tg_command_config(args);
    if (!config) return TG_EXIT_FAULT;
    int code = TG_EXIT_DONE;
    const char *record = tg_args_get(args, "record");
    if (record && tg_config_record(config, record)) {
        tg_config_free(config);
        return tg_command_failed(command, TG_EXIT_RUNTIME, "out of memory");
    }
    open_log(config);
    if (!config->file && introduce(config, &err))
        code = tg_command_failed(command, TG_EXIT_FAULT, err.text);
    if (code == TG_EXIT_DONE) code = tg_gateway_run(tg_args_get(args, "config"), config);
    tg_config_free(config);
    return code;
}

static const struct tg_option options[] = {
    {.name = "config", .value = "FILE", .help = "the configuration, such as gateway.lua"},
    {.name = "record", .value = "FOLDER", .help = "keep what is polled there, for replay"},
    {.name = NULL},
};

const struct tg_command tg_command_serve = {
    .name = "serve",
    .operands = "",
    .summary = "Run the gateway",
    .details = "SIGHUP reads keys, ownership, rules and the limits of new connections again;\n"
               "SIGTERM and SIGINT drain the clients and stop. Without --config it shows a\n"
               "simulated market on loopback and prints how to connect.\n",
    .options = options,
    .run = run,
};
