/* The shared frame rests on this: an event is framed once and every client's queue holds a pointer.
 * The global counter is what lets a soak test prove that nothing was forgotten. */
#include "base/blob.h"

#include "base/err.h"

#include <string.h>

static uint64_t bytes_alive;

struct tg_blob *tg_blob_new(const void *bytes, size_t len)
{
    if (len > UINT32_MAX) return NULL;
    struct tg_blob *blob = malloc(sizeof *blob + len);
    if (!blob) return NULL;
    blob->refs = 1;
    blob->len = (uint32_t)len;
    if (bytes && len) memcpy(blob->data, bytes, len);
    bytes_alive += len;
    return blob;
}

struct tg_blob *tg_blob_ref(struct tg_blob *blob)
{
    blob->refs++;
    return blob;
}

void tg_blob_unref(struct tg_blob *blob)
{
    if (!blob || --blob->refs) return;
    bytes_alive -= blob->len;
    free(blob);
}

uint64_t tg_blob_bytes_alive(void)
{
    return bytes_alive;
}
