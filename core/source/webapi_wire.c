/* What both protocols do alike: an answer is a document and some fields beside it, it has a bound,
 * and it is told of once, at its end. */
#include "source/webapi_wire.h"

#include "base/err.h"
#include "source/webapi_retcode.h"

#include <stdlib.h>

void tg_webapi_wire_init(struct tg_webapi_wire *wire, const struct tg_webapi_wire_ops *ops,
                         const struct tg_webapi_wire_options *options,
                         const struct tg_webapi_wire_host *host)
{
    wire->ops = ops;
    wire->host = *host;
    wire->answer_max = options->answer_max;
    wire->document.row_max = options->row_max;
    wire->document.on_row = host->row;
    wire->document.ctx = host->ctx;
}

void tg_webapi_wire_fini(struct tg_webapi_wire *wire)
{
    tg_webapi_document_fini(&wire->document);
    tg_webapi_fields_fini(&wire->fields);
}

void tg_webapi_wire_free(struct tg_webapi_wire *wire)
{
    if (wire) wire->ops->free(wire);
}

void tg_webapi_wire_begin(struct tg_webapi_wire *wire, bool envelope)
{
    tg_must(!wire->awaiting);
    wire->awaiting = true;
    wire->answer_len = 0;
    tg_webapi_fields_clear(&wire->fields);
    tg_webapi_document_begin(&wire->document, envelope, &wire->fields);
}

int tg_webapi_wire_fail(struct tg_webapi_wire *wire, int code, const char *why)
{
    (void)snprintf(wire->why, sizeof wire->why, "%s", why);
    return -code;
}

int tg_webapi_wire_text(struct tg_webapi_wire *wire, const char *text, size_t len)
{
    wire->answer_len += (int64_t)len;
    if (wire->answer_len > wire->answer_max)
        return tg_webapi_wire_fail(wire, TG_ELIMIT, "the answer is too large (answer_bytes)");
    switch (tg_webapi_document_feed(&wire->document, text, len)) {
    case 0: return 0;
    case -TG_ELIMIT:
        return tg_webapi_wire_fail(wire, TG_ELIMIT, "a row of the answer is too large (row_bytes)");
    case -TG_ENOMEM: return tg_webapi_wire_fail(wire, TG_ENOMEM, "out of memory");
    default: return tg_webapi_wire_fail(wire, TG_EPROTO, "the answer is not the JSON it should be");
    }
}

void tg_webapi_wire_done(struct tg_webapi_wire *wire, int status)
{
    const char *text = tg_webapi_fields_get(&wire->fields, "RETCODE");
    const struct tg_webapi_document *document = &wire->document;
    struct tg_webapi_answer answer = {
        .retcode = text ? tg_webapi_retcode(text) : -1,
        .text = text ? text : "the answer has no return code",
        .status = status,
        .listed = document->listed,
        .single = document->single,
        .fields = &wire->fields,
    };
    wire->awaiting = false;
    wire->host.answer(wire->host.ctx, &answer);
}
