/* Two kinds of failure live here: codes for code, sentences for people. They are kept apart so
 * that the hot path never formats text nobody reads. */
#include "base/err.h"

#include <stdarg.h>

static const char *const names[] = {
    [0] = "ok",
    [TG_EINVAL] = "malformed input",
    [TG_ENOMEM] = "out of memory",
    [TG_ELIMIT] = "limit reached",
    [TG_EAGAIN] = "not yet",
    [TG_ENOTFOUND] = "not found",
    [TG_EEXIST] = "exists already",
    [TG_EPROTO] = "protocol error",
    [TG_EAUTH] = "not allowed",
    [TG_EIO] = "input/output error",
    [TG_ETIMEOUT] = "timed out",
    [TG_ECLOSED] = "closed",
};

const char *tg_strerror(int code)
{
    if (code < 0) code = -code;
    if ((size_t)code >= sizeof names / sizeof *names) return "unknown error";
    return names[code];
}

int tg_fail(struct tg_err *err, int code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return -code;
}

void tg_must_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "tidegate: internal error: %s does not hold at %s:%d\n", condition, file, line);
    abort();
}
