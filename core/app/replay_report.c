/* Lines are complete by themselves, so that `grep`, `sort` and `jq` work on them, and hold nothing
 * that differs from run to run: no duration, no path of a temporary file, no order of a hash. */
#include "app/replay_report.h"

#include "app/replay_cause.h"
#include "app/tail_safe.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

void tg_report_fini(struct tg_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        free(report->rows[i].rule);
    free(report->rows);
    tg_buf_fini(&report->line);
}

bool tg_report_covers(const struct tg_report *report, int64_t wall_ms)
{
    return (!report->from_ms || wall_ms >= report->from_ms) &&
           (!report->to_ms || wall_ms < report->to_ms);
}

struct tg_report_row *tg_report_row(struct tg_report *report, const char *rule)
{
    for (size_t i = 0; i < report->count; i++)
        if (!strcmp(report->rows[i].rule, rule)) return &report->rows[i];
    if (report->count == report->cap) {
        size_t cap = report->cap ? report->cap * 2 : 16;
        struct tg_report_row *rows = realloc(report->rows, cap * sizeof *rows);
        if (!rows) goto failed;
        report->rows = rows;
        report->cap = cap;
    }
    struct tg_report_row *row = &report->rows[report->count];
    *row = (struct tg_report_row){.rule = strdup(rule)};
    if (!row->rule) goto failed;
    report->count++;
    return row;
failed:
    report->failed = true;
    return NULL;
}

static void put_line(struct tg_report *report)
{
    struct tg_buf *line = &report->line;
    tg_buf_putc(line, '\n');
    if (line->failed || fwrite(line->data, 1, line->len, report->out) != line->len)
        report->failed = true;
    tg_buf_clear(line);
}

static void member(struct tg_buf *out, const char *name, const char *text)
{
    tg_json_key(out, name);
    tg_json_text(out, text);
}

static void number(struct tg_buf *out, const char *name, uint64_t value)
{
    tg_json_key(out, name);
    tg_json_u64(out, value);
}

static void open_line(struct tg_buf *out, int64_t wall_ms, const char *account, const char *rule)
{
    char time[TG_ISO8601_SIZE];
    tg_iso8601_write(time, wall_ms);
    tg_json_open(out, '{');
    member(out, "time", time);
    member(out, "account", account);
    member(out, "rule", rule);
}

static void put_message(struct tg_buf *out, const char *name, const struct tg_replay_event *event)
{
    tg_json_key(out, name);
    tg_json_raw(out, event->message, event->message_len);
}

void tg_report_event(struct tg_report *report, const struct tg_replay_event *event)
{
    char time[TG_ISO8601_SIZE];
    struct tg_buf *line = &report->line;
    if (!tg_report_covers(report, event->wall_ms)) return;
    struct tg_report_row *row = tg_report_row(report, event->rule);
    if (row) row->events++;
    if (report->json) {
        open_line(line, event->wall_ms, event->account, event->rule);
        member(line, "lane", event->latest ? "latest" : "ordered");
        if (event->filtered) {
            tg_json_member_bool(line, "filtered", true);
        }
        put_message(line, "message", event);
        tg_json_close(line, '}');
    } else {
        tg_iso8601_write(time, event->wall_ms);
        tg_buf_printf(line, "%s %s %s ", time, event->account, event->type);
        tg_buf_add(line, event->message, event->message_len);
    }
    put_line(report);
}

static void difference_json(struct tg_buf *line, const char *word, const struct tg_replay_event *a,
                            const struct tg_replay_event *b, const struct tg_account *account)
{
    const struct tg_replay_event *any = b ? b : a;
    open_line(line, any->wall_ms, any->account, any->rule);
    member(line, "difference", word);
    tg_json_key(line, "input");
    tg_cause_json(line, &any->input, account);
    if (a) put_message(line, "a", a);
    if (b) put_message(line, "b", b);
    tg_json_close(line, '}');
}

static void difference_text(struct tg_buf *line, const char *word, const struct tg_replay_event *a,
                            const struct tg_replay_event *b, const struct tg_account *account)
{
    const struct tg_replay_event *any = b ? b : a;
    char time[TG_ISO8601_SIZE];
    tg_iso8601_write(time, any->wall_ms);
    tg_buf_printf(line, "%s %s %s %s: ", time, any->account, any->rule, word);
    tg_cause_text(line, &any->input, account);
    if (a) {
        tg_buf_puts(line, "\n  - ");
        tg_buf_add(line, a->message, a->message_len);
    }
    if (b) {
        tg_buf_puts(line, "\n  + ");
        tg_buf_add(line, b->message, b->message_len);
    }
}

