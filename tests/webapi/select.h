/* Which accounts and rows a command is about: lists of logins, tickets and symbols, group masks. */
#pragma once

#include "command.h"

/* What batches answer when an account they name has no trade state. */
enum mt_missing { MT_MISSING_OMIT, MT_MISSING_PARTIAL, MT_MISSING_REFUSE };
extern enum mt_missing mt_missing;

#define MT_PAGE_MOST 100

/* A selection in order. `by_ticket` selects rows, not accounts: `clients` are all there are. */
struct mt_selection {
    struct mt_client **clients;
    uint32_t count, cap;
    uint32_t missing; /* accounts that were named and do not exist */
    bool by_ticket;
};

/* Reads LOGIN, GROUP or TICKET, exactly one of which must be given. MT_OK or MT_PARAMS. The
 * selection is valid until the next. */
int mt_select(struct mt_call *call, bool tickets, struct mt_selection **out);

/* Reads a number that must be given. MT_OK or MT_PARAMS. */
int mt_param_u64(const struct mt_request *request, const char *name, uint64_t *out);
int mt_param_i64(const struct mt_request *request, const char *name, int64_t *out);

/* Whether a comma-separated list holds a number; whether it is one of numbers. */
bool mt_list_holds(const char *list, uint64_t number);
bool mt_list_numbers(const char *list);

/* Whether a name passes a list of masks: some mask without "!" fits and none with it; the empty
 * list lets all pass. */
bool mt_mask_match(const char *masks, const char *name);

/* The account LOGIN names, with the codes for one that is unknown or refused. */
int mt_select_one(struct mt_call *call, struct mt_client **out);
