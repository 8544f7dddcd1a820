/* The check is made by the parser of the client that will use the URL, so that the two cannot read
 * it differently. */
#include "source/http_url.h"

#include <curl/curl.h>
#include <string.h>

int tg_http_url_check(const char *url, struct tg_err *err)
{
    char *part = NULL;
    const char *wrong = NULL;
    CURLU *parsed = curl_url();
    if (!parsed) return tg_fail(err, TG_ENOMEM, "out of memory");
    static const struct {
        CURLUPart part;
        const char *wrong;
    } unwanted[] = {
        {CURLUPART_USER, "a user name (use a header for credentials)"},
        {CURLUPART_PASSWORD, "a password (use a header for credentials)"},
        {CURLUPART_QUERY, "a query"},
        {CURLUPART_FRAGMENT, "a fragment"},
    };
    CURLUcode rc = curl_url_set(parsed, CURLUPART_URL, url, 0);
    if (rc || curl_url_get(parsed, CURLUPART_SCHEME, &part, 0) ||
        (strcmp(part, "http") != 0 && strcmp(part, "https") != 0))
        wrong = "not an http or https URL";
    curl_free(part);
    for (size_t i = 0; !wrong && i < sizeof unwanted / sizeof *unwanted; i++) {
        part = NULL;
        if (!curl_url_get(parsed, unwanted[i].part, &part, 0)) wrong = unwanted[i].wrong;
        curl_free(part);
    }
    curl_url_cleanup(parsed);
    return wrong ? tg_fail(err, TG_EINVAL, "the source's URL: %s", wrong) : 0;
}

void tg_http_url_base(struct tg_buf *out, const char *url)
{
    size_t len = strlen(url);
    while (len && url[len - 1] == '/')
        len--;
    tg_buf_add(out, url, len);
}

static bool unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void tg_http_url_segment(struct tg_buf *out, const char *text)
{
    bool dots = strspn(text, ".") == strlen(text);
    for (; *text; text++) {
        if (unreserved(*text) && !dots)
            tg_buf_putc(out, *text);
        else
            tg_buf_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
    }
}
