/* Buckets run from 100 µs to 10 s in steps of about 2.5, which is what a gateway that must answer
 * within a second needs to tell apart. */
#include "base/histogram.h"

static const int64_t bounds_us[TG_HISTOGRAM_BUCKETS - 1] = {
    100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 1000000, 10000000};

void tg_histogram_note(struct tg_histogram *histogram, int64_t us)
{
    int i = 0;
    if (us < 0) us = 0;
    while (i < TG_HISTOGRAM_BUCKETS - 1 && us > bounds_us[i])
        i++;
    histogram->counts[i]++;
    histogram->count++;
    histogram->sum_us += (uint64_t)us;
}

void tg_histogram_samples(const struct tg_histogram *histogram, struct tg_buf *out,
                          const char *name, const char *labels)
{
    uint64_t sum = 0;
    const char *comma = *labels ? "," : "", *open = *labels ? "{" : "", *close = *labels ? "}" : "";
    for (int i = 0; i < TG_HISTOGRAM_BUCKETS - 1; i++) {
        sum += histogram->counts[i];
        tg_buf_printf(out, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, labels, comma,
                      (double)bounds_us[i] / 1e6, (unsigned long long)sum);
    }
    tg_buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, comma,
                  (unsigned long long)histogram->count);
    tg_buf_printf(out, "%s_sum%s%s%s %.6f\n", name, open, labels, close,
                  (double)histogram->sum_us / 1e6);
    tg_buf_printf(out, "%s_count%s%s%s %llu\n", name, open, labels, close,
                  (unsigned long long)histogram->count);
}

void tg_histogram_write(const struct tg_histogram *histogram, struct tg_buf *out, const char *name,
                        const char *help)
{
    tg_buf_printf(out, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name);
    tg_histogram_samples(histogram, out, name, "");
}
