/* What stands in a place may be a stranger's text (a subject), so nothing is put in as it comes: in
 * a URL it cannot end its segment or its parameter, in a JSON body it cannot end its string. */
#include "source/http_template.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "source/http_url.h"

#include <string.h>

static const char *const names[] = {"account_id", "login", "subject",  "since",     "since_ms",
                                    "since_iso",  "until", "until_ms", "until_iso", NULL};

/* The place that begins here, and its length with the braces; -1 when none does. */
static int place_at(const char *text, size_t *len)
{
    for (int i = 0; *text == '{' && names[i]; i++) {
        size_t n = strlen(names[i]);
        if (strncmp(text + 1, names[i], n) != 0 || text[n + 1] != '}') continue;
        *len = n + 2;
        return i;
    }
    return -1;
}

static bool is_brace(const char *at, enum tg_http_encoding encoding)
{
    return encoding == TG_HTTP_IN_JSON && !((at[1] >= 'a' && at[1] <= 'z') || at[1] == '_');
}

int tg_http_template_check(const char *text, enum tg_http_encoding encoding, struct tg_err *err)
{
    for (const char *at = text; (at = strchr(at, '{')) != NULL; at++) {
        size_t len;
        char word[32];
        if (place_at(at, &len) >= 0 || is_brace(at, encoding)) continue;
        len = strcspn(at + 1, "}");
        tg_copy(word, sizeof word, at + 1, len);
        const char *near = tg_nearest(word, names);
        return tg_fail(err, TG_EINVAL,
                       near ? "there is no place \"{%s}\"; did you mean \"{%s}\"?"
                            : "there is no place \"{%s}\"; there are account_id, login, subject, "
                              "since, since_ms, since_iso, until, until_ms and until_iso",
                       word, near);
    }
    return 0;
}

bool tg_http_template_names(const char *text)
{
    return strstr(text, "{account_id}") || strstr(text, "{login}");
}

static void put_text(struct tg_buf *out, const char *text, enum tg_http_encoding encoding)
{
    if (encoding == TG_HTTP_IN_URL) {
        tg_http_url_segment(out, text);
        return;
    }
    struct tg_buf quoted = {0};
    tg_json_text(&quoted, text);
    if (quoted.failed || quoted.len < 2)
        out->failed = true;
    else
        tg_buf_add(out, quoted.data + 1, quoted.len - 2);
    tg_buf_fini(&quoted);
}

/* Whole seconds, cut: never too late a beginning. The end is rounded up by who chose it. */
static void put_time(struct tg_buf *out, int64_t ms, int form)
{
    char iso[TG_ISO8601_SIZE];
    if (form == 0) tg_buf_printf(out, "%lld", (long long)(ms / 1000));
    if (form == 1) tg_buf_printf(out, "%lld", (long long)ms);
    if (form != 2) return;
    tg_iso8601_write(iso, ms);
    tg_buf_add(out, iso, strlen("YYYY-MM-DDTHH:MM:SS"));
    tg_buf_putc(out, 'Z');
}

void tg_http_template_put(struct tg_buf *out, const char *text, const struct tg_http_places *places,
                          enum tg_http_encoding encoding)
{
    const char *const texts[] = {places->account_id, places->login, places->subject};
    while (*text) {
        size_t len = 1;
        int place = place_at(text, &len);
        if (place < 0)
            tg_buf_putc(out, *text);
        else if (place < 3)
            put_text(out, texts[place], encoding);
        else
            put_time(out, place < 6 ? places->since_ms : places->until_ms, (place - 3) % 3);
        text += len;
    }
}
