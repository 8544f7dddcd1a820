/* TLS over bytes: a client's half of a connection, without I/O. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* Trust: which certificates are believed. Shared by connections. */
struct tg_webapi_trust;

/* `ca_file` NULL: the system's certificates. 0, -TG_EINVAL (it cannot be read), -TG_ENOMEM. */
int tg_webapi_trust_open(const char *ca_file, struct tg_webapi_trust **out, struct tg_err *err);
void tg_webapi_trust_free(struct tg_webapi_trust *trust);

struct tg_webapi_tls;

/* A connection to `host`, whose name or address the certificate must carry. NULL when memory is
 * short. */
struct tg_webapi_tls *tg_webapi_tls_new(struct tg_webapi_trust *trust, const char *host);
void tg_webapi_tls_free(struct tg_webapi_tls *tls);

/* Takes bytes from the peer (none to begin), appends what they decrypt to. 0, or -TG_EPROTO with a
 * sentence in `err`: the connection is not to be trusted, or is broken. What is to be sent is then
 * in tg_webapi_tls_out. */
int tg_webapi_tls_take(struct tg_webapi_tls *tls, const char *bytes, size_t len,
                       struct tg_buf *plain, struct tg_err *err);

/* Whether the handshake is done. */
bool tg_webapi_tls_ready(const struct tg_webapi_tls *tls);

/* Encrypts; only when ready. 0 or -TG_EPROTO. */
int tg_webapi_tls_put(struct tg_webapi_tls *tls, const char *bytes, size_t len);

/* Moves what is to be sent to `out`. 0 or -TG_ENOMEM. */
int tg_webapi_tls_out(struct tg_webapi_tls *tls, struct tg_buf *out);
