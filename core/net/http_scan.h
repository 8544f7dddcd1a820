/* A scanner for the shape of a request head: the line structure that RFC 9112 demands. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialise. */
struct tg_http_scan {
    int state;
    int blanks;        /* in the request line */
    bool complete;     /* the empty line has come */
    const char *fault; /* what is wrong, or NULL */
};

/* Takes bytes up to the end of the head or the first fault; how many it looked at. */
size_t tg_http_scan_feed(struct tg_http_scan *scan, const char *bytes, size_t len);
