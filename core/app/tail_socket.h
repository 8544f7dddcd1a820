/* A TCP connection with deadlines, for a program that may wait. */
#pragma once

#include "base/err.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Connects to the first address of the name that answers before `deadline_ms` (monotonic). `*out`
 * is a non-blocking socket. 0, -TG_EIO, -TG_ETIMEOUT, or -TG_ECLOSED when a signal came. */
int tg_tail_connect(const char *host, const char *port, int64_t deadline_ms,
                    const sigset_t *unblocked, int *out, struct tg_err *err);

/* Waits until the socket can be read, or written too when `writing`; gives the poll(2) events, 0
 * when the time is up or a signal came, or -TG_EIO. */
int tg_tail_wait(int fd, int writing, int64_t deadline_ms, const sigset_t *unblocked);

/* As recv(2) and send(2) without blocking and without SIGPIPE: bytes, 0 at the end of the stream
 * (recv), -TG_EAGAIN or -TG_EIO. */
ssize_t tg_tail_recv(int fd, void *bytes, size_t size);
ssize_t tg_tail_send(int fd, const void *bytes, size_t len);
