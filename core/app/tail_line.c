/* Known shapes are told in words; everything else is shown member by member, so that the events of
 * an operator's own rules are readable without teaching this file. Numbers are shown with the
 * digits they came with. */
#include "app/tail_line.h"

#include "app/tail_safe.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define VALUE_MAX 160 /* bytes of one value */

#define RED "31"
#define GREEN "32"
#define YELLOW "33"
#define CYAN "36"
#define GREY "90"

struct line {
    struct tg_buf *out;
    const struct tg_json *json;
    bool colour;
};

static void begin(const struct line *line, const char *code)
{
    if (line->colour && code) tg_buf_printf(line->out, "\033[%sm", code);
}

static void end(const struct line *line, const char *code)
{
    if (line->colour && code) tg_buf_puts(line->out, "\033[0m");
}

static uint32_t member(const struct line *line, uint32_t object, const char *name)
{
    return tg_json_get(line->json, object, name);
}

static void value(const struct line *line, uint32_t index)
{
    const struct tg_json_token *token = &line->json->tokens[index];
    struct tg_buf plain = {0};
    size_t len = token->len;
    const char *text = token->text;
    if (token->type == TG_JSON_STRING) {
        tg_json_unescape(&plain, token);
        text = plain.data ? plain.data : "";
        len = plain.len;
    }
    bool cut = len > VALUE_MAX;
    if (cut) {
        len = VALUE_MAX;
        while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    }
    tg_tail_safe(line->out, text, len);
    if (cut) tg_buf_puts(line->out, "…");
    tg_buf_fini(&plain);
}

/* `label` and the member, when there is one and it is neither null nor empty. */
static void part(const struct line *line, uint32_t object, const char *name, const char *label)
{
    uint32_t index = member(line, object, name);
    const struct tg_json_token *token = &line->json->tokens[index];
    if (!index || token->type == TG_JSON_NULL || !token->len) return;
    tg_buf_puts(line->out, label);
    value(line, index);
}

/* An amount with its sign, green or red. */
static void amount(const struct line *line, uint32_t index)
{
    const struct tg_json_token *token = &line->json->tokens[index];
    bool minus = token->len && token->text[0] == '-';
    double number = 0;
    (void)tg_json_read_double(token, &number);
    const char *code = number > 0 ? GREEN : number < 0 ? RED : NULL;
    begin(line, code);
    if (token->type == TG_JSON_NUMBER && number > 0 && !minus) tg_buf_putc(line->out, '+');
    value(line, index);
    end(line, code);
}

static void change(const struct line *line, uint32_t index)
{
    uint32_t old = member(line, index, "old"), now = member(line, index, "new");
    uint32_t diff = member(line, index, "diff");
    if (!old || !now) {
        value(line, index);
        return;
    }
    value(line, old);
    tg_buf_puts(line->out, " → ");
    value(line, now);
    if (!diff) return;
    tg_buf_puts(line->out, " (");
    amount(line, diff);
    tg_buf_putc(line->out, ')');
}

/* Every member of an object as `name value`. Members that the line shows anyway are left out. */
static void members(const struct line *line, uint32_t object, const char *const *skip)
{
    const struct tg_json_token *tokens = line->json->tokens;
    const char *gap = "";
    for (uint32_t i = object + 1; i < tokens[object].next; i = tokens[i + 1].next) {
        bool skipped = false;
        for (const char *const *name = skip; name && *name; name++)
            skipped = skipped || tg_json_is(&tokens[i], *name);
        if (skipped) continue;
        tg_buf_puts(line->out, gap);
        gap = "  ";
        value(line, i);
        tg_buf_putc(line->out, ' ');
        if (tokens[i + 1].type == TG_JSON_OBJECT)
            change(line, i + 1);
        else
            value(line, i + 1);
    }
}

static void opened(const struct line *line)
{
    uint32_t position = member(line, 0, "position");
    part(line, position, "ticket", "#");
    part(line, position, "type", " ");
    part(line, position, "volume", " ");
    part(line, position, "symbol", " ");
    part(line, position, "price", " @ ");
    part(line, position, "sl", "  sl ");
    part(line, position, "tp", "  tp ");
    part(line, position, "comment", "  ");
}

static void modified(const struct line *line)
{
    uint32_t changes = member(line, 0, "changes");
    part(line, 0, "ticket", "#");
    part(line, 0, "symbol", " ");
    tg_buf_puts(line->out, "  ");
    if (changes && line->json->tokens[changes].type == TG_JSON_OBJECT) members(line, changes, NULL);
}

