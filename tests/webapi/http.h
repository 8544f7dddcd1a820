/* Requests of HTTP/1.1, read as leniently as the real server reads them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Everything points into the buffer that was read, which is changed for it. */
struct mt_http {
    char *method, *target;
    char *cookie; /* or NULL */
    bool keep_alive;
    bool wants_continue; /* and its body has not come */
    const char *body;
    size_t body_len, used; /* `used`: bytes of the request */
};

/* Reads one request off the front of `text`. 0, -TG_EAGAIN (more is needed; nothing was changed) or
 * -TG_EPROTO. */
int mt_http_read(char *text, size_t len, struct mt_http *out);
