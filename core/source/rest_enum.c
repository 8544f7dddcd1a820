/* The numbers are those of the client API (MQL5, the Python package), which the services put
 * through; the manager's API numbers reasons differently and is not what speaks here. Strictness
 * follows the price of an error: a side or an entry that is misread turns into a false event, a
 * reason that is not understood is merely unknown. */
#include "source/rest_enum.h"

#include "model/record.h"

#include <string.h>
#include <strings.h>

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

static const int8_t sides[] = {TG_SIDE_BUY, TG_SIDE_SELL};
static const int8_t entries[] = {TG_ENTRY_IN, TG_ENTRY_OUT, TG_ENTRY_INOUT, TG_ENTRY_OUT_BY};
static const int8_t margin_modes[] = {TG_MARGIN_MODE_NETTING, TG_MARGIN_MODE_EXCHANGE,
                                      TG_MARGIN_MODE_HEDGING};
static const int8_t trade_modes[] = {TG_TRADE_MODE_DEMO, TG_TRADE_MODE_CONTEST, TG_TRADE_MODE_REAL};
static const int8_t reasons[] = {
    TG_REASON_MANUAL, TG_REASON_MOBILE,   TG_REASON_WEB,      TG_REASON_EXPERT,  TG_REASON_SL,
    TG_REASON_TP,     TG_REASON_STOP_OUT, TG_REASON_ROLLOVER, TG_REASON_VMARGIN, TG_REASON_SPLIT};
static const int8_t actions[] = {TG_ACTION_BUY,        TG_ACTION_SELL,       TG_ACTION_BALANCE,
                                 TG_ACTION_CREDIT,     TG_ACTION_CHARGE,     TG_ACTION_CORRECTION,
                                 TG_ACTION_BONUS,      TG_ACTION_COMMISSION, TG_ACTION_COMMISSION,
                                 TG_ACTION_COMMISSION, TG_ACTION_COMMISSION, TG_ACTION_COMMISSION,
                                 TG_ACTION_INTEREST,   TG_ACTION_OTHER,      TG_ACTION_OTHER,
                                 TG_ACTION_DIVIDEND,   TG_ACTION_DIVIDEND,   TG_ACTION_TAX};

static const int8_t order_types[] = {TG_ORDER_TYPE_BUY,
                                     TG_ORDER_TYPE_SELL,
                                     TG_ORDER_TYPE_BUY_LIMIT,
                                     TG_ORDER_TYPE_SELL_LIMIT,
                                     TG_ORDER_TYPE_BUY_STOP,
                                     TG_ORDER_TYPE_SELL_STOP,
                                     TG_ORDER_TYPE_BUY_STOP_LIMIT,
                                     TG_ORDER_TYPE_SELL_STOP_LIMIT,
                                     TG_ORDER_TYPE_CLOSE_BY};
static const int8_t order_states[] = {TG_ORDER_STATE_STARTED,   TG_ORDER_STATE_PLACED,
                                      TG_ORDER_STATE_CANCELLED, TG_ORDER_STATE_PARTIAL,
                                      TG_ORDER_STATE_FILLED,    TG_ORDER_STATE_REJECTED,
                                      TG_ORDER_STATE_EXPIRED,   TG_ORDER_STATE_REQUESTED,
                                      TG_ORDER_STATE_REQUESTED, TG_ORDER_STATE_REQUESTED};
static const int8_t order_times[] = {TG_ORDER_TIME_GTC, TG_ORDER_TIME_DAY, TG_ORDER_TIME_SPECIFIED,
                                     TG_ORDER_TIME_SPECIFIED_DAY};
static const int8_t order_fillings[] = {TG_ORDER_FILLING_FOK, TG_ORDER_FILLING_IOC,
                                        TG_ORDER_FILLING_RETURN, TG_ORDER_FILLING_BOC};

/* A list of enums.def: its numbers, and what stands for a value that is not understood (-1: none
 * does, the value is refused). */
static const struct list {
    const char *field;
    const int8_t *numbers;
    int count;
    int32_t otherwise;
} lists[] = {
    {"side", sides, COUNT(sides), -1},
    {"entry", entries, COUNT(entries), -1},
    {"action", actions, COUNT(actions), TG_ACTION_OTHER},
    {"reason", reasons, COUNT(reasons), TG_REASON_UNKNOWN},
    {"margin_mode", margin_modes, COUNT(margin_modes), TG_MARGIN_MODE_UNKNOWN},
    {"trade_mode", trade_modes, COUNT(trade_modes), TG_TRADE_MODE_UNKNOWN},
    {"type", order_types, COUNT(order_types), -1},
    {"state", order_states, COUNT(order_states), TG_ORDER_STATE_UNKNOWN},
    {"type_time", order_times, COUNT(order_times), TG_ORDER_TIME_UNKNOWN},
    {"type_filling", order_fillings, COUNT(order_fillings), TG_ORDER_FILLING_UNKNOWN},
};

static const char *const prefixes[] = {
    "POSITION_TYPE_",       "ORDER_TYPE_",         "DEAL_TYPE_",
    "DEAL_ENTRY_",          "POSITION_REASON_",    "ORDER_REASON_",
    "DEAL_REASON_",         "ACCOUNT_TRADE_MODE_", "OP_",
    "ACCOUNT_MARGIN_MODE_", "ACCOUNT_MARGINMODE_", "ORDER_STATE_",
    "ORDER_TIME_",          "ORDER_FILLING_",      NULL};

static const struct {
    const char *field, *word, *name;
} synonyms[] = {
    {"reason", "client", "manual"},      {"reason", "so", "stop_out"},
    {"reason", "stopout", "stop_out"},   {"reason", "stop_loss", "sl"},
    {"reason", "take_profit", "tp"},     {"margin_mode", "retail_netting", "netting"},
    {"action", "deposit", "balance"},    {"margin_mode", "retail_hedging", "hedging"},
    {"action", "withdrawal", "balance"}, {"state", "canceled", "cancelled"},
};

static const char *without_prefix(const char *text)
{
    for (int i = 0; prefixes[i]; i++)
        if (!strncasecmp(text, prefixes[i], strlen(prefixes[i]))) return text + strlen(prefixes[i]);
    return text;
}

/* The index of a word in the field's names, or 0. */
static int32_t named(const struct tg_field *field, const char *word)
{
    for (int i = 0; i < COUNT(synonyms); i++)
        if (!strcmp(synonyms[i].field, field->name) && !strcasecmp(synonyms[i].word, word))
            word = synonyms[i].name;
    for (int32_t i = 1; field->names[i]; i++)
        if (!strcasecmp(field->names[i], word)) return i;
    return 0;
}

int tg_rest_enum(const struct tg_field *field, const struct tg_json_token *token, int32_t *out)
{
    const struct list *list = NULL;
    char word[40];
    int64_t number;
    int32_t value = 0;
    for (int i = 0; i < COUNT(lists) && !list; i++)
        if (!strcmp(lists[i].field, field->name)) list = &lists[i];
    tg_must(list);
    if (!tg_json_read_i64(token, &number)) {
        if (number >= 0 && number < list->count) value = list->numbers[number];
    } else if (token->type == TG_JSON_STRING && token->len < sizeof word) {
        memcpy(word, token->text, token->len);
        word[token->len] = '\0';
        value = named(field, without_prefix(word));
    }
    if (!value && list->otherwise < 0) return -TG_EINVAL;
    if (!value && token->type != TG_JSON_STRING && token->type != TG_JSON_NUMBER) return -TG_EINVAL;
    *out = value ? value : list->otherwise;
    return 0;
}
