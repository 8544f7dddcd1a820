#include "select.h"

#include "base/text.h"
#include "retcode.h"

#include <string.h>

enum mt_missing mt_missing = MT_MISSING_OMIT;

/* The next element of a comma-separated list, blanks around it dropped; NULL at the end. */
static const char *next_item(const char **cursor, size_t *len)
{
    const char *at = *cursor;
    while (*at == ',' || *at == ' ')
        at++;
    if (!*at) return NULL;
    *len = strcspn(at, ",");
    *cursor = at + *len;
    while (*len && at[*len - 1] == ' ')
        (*len)--;
    return at;
}

bool mt_list_holds(const char *list, uint64_t number)
{
    uint64_t value;
    size_t len;
    for (const char *item; (item = next_item(&list, &len));)
        if (!tg_read_u64(item, len, &value) && value == number) return true;
    return false;
}

bool mt_list_numbers(const char *list)
{
    uint64_t value;
    size_t len;
    for (const char *item; (item = next_item(&list, &len));)
        if (tg_read_u64(item, len, &value)) return false;
    return true;
}

bool mt_mask_match(const char *masks, const char *name)
{
    bool matched = !*masks;
    size_t len, name_len = strlen(name);
    for (const char *item; (item = next_item(&masks, &len));) {
        bool not_this = *item == '!';
        if (!tg_glob_match(item + not_this, len - not_this, name, name_len)) continue;
        if (not_this) return false;
        matched = true;
    }
    return matched;
}

int mt_param_u64(const struct mt_request *request, const char *name, uint64_t *out)
{
    const char *text = mt_param(request, name);
    return tg_read_u64(text, strlen(text), out) ? MT_PARAMS : MT_OK;
}

int mt_param_i64(const struct mt_request *request, const char *name, int64_t *out)
{
    const char *text = mt_param(request, name);
    return tg_read_i64(text, strlen(text), out) ? MT_PARAMS : MT_OK;
}

int mt_select_one(struct mt_call *call, struct mt_client **out)
{
    uint64_t login;
    if (mt_param_u64(call->request, "LOGIN", &login)) return MT_PARAMS;
    *out = mt_world_client(call->world, login);
    if (!*out) return MT_NOT_FOUND;
    return (*out)->refused;
}

static void add(struct mt_call *call, struct mt_selection *selection, struct mt_client *client)
{
    if (call->fault && call->fault->kind == MT_FAULT_OMIT && client->login == call->fault->login)
        return;
    if (client->refused) {
        selection->missing++;
        return;
    }
    selection->clients =
        mt_grow(selection->clients, &selection->cap, selection->count, sizeof(struct mt_client *));
    selection->clients[selection->count++] = client;
}

static void add_group(struct mt_call *call, struct mt_selection *selection, const char *masks)
{
    struct mt_world *world = call->world;
    const struct mt_group *last = NULL;
    bool matches = false;
    for (uint32_t i = 0; i < world->clients_count; i++) {
        struct mt_client *client = world->clients[i];
        if (client->group != last) {
            last = client->group;
            matches = mt_mask_match(masks, last->group);
        }
        if (matches) add(call, selection, client);
    }
}

static int add_logins(struct mt_call *call, struct mt_selection *selection, const char *list)
{
    uint64_t login;
    size_t len;
    for (const char *item; (item = next_item(&list, &len));) {
        if (tg_read_u64(item, len, &login)) return MT_PARAMS;
        struct mt_client *client = mt_world_client(call->world, login);
        if (client)
            add(call, selection, client);
        else
            selection->missing++;
    }
    return MT_OK;
}

static void reverse(struct mt_selection *selection)
{
    for (uint32_t i = 0, j = selection->count; i + 1 < j; i++) {
        struct mt_client *swap = selection->clients[i];
        selection->clients[i] = selection->clients[--j];
        selection->clients[j] = swap;
    }
}

int mt_select(struct mt_call *call, bool tickets, struct mt_selection **out)
{
    static struct mt_selection selection;
    const char *login = mt_param(call->request, "LOGIN");
    const char *group = mt_param(call->request, "GROUP");
    const char *ticket = tickets ? mt_param(call->request, "TICKET") : "";
    selection.count = selection.missing = 0;
    selection.by_ticket = *ticket;
    *out = &selection;
    if (!!*login + !!*group + !!*ticket != 1) return MT_PARAMS;
    if (*ticket && !mt_list_numbers(ticket)) return MT_PARAMS;
    int rc = MT_OK;
    if (*login)
        rc = add_logins(call, &selection, login);
    else
        add_group(call, &selection, *ticket ? "" : group);
    if (call->fault && call->fault->kind == MT_FAULT_REVERSED) reverse(&selection);
    return rc;
}
