/* Directories are watched, never files: a file's watch is lost with its first atomic rename. The
 * events of one save are debounced into one generation; a folder in which something is written all
 * the time is looked at nevertheless, as soon as the first event has waited long enough. A slow
 * check of names, sizes and times beside it catches what no watch sees (a network file system), and
 * moves the watch when a path has become another folder (a symlink that was swapped). */
#include "app/gateway_inner.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEBOUNCE_MS 150
#define LONGEST_MS 500 /* from the first event of many */
#define SLOW_CHECK_MS 1000
#define FOLDERS 64

struct folder {
    uv_fs_event_t watch;
    dev_t dev;
    ino_t ino; /* of what is watched; 0: nothing is */
    char path[4096];
};

struct tg_reloader {
    struct tg_gateway *gateway;
    uv_timer_t quiet, slow;
    struct folder folders[FOLDERS];
    int folders_count;
    int open_handles;
    int64_t since_ms; /* of the first event that waits; 0: none does */
};

static void on_quiet(uv_timer_t *timer)
{
    struct tg_reloader *reloader = timer->data;
    struct tg_gateway *gateway = reloader->gateway;
    reloader->since_ms = 0;
    if (tg_script_stale(gateway->script)) (void)tg_follow_rules(gateway, "file_change");
}

/* Waits for quiet, but not for ever. */
static void await_quiet(struct tg_reloader *reloader)
{
    int64_t now = tg_mono_ms(reloader->gateway->clock);
    if (!reloader->since_ms) reloader->since_ms = now;
    int64_t left = reloader->since_ms + LONGEST_MS - now;
    if (left > DEBOUNCE_MS) left = DEBOUNCE_MS;
    (void)uv_timer_start(&reloader->quiet, on_quiet, left > 0 ? (uint64_t)left : 0, 0);
}

static void on_folder(uv_fs_event_t *handle, const char *name, int events, int status)
{
    (void)name, (void)events, (void)status;
    await_quiet(handle->data);
}

/* Watches what the path is now, when it is something else than before. */
static void aim(struct folder *folder)
{
    struct stat about;
    if (stat(folder->path, &about)) {
        folder->ino = 0;
        return;
    }
    if (folder->ino == about.st_ino && folder->dev == about.st_dev) return;
    folder->ino = about.st_ino;
    folder->dev = about.st_dev;
    (void)uv_fs_event_stop(&folder->watch);
    int rc = uv_fs_event_start(&folder->watch, on_folder, folder->path, 0);
    if (rc)
        tg_warn("rules", "watch_failed", tg_s("folder", folder->path),
                tg_s("reason", uv_strerror(rc)));
}

/* Found by the slow check: given the same quiet time, because an editor may be at work. */
static void on_slow(uv_timer_t *timer)
{
    struct tg_reloader *reloader = timer->data;
    for (int i = 0; i < reloader->folders_count; i++)
        aim(&reloader->folders[i]);
    if (!reloader->since_ms && tg_script_stale(reloader->gateway->script)) await_quiet(reloader);
}

static void watch_folder(struct tg_reloader *reloader, const char *path)
{
    struct stat info;
    if (reloader->folders_count == FOLDERS) return; /* the slow check sees the rest */
    struct folder *folder = &reloader->folders[reloader->folders_count++];
    char *at = folder->path;
    (void)snprintf(at, sizeof folder->path, "%s", path);
    if (!stat(path, &info) && !S_ISDIR(info.st_mode)) {
        char *slash = strrchr(at, '/');
        (void)snprintf(slash ? slash : at, 2, "%s", slash == at ? "/" : slash ? "" : ".");
    }
    (void)uv_fs_event_init(&reloader->gateway->loop, &folder->watch);
    folder->watch.data = reloader;
    reloader->open_handles++;
    aim(folder);
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
        uv_close((uv_handle_t *)&reloader->folders[i].watch, on_handle_closed);
}

static int conclude(struct tg_gateway *gateway, const char *cause, int rc, struct tg_err *err)
{
    struct tg_script_status status;
    tg_script_status(gateway->script, &status);
    if (rc == 1) {
        tg_audit("rules", "unchanged", tg_s("cause", cause), tg_i("generation", status.generation));
    } else if (rc == -TG_EAGAIN) {
        tg_audit("rules", "reload_held", tg_s("cause", cause), tg_s("reason", err->text),
                 tg_i("generation", status.generation));
    } else if (rc) {
        tg_gateway_fault(gateway, err->text);
        tg_audit("rules", "reload_refused", tg_s("cause", cause), tg_s("reason", err->text),
                 tg_i("generation", status.generation));
    } else {
        tg_gateway_names(gateway);
        tg_audit("rules", "reloaded", tg_s("cause", cause), tg_i("generation", status.generation),
                 tg_s("version", status.version));
    }
    return rc;
}

int tg_reload_rules(struct tg_gateway *gateway, const char *cause)
{
    struct tg_err err = {0};
    tg_events_flush(gateway);
    int rc = tg_script_load(gateway->script, &err);
    return conclude(gateway, cause, rc, &err);
}

int tg_follow_rules(struct tg_gateway *gateway, const char *cause)
{
    struct tg_err err = {0};
    tg_events_flush(gateway);
    int rc = tg_script_follow(gateway->script, &err);
    return conclude(gateway, cause, rc, &err);
}

void tg_signalled_rules(struct tg_gateway *gateway)
{
    struct tg_script_status status;
    tg_script_status(gateway->script, &status);
    if (status.origin == TG_ORIGIN_FILES) {
        (void)tg_reload_rules(gateway, "SIGHUP");
    } else if (tg_script_stale(gateway->script)) {
        (void)tg_follow_rules(gateway, "SIGHUP");
    } else {
        struct tg_err err = {0};
        (void)tg_fail(&err, TG_EAGAIN, "%s",
                      status.origin == TG_ORIGIN_ROLLBACK
                          ? "the files have not changed since they were rolled back"
                          : "the files have not changed since a candidate was promoted");
        (void)conclude(gateway, "SIGHUP", -TG_EAGAIN, &err);
    }
}

int tg_rollback_rules(struct tg_gateway *gateway, const char *reason, struct tg_err *err)
{
    tg_events_flush(gateway);
    int rc = tg_script_rollback(gateway->script, reason, err);
    if (!rc) tg_gateway_names(gateway);
    return rc;
}

static void follow_candidate(struct tg_gateway *gateway)
{
    struct tg_err err = {0};
    if (!gateway->config->rules.reload || !tg_script_candidate_stale(gateway->script)) return;
    tg_events_flush(gateway);
    if (!tg_script_candidate_again(gateway->script, &err)) return;
    tg_gateway_fault(gateway, err.text);
    tg_audit("rules", "candidate_refused", tg_s("cause", "file_change"), tg_s("reason", err.text));
}

void tg_judge_rules(struct tg_gateway *gateway)
{
    struct tg_err why = {0};
    follow_candidate(gateway);
    if (!tg_script_tick(gateway->script, &why)) return;
    struct tg_buf text = {0};
    tg_buf_printf(&text, "the rules were rolled back: %s", why.text);
    tg_gateway_fault(gateway, text.failed ? why.text : text.data);
    tg_buf_fini(&text);
    tg_gateway_names(gateway);
}
