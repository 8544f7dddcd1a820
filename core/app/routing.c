/* Whatever tells where an account is, a function or a table, comes through here member by member,
 * so that both are judged alike and in the same words. */
#include "app/routing.h"

#include "base/text.h"
#include "source/http_url.h"
#include "source/request_headers.h"

#include <string.h>
#include <strings.h>

#define LOGIN_MAX 64
#define TEXT_MAX 4096

struct tg_routing *tg_routing_new(void)
{
    struct tg_routing *routing = calloc(1, sizeof *routing);
    if (routing) routing->route.headers = routing->headers;
    return routing;
}

/* The strings are ours although the route only borrows. */
static void drop(const char *text)
{
    free((char *)(uintptr_t)text);
}

void tg_routing_free(struct tg_routing *routing)
{
    if (!routing) return;
    for (int i = 0; i < routing->route.headers_count; i++) {
        const char *value = routing->headers[i].value;
        explicit_bzero((char *)(uintptr_t)value, strlen(value));
        drop(value);
        drop(routing->headers[i].name);
    }
    drop(routing->route.source);
    drop(routing->route.login);
    drop(routing->route.url);
    free(routing);
}

static bool plain(const char *text)
{
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f) return false;
    return tg_utf8_valid(text, strlen(text));
}

int tg_routing_set(struct tg_routing *routing, const char *member, const char *text,
                   struct tg_err *err)
{
    static const char *const members[] = {"source", "login", "url", "headers", NULL};
    struct tg_route *route = &routing->route;
    const char **place = !strcmp(member, "source")  ? &route->source
                         : !strcmp(member, "login") ? &route->login
                         : !strcmp(member, "url")   ? &route->url
                                                    : NULL;
    if (!place) {
        const char *near = tg_nearest(member, members);
        return tg_fail(err, TG_EINVAL, "a route has no \"%s\"; %s%s%s", member,
                       near ? "did you mean \"" : "it has source, login, url and headers",
                       near ? near : "", near ? "\"?" : "");
    }
    size_t len = strlen(text);
    if (!len || len > (place == &route->login ? LOGIN_MAX : TEXT_MAX) || !plain(text))
        return tg_fail(err, TG_EINVAL, "its %s is empty, too long or not plain text", member);
    if (place == &route->url) {
        struct tg_err why = {0};
        int rc = tg_http_url_check(text, &why);
        if (rc) return tg_fail(err, -rc, "its url: %s", why.text);
    }
    drop(*place);
    *place = strdup(text);
    return *place ? 0 : tg_fail(err, TG_ENOMEM, "out of memory");
}

int tg_routing_header(struct tg_routing *routing, const char *name, const char *value,
                      struct tg_err *err)
{
    struct tg_route *route = &routing->route;
    const struct tg_http_source_header given = {name, value};
    struct tg_err why = {0};
    int rc = tg_request_header_check(&given, &why);
    if (!rc && strlen(value) > TEXT_MAX)
        rc = tg_fail(&why, TG_EINVAL, "the header %s is longer than %d bytes", name, TEXT_MAX);
    if (!rc && route->headers_count == TG_ROUTING_HEADERS)
        rc = tg_fail(&why, TG_EINVAL, "more than %d", TG_ROUTING_HEADERS);
    for (int i = 0; !rc && i < route->headers_count; i++)
        if (!strcasecmp(routing->headers[i].name, name))
            rc = tg_fail(&why, TG_EINVAL, "the header %s is given twice", name);
    if (rc) return tg_fail(err, -rc, "its headers: %s", why.text);
    struct tg_http_source_header *header = &routing->headers[route->headers_count];
    header->name = strdup(name);
    header->value = strdup(value);
    if (header->name && header->value) {
        route->headers_count++;
        return 0;
    }
    drop(header->name);
    drop(header->value);
    return tg_fail(err, TG_ENOMEM, "out of memory");
}

int tg_routing_settle(struct tg_routing *routing, const struct tg_config *config,
                      struct tg_err *err)
{
    const char *name = routing->route.source;
    routing->upstream = tg_config_default_source(config);
    if (!name && routing->upstream < 0)
        return tg_fail(err, TG_EINVAL, "it names no source, and none is called \"main\"");
    if (name) {
        const char *names[TG_CONFIG_SOURCES + 1] = {NULL};
        for (routing->upstream = 0; routing->upstream < config->sources_count;
             routing->upstream++) {
            names[routing->upstream] = config->sources[routing->upstream].name;
            if (!strcmp(names[routing->upstream], name)) break;
        }
        if (routing->upstream == config->sources_count) {
            const char *near = tg_nearest(name, names);
            return tg_fail(err, TG_EINVAL, "there is no source \"%s\"%s%s%s", name,
                           near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        }
    }
    const struct tg_config_source *source = &config->sources[routing->upstream];
    bool http = strcmp(source->driver, "http") == 0;
    if (!http && (routing->route.url || routing->route.headers_count))
        return tg_fail(err, TG_EINVAL,
                       "it has a url or headers, which the driver \"%s\" of source %s "
                       "does not take",
                       source->driver, source->name);
    if (http && !routing->route.url && !source->url)
        return tg_fail(err, TG_EINVAL, "it has no url, and neither has its source");
    return 0;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

bool tg_routing_same_login(const struct tg_routing *a, const struct tg_routing *b)
{
    return same_text(a ? a->route.login : NULL, b ? b->route.login : NULL);
}

bool tg_routing_same(const struct tg_routing *a, const struct tg_routing *b)
{
    static const struct tg_route nothing;
    const struct tg_route *x = a ? &a->route : &nothing, *y = b ? &b->route : &nothing;
    if (!same_text(x->source, y->source) || !same_text(x->login, y->login) ||
        !same_text(x->url, y->url) || x->headers_count != y->headers_count)
        return false;
    for (int i = 0; i < x->headers_count; i++)
        if (!same_text(x->headers[i].name, y->headers[i].name) ||
            !same_text(x->headers[i].value, y->headers[i].value))
            return false;
    return true;
}
