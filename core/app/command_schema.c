/* What the messages look like, for those who write clients, and whether the clients of one set can
 * live with another. */
#include "app/command.h"
#include "app/setup.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define AGAINST_BYTES (16u << 20)

static void ignore(void *ctx, const struct tg_script_event *event)
{
    (void)ctx;
    (void)event;
}

/* An engine with the rules of a path (NULL: those of the configuration), loaded. */
static struct tg_script *load(const struct tg_config *config, const char *path, struct tg_err *err)
{
    struct tg_script_options options = tg_setup_script(config, tg_clock_system());
    options.emit = ignore;
    if (path) {
        options.paths = &path;
        options.paths_count = 1;
        options.settings = NULL;
    }
    struct tg_script *script = tg_script_new(&options);
    if (!script) {
        (void)tg_fail(err, TG_ENOMEM, "out of memory");
        return NULL;
    }
    if (!tg_script_load(script, err)) return script;
    tg_script_free(script);
    return NULL;
}

static int read_document(const char *path, struct tg_buf *out, struct tg_err *err)
{
    char block[16384];
    FILE *file = fopen(path, "rb");
    if (!file) return tg_fail(err, TG_EIO, "%s: cannot be read", path);
    for (size_t n; (n = fread(block, 1, sizeof block, file)) > 0 && out->len <= AGAINST_BYTES;)
        tg_buf_add(out, block, n);
    bool bad = ferror(file) || out->failed || out->len > AGAINST_BYTES;
    (void)fclose(file);
    return bad ? tg_fail(err, TG_EIO, "%s: cannot be read, or is too large", path) : 0;
}

static bool is_document(const char *path)
{
    struct stat info;
    size_t len = strlen(path);
    return len > 5 && !strcmp(path + len - 5, ".json") && !stat(path, &info) &&
           S_ISREG(info.st_mode);
}

/* The JSON Schema document of the set to compare with: a file of it, or the rules themselves. */
static int old_schema(const struct tg_config *config, const char *path, struct tg_buf *out,
                      struct tg_err *err)
{
    const struct tg_description asked = {.format = "json-schema"};
    if (is_document(path)) return read_document(path, out, err);
    struct tg_script *script = load(config, path, err);
    if (!script) return -TG_EINVAL;
    int rc = tg_script_describe(script, &asked, out, NULL, err);
    tg_script_free(script);
    return rc;
}

static int describe(const struct tg_command *command, const struct tg_args *args,
                    const struct tg_config *config, const char *rules)
{
    struct tg_err err = {{0}};
    struct tg_buf old = {0}, out = {0}, undeclared = {0};
    const char *format = tg_args_get(args, "format"), *against = tg_args_get(args, "against");
    struct tg_script *script = NULL;
    struct tg_description asked = {.format = format ? format : "json-schema"};
    int rc = against ? old_schema(config, against, &old, &err) : 0;
    if (!rc && !(script = load(config, rules, &err))) rc = -TG_EINVAL;
    if (against) {
        asked.against = old.data ? old.data : "";
        asked.against_len = old.len;
    }
    if (!rc && (rc = tg_script_describe(script, &asked, &out, &undeclared, &err)) < 0 && against) {
        const struct tg_err why = err;
        (void)tg_fail(&err, TG_EINVAL, "%s: %s", against, why.text);
    }
    if (rc < 0) {
        (void)tg_command_failed(command, TG_EXIT_FAULT, err.text);
    } else {
        if (undeclared.len) (void)fprintf(stderr, "%s\n", undeclared.data);
        if (undeclared.len && against)
            (void)fprintf(stderr, "what these payloads hold is not known and was not compared\n");
        (void)fwrite(out.data, 1, out.len, stdout);
    }
    tg_script_free(script);
    tg_buf_fini(&old);
    tg_buf_fini(&out);
    tg_buf_fini(&undeclared);
    if (rc >= 0 && (fflush(stdout) || ferror(stdout)))
        return tg_command_failed(command, TG_EXIT_RUNTIME, "the output cannot be written");
    return rc ? TG_EXIT_FAULT : TG_EXIT_DONE;
}

static bool is_format(const char *name)
{
    static const char *const formats[] = {"json-schema", "asyncapi", "typescript"};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (!strcmp(name, formats[i])) return true;
    return false;
}

static int run(const struct tg_command *command, const struct tg_args *args)
{
    int cursor = 0;
    const char *format = tg_args_get(args, "format");
    if (format && !is_format(format))
        return tg_command_misused(command,
                                  "--format: expected json-schema, asyncapi or typescript");
    if (format && tg_args_get(args, "against"))
        return tg_command_misused(command, "--against prints differences, which have no --format");
    const char *rules = tg_args_next(args, NULL, &cursor);
    struct tg_config *config =
        tg_args_get(args, "config") ? tg_command_config(args) : tg_command_defaults();
    if (!config) return TG_EXIT_FAULT;
    FILE *nowhere = fopen("/dev/null", "w");
    if (nowhere) tg_log_setup(TG_LOG_ERROR, TG_LOG_TEXT, nowhere); /* loading is no event here */
    int rc = describe(command, args, config, rules);
    if (nowhere) (void)fclose(nowhere);
    tg_config_free(config);
    return rc;
}

static const struct tg_option options[] = {
    {.name = "format",
     .value = "NAME",
     .help = "json-schema (the default), asyncapi or typescript"},
    {.name = "against",
     .value = "OLD",
     .help = "rules, or a JSON Schema made of them: tell what their clients would notice"},
    {.name = "config", .value = "FILE", .help = "the rules of this configuration"},
    {.name = NULL},
};

const struct tg_command tg_command_schema = {
    .name = "schema",
    .operands = "[RULES]",
    .summary = "Print what the messages of a rule set look like",
    .details =
        "RULES is a folder or a file of rules; without it and without --config it is the built-in\n"
        "set. What a function makes without a `schema` is told on stderr.\n"
        "With --against, the exit code is 1 when a change is breaking: when a client of the old\n"
        "set may receive what its schema does not allow, or miss what it relies on.\n",
    .options = options,
    .operands_max = 1,
    .run = run,
};
