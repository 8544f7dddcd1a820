/* A whole server's positions in one answer are tens of megabytes; they are never held, only the row
 * that is being read. Here brackets and strings are followed and nothing else is judged: whether a
 * row is good JSON is for its reader to say, so that one account's broken row stays its own. */
#include "source/webapi_document.h"

#include "base/err.h"

#include <string.h>

void tg_webapi_document_fini(struct tg_webapi_document *document)
{
    tg_buf_fini(&document->row);
    tg_buf_fini(&document->name);
    tg_webapi_shape_fini(&document->shape);
}

void tg_webapi_document_begin(struct tg_webapi_document *document, bool envelope,
                              struct tg_webapi_fields *fields)
{
    document->state = TG_WEBAPI_DOC_BEFORE;
    document->envelope = envelope;
    document->fields = fields;
    document->listed = document->single = false;
    tg_buf_clear(&document->row);
}

bool tg_webapi_document_complete(const struct tg_webapi_document *document)
{
    return document->state == TG_WEBAPI_DOC_AFTER;
}

static bool blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* What a byte does outside of strings: 1 begins a string, 2 opens, 3 closes, 0 is nothing to us. */
static const uint8_t structure[256] = {['"'] = 1, ['{'] = 2, ['['] = 2, ['}'] = 3, [']'] = 3};

/* The end of a string that goes on at `at`: its quote, or `end`. */
static const char *string_end(struct tg_webapi_document *doc, const char *at, const char *end)
{
    bool escaped = doc->escaped;
    for (; at < end; at++) {
        if (escaped)
            escaped = false;
        else if (*at == '\\')
            escaped = true;
        else if (*at == '"')
            break;
    }
    doc->escaped = escaped;
    return at;
}

/* The end of the row that goes on at `at`: behind its last bracket, or NULL when it is not here. */
static const char *row_end(struct tg_webapi_document *doc, const char *at, const char *end)
{
    for (;; at++) {
        if (doc->string) {
            at = string_end(doc, at, end);
            if (at == end) return NULL;
            doc->string = false;
            at++;
        }
        while (at < end && !structure[(unsigned char)*at])
            at++;
        if (at == end) return NULL;
        uint8_t what = structure[(unsigned char)*at];
        if (what == 1)
            doc->string = true;
        else if (what == 2)
            doc->depth++;
        else if (!--doc->depth)
            return at + 1;
    }
}

static void begin_row(struct tg_webapi_document *doc, bool skipped)
{
    doc->state = TG_WEBAPI_DOC_ROW;
    doc->string = doc->escaped = doc->comma = false;
    doc->depth = 0;
    doc->skipped = skipped;
    tg_buf_clear(&doc->row);
}

static void after_row(struct tg_webapi_document *doc)
{
    if (doc->skipped)
        doc->state = TG_WEBAPI_DOC_TOP;
    else if (doc->listed)
        doc->state = TG_WEBAPI_DOC_LIST;
    else
        doc->state = doc->envelope ? TG_WEBAPI_DOC_TOP : TG_WEBAPI_DOC_AFTER;
}

/* Gives a whole row out. One that is no JSON goes without a shape: whose it is and what becomes of
 * it is for its reader to say. */
static int give_row(struct tg_webapi_document *doc, const char *text, size_t len)
{
    struct tg_webapi_row row = {text, len, &doc->shape};
    if (tg_webapi_shape_match(&doc->shape, text, len) != len) {
        int rc = tg_webapi_shape_learn(&doc->shape, text, len);
        if (rc == -TG_ENOMEM) return rc;
        if (rc) row.shape = NULL;
    }
    doc->on_row(doc->ctx, &row);
    return 0;
}

/* A row that looks like the one before and lies whole in this piece of text, in one pass; false
 * when it is to be read the long way. */
static bool take_like(struct tg_webapi_document *doc, const char **at, const char *end, int *rc)
{
    if (doc->skipped || doc->row.len || doc->depth) return false;
    size_t len = tg_webapi_shape_match(&doc->shape, *at, (size_t)(end - *at));
    if (!len) return false;
    *rc = len > doc->row_max ? -TG_ELIMIT : 0;
    if (!*rc) doc->on_row(doc->ctx, &(struct tg_webapi_row){*at, len, &doc->shape});
    *at += len;
    after_row(doc);
    return true;
}

/* A row that lies whole in this piece of text is not copied. */
static int take_row(struct tg_webapi_document *doc, const char **at, const char *end)
{
    int rc = 0;
    if (take_like(doc, at, end, &rc)) return rc;
    const char *stop = row_end(doc, *at, end);
    size_t part = (size_t)((stop ? stop : end) - *at);
    if (doc->row.len + part > doc->row_max) return -TG_ELIMIT;
    if (!doc->skipped && (!stop || doc->row.len)) tg_buf_add(&doc->row, *at, part);
    if (doc->row.failed) return -TG_ENOMEM;
    if (stop && !doc->skipped) {
        bool copied = doc->row.len > 0;
        rc = give_row(doc, copied ? doc->row.data : *at, copied ? doc->row.len : part);
    }
    *at += part;
    if (stop) after_row(doc);
    return rc;
}

