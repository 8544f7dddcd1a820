/* From return codes and statuses to how polls end. */
#include "source/webapi_batch.h"
#include "source/webapi_retcode.h"

static enum tg_poll_end end_of(const struct tg_webapi_answer *answer)
{
    if (answer->retcode < 0) {
        if (answer->status == 401 || answer->status == 403) return TG_POLL_REFUSED;
        return answer->status == 429 ? TG_POLL_BUSY : TG_POLL_FAILED;
    }
    switch (tg_webapi_classify(answer->retcode)) {
    case TG_WEBAPI_DONE:
    case TG_WEBAPI_NO_DATA: return TG_POLL_OK;
    case TG_WEBAPI_SLOW: return TG_POLL_BUSY;
    case TG_WEBAPI_REFUSED: return TG_POLL_REFUSED;
    default: return TG_POLL_FAILED;
    }
}

bool tg_webapi_judge(const struct tg_webapi_answer *answer, const char *command,
                     struct tg_rest_verdict *verdict)
{
    enum tg_poll_end end = end_of(answer);
    const char *hint = tg_webapi_retcode_hint(answer->retcode);
    if (end == TG_POLL_OK) return false;
    if (answer->retcode >= 0)
        (void)tg_rest_fail(verdict, end, tg_webapi_retcode_name(answer->retcode), "%s: %s%s%s",
                           command, answer->text, *hint ? "; " : "", hint);
    else if (answer->status)
        (void)tg_rest_fail(verdict, end, "HTTP_STATUS", "%s: HTTP status %d and no document",
                           command, answer->status);
    else
        (void)tg_rest_fail(verdict, end, "BAD_DOCUMENT", "%s: %s", command, answer->text);
    return true;
}
