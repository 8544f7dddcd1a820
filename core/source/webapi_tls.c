/* OpenSSL between two memory buffers. TLS 1.2 at least, the chain and the host's name are verified,
 * and there is no way to switch that off: what passes here proves and reads other people's money.
 */
#include "source/webapi_tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

struct tg_webapi_tls {
    SSL *ssl;
    BIO *in, *out; /* belong to the SSL */
    bool ready;
};

static SSL_CTX *context_of(struct tg_webapi_trust *trust)
{
    return (SSL_CTX *)(void *)trust;
}

int tg_webapi_trust_open(const char *ca_file, struct tg_webapi_trust **out, struct tg_err *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context) return tg_fail(err, TG_ENOMEM, "out of memory");
    (void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    int ok = ca_file ? SSL_CTX_load_verify_locations(context, ca_file, NULL)
                     : SSL_CTX_set_default_verify_paths(context);
    if (ok != 1) {
        ERR_clear_error();
        SSL_CTX_free(context);
        return tg_fail(err, TG_EINVAL, "cannot read the certificates in %s",
                       ca_file ? ca_file : "the system's store");
    }
    *out = (struct tg_webapi_trust *)(void *)context;
    return 0;
}

void tg_webapi_trust_free(struct tg_webapi_trust *trust)
{
    SSL_CTX_free(context_of(trust));
}

/* An address is looked for among the certificate's addresses, a name among its names. */
static int expect_host(SSL *ssl, const char *host)
{
    unsigned char address[16];
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(param, host);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct tg_webapi_tls *tg_webapi_tls_new(struct tg_webapi_trust *trust, const char *host)
{
    struct tg_webapi_tls *tls = calloc(1, sizeof *tls);
    if (!tls) return NULL;
    tls->ssl = SSL_new(context_of(trust));
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (!tls->ssl || !tls->in || !tls->out) {
        BIO_free(tls->in);
        BIO_free(tls->out);
        SSL_free(tls->ssl);
        free(tls);
        return NULL;
    }
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    SSL_set_connect_state(tls->ssl);
    if (expect_host(tls->ssl, host) == 1) return tls;
    tg_webapi_tls_free(tls);
    return NULL;
}

void tg_webapi_tls_free(struct tg_webapi_tls *tls)
{
    if (!tls) return;
    SSL_free(tls->ssl);
    free(tls);
}

static int broken(struct tg_webapi_tls *tls, struct tg_err *err)
{
    long verified = SSL_get_verify_result(tls->ssl);
    unsigned long code = ERR_get_error();
    char text[160];
    ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    if (verified != X509_V_OK)
        return tg_fail(err, TG_EPROTO, "TLS: the server's certificate: %s",
                       X509_verify_cert_error_string(verified));
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    return tg_fail(err, TG_EPROTO, "TLS: %s", reason ? reason : text);
}

int tg_webapi_tls_take(struct tg_webapi_tls *tls, const char *bytes, size_t len,
                       struct tg_buf *plain, struct tg_err *err)
{
    ERR_clear_error();
    if (len && BIO_write(tls->in, bytes, (int)len) != (int)len)
        return tg_fail(err, TG_EPROTO, "TLS: out of memory");
    if (!tls->ready) {
        int rc = SSL_do_handshake(tls->ssl);
        if (rc != 1)
            return SSL_get_error(tls->ssl, rc) == SSL_ERROR_WANT_READ ? 0 : broken(tls, err);
        tls->ready = true;
    }
    for (;;) {
        if (tg_buf_reserve(plain, 16384)) return tg_fail(err, TG_EPROTO, "TLS: out of memory");
        int got = SSL_read(tls->ssl, plain->data + plain->len, 16384);
        if (got > 0) {
            plain->len += (size_t)got;
            continue;
        }
        plain->data[plain->len] = '\0';
        int why = SSL_get_error(tls->ssl, got);
        return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_ZERO_RETURN ? 0 : broken(tls, err);
    }
}

bool tg_webapi_tls_ready(const struct tg_webapi_tls *tls)
{
    return tls->ready;
}

int tg_webapi_tls_put(struct tg_webapi_tls *tls, const char *bytes, size_t len)
{
    ERR_clear_error();
    return !len || SSL_write(tls->ssl, bytes, (int)len) == (int)len ? 0 : -TG_EPROTO;
}

int tg_webapi_tls_out(struct tg_webapi_tls *tls, struct tg_buf *out)
{
    size_t pending = BIO_ctrl_pending(tls->out);
    if (!pending) return 0;
    if (tg_buf_reserve(out, pending)) return -TG_ENOMEM;
    int got = BIO_read(tls->out, out->data + out->len, (int)pending);
    if (got > 0) out->len += (size_t)got;
    return 0;
}