/* The bracket that opens the answer. */
static int begin_answer(struct tg_webapi_document *doc, const char **at)
{
    if (doc->listed || doc->single) return -TG_EPROTO;
    if (**at == '[') {
        doc->listed = doc->comma = true;
        doc->state = TG_WEBAPI_DOC_LIST;
        ++*at;
    } else {
        doc->single = true;
        begin_row(doc, false);
    }
    return 0;
}

static int take_list(struct tg_webapi_document *doc, const char **at)
{
    char c = **at;
    if (c == '{' && doc->comma) {
        begin_row(doc, false);
        return 0;
    }
    if (c == ',' && !doc->comma)
        doc->comma = true;
    else if (c == ']')
        doc->state = doc->envelope ? TG_WEBAPI_DOC_TOP : TG_WEBAPI_DOC_AFTER;
    else
        return -TG_EPROTO;
    ++*at;
    return 0;
}

static int take_value(struct tg_webapi_document *doc, const char **at)
{
    bool answer = doc->name.len == 6 && !memcmp(doc->name.data, "answer", 6);
    tg_buf_clear(&doc->row);
    if (**at == '{' || **at == '[') {
        if (answer) return begin_answer(doc, at);
        begin_row(doc, true);
    } else if (**at == '"') {
        doc->escaped = false;
        doc->state = TG_WEBAPI_DOC_TEXT;
        ++*at;
    } else {
        doc->state = TG_WEBAPI_DOC_NUMBER;
    }
    return 0;
}

static void keep_field(struct tg_webapi_document *doc)
{
    tg_webapi_fields_add(doc->fields, doc->name.data ? doc->name.data : "", doc->name.len,
                         doc->row.data ? doc->row.data : "", doc->row.len);
    tg_buf_clear(&doc->row);
    doc->state = TG_WEBAPI_DOC_TOP;
}

/* A byte of a name or of a text value; both end at their quote. Escapes are kept as they are: what
 * we ask for by name has none. */
static int take_quoted(struct tg_webapi_document *doc, struct tg_buf *into, const char **at)
{
    char c = *(*at)++;
    if (c == '"' && !doc->escaped) {
        if (doc->state == TG_WEBAPI_DOC_TEXT)
            keep_field(doc);
        else
            doc->state = TG_WEBAPI_DOC_COLON;
        return 0;
    }
    doc->escaped = c == '\\' && !doc->escaped;
    if (into->len >= doc->row_max) return -TG_ELIMIT;
    tg_buf_putc(into, c);
    return into->failed ? -TG_ENOMEM : 0;
}

static int take_top(struct tg_webapi_document *doc, const char **at)
{
    char c = *(*at)++;
    if (c == '"') {
        tg_buf_clear(&doc->name);
        doc->escaped = false;
        doc->state = TG_WEBAPI_DOC_NAME;
    } else if (c == '}') {
        doc->state = TG_WEBAPI_DOC_AFTER;
    } else if (c != ',') {
        return -TG_EPROTO;
    }
    return 0;
}

static int take_before(struct tg_webapi_document *doc, const char **at)
{
    if (**at != '{' && **at != '[') return -TG_EPROTO;
    if (!doc->envelope) return begin_answer(doc, at);
    if (**at != '{') return -TG_EPROTO;
    doc->state = TG_WEBAPI_DOC_TOP;
    ++*at;
    return 0;
}

static int take_number(struct tg_webapi_document *doc, const char **at)
{
    if (**at == ',' || **at == '}' || blank(**at)) {
        keep_field(doc);
        return 0;
    }
    if (doc->row.len >= 64 || strchr("\"{}[]:", **at)) return -TG_EPROTO;
    tg_buf_putc(&doc->row, *(*at)++);
    return doc->row.failed ? -TG_ENOMEM : 0;
}

int tg_webapi_document_feed(struct tg_webapi_document *doc, const char *text, size_t len)
{
    const char *at = text, *end = text + len;
    int rc = 0;
    while (!rc && at < end) {
        bool inside = doc->state == TG_WEBAPI_DOC_NAME || doc->state == TG_WEBAPI_DOC_TEXT ||
                      doc->state == TG_WEBAPI_DOC_NUMBER || doc->state == TG_WEBAPI_DOC_ROW;
        if (!inside && blank(*at)) {
            at++;
            continue;
        }
        switch (doc->state) {
        case TG_WEBAPI_DOC_BEFORE: rc = take_before(doc, &at); break;
        case TG_WEBAPI_DOC_TOP: rc = take_top(doc, &at); break;
        case TG_WEBAPI_DOC_NAME: rc = take_quoted(doc, &doc->name, &at); break;
        case TG_WEBAPI_DOC_COLON:
            rc = *at++ == ':' ? 0 : -TG_EPROTO;
            doc->state = TG_WEBAPI_DOC_VALUE;
            break;
        case TG_WEBAPI_DOC_VALUE: rc = take_value(doc, &at); break;
        case TG_WEBAPI_DOC_TEXT: rc = take_quoted(doc, &doc->row, &at); break;
        case TG_WEBAPI_DOC_NUMBER: rc = take_number(doc, &at); break;
        case TG_WEBAPI_DOC_LIST: rc = take_list(doc, &at); break;
        case TG_WEBAPI_DOC_ROW: rc = take_row(doc, &at, end); break;
        case TG_WEBAPI_DOC_AFTER: rc = -TG_EPROTO; break;
        }
    }
    return rc;
}
