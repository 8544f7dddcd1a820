/* The command line's side of the admin calls. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct tg_admin_request {
    const char *url;   /* of the admin listener: "http://127.0.0.1:9090" */
    const char *token; /* admin.token, or NULL */
    const char *path;  /* with its query */
};

/* Asks with GET and appends the body of a 200 to `out`. -TG_EINVAL when the gateway refused (its
 * own words are in `err`), -TG_EIO when it cannot be reached or does not answer within 10 s,
 * -TG_ENOMEM. Blocks. */
int tg_admin_get(const struct tg_admin_request *request, struct tg_buf *out, struct tg_err *err);

/* Appends text escaped as a part of a URL (RFC 3986, section 2.1). */
void tg_admin_escape(struct tg_buf *out, const char *text);
