/* Judges nothing: a head that is wrong is followed as it reads, and the parser refuses it. */
#include "net/frame_cursor.h"

#include "net/frame.h"

#include <string.h>

void tg_frame_cursor_init(struct tg_frame_cursor *cursor)
{
    cursor->have = 0;
    cursor->need = 2;
    cursor->left = 0;
}

uint64_t tg_frame_cursor_portion(const struct tg_frame_cursor *cursor)
{
    if (cursor->have < cursor->need) return cursor->need - cursor->have;
    return (cursor->head[0] & 0x0f) == TG_OPCODE_CLOSE ? 1 : cursor->left;
}

/* The two bytes that say how long the head is are there. */
static size_t head_len(const struct tg_frame_cursor *cursor)
{
    int marker = cursor->head[1] & 0x7f;
    size_t extended = marker < 126 ? 0 : marker == 126 ? 2 : 8;
    return 2 + extended + (cursor->head[1] & 0x80 ? 4 : 0);
}

static uint64_t payload_len(const struct tg_frame_cursor *cursor)
{
    uint64_t len = cursor->head[1] & 0x7f;
    if (len < 126) return len;
    int bytes = len == 126 ? 2 : 8;
    len = 0;
    for (int i = 0; i < bytes; i++)
        len = len << 8 | cursor->head[2 + i];
    return len;
}

void tg_frame_cursor_follow(struct tg_frame_cursor *cursor, const char *bytes, size_t n)
{
    if (cursor->have == cursor->need) {
        cursor->left -= n;
    } else {
        memcpy(cursor->head + cursor->have, bytes, n);
        cursor->have += n;
        if (cursor->have == 2) cursor->need = head_len(cursor);
        if (cursor->have == cursor->need) cursor->left = payload_len(cursor);
    }
    if (cursor->have == cursor->need && !cursor->left) tg_frame_cursor_init(cursor);
}

bool tg_frame_cursor_between(const struct tg_frame_cursor *cursor)
{
    return cursor->have == 0;
}
