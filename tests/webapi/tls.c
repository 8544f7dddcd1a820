#include "tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>

SSL_CTX *mt_tls_context(const char *cert, const char *key, struct tg_err *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    tg_must(context);
    if (SSL_CTX_use_certificate_chain_file(context, cert) != 1) {
        (void)tg_fail(err, TG_EINVAL, "%s is not a certificate in PEM", cert);
    } else if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
        (void)tg_fail(err, TG_EINVAL, "%s is not the certificate's key in PEM", key);
    } else {
        return context;
    }
    SSL_CTX_free(context);
    return NULL;
}

SSL *mt_tls_new(SSL_CTX *context)
{
    SSL *ssl = SSL_new(context);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    tg_must(ssl && in && out);
    SSL_set_bio(ssl, in, out);
    SSL_set_accept_state(ssl);
    return ssl;
}

static void drain(SSL *ssl, struct tg_buf *out)
{
    char *bytes;
    BIO *bio = SSL_get_wbio(ssl);
    long len = BIO_get_mem_data(bio, &bytes);
    if (len > 0) tg_buf_add(out, bytes, (size_t)len);
    (void)BIO_reset(bio);
}

bool mt_tls_open(SSL *ssl, const char *bytes, size_t len, struct tg_buf *in, struct tg_buf *out)
{
    char text[16384];
    int n;
    tg_must(BIO_write(SSL_get_rbio(ssl), bytes, (int)len) == (int)len);
    while ((n = SSL_read(ssl, text, sizeof text)) > 0)
        tg_buf_add(in, text, (size_t)n);
    bool fine = SSL_get_error(ssl, n) == SSL_ERROR_WANT_READ;
    drain(ssl, out);
    ERR_clear_error();
    return fine;
}

void mt_tls_seal(SSL *ssl, const char *bytes, size_t len, struct tg_buf *out)
{
    while (len) {
        size_t n = len < 1 << 20 ? len : 1 << 20;
        if (SSL_write(ssl, bytes, (int)n) != (int)n) break;
        bytes += n;
        len -= n;
        drain(ssl, out);
    }
}
