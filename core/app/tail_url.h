/* Where a tail connects: the parts of ws://host[:port][/prefix]. */
#pragma once

#include "base/err.h"

struct tg_tail_url {
    char host[256]; /* without the brackets of an IPv6 address */
    char port[6];
    char authority[264]; /* host and port as the Host header writes them */
    char prefix[256];    /* path before /ws/account/…, without a slash at its end */
};

/* 0 or -TG_EINVAL with what is wrong; `*out` is untouched then. */
int tg_tail_url_read(const char *text, struct tg_tail_url *out, struct tg_err *err);
