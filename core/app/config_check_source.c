/* What a source's keys mean together. Which keys belong to which driver stands in the schema's
 * rows; here is what no row can say. */
#include "app/config_check.h"

#include "source/http_template.h"
#include "source/http_url.h"
#include "source/source.h"

#include <curl/curl.h>
#include <string.h>

#define FAULT(path, ...) tg_config_fault(reader->faults, path, __VA_ARGS__)

/* One source while it is checked. */
struct visit {
    struct tg_config_reader *reader;
    const struct tg_config_source *source;
    struct tg_buf path; /* "source" or "sources.name", then the key that is looked at */
    size_t mark;
};

/* The path of a key of this source; valid until the next call. */
static const char *key(struct visit *visit, const char *name)
{
    visit->path.len = visit->mark;
    tg_buf_printf(&visit->path, ".%s", name);
    if (visit->path.failed) visit->reader->failed = true;
    return visit->path.failed ? "source" : visit->path.data;
}

/* The base to which paths are appended, safe to be logged. */
static void check_url(struct visit *visit, const char *name, const char *url)
{
    struct tg_config_reader *reader = visit->reader;
    const char *path = key(visit, name);
    char *part = NULL;
    CURLU *parsed = curl_url();
    if (!parsed) {
        reader->failed = true;
        return;
    }
    if (curl_url_set(parsed, CURLUPART_URL, url, 0))
        FAULT(path, "expected a URL such as http://127.0.0.1:8000");
    else if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        FAULT(path, "expected http:// or https:// at its beginning");
    else if (!curl_url_get(parsed, CURLUPART_USER, &part, 0) ||
             !curl_url_get(parsed, CURLUPART_PASSWORD, &part, 0))
        FAULT(path, "a name or password in it would reach logs; use %.*s.headers", (int)visit->mark,
              path);
    else if (strchr(url, '?') || strchr(url, '#'))
        FAULT(path, "expected no query and no fragment: paths are appended to it");
    curl_free(part);
    curl_url_cleanup(parsed);
}

/* Braces in a header's value are placeholders; a misspelt one would be sent as it stands. */
static void check_header(struct visit *visit, const char *list,
                         const struct tg_config_header *header)
{
    struct tg_config_reader *reader = visit->reader;
    (void)key(visit, list);
    tg_config_path_key(&visit->path, header->name, strlen(header->name));
    for (const char *at = header->value; (at = strchr(at, '{')) != NULL; at++) {
        if (strncmp(at, "{account_id}", 12) == 0 || strncmp(at, "{subject}", 9) == 0 ||
            strncmp(at, "{login}", 7) == 0)
            continue;
        FAULT(visit->path.data ? visit->path.data : "source.headers",
              "its placeholders are {account_id}, {login} and {subject}; there is another \"{\"");
        return;
    }
}

static bool has_word(const char *words, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = words; (at = strstr(at, word)) != NULL; at += len)
        if ((at == words || at[-1] == ' ') && (at[len] == ' ' || !at[len])) return true;
    return false;
}

/* Keys of other drivers would do nothing here. */
static void check_drivers(struct visit *visit)
{
    struct tg_config_reader *reader = visit->reader;
    const char *driver = visit->source->driver;
    for (const struct tg_config_field *field = tg_config_source_fields; field->name; field++) {
        if (!field->drivers || has_word(field->drivers, driver)) continue;
        const char *path = key(visit, field->name), *second = strchr(field->drivers, ' ');
        size_t first = strcspn(field->drivers, " ");
        if (tg_config_is_given(reader, path))
            FAULT(path, "this belongs to the driver \"%.*s\"%s%s%s, and %.*s.driver is \"%s\"",
                  (int)first, field->drivers, second ? " or \"" : "", second ? second + 1 : "",
                  second ? "\"" : "", (int)visit->mark, path, driver);
    }
}

/* Whether accounts may have URLs of their own. */
static bool routed(const struct tg_config *config)
{
    return config->route || config->routes.file || config->routes.url;
}

