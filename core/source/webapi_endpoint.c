/* Addresses of Web API servers, read strictly: what is misread here would send a proof of the
 * password to somebody else. */
#include "source/webapi_session.h"

#include "base/text.h"

#include <string.h>

static const struct {
    const char *prefix;
    bool raw, tls;
    int port;
} schemes[] = {
    {"https://", false, true, 443}, {"http://", false, false, 80}, {"mt5://", true, false, 443}};

static int read_port(const char *text, int otherwise)
{
    uint64_t port;
    if (*text != ':') return *text ? -1 : otherwise;
    return tg_read_u64(text + 1, strlen(text + 1), &port) || !port || port > 65535 ? -1 : (int)port;
}

int tg_webapi_endpoint_read(struct tg_webapi_endpoint *out, const char *url, struct tg_err *err)
{
    struct tg_webapi_endpoint endpoint = {0};
    const char *at = NULL;
    int port = 0;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (strncmp(url, schemes[i].prefix, strlen(schemes[i].prefix)) != 0) continue;
        at = url + strlen(schemes[i].prefix);
        endpoint.raw = schemes[i].raw;
        endpoint.tls = schemes[i].tls;
        port = schemes[i].port;
    }
    if (!at) return tg_fail(err, TG_EINVAL, "expected https://host:443 or mt5://host:443");
    if (strpbrk(at, "/?#@ \\")) {
        size_t len = strlen(at);
        if (strcspn(at, "/?#@ \\") != len - 1 || at[len - 1] != '/')
            return tg_fail(err, TG_EINVAL, "expected a host and a port, and nothing behind them");
    }
    bool bracket = *at == '[';
    size_t len = bracket ? strcspn(at, "]") : strcspn(at, ":/");
    const char *host = at + bracket, *behind = at + len + (bracket && at[len] == ']');
    char rest[16];
    if (bracket && at[len] != ']')
        return tg_fail(err, TG_EINVAL, "expected a ] behind the address");
    len -= bracket;
    tg_copy(rest, sizeof rest, behind, strcspn(behind, "/"));
    if (!len || len >= sizeof endpoint.host)
        return tg_fail(err, TG_EINVAL, "expected a host behind ://");
    if ((port = read_port(rest, port)) < 0)
        return tg_fail(err, TG_EINVAL, "expected a port of 1 … 65535");
    tg_copy(endpoint.host, sizeof endpoint.host, host, len);
    endpoint.port = port;
    (void)snprintf(endpoint.authority, sizeof endpoint.authority, bracket ? "[%s]:%d" : "%s:%d",
                   endpoint.host, port);
    *out = endpoint;
    return 0;
}
