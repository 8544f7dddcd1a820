/* Users and the state of their accounts: one by one, in batches, and the list of logins. */
#include "select.h"

#include "retcode.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

static const char *overridden(const void *ctx, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(ctx, name);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static void write_account(struct mt_call *call, struct mt_client *client,
                          struct mt_account *account)
{
    if (call->fault && call->fault->kind == MT_FAULT_FOREIGN) account->login = call->fault->login;
    mt_record_write(&call->answer->json, &call->world->dialect, MT_ACCOUNT, account,
                    client->overrides ? overridden : NULL, client->overrides);
}

int mt_account_get(struct mt_call *call)
{
    struct mt_client *client;
    struct mt_state state;
    int rc = mt_select_one(call, &client);
    if (rc) return rc;
    if (!mt_world_read(call->world, client, MT_PART_ACCOUNT, call->wall_ms, &state))
        return MT_NOT_FOUND;
    write_account(call, client, &state.account);
    return MT_OK;
}

/* How a batch ends in which `missing` accounts had nothing to tell. */
static int end_batch(struct mt_call *call, uint32_t missing)
{
    if (!missing || mt_missing == MT_MISSING_OMIT) return MT_OK;
    if (mt_missing == MT_MISSING_PARTIAL) return MT_PARTIAL;
    tg_buf_clear(&call->answer->json);
    return MT_NOT_FOUND;
}

int mt_account_batch(struct mt_call *call)
{
    struct mt_selection *selection;
    struct mt_state state;
    uint32_t rows = 0;
    int rc = mt_select(call, false, &selection);
    if (rc) return rc;
    bool twice = call->fault && call->fault->kind == MT_FAULT_TWICE;
    mt_list_open(&call->answer->json);
    for (uint32_t i = 0; i < selection->count; i++) {
        struct mt_client *client = selection->clients[i];
        if (!mt_world_read(call->world, client, MT_PART_ACCOUNT, call->wall_ms, &state)) {
            selection->missing++;
            continue;
        }
        for (int time = 0; time <= twice; time++) {
            mt_list_next(&call->answer->json, &rows);
            write_account(call, client, &state.account);
        }
    }
    mt_list_close(&call->answer->json);
    return end_batch(call, selection->missing);
}

static void write_user(struct mt_call *call, struct mt_client *client)
{
    struct mt_user user;
    mt_world_money(call->world, client, call->wall_ms, &user);
    if (call->fault && call->fault->kind == MT_FAULT_FOREIGN) user.login = call->fault->login;
    mt_record_write(&call->answer->json, &call->world->dialect, MT_USER, &user, NULL, NULL);
}

int mt_user_get(struct mt_call *call)
{
    struct mt_client *client;
    int rc = mt_select_one(call, &client);
    if (!rc) write_user(call, client);
    return rc;
}

int mt_user_batch(struct mt_call *call)
{
    struct mt_selection *selection;
    uint32_t rows = 0;
    int rc = mt_select(call, false, &selection);
    if (rc) return rc;
    bool twice = call->fault && call->fault->kind == MT_FAULT_TWICE;
    mt_list_open(&call->answer->json);
    for (uint32_t i = 0; i < selection->count; i++) {
        for (int time = 0; time <= twice; time++) {
            mt_list_next(&call->answer->json, &rows);
            write_user(call, selection->clients[i]);
        }
    }
    mt_list_close(&call->answer->json);
    return end_batch(call, selection->missing);
}

int mt_user_logins(struct mt_call *call)
{
    struct mt_selection *selection;
    uint32_t rows = 0;
    if (!*mt_param(call->request, "GROUP") || mt_select(call, false, &selection)) return MT_PARAMS;
    mt_list_open(&call->answer->json);
    for (uint32_t i = 0; i < selection->count; i++) {
        mt_list_next(&call->answer->json, &rows);
        tg_buf_printf(&call->answer->json, "\"%llu\"",
                      (unsigned long long)selection->clients[i]->login);
    }
    mt_list_close(&call->answer->json);
    return MT_OK;
}
