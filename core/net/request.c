/* The view that keeps the parser's types out of the gateway. */
#include "net/request.h"

const char *tg_request_header(const struct tg_request *request, const char *name)
{
    return tg_http_headers_get(request->headers, name);
}
