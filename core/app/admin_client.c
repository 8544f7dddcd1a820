#include "app/admin_client.h"

#include "base/json.h"

#include <curl/curl.h>
#include <string.h>

#define TIMEOUT_MS 10000L
#define BODY_MAX (64u << 20)

static size_t on_bytes(char *bytes, size_t size, size_t count, void *to)
{
    struct tg_buf *body = to;
    if (body->len + size * count > BODY_MAX) return 0;
    tg_buf_add(body, bytes, size * count);
    return body->failed ? 0 : size * count;
}

/* The gateway's own sentence, where the body has one. */
static int refused(long status, const struct tg_buf *body, struct tg_err *err)
{
    struct tg_json json = {0};
    struct tg_buf text = {0};
    uint32_t error = 0, message = 0;
    if (body->data && !tg_json_parse(&json, body->data, body->len, NULL)) {
        error = tg_json_get(&json, 0, "error");
        message = error ? tg_json_get(&json, error, "message") : 0;
    }
    if (message) tg_json_unescape(&text, &json.tokens[message]);
    int rc = text.len && !text.failed
                 ? tg_fail(err, TG_EINVAL, "the gateway refuses: %s (HTTP %ld)", text.data, status)
                 : tg_fail(err, TG_EINVAL, "the gateway answers with HTTP status %ld", status);
    tg_buf_fini(&text);
    tg_json_fini(&json);
    return rc;
}

static int perform(CURL *curl, const char *url, struct tg_buf *body, struct tg_err *err)
{
    long status = 0;
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) return tg_fail(err, TG_EIO, "%s: %s", url, curl_easy_strerror(code));
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status == 200 ? 0 : refused(status, body, err);
}

int tg_admin_get(const struct tg_admin_request *request, struct tg_buf *out, struct tg_err *err)
{
    struct tg_buf url = {0}, bearer = {0}, body = {0};
    struct curl_slist *headers = NULL;
    CURL *curl = curl_easy_init();
    int rc = -TG_ENOMEM;
    size_t host = strlen(request->url);
    while (host && request->url[host - 1] == '/')
        host--;
    tg_buf_add(&url, request->url, host);
    tg_buf_puts(&url, request->path);
    if (request->token) {
        tg_buf_printf(&bearer, "Authorization: Bearer %s", request->token);
        if (!bearer.failed) headers = curl_slist_append(NULL, bearer.data);
    }
    if (curl && !url.failed && (headers || !request->token)) {
        (void)curl_easy_setopt(curl, CURLOPT_URL, url.data);
        (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
        (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
        (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
        (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
        rc = perform(curl, request->url, &body, err);
    } else {
        (void)tg_fail(err, TG_ENOMEM, "out of memory");
    }
    if (!rc) tg_buf_add(out, body.data, body.len);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    tg_buf_fini(&url);
    tg_buf_fini(&bearer);
    tg_buf_fini(&body);
    return rc;
}

void tg_admin_escape(struct tg_buf *out, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *text; text++) {
        if (strchr(plain, *text))
            tg_buf_putc(out, *text);
        else
            tg_buf_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
    }
}
