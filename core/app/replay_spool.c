/* A day of a thousand accounts is millions of events: more than memory should hold, and a disk that
 * took the recording has room for them. Only this process reads what it wrote, a moment later, so
 * structs are written as they are. */
#include "app/replay_spool.h"

#include "base/err.h"

#include <errno.h>
#include <string.h>

#define TEXTS 5

int tg_spool_open(struct tg_spool *spool, struct tg_err *err)
{
    spool->file = tmpfile();
    if (spool->file) return 0;
    return tg_fail(err, TG_EIO, "a temporary file cannot be made: %s", strerror(errno));
}

void tg_spool_close(struct tg_spool *spool)
{
    if (spool->file) (void)fclose(spool->file);
    tg_buf_fini(&spool->text);
    *spool = (struct tg_spool){0};
}

void tg_spool_put(struct tg_spool *spool, const struct tg_replay_event *event)
{
    const char *texts[TEXTS] = {event->account, event->rule, event->type, event->payload,
                                event->message};
    size_t lens[TEXTS] = {strlen(event->account), strlen(event->rule), strlen(event->type),
                          event->payload_len, event->message_len};
    bool good = fwrite(event, sizeof *event, 1, spool->file) == 1 &&
                fwrite(lens, sizeof lens, 1, spool->file) == 1;
    for (int i = 0; i < TEXTS && good; i++)
        good = !lens[i] || fwrite(texts[i], lens[i], 1, spool->file) == 1;
    if (!good) spool->failed = true;
}

void tg_spool_rewind(struct tg_spool *spool)
{
    if (fflush(spool->file)) spool->failed = true;
    rewind(spool->file);
    spool->ahead = false;
}

const struct tg_replay_event *tg_spool_peek(struct tg_spool *spool)
{
    size_t lens[TEXTS], all = TEXTS;
    const char *texts[TEXTS];
    struct tg_buf *text = &spool->text;
    if (spool->ahead) return &spool->next;
    if (spool->failed || fread(&spool->next, sizeof spool->next, 1, spool->file) != 1) return NULL;
    bool good = fread(lens, sizeof lens, 1, spool->file) == 1;
    for (int i = 0; i < TEXTS && good; i++)
        all += lens[i];
    tg_buf_clear(text);
    if (!good || tg_buf_reserve(text, all)) {
        spool->failed = true;
        return NULL;
    }
    for (int i = 0; i < TEXTS && good; i++) {
        char *at = text->data + text->len;
        good = !lens[i] || fread(at, lens[i], 1, spool->file) == 1;
        at[lens[i]] = '\0';
        text->len += lens[i] + 1;
        texts[i] = at;
    }
    if (!good) {
        spool->failed = true;
        return NULL;
    }
    struct tg_replay_event *next = &spool->next;
    next->account = texts[0];
    next->rule = texts[1];
    next->type = texts[2];
    next->payload = texts[3];
    next->message = texts[4];
    spool->ahead = true;
    return next;
}

void tg_spool_skip(struct tg_spool *spool)
{
    spool->ahead = false;
}