void tg_report_difference(struct tg_report *report, const struct tg_replay_event *a,
                          const struct tg_replay_event *b, const struct tg_account *account)
{
    const char *word = !a ? "added" : !b ? "removed" : "changed";
    struct tg_report_row *row = tg_report_row(report, b ? b->rule : a->rule);
    if (!row) return;
    *(!a ? &row->added : !b ? &row->removed : &row->changed) += 1;
    if (report->json)
        difference_json(&report->line, word, a, b, account);
    else
        difference_text(&report->line, word, a, b, account);
    put_line(report);
}

void tg_report_fault(struct tg_report *report, const char *set, const struct tg_replay_fault *fault)
{
    char time[TG_ISO8601_SIZE];
    struct tg_buf *line = &report->line;
    if (!tg_report_covers(report, fault->wall_ms)) return;
    struct tg_report_row *row = tg_report_row(report, fault->rule);
    report->faults++;
    if (row) row->faults++;
    if (report->json) {
        open_line(line, fault->wall_ms, fault->account, fault->rule);
        member(line, "fault", fault->text);
        member(line, "file", fault->file);
        if (set) member(line, "set", set);
        tg_json_close(line, '}');
    } else {
        tg_iso8601_write(time, fault->wall_ms);
        tg_buf_printf(line, "%s %s %s fault%s%s: ", time, *fault->account ? fault->account : "-",
                      fault->rule, set ? " in " : "", set ? set : "");
        tg_tail_safe(line, fault->text, strlen(fault->text));
        tg_buf_printf(line, " (%s)", fault->file);
    }
    put_line(report);
}

static int by_rule(const void *x, const void *y)
{
    const struct tg_report_row *a = x, *b = y;
    return strcmp(a->rule, b->rule);
}

static void summary_json(struct tg_report *report, const struct tg_replay_totals *totals, bool two)
{
    struct tg_buf *line = &report->line;
    tg_json_open(line, '{');
    tg_json_key(line, "summary");
    tg_json_open(line, '{');
    number(line, "polls", totals->polls);
    number(line, "accounts", totals->accounts);
    number(line, "faults", report->faults);
    tg_json_key(line, "rules");
    tg_json_open(line, '[');
    for (size_t i = 0; i < report->count; i++) {
        const struct tg_report_row *row = &report->rows[i];
        tg_json_open(line, '{');
        member(line, "rule", row->rule);
        number(line, two ? "same" : "events", row->events);
        if (two) {
            number(line, "added", row->added);
            number(line, "removed", row->removed);
            number(line, "changed", row->changed);
        }
        number(line, "faults", row->faults);
        tg_json_close(line, '}');
    }
    tg_json_close(line, ']');
    tg_json_close(line, '}');
    tg_json_close(line, '}');
    put_line(report);
}

static void summary_text(struct tg_report *report, const struct tg_replay_totals *totals, bool two)
{
    struct tg_buf *line = &report->line;
    tg_buf_printf(line, "# %llu polls of %u accounts\n", (unsigned long long)totals->polls,
                  totals->accounts);
    tg_buf_printf(line, two ? "# %-28s %10s %10s %10s %10s %10s" : "# %-28s %10s %10s", "rule",
                  two ? "same" : "events", two ? "added" : "faults", "removed", "changed",
                  "faults");
    for (size_t i = 0; i < report->count; i++) {
        const struct tg_report_row *row = &report->rows[i];
        tg_buf_printf(line, "\n# %-28s %10llu", row->rule, (unsigned long long)row->events);
        if (two)
            tg_buf_printf(line, " %10llu %10llu %10llu", (unsigned long long)row->added,
                          (unsigned long long)row->removed, (unsigned long long)row->changed);
        tg_buf_printf(line, " %10llu", (unsigned long long)row->faults);
    }
    put_line(report);
}

void tg_report_summary(struct tg_report *report, const struct tg_replay_totals *totals, bool two)
{
    if (report->count) qsort(report->rows, report->count, sizeof *report->rows, by_rule);
    if (report->json)
        summary_json(report, totals, two);
    else
        summary_text(report, totals, two);
}