static void closed(const struct line *line)
{
    uint32_t profit = member(line, 0, "profit");
    part(line, 0, "ticket", "#");
    part(line, 0, "side", " ");
    part(line, 0, "volume", " ");
    part(line, 0, "symbol", " ");
    part(line, 0, "close_price", " @ ");
    if (profit) {
        tg_buf_puts(line->out, "  profit ");
        amount(line, profit);
    }
    part(line, 0, "reason", "  ");
}

static void snapshot(const struct line *line)
{
    uint32_t account = member(line, 0, "account"), positions = member(line, 0, "positions");
    part(line, account, "balance", "balance ");
    part(line, account, "equity", "  equity ");
    part(line, account, "currency", " ");
    part(line, account, "free_margin", "  free margin ");
    if (positions && line->json->tokens[positions].type == TG_JSON_ARRAY)
        tg_buf_printf(line->out, "  %u positions", line->json->tokens[positions].count);
    uint32_t cached = member(line, 0, "cached");
    if (cached && line->json->tokens[cached].type == TG_JSON_TRUE)
        part(line, 0, "cache_age_seconds", "  cached, age in seconds ");
}

static void connected(const struct line *line)
{
    part(line, 0, "account_id", "");
    part(line, 0, "status", "  ");
    part(line, 0, "seq", "  seq ");
    part(line, 0, "epoch", "  epoch ");
    uint32_t rules = member(line, 0, "rules");
    part(line, rules, "name", "  rules ");
    part(line, rules, "generation", " generation ");
}

static void failed(const struct line *line)
{
    part(line, 0, "error_code", "");
    part(line, 0, "message", "  ");
    part(line, 0, "retry_in_seconds", "  retry in seconds ");
}

static void updated(const struct line *line)
{
    uint32_t changes = member(line, 0, "changes");
    if (changes && line->json->tokens[changes].type == TG_JSON_OBJECT) members(line, changes, NULL);
}

static const struct teller {
    const char *type, *colour, *holds; /* `holds`: the member without which the shape is another */
    void (*tell)(const struct line *line);
} tellers[] = {
    {"account_update", CYAN, "changes", updated},
    {"position_opened", GREEN, "position", opened},
    {"position_modified", YELLOW, "changes", modified},
    {"position_closed", RED, "ticket", closed},
    {"snapshot", GREY, "account", snapshot},
    {"connected", GREY, "account_id", connected},
    {"error", RED, "error_code", failed},
};

/* The flags that say how sure the figures are. */
static void flags(const struct line *line)
{
    static const char *const names[] = {"estimated", "synthetic"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint32_t index = member(line, 0, names[i]);
        if (index && line->json->tokens[index].type == TG_JSON_TRUE)
            tg_buf_printf(line->out, "  [%s]", names[i]);
    }
}

static void stamp(const struct line *line, int64_t wall_ms)
{
    char iso[TG_ISO8601_SIZE];
    tg_iso8601_write(iso, wall_ms);
    begin(line, GREY);
    tg_buf_printf(line->out, "%.12s", iso + 11);
    end(line, GREY);
}

void tg_tail_line(struct tg_buf *out, const struct tg_json *json, const char *type, bool colour,
                  int64_t wall_ms)
{
    static const char *const shown[] = {"type", "seq", "rev", "timestamp", NULL};
    const struct line line = {out, json, colour};
    const struct teller *teller = NULL;
    for (size_t i = 0; i < sizeof tellers / sizeof *tellers; i++)
        if (strcmp(type, tellers[i].type) == 0 && member(&line, 0, tellers[i].holds))
            teller = &tellers[i];
    char name[40];
    (void)snprintf(name, sizeof name, "%-18s", *type ? type : "(no type)");
    stamp(&line, wall_ms);
    tg_buf_puts(out, "  ");
    begin(&line, teller ? teller->colour : "1");
    tg_tail_safe(out, name, strlen(name));
    end(&line, teller ? teller->colour : "1");
    tg_buf_putc(out, ' ');
    if (teller)
        teller->tell(&line);
    else
        members(&line, 0, shown);
    if (teller) flags(&line);
}

void tg_tail_remark(struct tg_buf *out, char mark, const char *text, bool colour, int64_t wall_ms)
{
    const struct line line = {out, NULL, colour};
    const char *code = mark == '!' ? RED : GREY;
    stamp(&line, wall_ms);
    tg_buf_puts(out, "  ");
    begin(&line, code);
    tg_buf_printf(out, "%c ", mark);
    tg_tail_safe(out, text, strlen(text));
    end(&line, code);
}
