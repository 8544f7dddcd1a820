/* The candidate as its operator starts, reads, promotes and drops it.
 *
 * A path in a request is a file that the gateway will run. Whoever may call these may not, for
 * that, have the gateway read any file of the machine: a path is one that the configuration names,
 * or lies below the folder that the configuration gives for candidates, links followed. */
#include "app/admin.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int tg_candidate_begin(struct tg_gateway *gateway, struct tg_err *err)
{
    const struct tg_config *config = gateway->config;
    if (!config->rules.candidate_count)
        return tg_fail(err, TG_ENOTFOUND, "rules.candidate names none: say which, as \"path\"");
    tg_events_flush(gateway);
    return tg_script_candidate_start(gateway->script, (const char *const *)config->rules.candidate,
                                     config->rules.candidate_count, err);
}

/* Whether the path is one of rules.candidate; `asked` is it as it was asked for. */
static bool is_configured(const struct tg_config *config, const char *asked, const char *real)
{
    for (int i = 0; i < config->rules.candidate_count; i++) {
        const char *path = config->rules.candidate[i];
        char *same = realpath(path, NULL);
        bool is = !strcmp(path, asked) || (same && real && !strcmp(same, real));
        free(same);
        if (is) return true;
    }
    return false;
}

static bool is_below(const char *root, const char *real)
{
    char *top = root ? realpath(root, NULL) : NULL;
    size_t len = top ? strlen(top) : 0;
    bool is = top && !strncmp(top, real, len) && (real[len] == '/' || !strcmp(top, "/"));
    free(top);
    return is;
}

/* The file or folder that may be read for a path that was asked for; freed by the caller. NULL: it
 * may not, or does not exist, which is not told apart. */
static char *allowed_path(const struct tg_config *config, const char *asked)
{
    char joined[PATH_MAX];
    const char *root = config->rules.candidate_root;
    bool relative = asked[0] != '/' && root;
    int n = relative ? snprintf(joined, sizeof joined, "%s/%s", root, asked)
                     : snprintf(joined, sizeof joined, "%s", asked);
    if (n < 0 || (size_t)n >= sizeof joined) return NULL;
    char *real = realpath(joined, NULL);
    if (is_configured(config, asked, real) || (real && is_below(root, real)))
        return real ? real : strdup(asked);
    free(real);
    return NULL;
}

static void answer_report(struct tg_admin_call *call)
{
    struct tg_buf out = {0};
    tg_json_open(&out, '{');
    tg_json_member_bool(&out, "success", true);
    tg_json_key(&out, "candidate");
    if (tg_script_candidate_report(call->gateway->script, &out)) {
        tg_buf_fini(&out);
        tg_admin_refuse(call, 404, "NO_CANDIDATE", "there is no candidate");
        return;
    }
    tg_json_close(&out, '}');
    tg_admin_answer(call, &out);
}

void tg_admin_candidate_report(struct tg_admin_call *call)
{
    answer_report(call);
}

void tg_admin_candidate_start(struct tg_admin_call *call)
{
    char asked[PATH_MAX];
    struct tg_err err = {{0}};
    int rc, given = tg_admin_text(call, "path", asked, sizeof asked);
    if (given == -TG_EINVAL || given == 0) {
        tg_admin_refuse(call, 400, "INVALID_REQUEST", "path must be a text, and not empty");
        return;
    }
    if (given < 0) {
        rc = tg_candidate_begin(call->gateway, &err);
    } else {
        char *path = allowed_path(call->gateway->config, asked);
        if (!path) {
            tg_admin_audit(call, "candidate_start", asked, "the path is not allowed");
            tg_admin_refuse(call, 403, "FORBIDDEN_PATH",
                            "the path is neither one of rules.candidate nor an existing one below "
                            "rules.candidate_root");
            return;
        }
        const char *const paths[] = {path};
        tg_events_flush(call->gateway);
        rc = tg_script_candidate_start(call->gateway->script, paths, 1, &err);
        free(path);
    }
    tg_admin_audit(call, "candidate_start", given < 0 ? "rules.candidate" : asked,
                   rc ? err.text : "ok");
    if (rc)
        tg_admin_refuse(call, 422, "CANDIDATE_REFUSED", "%s", err.text);
    else
        answer_report(call);
}

void tg_admin_candidate_promote(struct tg_admin_call *call)
{
    struct tg_candidate_status candidate;
    struct tg_err err = {{0}};
    if (!tg_script_candidate(call->gateway->script, &candidate)) {
        tg_admin_refuse(call, 404, "NO_CANDIDATE", "there is no candidate");
        return;
    }
    char version[20];
    (void)snprintf(version, sizeof version, "%s", candidate.version);
    tg_events_flush(call->gateway);
    int rc = tg_script_candidate_promote(call->gateway->script, &err);
    if (!rc) tg_gateway_names(call->gateway);
    tg_admin_audit(call, "candidate_promote", version, rc ? err.text : "ok");
    if (rc)
        tg_admin_refuse(call, 422, "PROMOTE_REFUSED", "%s", err.text);
    else
        tg_admin_answer_set(call);
}

/* Answers with the last report, so that a script that drops it still has it. */
void tg_admin_candidate_drop(struct tg_admin_call *call)
{
    struct tg_candidate_status candidate;
    bool was = tg_script_candidate(call->gateway->script, &candidate);
    if (was) tg_admin_audit(call, "candidate_drop", candidate.version, "ok");
    answer_report(call);
    tg_script_candidate_drop(call->gateway->script);
}
