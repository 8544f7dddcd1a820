/* Results go to stdout and everything that is said about them to stderr, so `TOKEN=$(tidegate token
 * …)` holds a token or nothing. Standard output is flushed and looked at before the end: a full
 * disk must not look like success. */
#include "app/command.h"

#include "app/config_reader.h"
#include "app/tail_safe.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct tg_command *const commands[] = {
    &tg_command_serve,   &tg_command_check,  &tg_command_token,  &tg_command_tail,
    &tg_command_explain, &tg_command_schema, &tg_command_replay, &tg_command_version,
};
#define COMMANDS (sizeof commands / sizeof *commands)

static void overview(FILE *out)
{
    (void)fprintf(out, "Tidegate: realtime events of MetaTrader 5 accounts over WebSocket, decided "
                       "by rules in Lua.\n\nUsage: tidegate COMMAND [OPTIONS]\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        (void)fprintf(out, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
    (void)fprintf(out, "\n`tidegate COMMAND --help` tells more. With no configuration at all, "
                       "`tidegate serve` shows a simulated market.\n");
}

static void help(const struct tg_command *command)
{
    (void)printf("Usage: tidegate %s%s%s%s\n\n%s.\n", command->name,
                 command->options->name ? " [OPTIONS]" : "", *command->operands ? " " : "",
                 command->operands, command->summary);
    if (*command->details) (void)printf("\n%s", command->details);
    (void)printf("\nOptions:\n");
    for (const struct tg_option *option = command->options; option->name; option++) {
        char left[48];
        (void)snprintf(left, sizeof left, "--%s%s%s", option->name, option->value ? " " : "",
                       option->value ? option->value : "");
        (void)printf("  %-22s %s\n", left, option->help);
    }
    (void)printf("  %-22s %s\n", "--help", "this text");
}

int tg_command_misused(const struct tg_command *command, const char *why)
{
    (void)fprintf(stderr, "tidegate %s: %s\n`tidegate %s --help` tells how it is used.\n",
                  command->name, why, command->name);
    return TG_EXIT_USAGE;
}

int tg_command_failed(const struct tg_command *command, int code, const char *why)
{
    struct tg_buf safe = {0};
    tg_tail_safe(&safe, why, strlen(why)); /* it may quote a file that somebody else has written */
    (void)fprintf(stderr, "tidegate %s: %s\n", command->name,
                  safe.len && !safe.failed ? safe.data : "out of memory");
    tg_buf_fini(&safe);
    return code;
}

bool tg_command_token_good(const char *token)
{
    while (*token > ' ' && *token < 0x7f)
        token++;
    return !*token;
}

struct tg_config *tg_command_config(const struct tg_args *args)
{
    struct tg_buf why = {0};
    struct tg_config *config = NULL;
    if (tg_config_read(tg_args_get(args, "config"), &config, &why))
        (void)fputs(why.data ? why.data : "out of memory\n", stderr);
    tg_buf_fini(&why);
    return config;
}

struct tg_config *tg_command_defaults(void)
{
    struct tg_config *config = calloc(1, sizeof *config);
    if (config && tg_config_defaults(config) == 0) return config;
    tg_config_free(config);
    (void)fputs("out of memory\n", stderr);
    return NULL;
}

static int unknown_command(const char *word)
{
    const char *names[COMMANDS + 1] = {NULL};
    for (size_t i = 0; i < COMMANDS; i++)
        names[i] = commands[i]->name;
    const char *near = tg_nearest(word, names);
    (void)fprintf(stderr, "tidegate: there is no command \"%.40s\"", word);
    if (near)
        (void)fprintf(stderr, "; did you mean \"%s\"?\n", near);
    else
        (void)fprintf(stderr, "; `tidegate --help` lists them\n");
    return TG_EXIT_USAGE;
}

static int run(const struct tg_command *command, int argc, char **argv)
{
    static struct tg_args args; /* large, and needed once in the life of the process */
    struct tg_err err = {{0}};
    if (tg_args_read(&args, command->options, command->operands_max, argc, argv, &err))
        return tg_command_misused(command, err.text);
    if (!args.help) return command->run(command, &args);
    help(command);
    return TG_EXIT_DONE;
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        overview(stderr);
        return TG_EXIT_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        overview(stdout);
        return TG_EXIT_DONE;
    }
    if (strcmp(word, "--version") == 0) word = "version";
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, word) == 0) return run(commands[i], argc - 2, argv + 2);
    return unknown_command(word);
}

int tg_command_main(int argc, char **argv)
{
    int code = dispatch(argc, argv);
    if ((fflush(stdout) || ferror(stdout)) && code == TG_EXIT_DONE) {
        (void)fprintf(stderr, "tidegate: writing the result failed: %s\n", strerror(errno));
        return TG_EXIT_RUNTIME;
    }
    return code;
}
