/* Long options alone: what a command line says should be readable in a unit file years later. An
 * option given twice is refused unless it means a list, since one of the two would be ignored. */
#include "app/args.h"

#include "base/text.h"

#include <stdint.h>
#include <string.h>

static const struct tg_option *find(const struct tg_option *options, const char *name, size_t len)
{
    for (; options->name; options++)
        if (strlen(options->name) == len && memcmp(options->name, name, len) == 0) return options;
    return NULL;
}

static int unknown(const struct tg_option *options, const char *name, size_t len,
                   struct tg_err *err)
{
    const char *names[32];
    char word[64];
    size_t n = 0;
    for (; options[n].name && n + 2 < sizeof names / sizeof *names; n++)
        names[n] = options[n].name;
    names[n] = "help";
    names[n + 1] = NULL;
    tg_copy(word, sizeof word, name, len);
    const char *near = tg_nearest(word, names);
    if (near)
        return tg_fail(err, TG_EINVAL, "there is no option --%s; did you mean --%s?", word, near);
    return tg_fail(err, TG_EINVAL, "there is no option --%s", word);
}

static int add(struct tg_args *args, const struct tg_option *option, const char *value,
               struct tg_err *err)
{
    /* Mostly a variable of a script that was not set. */
    if (!*value && !option) return tg_fail(err, TG_EINVAL, "an argument is empty");
    if (!*value && option->value)
        return tg_fail(err, TG_EINVAL, "--%s is empty: it needs a value: %s", option->name,
                       option->value);
    if (option && !option->many && tg_args_get(args, option->name))
        return tg_fail(err, TG_EINVAL, "--%s is given twice", option->name);
    if (args->count == TG_ARGS_MAX)
        return tg_fail(err, TG_EINVAL, "more than %d arguments", TG_ARGS_MAX);
    args->list[args->count++] = (struct tg_arg){option, value};
    return 0;
}

/* Reads the option at argv[*i]; moves `*i` on when its value stands apart. */
static int read_option(struct tg_args *args, const struct tg_option *options, int argc,
                       char *const *argv, int *i, struct tg_err *err)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const struct tg_option *option = find(options, name, len);
    if (!option) return unknown(options, name, len, err);
    if (!option->value && equals)
        return tg_fail(err, TG_EINVAL, "--%s takes no value", option->name);
    if (!option->value) return add(args, option, "", err);
    if (equals) return add(args, option, equals + 1, err);
    if (*i + 1 == argc)
        return tg_fail(err, TG_EINVAL, "--%s needs a value: %s", option->name, option->value);
    return add(args, option, argv[++*i], err);
}

int tg_args_read(struct tg_args *args, const struct tg_option *options, int operands, int argc,
                 char *const *argv, struct tg_err *err)
{
    bool only_operands = false;
    int rc = 0;
    *args = (struct tg_args){.count = 0};
    for (int i = 0; i < argc && !rc; i++) {
        const char *arg = argv[i];
        if (!only_operands && strcmp(arg, "--") == 0) {
            only_operands = true;
        } else if (!only_operands && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
            args->help = true;
            return 0;
        } else if (!only_operands && strncmp(arg, "--", 2) == 0) {
            rc = read_option(args, options, argc, argv, &i, err);
        } else if (!only_operands && arg[0] == '-' && arg[1]) {
            rc = tg_fail(err, TG_EINVAL, "there is no option %.40s; options begin with --", arg);
        } else if (operands-- <= 0) {
            rc = tg_fail(err, TG_EINVAL, "\"%.80s\" is one argument too many", arg);
        } else {
            rc = add(args, NULL, arg, err);
        }
    }
    return rc;
}

const char *tg_args_next(const struct tg_args *args, const char *name, int *cursor)
{
    while (*cursor < args->count) {
        const struct tg_arg *arg = &args->list[(*cursor)++];
        if (name ? arg->option && strcmp(arg->option->name, name) == 0 : !arg->option)
            return arg->value;
    }
    return NULL;
}

const char *tg_args_get(const struct tg_args *args, const char *name)
{
    int cursor = 0;
    return tg_args_next(args, name, &cursor);
}

const char *tg_args_need(const struct tg_args *args, const char *name, struct tg_err *err)
{
    const char *value = tg_args_get(args, name);
    if (!value || !*value) {
        (void)tg_fail(err, TG_EINVAL, "--%s is needed", name);
        return NULL;
    }
    return value;
}

int tg_args_number(const struct tg_args *args, const char *name, long low, long high, long *out,
                   struct tg_err *err)
{
    const char *text = tg_args_get(args, name);
    int64_t value;
    if (!text) return 0;
    if (tg_read_i64(text, strlen(text), &value) || value < low || value > high)
        return tg_fail(err, TG_EINVAL,
                       "--%s: expected a whole number from %ld to %ld, got \"%.40s\"", name, low,
                       high, text);
    *out = (long)value;
    return 0;
}
