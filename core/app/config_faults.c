/* Somebody who has five typos wants five messages, top to bottom, not five restarts. Lua hands a
 * table's keys out in no order, so the faults are sorted by line before they are told; what has
 * no line (a key that is missing) comes last. */
#include "app/config_faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 1000 /* a list of a million wrong accounts is one mistake, not a million */

void tg_config_fault(struct tg_config_faults *faults, const char *path, const char *format, ...)
{
    struct tg_buf text = {0};
    va_list args;
    char sentence[512];
    if (faults->count == KEPT) return;
    if (faults->count == faults->cap) {
        int cap = faults->cap ? faults->cap * 2 : 16;
        struct tg_config_fault *list = realloc(faults->list, (size_t)cap * sizeof *list);
        if (!list) {
            faults->failed = true;
            return;
        }
        faults->list = list;
        faults->cap = cap;
    }
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (*path) tg_buf_printf(&text, "%s: ", path);
    tg_buf_puts(&text, sentence);
    faults->failed = faults->failed || text.failed;
    faults->list[faults->count++] = (struct tg_config_fault){
        .line = faults->scan ? tg_config_scan_line(faults->scan, path) : 0,
        .text = tg_buf_take(&text),
    };
}

static int by_line(const void *a, const void *b)
{
    const struct tg_config_fault *left = a, *right = b;
    unsigned l = (unsigned)left->line - 1, r = (unsigned)right->line - 1; /* line 0: last */
    if (l != r) return l < r ? -1 : 1;
    return left->text && right->text ? strcmp(left->text, right->text) : 0;
}

void tg_config_faults_write(struct tg_config_faults *faults, int max, struct tg_buf *out)
{
    if (!faults->count) return;
    qsort(faults->list, (size_t)faults->count, sizeof *faults->list, by_line);
    for (int i = 0; i < faults->count && i < max; i++) {
        const struct tg_config_fault *fault = &faults->list[i];
        tg_buf_puts(out, faults->file);
        if (fault->line) tg_buf_printf(out, ":%d", fault->line);
        tg_buf_printf(out, ": %s\n", fault->text ? fault->text : "out of memory");
    }
    if (faults->count > max)
        tg_buf_printf(out, "%s: … and %d more\n", faults->file, faults->count - max);
}

void tg_config_faults_fini(struct tg_config_faults *faults)
{
    for (int i = 0; i < faults->count; i++)
        free(faults->list[i].text);
    free(faults->list);
    faults->list = NULL;
    faults->count = faults->cap = 0;
}
