#include "model/rows.h"

#include <string.h>

const void *tg_rows_find(const void *rows, uint32_t count, size_t size, size_t at, uint64_t id)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const char *row = (const char *)rows + middle * size;
        uint64_t found;
        memcpy(&found, row + at, sizeof found);
        if (found == id) return row;
        if (found < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
