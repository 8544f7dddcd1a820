/* Directories are watched, never files: a file's watch is lost with its first atomic rename. The
 * events of one save are debounced into one generation. A slow check of names, sizes and times
 * beside it catches what no watch sees: a folder swapped by a symlink, a network file system. */
#include "app/gateway_inner.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEBOUNCE_MS 150
#define SLOW_CHECK_MS 1000
#define FOLDERS 64

struct tg_reloader {
    struct tg_gateway *gateway;
    uv_timer_t quiet, slow;
    uv_fs_event_t folders[FOLDERS];
    int folders_count;
    int open_handles;
};

static void on_quiet(uv_timer_t *timer)
{
    struct tg_reloader *reloader = timer->data;
    if (tg_script_stale(reloader->gateway->script))
        (void)tg_reload_rules(reloader->gateway, "file_change");
}

static void on_folder(uv_fs_event_t *handle, const char *name, int events, int status)
{
    struct tg_reloader *reloader = handle->data;
    (void)name, (void)events, (void)status;
    (void)uv_timer_start(&reloader->quiet, on_quiet, DEBOUNCE_MS, 0);
}

/* Found by the slow check: given the same quiet time, because an editor may be at work. */
static void on_slow(uv_timer_t *timer)
{
    struct tg_reloader *reloader = timer->data;
    if (!uv_is_active((uv_handle_t *)&reloader->quiet) &&
        tg_script_stale(reloader->gateway->script))
        (void)uv_timer_start(&reloader->quiet, on_quiet, DEBOUNCE_MS, 0);
}

static void watch_folder(struct tg_reloader *reloader, const char *path)
{
    char folder[4096];
    struct stat info;
    (void)snprintf(folder, sizeof folder, "%s", path);
    if (!stat(path, &info) && !S_ISDIR(info.st_mode)) {
        char *slash = strrchr(folder, '/');
        (void)snprintf(slash ? slash : folder, 2, "%s", slash == folder ? "/" : slash ? "" : ".");
    }
    if (reloader->folders_count == FOLDERS) return; /* the slow check sees the rest */
    uv_fs_event_t *handle = &reloader->folders[reloader->folders_count];
    (void)uv_fs_event_init(&reloader->gateway->loop, handle);
    handle->data = reloader;
    reloader->folders_count++;
    reloader->open_handles++;
    int rc = uv_fs_event_start(handle, on_folder, folder, 0);
    if (rc)
        tg_warn("rules", "watch_failed", tg_s("folder", folder), tg_s("reason", uv_strerror(rc)));
}

struct tg_reloader *tg_reloader_new(struct tg_gateway *gateway)
{
    struct tg_reloader *reloader = calloc(1, sizeof *reloader);
    if (!reloader) return NULL;
    reloader->gateway = gateway;
    (void)uv_timer_init(&gateway->loop, &reloader->quiet);
    (void)uv_timer_init(&gateway->loop, &reloader->slow);
    reloader->quiet.data = reloader->slow.data = reloader;
    reloader->open_handles = 2;
    for (int i = 0; i < gateway->config->rules.paths_count; i++)
        watch_folder(reloader, gateway->config->rules.paths[i]);
    (void)uv_timer_start(&reloader->slow, on_slow, SLOW_CHECK_MS, SLOW_CHECK_MS);
    return reloader;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct tg_reloader *reloader = handle->data;
    if (!--reloader->open_handles) free(reloader);
}

void tg_reloader_close(struct tg_reloader *reloader)
{
    if (!reloader) return;
    uv_close((uv_handle_t *)&reloader->quiet, on_handle_closed);
    uv_close((uv_handle_t *)&reloader->slow, on_handle_closed);
    for (int i = 0; i < reloader->folders_count; i++)
        uv_close((uv_handle_t *)&reloader->folders[i], on_handle_closed);
}

int tg_reload_rules(struct tg_gateway *gateway, const char *cause)
{
    struct tg_err err = {0};
    struct tg_script_status status;
    tg_events_flush(gateway);
    int rc = tg_script_load(gateway->script, &err);
    tg_script_status(gateway->script, &status);
    if (rc) {
        tg_gateway_fault(gateway, err.text);
        tg_audit("rules", "reload_refused", tg_s("cause", cause), tg_s("reason", err.text),
                 tg_i("generation", status.generation));
        return rc;
    }
    tg_gateway_names(gateway);
    tg_audit("rules", "reloaded", tg_s("cause", cause), tg_i("generation", status.generation));
    return 0;
}
