/* A block: what a recording is made of. Each is compressed and checked by itself. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* The first byte of a block's contents. */
enum tg_block_kind {
    TG_BLOCK_HEADER = 'H', /* the head of a file: facts and layout */
    TG_BLOCK_FIRST = 'F',  /* notes that depend on nothing before them */
    TG_BLOCK_NEXT = 'N',   /* notes that go on where the block before ended */
};

/* A file begins with this; a program that changes line ends or the eighth bit is found out. */
#define TG_TAPE_MAGIC "\x89TGR\r\n\x1a\n"
#define TG_TAPE_MAGIC_LEN 8

#define TG_BLOCK_HEAD 12           /* bytes before the compressed ones */
#define TG_BLOCK_BYTES (64u << 20) /* of the largest block's contents */

struct tg_packer;

/* Packs blocks, with memory that is kept from one to the next. NULL when memory is short. */
struct tg_packer *tg_packer_new(void);
void tg_packer_free(struct tg_packer *packer);

/* Appends a whole block: head and compressed contents. 0, -TG_ELIMIT or -TG_ENOMEM. */
int tg_block_pack(struct tg_packer *packer, const void *bytes, size_t len, struct tg_buf *out);

/* Reads a head: how many bytes follow it and how many they hold. 0 or -TG_EINVAL. */
int tg_block_head(const unsigned char head[TG_BLOCK_HEAD], uint32_t *packed, uint32_t *len);

/* Unpacks what follows a head into `out`, replacing what is there. 0, -TG_EINVAL (damaged: it does
 * not unpack or its checksum is another) or -TG_ENOMEM. */
int tg_block_unpack(const void *packed, size_t packed_len, size_t len, struct tg_buf *out);
