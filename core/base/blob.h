/* Immutable bytes that several owners share. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Header and bytes are one allocation. One thread only: the count is a plain integer. */
struct tg_blob {
    uint32_t refs;
    uint32_t len;
    char data[];
};

/* A blob of `len` bytes with one reference, copied from `bytes` (or uninitialised when NULL).
 * NULL when memory is short or `len` exceeds 2^32-1. */
struct tg_blob *tg_blob_new(const void *bytes, size_t len);

/* Takes one more reference and returns the blob. */
struct tg_blob *tg_blob_ref(struct tg_blob *blob);

/* Gives one reference back; the last one frees. NULL is allowed. */
void tg_blob_unref(struct tg_blob *blob);

/* Bytes held by all living blobs, for metrics and leak tests. */
uint64_t tg_blob_bytes_alive(void);
