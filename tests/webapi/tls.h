/* TLS for the REST transport, over memory: bytes in, bytes out, no sockets. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <openssl/ssl.h>
#include <stdbool.h>

/* A server with a certificate and a key in PEM files. NULL and the reason. */
SSL_CTX *mt_tls_context(const char *cert, const char *key, struct tg_err *err);

/* One connection's end. */
SSL *mt_tls_new(SSL_CTX *context);

/* Takes bytes of the network: appends what they say to `in`, and what is to be sent back to `out`.
 * False: the peer said goodbye or broke the protocol. */
bool mt_tls_open(SSL *ssl, const char *bytes, size_t len, struct tg_buf *in, struct tg_buf *out);

/* Appends bytes to be sent, sealed, to `out`. */
void mt_tls_seal(SSL *ssl, const char *bytes, size_t len, struct tg_buf *out);
