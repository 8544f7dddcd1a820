/* A growable byte buffer. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* Zero-initialise to start. A failed allocation sets `failed` and drops what was to be added, so a
 * writer may append many times and look once at the end. `data` is NUL-terminated whenever it is
 * not NULL (the NUL is not counted in `len`). */
struct tg_buf {
    char *data;
    size_t len;
    size_t cap;
    bool failed;
};

/* Frees the memory; the buffer is as new afterwards. */
void tg_buf_fini(struct tg_buf *buf);

/* Forgets the contents and keeps the memory. */
void tg_buf_clear(struct tg_buf *buf);

/* Makes room for `more` further bytes. 0 or -TG_ENOMEM (and `failed` is set). */
int tg_buf_reserve(struct tg_buf *buf, size_t more);

/* Appends bytes, a C string, one byte, formatted text. */
void tg_buf_add(struct tg_buf *buf, const void *bytes, size_t len);
void tg_buf_puts(struct tg_buf *buf, const char *text);
void tg_buf_putc(struct tg_buf *buf, char byte);
void tg_buf_printf(struct tg_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Removes `n` bytes (at most `len`) from the front, moving the rest down. */
void tg_buf_consume(struct tg_buf *buf, size_t n);

/* Gives the NUL-terminated bytes to the caller, who frees them with free(); the buffer is as new.
 * NULL when nothing was ever added or an allocation failed. */
char *tg_buf_take(struct tg_buf *buf);
