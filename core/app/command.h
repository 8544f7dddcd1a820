/* The commands of the program. */
#pragma once

#include "app/args.h"
#include "app/config.h"

/* What a command ends with. */
enum tg_exit {
    TG_EXIT_DONE = 0,
    TG_EXIT_FAULT = 1,     /* in what was given: configuration, rules, token */
    TG_EXIT_USAGE = 2,     /* the command line is wrong */
    TG_EXIT_RUNTIME = 3,   /* something failed while it ran */
    TG_EXIT_DIFFERENT = 4, /* `replay --exit-code`: the two sets differ */
};

struct tg_command {
    const char *name;
    const char *operands; /* for the help; "" when there are none */
    const char *summary;
    const char *details; /* paragraphs of the help; ends with a newline */
    const struct tg_option *options;
    int operands_max;
    int (*run)(const struct tg_command *command, const struct tg_args *args);
};

extern const struct tg_command tg_command_serve, tg_command_check, tg_command_token,
    tg_command_tail, tg_command_explain, tg_command_schema, tg_command_replay, tg_command_version;

/* Runs what the command line says; gives the exit code. */
int tg_command_main(int argc, char **argv);

/* Says on stderr what is wrong with the command line and where help is. TG_EXIT_USAGE. */
int tg_command_misused(const struct tg_command *command, const char *why);

/* Says on stderr what went wrong, and gives `code` back. */
int tg_command_failed(const struct tg_command *command, int code, const char *why);

/* Whether a text may travel in an Authorization header: printable ASCII without blanks. */
bool tg_command_token_good(const char *token);

/* Reads the configuration that --config names, or the demonstration's. On failure tells why and
 * gives NULL. Freed with tg_config_free. */
struct tg_config *tg_command_config(const struct tg_args *args);

/* The defaults alone, for what can be done with rules where there is no configuration. */
struct tg_config *tg_command_defaults(void);
