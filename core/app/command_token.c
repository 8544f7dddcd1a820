/* Signs with the key that the gateway verifies with, so that trying something out needs no identity
 * provider. It can do no more than whoever holds the configuration's secret can do anyway. */
#include "app/command.h"
#include "app/mint.h"

#include <stdio.h>
#include <stdlib.h>

static int run(const struct tg_command *command, const struct tg_args *args)
{
    struct tg_err err = {{0}};
    struct tg_mint mint = {.subject = tg_args_need(args, "subject", &err)};
    long ttl = 3600;
    const char *text;
    char *token = NULL;
    if (!mint.subject || tg_args_number(args, "ttl", 1, 31536000, &ttl, &err))
        return tg_command_misused(command, err.text);
    mint.ttl_seconds = (int)ttl;
    for (int at = 0; (text = tg_args_next(args, "account", &at)) != NULL;) {
        if (mint.accounts_count == TG_MINT_MAX)
            return tg_command_misused(command, "too many accounts");
        mint.accounts[mint.accounts_count++] = text;
    }
    for (int at = 0; (text = tg_args_next(args, "claim", &at)) != NULL;) {
        if (mint.claims_count == TG_MINT_MAX) return tg_command_misused(command, "too many claims");
        mint.claims[mint.claims_count++] = text;
    }
    struct tg_config *config = tg_command_config(args);
    if (!config) return TG_EXIT_FAULT;
    int rc = tg_mint_token(&mint, config, &token, &err);
    tg_config_free(config);
    if (rc) return tg_command_failed(command, TG_EXIT_FAULT, err.text);
    (void)puts(token);
    free(token);
    return TG_EXIT_DONE;
}

static const struct tg_option options[] = {
    {.name = "config",
     .value = "FILE",
     .help = "sign with this gateway's key, not the demonstration's"},
    {.name = "subject", .value = "NAME", .help = "whose token it is (needed)"},
    {.name = "account",
     .value = "ID",
     .help = "an account of theirs, or \"*\" for all; repeat it",
     .many = true},
    {.name = "ttl", .value = "SECONDS", .help = "how long it is good (3600)"},
    {.name = "claim",
     .value = "NAME=VALUE",
     .help = "a further claim, JSON or a string; repeat it",
     .many = true},
    {.name = NULL},
};

const struct tg_command tg_command_token = {
    .name = "token",
    .operands = "",
    .summary = "Print a development token",
    .details = "The accounts go into the claim that auth.ownership.claim names.\n"
               "Dots in a claim's name go into objects: --claim app_metadata.plan=pro\n",
    .options = options,
    .run = run,
};
