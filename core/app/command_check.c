/* Everything a start or a reload would refuse, told without a gateway: for a deployment's pipeline
 * and for an editor. All parts are looked at even when one fails. */
#include "app/command.h"
#include "app/setup.h"

#include <stdio.h>
#include <stdlib.h>

static int check_auth(const struct tg_command *command, const struct tg_config *config)
{
    struct tg_auth *auth = NULL;
    struct tg_err err = {{0}};
    if (tg_setup_auth(config, tg_clock_system(), &auth, &err)) {
        (void)tg_command_failed(command, TG_EXIT_FAULT, err.text);
        return 1;
    }
    tg_auth_free(auth);
    if (config->auth.authorize)
        (void)printf("keys           %d, ownership by auth.authorize\n", config->auth.keys_count);
    else
        (void)printf("keys           %d, ownership by %s %s\n", config->auth.keys_count,
                     config->auth.ownership_claim ? "claim" : "file",
                     config->auth.ownership_claim ? config->auth.ownership_claim
                                                  : config->auth.ownership_file);
    return 0;
}

static void ignore(void *ctx, const struct tg_script_event *event)
{
    (void)ctx;
    (void)event;
}

static int check_rules(const struct tg_command *command, const struct tg_config *config,
                       const char *operand)
{
    struct tg_err err = {{0}};
    struct tg_script_counts counts = {0};
    struct tg_script_options options = tg_setup_script(config, tg_clock_system());
    options.emit = ignore;
    if (operand) {
        options.paths = &operand;
        options.paths_count = 1;
    }
    struct tg_script *script = tg_script_new(&options);
    int rc =
        script ? tg_script_check(script, &counts, &err) : tg_fail(&err, TG_ENOMEM, "out of memory");
    tg_script_free(script);
    if (rc) {
        (void)tg_command_failed(command, TG_EXIT_FAULT, err.text);
        return 1;
    }
    if (!options.paths_count) (void)printf("rules          the built-in set\n");
    for (int i = 0; i < options.paths_count; i++)
        (void)printf("rules          %s\n", options.paths[i]);
    (void)printf("               %u rule%s, %u example%s\n", counts.rules,
                 counts.rules == 1 ? "" : "s", counts.examples, counts.examples == 1 ? "" : "s");
    return 0;
}

static int run(const struct tg_command *command, const struct tg_args *args)
{
    int cursor = 0, faults = 0;
    const char *rules = tg_args_next(args, NULL, &cursor);
    const char *file = tg_args_get(args, "config");
    bool rules_alone = rules && !file;
    struct tg_config *config = rules_alone ? tg_command_defaults() : tg_command_config(args);
    if (!config) return TG_EXIT_FAULT;
    if (!rules_alone) {
        (void)printf("configuration  %s\n", file ? file : "none: the demonstration");
        faults += check_auth(command, config);
    }
    faults += check_rules(command, config, rules);
    for (int i = 0; !rules && i < config->rules.candidate_count; i++)
        faults += check_rules(command, config, config->rules.candidate[i]);
    tg_config_free(config);
    return faults ? TG_EXIT_FAULT : TG_EXIT_DONE;
}

static const struct tg_option options[] = {
    {.name = "config", .value = "FILE", .help = "the gateway's configuration"},
    {.name = NULL},
};

const struct tg_command tg_command_check = {
    .name = "check",
    .operands = "[RULES]",
    .summary = "Check a configuration and rules, and start nothing",
    .details = "RULES is a folder or a file of rules to check instead of the configured ones;\n"
               "without --config it is checked by itself. Prints what is good; what is not goes\n"
               "to stderr with file and line, and the exit code is 1.\n",
    .options = options,
    .operands_max = 1,
    .run = run,
};
