/* A document: the JSON of an answer, taken apart row by row as its bytes arrive. */
#pragma once

#include "base/buf.h"
#include "source/webapi_shape.h"
#include "source/webapi_text.h"

#include <stdint.h>

enum tg_webapi_document_state {
    TG_WEBAPI_DOC_BEFORE, /* nothing but blanks so far */
    TG_WEBAPI_DOC_TOP,    /* inside the envelope, before a member or its end */
    TG_WEBAPI_DOC_NAME,
    TG_WEBAPI_DOC_COLON,
    TG_WEBAPI_DOC_VALUE,
    TG_WEBAPI_DOC_TEXT,   /* a string value of the envelope */
    TG_WEBAPI_DOC_NUMBER, /* any other scalar of it */
    TG_WEBAPI_DOC_LIST,   /* between rows */
    TG_WEBAPI_DOC_ROW,
    TG_WEBAPI_DOC_AFTER, /* complete; only blanks may follow */
};

/* Called with each row, borrowed for the call. */
typedef void (*tg_webapi_on_row)(void *ctx, const struct tg_webapi_row *row);

/* Zero-initialise, then tg_webapi_document_begin. */
struct tg_webapi_document {
    enum tg_webapi_document_state state;
    bool envelope;                 /* REST: {"retcode":…, "answer":…}; raw: the answer alone */
    bool listed, single;           /* the answer is an array; the answer is one object */
    bool string, escaped, skipped; /* within a row: in a string; behind a backslash; not a row */
    bool comma;                    /* a comma, or the beginning, has been since the last row */
    int depth;                     /* open brackets of the row */
    size_t row_max;
    struct tg_buf row, name;
    struct tg_webapi_shape shape;    /* of the row before */
    struct tg_webapi_fields *fields; /* the envelope's scalars go here */
    tg_webapi_on_row on_row;
    void *ctx;
};

void tg_webapi_document_fini(struct tg_webapi_document *document);

/* Ready for a new document. `fields` may be NULL when there is no envelope. */
void tg_webapi_document_begin(struct tg_webapi_document *document, bool envelope,
                              struct tg_webapi_fields *fields);

/* Takes UTF-8 text, cut anywhere. 0, -TG_EPROTO (not such a document), -TG_ELIMIT (a row longer
 * than row_max) or -TG_ENOMEM. */
int tg_webapi_document_feed(struct tg_webapi_document *document, const char *text, size_t len);

/* Whether the document has been read to its end. */
bool tg_webapi_document_complete(const struct tg_webapi_document *document);
