/* `pong` travels behind everything that was queued before it and says how many ordered events this
 * connection was sent. A client that counted as many has lost nothing, whatever filters stood in
 * between; numbers that skip would prove less, since filters make them skip. */
#include "app/tail_ledger.h"

#include "base/text.h"

#include <string.h>

bool tg_tail_is_control(const char *type)
{
    static const char *const control[] = {"connected",  "snapshot",       "pong",
                                          "error",      "status",         "events",
                                          "going_away", "token_expiring", "authenticated"};
    for (size_t i = 0; i < sizeof control / sizeof *control; i++)
        if (strcmp(type, control[i]) == 0) return true;
    return false;
}

static bool number(const struct tg_json *json, const char *name, uint64_t *out)
{
    uint32_t member = tg_json_get(json, 0, name);
    return member && json->tokens[member].type == TG_JSON_NUMBER &&
           tg_json_read_u64(&json->tokens[member], out) == 0;
}

static struct tg_tail_note take_connected(struct tg_tail_ledger *ledger, const struct tg_json *json)
{
    struct tg_tail_note note = {0};
    uint64_t seq = 0;
    char epoch[sizeof ledger->epoch] = "";
    uint32_t member = tg_json_get(json, 0, "epoch"), back = tg_json_get(json, 0, "recovered");
    bool recovered = back && json->tokens[back].type == TG_JSON_TRUE;
    if (member && json->tokens[member].type == TG_JSON_STRING)
        tg_copy(epoch, sizeof epoch, json->tokens[member].text, json->tokens[member].len);
    bool known = number(json, "seq", &seq);
    note.reset = *ledger->epoch && strcmp(ledger->epoch, epoch) != 0;
    if (*ledger->epoch && !note.reset && !recovered && known && seq > ledger->seq)
        note.missed = seq - ledger->seq;
    memcpy(ledger->epoch, epoch, sizeof epoch);
    if (known && !recovered) ledger->seq = seq;
    ledger->counted = 0;
    ledger->renamed = false;
    return note;
}

struct tg_tail_note tg_tail_ledger_take(struct tg_tail_ledger *ledger, const struct tg_json *json,
                                        const char *type)
{
    struct tg_tail_note note = {0};
    uint64_t value;
    if (strcmp(type, "connected") == 0) return take_connected(ledger, json);
    if (strcmp(type, "pong") == 0) {
        if (ledger->renamed || !number(json, "sent", &value)) return note;
        note.lost = value > ledger->counted ? value - ledger->counted : 0;
        note.extra = ledger->counted > value ? ledger->counted - value : 0;
        note.proved = value == ledger->counted;
        ledger->counted = value; /* told once */
    } else if (!tg_tail_is_control(type)) {
        if (*type && number(json, "seq", &value)) {
            ledger->counted++;
            ledger->seq = value;
        } else if (!*type || !tg_json_get(json, 0, "rev")) {
            ledger->renamed = true;
        }
    }
    return note;
}
