/* From a path to a struct: the text is read once, scanned for where its keys stand, run in the
 * sandbox, and the table it returns is read against the schema. All faults are told together. */
#include "app/config.h"

#include "app/config_check.h"
#include "app/config_reader.h"
#include "app/config_sandbox.h"
#include "app/dev_key.h"
#include "app/hooks.h"
#include "app/mapper.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

void tg_config_free(struct tg_config *config)
{
    if (!config) return;
    for (int i = 0; i < config->sources_count; i++)
        free(config->sources[i].mapper);
    tg_config_release(config);
    tg_hooks_free(config->functions);
    free(config->file);
    free(config);
}

static bool replace(char **text, const char *with)
{
    free(*text);
    *text = strdup(with);
    return *text != NULL;
}

int tg_config_record(struct tg_config *config, const char *path)
{
    return replace(&config->record.path, path) ? 0 : -TG_ENOMEM;
}

/* The demonstration: what the defaults are, but on loopback, simulated, and with the key that this
 * user's other commands find, too. */
static int demonstrate(struct tg_config *config, struct tg_buf *why)
{
    struct tg_err err = {{0}};
    char key[TG_DEV_KEY_LEN + 1];
    int rc = tg_dev_key_read(key, &err);
    if (rc) {
        tg_buf_printf(why, "%s\n", err.text);
        return rc;
    }
    config->auth.keys = calloc(1, sizeof *config->auth.keys);
    if (!config->auth.keys) return -TG_ENOMEM;
    config->auth.keys_count = 1;
    config->auth.keys->algorithm = strdup("HS256");
    config->auth.keys->secret = strdup(key);
    config->auth.keys->secret_len = TG_DEV_KEY_LEN;
    explicit_bzero(key, sizeof key);
    return config->auth.keys->algorithm && config->auth.keys->secret &&
                   replace(&config->listen.address, "127.0.0.1") &&
                   replace(&config->single.driver, "sim")
               ? 0
               : -TG_ENOMEM;
}

int tg_config_default_source(const struct tg_config *config)
{
    if (config->sources_count == 1) return 0;
    for (int i = 0; i < config->sources_count; i++)
        if (strcmp(config->sources[i].name, TG_CONFIG_MAIN) == 0) return i;
    return -1;
}

/* `source` becomes the only entry of the list, unless the file has `sources`. */
static int settle_sources(struct tg_config *config)
{
    if (config->sources_count) return 0;
    config->sources = calloc(1, sizeof *config->sources);
    if (!config->sources) return -TG_ENOMEM;
    *config->sources = config->single;
    memset(&config->single, 0, sizeof config->single);
    config->sources_count = 1;
    config->sources->name = strdup(TG_CONFIG_MAIN);
    return config->sources->name ? 0 : -TG_ENOMEM;
}

/* The absolute folder of a file. NULL with errno. Freed with free(). */
static char *folder_of(const char *path)
{
    char *real = realpath(path, NULL);
    if (!real) return NULL;
    char *slash = strrchr(real, '/');
    slash[slash == real] = '\0';
    return real;
}

static void note_repeats(struct tg_config_faults *faults, const struct tg_config_scan *scan)
{
    for (int i = 0; i < scan->count; i++)
        if (scan->places[i].again)
            tg_config_fault(faults, scan->places[i].path, "this is given again in line %d",
                            scan->places[i].again);
}

static int make_mappers(struct tg_config *config, struct tg_hooks *hooks)
{
    for (int i = 0; i < config->sources_count; i++) {
        struct tg_config_source *source = &config->sources[i];
        if (!source->map) continue;
        source->mapper = malloc(sizeof *source->mapper);
        if (!source->mapper) return -TG_ENOMEM;
        *source->mapper = (struct tg_mapper){source->name, hooks, source->map};
    }
    return 0;
}

