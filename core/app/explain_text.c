#include "app/explain_text.h"

#include "app/tail_safe.h"
#include "base/err.h"

#include <string.h>

/* The reading of one answer. */
struct reader {
    const struct tg_json *json;
    struct tg_buf *out;
    struct tg_buf word; /* scratch */
};

static uint32_t member(const struct reader *reader, uint32_t object, const char *name)
{
    return object ? tg_json_get(reader->json, object, name) : 0;
}

static void put(struct reader *reader, uint32_t at)
{
    const struct tg_json_token *token = &reader->json->tokens[at];
    tg_buf_clear(&reader->word);
    if (token->type == TG_JSON_STRING)
        tg_json_unescape(&reader->word, token);
    else
        tg_buf_add(&reader->word, token->text, token->len);
    tg_tail_safe(reader->out, reader->word.data ? reader->word.data : "", reader->word.len);
}

/* The member, or "-" where there is none; how many characters. */
static void put_member(struct reader *reader, uint32_t object, const char *name)
{
    uint32_t at = member(reader, object, name);
    if (at)
        put(reader, at);
    else
        tg_buf_putc(reader->out, '-');
}

static void pad(struct reader *reader, size_t from, size_t width)
{
    do
        tg_buf_putc(reader->out, ' ');
    while (reader->out->len - from < width && !reader->out->failed);
}

#define EACH(reader, index, list)                                                          \
    for (uint32_t index = (list) + 1; (list) && index < (reader)->json->tokens[list].next; \
         index = (reader)->json->tokens[index].next)

static void put_changes(struct reader *reader, uint32_t entry)
{
    uint32_t changes = member(reader, entry, "changes");
    const struct tg_json_token *tokens = reader->json->tokens;
    for (uint32_t i = changes + 1; changes && i < tokens[changes].next; i = tokens[i + 1].next) {
        tg_buf_puts(reader->out, "  ");
        put(reader, i);
        if (!member(reader, i + 1, "old")) continue;
        tg_buf_putc(reader->out, ' ');
        put_member(reader, i + 1, "old");
        tg_buf_puts(reader->out, " -> ");
        put_member(reader, i + 1, "new");
    }
}

/* The number by which people look a moment up: a position's identifier, else the ticket of the deal
 * or order, and whose it is. */
static void put_number(struct reader *reader, uint32_t moment)
{
    const struct tg_json_token *kind = &reader->json->tokens[member(reader, moment, "kind")];
    uint32_t position = member(reader, moment, "position_id");
    uint64_t id = 0;
    if (tg_json_is(kind, "position_opened") || tg_json_is(kind, "position_modified") ||
        tg_json_is(kind, "position_closed")) {
        put_member(reader, moment, "position_id");
        return;
    }
    put_member(reader, moment, "ticket");
    if (!position || tg_json_read_u64(&reader->json->tokens[position], &id) || !id) return;
    tg_buf_puts(reader->out, " of position ");
    put(reader, position);
}

static void put_moments(struct reader *reader, uint32_t entry)
{
    uint32_t moments = member(reader, entry, "moments");
    EACH(reader, i, moments)
    {
        uint32_t changed = member(reader, i, "changed");
        tg_buf_puts(reader->out, "  ");
        put_member(reader, i, "kind");
        tg_buf_puts(reader->out, " ");
        put_number(reader, i);
        if (!changed) continue;
        const char *before = " (";
        EACH(reader, k, changed)
        {
            tg_buf_puts(reader->out, before);
            put(reader, k);
            before = " ";
        }
        if (*before == ' ' && before[1] == '\0') tg_buf_putc(reader->out, ')');
    }
    if (member(reader, entry, "moments_more")) {
        tg_buf_puts(reader->out, "  and more: ");
        put_member(reader, entry, "moments_more");
    }
}

static void put_told(struct reader *reader, uint32_t entry)
{
    static const char *const kinds[] = {"source_status", "client_connected", "client_disconnected"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!member(reader, entry, kinds[i])) continue;
        tg_buf_printf(reader->out, "  %s ", kinds[i]);
        put_member(reader, entry, kinds[i]);
    }
}

static void put_events(struct reader *reader, uint32_t rule)
{
    uint32_t events = member(reader, rule, "events");
    const char *before = "  ";
    EACH(reader, i, events)
    {
        bool latest = member(reader, i, "rev") != 0;
        uint32_t to = member(reader, i, "to");
        tg_buf_printf(reader->out, "%s%s ", before, latest ? "rev" : "seq");
        put_member(reader, i, latest ? "rev" : "seq");
        tg_buf_puts(reader->out, " to ");
        put_member(reader, i, "listeners");
        tg_buf_puts(reader->out, " connections");
        if (to) {
            tg_buf_puts(reader->out, " (`to` said yes to ");
            put_member(reader, to, "classes_yes");
            tg_buf_puts(reader->out, " and no to ");
            put_member(reader, to, "classes_no");
            tg_buf_puts(reader->out, " kinds of clients, ");
            put_member(reader, to, "at");
            tg_buf_putc(reader->out, ')');
        }
        before = ", ";
    }
}

static void put_rule(struct reader *reader, uint32_t rule)
{
    size_t from = reader->out->len;
    tg_buf_puts(reader->out, "    ");
    put_member(reader, rule, "rule");
    pad(reader, from, 26);
    put_member(reader, rule, "at");
    pad(reader, from, 52);
    put_member(reader, rule, "outcome");
    put_events(reader, rule);
    if (member(reader, rule, "because")) {
        tg_buf_puts(reader->out, ": ");
        put_member(reader, rule, "because");
    }
    tg_buf_putc(reader->out, '\n');
}

static void put_entry(struct reader *reader, uint32_t entry)
{
    put_member(reader, entry, "time");
    tg_buf_puts(reader->out, "  generation ");
    put_member(reader, entry, "generation");
    put_told(reader, entry);
    put_changes(reader, entry);
    put_moments(reader, entry);
    tg_buf_putc(reader->out, '\n');
    uint32_t rules = member(reader, entry, "rules");
    if (!rules)
        tg_buf_puts(reader->out, "    (the rules of that generation are not known any more)\n");
    EACH(reader, i, rules)
    put_rule(reader, i);
}

int tg_explain_text(const struct tg_json *answer, struct tg_buf *out)
{
    struct reader reader = {.json = answer, .out = out};
    uint32_t entries = answer->count ? tg_json_get(answer, 0, "entries") : 0;
    if (!entries || answer->tokens[entries].type != TG_JSON_ARRAY) return -TG_EINVAL;
    if (!answer->tokens[entries].count) {
        tg_buf_puts(out, "nothing changed since ");
        put(&reader, tg_json_get(answer, 0, "from"));
        tg_buf_putc(out, '\n');
    }
    EACH(&reader, i, entries)
    put_entry(&reader, i);
    tg_buf_fini(&reader.word);
    return 0;
}
