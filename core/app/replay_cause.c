/* Rules speak for two reasons, a field that moved or a moment that came, and both stand in the
 * account after a poll. The account may be gone (NULL) when the note ended it. */
#include "app/replay_cause.h"

#include "base/json.h"
#include "model/field.h"

static const char *const note_names[TG_NOTE_KINDS] = {"restart",
                                                      "poll",
                                                      "turn",
                                                      "tick",
                                                      "source_status",
                                                      "ended",
                                                      "client_connected",
                                                      "client_disconnected",
                                                      "snapshot"};

static const char *const moment_names[] = {
    "position_opened",   "position_modified", "position_closed", "deal",
    "balance_operation", "order_placed",      "order_modified",  "order_removed"};
_Static_assert(sizeof moment_names / sizeof *moment_names == TG_MOMENT_KINDS, "one a kind");

/* What a moment is about: the position, the deal or the order, by the field that names it. */
static const struct tg_field *subject_of(const struct tg_moment *moment,
                                         const struct tg_entity **entity, const void **record)
{
    const char *name = "ticket";
    switch (moment->kind) {
    case TG_MOMENT_POSITION_OPENED:
    case TG_MOMENT_POSITION_MODIFIED:
    case TG_MOMENT_POSITION_CLOSED:
        *entity = &tg_position_entity;
        *record = &moment->position;
        name = "position_id";
        break;
    case TG_MOMENT_DEAL:
    case TG_MOMENT_BALANCE_OPERATION:
        *entity = &tg_deal_entity;
        *record = &moment->deal;
        break;
    default: *entity = &tg_order_entity; *record = &moment->order;
    }
    return tg_field_find(*entity, name);
}

static bool of_poll(const struct tg_replay_input *input, const struct tg_account *account)
{
    return account && input->kind == TG_NOTE_POLL;
}

static void comma(struct tg_buf *out, size_t start)
{
    if (out->len > start) tg_buf_puts(out, ", ");
}

/* A value as a person reads it. (The writer of JSON puts a comma where it sees another value.) */
static void put_value(struct tg_buf *out, const char *before, const struct tg_entity *entity,
                      const struct tg_field *field, const void *record)
{
    struct tg_buf value = {0};
    tg_field_write(&value, entity, field, record, false);
    tg_buf_puts(out, before);
    tg_buf_add(out, value.data, value.len);
    tg_buf_fini(&value);
}

void tg_cause_text(struct tg_buf *out, const struct tg_replay_input *input,
                   const struct tg_account *account)
{
    size_t start = out->len;
    const struct tg_entity *entity = &tg_account_entity;
    const void *record;
    if (!of_poll(input, account)) {
        tg_buf_printf(out, "%s%s%s", note_names[input->kind], *input->text ? " " : "", input->text);
        return;
    }
    for (uint64_t bits = account->changed; bits; bits &= bits - 1) {
        const struct tg_field *field = &entity->fields[__builtin_ctzll(bits)];
        comma(out, start);
        tg_buf_puts(out, field->name);
        put_value(out, " ", entity, field, &account->was);
        put_value(out, " → ", entity, field, &account->now);
    }
    for (uint32_t i = 0; i < account->moments_count; i++) {
        const struct tg_moment *moment = &account->moments[i];
        const struct tg_field *field = subject_of(moment, &entity, &record);
        comma(out, start);
        tg_buf_puts(out, moment_names[moment->kind]);
        put_value(out, " ", entity, field, record);
    }
    if (out->len == start) tg_buf_puts(out, "poll without a change");
}

void tg_cause_json(struct tg_buf *out, const struct tg_replay_input *input,
                   const struct tg_account *account)
{
    const struct tg_entity *entity = &tg_account_entity;
    const void *record;
    tg_json_open(out, '{');
    tg_json_key(out, "note");
    tg_json_text(out, note_names[input->kind]);
    if (*input->text) {
        tg_json_key(out, "text");
        tg_json_text(out, input->text);
    }
    if (!of_poll(input, account)) {
        tg_json_close(out, '}');
        return;
    }
    tg_json_key(out, "fields");
    tg_json_open(out, '{');
    for (uint64_t bits = account->changed; bits; bits &= bits - 1) {
        const struct tg_field *field = &entity->fields[__builtin_ctzll(bits)];
        tg_json_key(out, field->name);
        tg_json_open(out, '{');
        tg_json_key(out, "old");
        tg_field_write(out, entity, field, &account->was, true);
        tg_json_key(out, "new");
        tg_field_write(out, entity, field, &account->now, true);
        tg_json_close(out, '}');
    }
    tg_json_close(out, '}');
    tg_json_key(out, "moments");
    tg_json_open(out, '[');
    for (uint32_t i = 0; i < account->moments_count; i++) {
        const struct tg_moment *moment = &account->moments[i];
        const struct tg_field *field = subject_of(moment, &entity, &record);
        tg_json_open(out, '{');
        tg_json_key(out, "kind");
        tg_json_text(out, moment_names[moment->kind]);
        tg_json_key(out, field->name);
        tg_field_write(out, entity, field, record, true);
        tg_json_close(out, '}');
    }
    tg_json_close(out, ']');
    tg_json_close(out, '}');
}
