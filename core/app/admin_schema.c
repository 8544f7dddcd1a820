/* What the messages of the running set look like. */
#include "app/admin.h"

#include "net/http_target.h"

#include <string.h>

void tg_admin_schema(struct tg_admin_call *call)
{
    char format[32];
    struct tg_buf body = {0};
    struct tg_err err = {{0}};
    int n = tg_query_get(call->request->query, "format", format, sizeof format);
    struct tg_description asked = {.format = n > 0 ? format : "json-schema"};
    if (n == -TG_EINVAL || n == 0) {
        tg_admin_refuse(call, 400, "INVALID_PARAMETERS",
                        "format is json-schema, asyncapi or typescript");
        return;
    }
    int rc = tg_script_describe(call->gateway->script, &asked, &body, NULL, &err);
    if (rc >= 0) {
        if (!strcmp(asked.format, "typescript"))
            tg_admin_answer_text(call, &body);
        else
            tg_admin_answer(call, &body);
        return;
    }
    tg_buf_fini(&body);
    if (rc == -TG_ENOMEM)
        tg_admin_refuse(call, 503, "SERVICE_OVERLOADED", "not enough memory for the schema");
    else
        tg_admin_refuse(call, 400, "INVALID_PARAMETERS", "%s", err.text);
}
