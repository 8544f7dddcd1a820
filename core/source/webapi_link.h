/* A link: one TCP connection to a Web API server, TLS or clear, on the loop. */
#pragma once

#include "source/webapi_session.h"
#include "source/webapi_tls.h"

#include <uv.h>

struct tg_webapi_link;

struct tg_webapi_link_host {
    void (*opened)(void *ctx);
    void (*bytes)(void *ctx, const char *bytes, size_t len); /* the bytes are the callee's to read
                                                                until it returns */
    void (*closed)(void *ctx, const char *code, const char *message); /* "": the peer's end */
    void *ctx;
};

/* Begins to connect; `opened` or `closed` follows, never from inside. `trust` NULL: no TLS. `gone`
 * is called when the memory of the link has been freed, with `host.ctx`. NULL when memory is short.
 */
struct tg_webapi_link *tg_webapi_link_open(uv_loop_t *loop, const struct tg_webapi_endpoint *to,
                                           struct tg_webapi_trust *trust,
                                           const struct tg_webapi_link_host *host,
                                           void (*gone)(void *ctx));

/* Sends; what cannot be sent at once is kept. Calls nobody; failures are told by `closed`, later.
 */
void tg_webapi_link_send(struct tg_webapi_link *link, const char *bytes, size_t len);

/* Ends it, after what was sent if that takes no time; no callback but `gone` follows. */
void tg_webapi_link_close(struct tg_webapi_link *link);