/* Runs and reads the source into `config`, which has its defaults. */
static int read_source(struct tg_config *config, const char *here, const struct tg_buf *source,
                       struct tg_buf *why)
{
    struct tg_config_scan scan;
    int rc = tg_config_scan_read(&scan, source->data, source->len);
    if (rc) return rc;
    struct tg_hooks *hooks = tg_hooks_new();
    if (!hooks) {
        tg_config_scan_fini(&scan);
        return -TG_ENOMEM;
    }
    struct tg_config_faults faults = {.file = config->file, .scan = &scan};
    hooks->sandbox = (struct tg_config_sandbox){.file = config->file, .here = here, .scan = &scan};
    rc = tg_config_sandbox_run(&hooks->sandbox, source->data, source->len, why);
    if (!rc) {
        struct tg_config_reader reader = {
            .lua = hooks->sandbox.lua, .here = here, .config = config, .faults = &faults};
        rc = tg_config_reader_run(&reader);
        if (!rc) {
            note_repeats(&faults, &scan);
            rc = settle_sources(config);
        }
        if (!rc) {
            tg_config_check(&reader);
            if (reader.failed || faults.failed)
                rc = -TG_ENOMEM;
            else if (faults.count)
                rc = -TG_EINVAL;
            tg_config_faults_write(&faults, TG_CONFIG_FAULTS, why);
        }
        tg_config_reader_fini(&reader);
    }
    if (!rc && hooks->sandbox.functions) {
        rc = tg_hooks_ready(hooks, config->hooks.budget_ms, (size_t)config->hooks.memory_mb << 20);
        hooks->authorize = config->auth.authorize;
        if (!rc) rc = make_mappers(config, hooks);
        if (!rc) config->functions = hooks;
    }
    if (hooks != config->functions) tg_hooks_free(hooks);
    tg_config_faults_fini(&faults);
    tg_config_scan_fini(&scan);
    return rc;
}

static int read_file(struct tg_config *config, const char *path, struct tg_buf *why)
{
    struct tg_buf source = {0};
    char *here = folder_of(path);
    int rc = here ? tg_buf_reserve(&source, 1) : -TG_EIO; /* an empty file is text, too */
    if (!rc) rc = tg_config_slurp(path, TG_CONFIG_FILE_BYTES, &source);
    if (rc == -TG_EIO) tg_buf_printf(why, "%s: %s\n", path, strerror(errno));
    if (rc == -TG_ELIMIT)
        tg_buf_printf(why, "%s: larger than %d bytes\n", path, TG_CONFIG_FILE_BYTES);
    config->file = rc ? NULL : strdup(path);
    if (!rc && !config->file) rc = -TG_ENOMEM;
    if (!rc) rc = read_source(config, here, &source, why);
    if (source.data) explicit_bzero(source.data, source.len);
    tg_buf_fini(&source);
    free(here);
    return rc;
}

int tg_config_read(const char *path, struct tg_config **out, struct tg_buf *why)
{
    struct tg_config *config = calloc(1, sizeof *config);
    int rc = config ? tg_config_defaults(config) : -TG_ENOMEM;
    if (!rc) rc = path ? read_file(config, path, why) : demonstrate(config, why);
    if (!rc) rc = settle_sources(config);
    if (rc == -TG_ENOMEM) tg_buf_puts(why, "out of memory while reading the configuration\n");
    if (rc) {
        tg_config_free(config);
        return rc;
    }
    *out = config;
    return 0;
}

int tg_config_load(const char *path, struct tg_config **out, struct tg_err *err)
{
    struct tg_buf why = {0};
    int rc = tg_config_read(path, out, &why);
    if (rc) {
        int others = -1;
        const char *first = why.data ? why.data : "out of memory";
        for (const char *at = first; *at; at++)
            others += *at == '\n';
        int len = (int)strcspn(first, "\n");
        if (others > 0)
            (void)tg_fail(err, -rc, "%.*s (and %d more)", len, first, others);
        else
            (void)tg_fail(err, -rc, "%.*s", len, first);
    }
    tg_buf_fini(&why);
    return rc;
}
