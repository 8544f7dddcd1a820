/* What is asked for, apart from how the asking goes. A snapshot is one request that tells several
 * parts; the others tell one each, in an order that lets no position vanish unseen. */
#include "source/http_plan.h"

#include <string.h>
#include <strings.h>

const char *const tg_http_part_names[TG_HTTP_PARTS + 1] = {
    "snapshot", "positions", "orders", "account", "deals", "history", NULL};

static const struct tg_http_request rest_service[TG_HTTP_PARTS] = {
    [TG_HTTP_POSITIONS] = {.path = "/api/mt5/account/{account_id}/positions"},
    [TG_HTTP_ACCOUNT] = {.path = "/api/mt5/account/{account_id}/info"},
    [TG_HTTP_DEALS] = {.path = "/api/mt5/account/{account_id}/history?from_date={since_iso}"},
};

static bool has_any(const struct tg_http_request *requests)
{
    for (int i = 0; i < TG_HTTP_PARTS; i++)
        if (requests[i].path) return true;
    return false;
}

/* The Content-Type among the headers, or NULL. */
static const char *type_of(const struct tg_http_source_header *headers, int count)
{
    for (int i = 0; i < count; i++)
        if (!strcasecmp(headers[i].name, "Content-Type")) return headers[i].value;
    return NULL;
}

static bool headers_name(const struct tg_http_source_header *headers, int count)
{
    for (int i = 0; i < count; i++)
        if (tg_http_template_names(headers[i].value)) return true;
    return false;
}

static int fill(struct tg_http_plan *plan, enum tg_http_part part,
                const struct tg_http_request *request, const struct tg_http_source_options *options,
                struct tg_err *err)
{
    static const struct tg_http_source_header json = {"Content-Type", "application/json"};
    const struct tg_http_source_header *more = request->headers;
    struct tg_http_source_header *typed = NULL;
    int count = request->headers_count, rc;
    const char *type = type_of(more, count);
    if (!type) type = type_of(options->headers, options->headers_count);
    bool form = type && strcasestr(type, "urlencoded");
    plan->rows[part].encoding = form ? TG_HTTP_IN_URL : TG_HTTP_IN_JSON;
    if (request->path[0] != '/') return tg_fail(err, TG_EINVAL, "its path does not begin with /");
    rc = tg_http_template_check(request->path, TG_HTTP_IN_URL, err);
    if (!rc && request->body)
        rc = tg_http_template_check(request->body, plan->rows[part].encoding, err);
    if (rc) return rc;
    if (request->post && !type) {
        typed = calloc((size_t)count + 1, sizeof *typed);
        if (!typed) return tg_fail(err, TG_ENOMEM, "out of memory");
        if (count) memcpy(typed, more, (size_t)count * sizeof *typed);
        typed[count++] = json;
        more = typed;
    }
    rc = tg_request_headers_open(options->headers, options->headers_count, more, count,
                                 &plan->rows[part].headers, err);
    free(typed);
    if (rc) return rc;
    plan->rows[part].named = tg_http_template_names(request->path) ||
                             (request->body && tg_http_template_names(request->body)) ||
                             headers_name(request->headers, request->headers_count) ||
                             headers_name(options->headers, options->headers_count);
    plan->rows[part].post = request->post;
    plan->rows[part].path = strdup(request->path);
    plan->rows[part].body = request->body ? strdup(request->body) : NULL;
    if (plan->rows[part].path && (plan->rows[part].body || !request->body)) return 0;
    return tg_fail(err, TG_ENOMEM, "out of memory");
}

int tg_http_plan_init(struct tg_http_plan *plan, const struct tg_http_source_options *options,
                      struct tg_err *err)
{
    const struct tg_http_request *requests = options->requests;
    if (!has_any(requests)) requests = rest_service;
    *plan = (struct tg_http_plan){0};
    if (!requests[TG_HTTP_SNAPSHOT].path && !requests[TG_HTTP_ACCOUNT].path)
        return tg_fail(err, TG_EINVAL, "the requests ask for neither a snapshot nor the account");
    for (int i = 0; i < TG_HTTP_PARTS; i++) {
        struct tg_err why = {0};
        int rc =
            requests[i].path ? fill(plan, (enum tg_http_part)i, &requests[i], options, &why) : 0;
        if (!rc) continue;
        tg_http_plan_fini(plan);
        return requests == rest_service
                   ? tg_fail(err, -rc, "%s", why.text)
                   : tg_fail(err, -rc, "request %s: %s", tg_http_part_names[i], why.text);
    }
    return 0;
}

void tg_http_plan_fini(struct tg_http_plan *plan)
{
    for (int i = 0; i < TG_HTTP_PARTS; i++) {
        free(plan->rows[i].path);
        free(plan->rows[i].body);
        tg_request_headers_free(plan->rows[i].headers);
    }
    *plan = (struct tg_http_plan){0};
}

enum tg_http_part tg_http_plan_next(const struct tg_http_plan *plan, int part)
{
    for (part++; part < TG_HTTP_DEALS; part++)
        if (plan->rows[part].path) return (enum tg_http_part)part;
    return TG_HTTP_PARTS;
}

bool tg_http_plan_has(const struct tg_http_plan *plan, enum tg_http_part part)
{
    return plan->rows[part].path != NULL;
}

void tg_http_plan_mask(const struct tg_http_plan *plan, enum tg_http_part part,
                       const struct tg_route *route, char *text)
{
    if (plan->rows[part].headers) tg_request_headers_mask(plan->rows[part].headers, route, text);
}
