/* A block is one Zstandard frame (RFC 8878) with its checksum on, which covers the contents; before
 * it stand a mark and both lengths, so that a reader can tell a block that was cut off from one
 * that is damaged. Level 1: the rows are small already, and higher levels cost twice the time for a
 * tenth of the bytes (docs/performance.md). */
#include "record/block.h"

#include <string.h>
#include <zstd.h>

#define LEVEL 1

static const unsigned char mark[4] = {'T', 'G', 'R', 'B'};

static void put_u32(unsigned char at[4], size_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

static uint32_t get_u32(const unsigned char at[4])
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

struct tg_packer *tg_packer_new(void)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    if (!context) return NULL;
    if (ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL))) {
        (void)ZSTD_freeCCtx(context);
        return NULL;
    }
    return (struct tg_packer *)(void *)context;
}

void tg_packer_free(struct tg_packer *packer)
{
    (void)ZSTD_freeCCtx((ZSTD_CCtx *)(void *)packer);
}

int tg_block_pack(struct tg_packer *packer, const void *bytes, size_t len, struct tg_buf *out)
{
    ZSTD_CCtx *context = (ZSTD_CCtx *)(void *)packer;
    size_t bound = ZSTD_compressBound(len);
    if (len > TG_BLOCK_BYTES) return -TG_ELIMIT;
    if (tg_buf_reserve(out, TG_BLOCK_HEAD + bound)) return -TG_ENOMEM;
    unsigned char *head = (unsigned char *)out->data + out->len;
    size_t packed = ZSTD_compress2(context, head + TG_BLOCK_HEAD, bound, bytes, len);
    if (ZSTD_isError(packed)) return -TG_ENOMEM;
    memcpy(head, mark, sizeof mark);
    put_u32(head + 4, packed);
    put_u32(head + 8, len);
    out->len += TG_BLOCK_HEAD + packed;
    return 0;
}

int tg_block_head(const unsigned char head[TG_BLOCK_HEAD], uint32_t *packed, uint32_t *len)
{
    *packed = get_u32(head + 4);
    *len = get_u32(head + 8);
    bool good = !memcmp(head, mark, sizeof mark) && *packed && *len && *len <= TG_BLOCK_BYTES &&
                *packed <= ZSTD_compressBound(TG_BLOCK_BYTES);
    return good ? 0 : -TG_EINVAL;
}

int tg_block_unpack(const void *packed, size_t packed_len, size_t len, struct tg_buf *out)
{
    tg_buf_clear(out);
    if (ZSTD_getFrameContentSize(packed, packed_len) != len) return -TG_EINVAL;
    if (tg_buf_reserve(out, len)) return -TG_ENOMEM;
    size_t got = ZSTD_decompress(out->data, len, packed, packed_len);
    if (ZSTD_isError(got) || got != len) return -TG_EINVAL;
    out->len = len;
    out->data[len] = '\0';
    return 0;
}