static const char *request_key(struct visit *visit, int part, const char *name)
{
    char path[64];
    (void)snprintf(path, sizeof path, "requests.%s.%s", tg_http_part_names[part], name);
    return key(visit, path);
}

static void check_request(struct visit *visit, int part)
{
    struct tg_config_reader *reader = visit->reader;
    const struct tg_config_source *source = visit->source;
    const struct tg_config_request *request = &source->requests[part];
    struct tg_err why = {0};
    char headers[64];
    (void)snprintf(headers, sizeof headers, "requests.%s.headers", tg_http_part_names[part]);
    if (!request->path) {
        if (tg_config_is_given(reader, key(visit, headers)) || request->body || request->post)
            FAULT(request_key(visit, part, "path"), "this is required and missing");
        return;
    }
    if (request->path[0] != '/')
        FAULT(request_key(visit, part, "path"), "expected a path that begins with /");
    if (tg_http_template_check(request->path, TG_HTTP_IN_URL, &why))
        FAULT(request_key(visit, part, "path"), "%s", why.text);
    if (request->body && tg_http_template_check(request->body, TG_HTTP_IN_JSON, &why))
        FAULT(request_key(visit, part, "body"), "%s", why.text);
    if (request->body && !request->post)
        FAULT(request_key(visit, part, "body"), "a body needs method = \"POST\"");
    for (int i = 0; i < request->headers_count; i++)
        if (request->headers[i].name) check_header(visit, headers, &request->headers[i]);
}

static void check_requests(struct visit *visit)
{
    struct tg_config_reader *reader = visit->reader;
    const struct tg_config_request *requests = visit->source->requests;
    bool any = false, known = requests[TG_HTTP_SNAPSHOT].path || requests[TG_HTTP_ACCOUNT].path;
    for (int i = 0; i < TG_HTTP_PARTS; i++) {
        check_request(visit, i);
        any = any || requests[i].path;
    }
    if (any && !known)
        FAULT(key(visit, "requests"), "expected a snapshot or the account among them");
    static const enum tg_http_part mapped[] = {TG_HTTP_SNAPSHOT, TG_HTTP_ORDERS, TG_HTTP_HISTORY};
    for (size_t i = 0; i < sizeof mapped / sizeof *mapped && !visit->source->map; i++) {
        if (!requests[mapped[i]].path) continue;
        FAULT(key(visit, "map"), "this is required for requests.%s", tg_http_part_names[mapped[i]]);
        break;
    }
}

static void check_http(struct visit *visit)
{
    struct tg_config_reader *reader = visit->reader;
    const struct tg_config_source *source = visit->source;
    if (source->url)
        check_url(visit, "url", source->url);
    else if (!tg_config_is_given(reader, key(visit, "url")) && !routed(reader->config))
        FAULT(key(visit, "url"), "this is required with the driver \"http\" and missing");
    for (int i = 0; i < source->headers_count; i++)
        if (source->headers[i].name) check_header(visit, "headers", &source->headers[i]);
    check_requests(visit);
}

static void require(struct visit *visit, const char *name, const char *value)
{
    struct tg_config_reader *reader = visit->reader;
    if (!value && !tg_config_is_given(reader, key(visit, name)))
        FAULT(key(visit, name), "this is required with the driver \"%s\" and missing",
              visit->source->driver);
}

static void check_webapi_url(struct visit *visit, const char *name, const char *url)
{
    struct tg_config_reader *reader = visit->reader;
    struct tg_err err = {0};
    if (url && tg_webapi_source_check_url(url, &err)) FAULT(key(visit, name), "%s", err.text);
}

static void check_webapi(struct visit *visit)
{
    struct tg_config_reader *reader = visit->reader;
    const struct tg_config_source *source = visit->source;
    const char *login = source->webapi.login, *agent = source->webapi.agent;
    struct tg_err err = {0};
    require(visit, "url", source->url);
    require(visit, "login", login);
    require(visit, "password", source->webapi.password);
    check_webapi_url(visit, "url", source->url);
    for (int i = 0; i < source->webapi.fallback_urls_count; i++)
        check_webapi_url(visit, "fallback_urls", source->webapi.fallback_urls[i]);
    if (login && (strspn(login, "0123456789") != strlen(login) || strlen(login) > 19))
        FAULT(key(visit, "login"), "expected the number of a manager account");
    if (agent && strpbrk(agent, " \t")) FAULT(key(visit, "agent"), "expected no blanks in it");
    if (source->webapi.utc_offset && tg_webapi_source_check_offset(source->webapi.utc_offset, &err))
        FAULT(key(visit, "utc_offset"), "%s", err.text);
}

