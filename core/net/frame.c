/* Our own encoder, because a broadcast must be framed once: a library that frames per connection
 * copies every message as often as there are clients. */
#include "net/frame.h"

#include "base/err.h"
#include "base/text.h"

#include <string.h>

int tg_frame_head_write(uint8_t out[TG_FRAME_HEAD_MAX], int opcode, uint64_t len)
{
    out[0] = (uint8_t)(0x80 | opcode);
    if (len < 126) {
        out[1] = (uint8_t)len;
        return 2;
    }
    int bytes = len < 65536 ? 2 : 8;
    out[1] = bytes == 2 ? 126 : 127;
    for (int i = 0; i < bytes; i++)
        out[2 + i] = (uint8_t)(len >> (8 * (bytes - 1 - i)));
    return 2 + bytes;
}

static struct tg_blob *frame_of(int opcode, const char *payload, size_t len)
{
    uint8_t head[TG_FRAME_HEAD_MAX];
    size_t head_len = (size_t)tg_frame_head_write(head, opcode, len);
    if (len > UINT32_MAX - TG_FRAME_HEAD_MAX) return NULL;
    struct tg_blob *blob = tg_blob_new(NULL, head_len + len);
    if (!blob) return NULL;
    memcpy(blob->data, head, head_len);
    if (len) memcpy(blob->data + head_len, payload, len);
    return blob;
}

struct tg_blob *tg_frame_new(bool binary, const char *payload, size_t len)
{
    return frame_of(binary ? TG_OPCODE_BINARY : TG_OPCODE_TEXT, payload, len);
}

struct tg_blob *tg_frame_control(int opcode, const char *payload, size_t len)
{
    tg_must(opcode >= TG_OPCODE_CLOSE && len <= 125);
    return frame_of(opcode, payload, len);
}

struct tg_blob *tg_frame_close(int code, const char *reason)
{
    char payload[2 + TG_CLOSE_REASON_MAX + 1];
    if (!code) return tg_frame_control(TG_OPCODE_CLOSE, NULL, 0);
    payload[0] = (char)(code >> 8);
    payload[1] = (char)code;
    tg_copy(payload + 2, TG_CLOSE_REASON_MAX + 1, reason ? reason : "",
            reason ? strlen(reason) : 0);
    return tg_frame_control(TG_OPCODE_CLOSE, payload, 2 + strlen(payload + 2));
}

const char *tg_frame_payload(const struct tg_blob *frame, size_t *len)
{
    uint8_t marker = (uint8_t)frame->data[1];
    size_t head = marker < 126 ? 2 : marker == 126 ? 4 : 10;
    *len = frame->len - head;
    return frame->data + head;
}

bool tg_close_code_valid(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}
