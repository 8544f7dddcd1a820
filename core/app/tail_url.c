/* Read strictly: the parts go into a request head, where a stray blank would be somebody else's
 * header. wss:// is refused by name, because silently speaking plain text would be worse. */
#include "app/tail_url.h"

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define HOST_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"
#define PATH_BYTES HOST_BYTES "~/%!$&'()*+,;=:@"

static int bad(struct tg_err *err, const char *text, const char *why)
{
    return tg_fail(err, TG_EINVAL, "\"%.100s\" is no address: %s", text, why);
}

int tg_tail_url_read(const char *text, struct tg_tail_url *out, struct tg_err *err)
{
    struct tg_tail_url url = {.port = "80"};
    if (strncmp(text, "wss://", 6) == 0)
        return bad(err, text, "wss:// is not supported in this version");
    if (strncmp(text, "ws://", 5) != 0) return bad(err, text, "expected ws://host:port");
    const char *at = text + 5;
    bool brackets = *at == '[';
    at += brackets;
    size_t host = strspn(at, brackets ? "0123456789abcdefABCDEF:." : HOST_BYTES);
    if (!host || host >= sizeof url.host || (brackets && at[host] != ']'))
        return bad(err, text, "expected a host name or an IP address behind ws://");
    memcpy(url.host, at, host);
    at += host + brackets;
    if (*at == ':') {
        uint64_t port;
        size_t n = strspn(++at, "0123456789");
        if (tg_read_u64(at, n, &port) || port < 1 || port > 65535)
            return bad(err, text, "expected a port from 1 to 65535");
        memcpy(url.port, at, n);
        url.port[n] = '\0';
        at += n;
    }
    (void)snprintf(url.authority, sizeof url.authority, brackets ? "[%s]:%s" : "%s:%s", url.host,
                   url.port);
    size_t path = strlen(at);
    if (path >= sizeof url.prefix) return bad(err, text, "its path is too long");
    if ((path && *at != '/') || strspn(at, PATH_BYTES) != path)
        return bad(err, text, "expected a plain path behind the port, and no query");
    memcpy(url.prefix, at, path);
    while (path && url.prefix[path - 1] == '/')
        url.prefix[--path] = '\0';
    *out = url;
    return 0;
}