static void check_sim(struct visit *visit)
{
    struct tg_config_reader *reader = visit->reader;
    const struct tg_config_source *source = visit->source;
    int every = source->sim.outage_every_s;
    if (every && source->sim.outage_for_s >= every)
        FAULT(key(visit, "sim.outage_for_seconds"), "expected less than outage_every_seconds (%d)",
              every);
    if (source->sim.outage_for_s && !every)
        FAULT(key(visit, "sim.outage_for_seconds"),
              "this does nothing without outage_every_seconds");
}

static void check_replay(struct visit *visit)
{
    struct tg_config_reader *reader = visit->reader;
    if (!visit->source->replay.paths_count &&
        !tg_config_is_given(reader, key(visit, "replay.path")))
        FAULT(key(visit, "replay.path"), "this is required with the driver \"replay\" and missing");
}

static void check_source(struct visit *visit)
{
    struct tg_config_reader *reader = visit->reader;
    const struct tg_config_source *source = visit->source;
    check_drivers(visit);
    if (strcmp(source->driver, "http") == 0) check_http(visit);
    if (strcmp(source->driver, "mt5_webapi") == 0) check_webapi(visit);
    if (strcmp(source->driver, "sim") == 0) check_sim(visit);
    if (strcmp(source->driver, "replay") == 0) check_replay(visit);
    if (source->refused_first_ms > source->refused_max_ms) {
        const char *path = key(visit, "refused_first_ms");
        FAULT(path, "this is more than %.*s.refused_max_ms (%d)", (int)visit->mark, path,
              source->refused_max_ms);
    }
}

static void check_routes(struct tg_config_reader *reader)
{
    static const char *const of_url[] = {"routes.headers", "routes.interval_ms",
                                         "routes.timeout_ms", "routes.ca_file"};
    const struct tg_config *config = reader->config;
    if (config->routes.file && config->routes.url)
        FAULT("routes", "expected either file or url, got both");
    if (tg_config_is_given(reader, "routes") && !config->routes.file && !config->routes.url)
        FAULT("routes", "expected file or url");
    for (size_t i = 0; i < sizeof of_url / sizeof *of_url; i++)
        if (tg_config_is_given(reader, of_url[i]) && !config->routes.url)
            FAULT(of_url[i], "this does nothing without routes.url");
    struct tg_err err = {0};
    if (config->routes.url && tg_http_url_check(config->routes.url, &err))
        FAULT("routes.url", "%s", err.text);
    if (config->routes.missing_is_default && tg_config_default_source(config) < 0)
        FAULT("routes.missing", "\"default\" needs a source that is called \"main\"");
}

void tg_config_check_sources(struct tg_config_reader *reader)
{
    const struct tg_config *config = reader->config;
    bool several = tg_config_is_given(reader, "sources");
    if (several && !config->single.driver) return; /* `sources` could not be read, as was said */
    if (several && tg_config_is_given(reader, "source"))
        FAULT("sources", "expected either source or sources, got both");
    if (several && !routed(config) && tg_config_default_source(config) < 0)
        FAULT("sources", "several sources and none of them is called \"main\": accounts that are "
                         "sent nowhere else belong to that one");
    check_routes(reader);
    for (int i = 0; i < config->sources_count; i++) {
        struct visit visit = {.reader = reader, .source = &config->sources[i]};
        tg_buf_puts(&visit.path, several ? "sources" : "source");
        if (several)
            tg_config_path_key(&visit.path, visit.source->name, strlen(visit.source->name));
        visit.mark = visit.path.len;
        check_source(&visit);
        tg_buf_fini(&visit.path);
    }
}
