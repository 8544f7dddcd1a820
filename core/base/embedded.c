/* The table itself is generated at build time by embed.cmake. */
#include "base/embedded.h"

#include <string.h>

const struct tg_embedded *tg_embedded_find(const char *path)
{
    for (const struct tg_embedded *file = tg_embedded_files; file->path; file++)
        if (!strcmp(file->path, path)) return file;
    return NULL;
}

void tg_embedded_names(const char *folder, const char *ending, const char **names, int max,
                       struct tg_buf *room)
{
    size_t begin = strlen(folder), end = strlen(ending), total = 0;
    int count = 0;
    tg_buf_clear(room);
    for (const struct tg_embedded *file = tg_embedded_files; file->path; file++)
        total += strlen(file->path) + 1;
    if (tg_buf_reserve(room, total)) max = 1; /* all at once: the names keep their place */
    for (const struct tg_embedded *file = tg_embedded_files; file->path && count + 1 < max;
         file++) {
        size_t len = strlen(file->path);
        if (strncmp(file->path, folder, begin) != 0 || len <= begin + end) continue;
        names[count++] = room->data + room->len;
        tg_buf_add(room, file->path + begin, len - begin - end);
        tg_buf_add(room, "", 1);
    }
    names[count] = NULL;
}
