/* Accounts are found by id when a client comes and by slot when the rules run. Slots are dense and
 * reused, so that what others keep per account can be an array; `birth` tells successive users of
 * one slot apart. */
#include "model/store.h"

#include "base/err.h"
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

struct tg_store {
    struct tg_map by_id;
    struct tg_account **slots;
    uint32_t *free_slots;
    uint32_t count, used, free_count, cap;
    uint64_t births;
};

struct tg_store *tg_store_new(void)
{
    return calloc(1, sizeof(struct tg_store));
}

void tg_store_free(struct tg_store *store)
{
    if (!store) return;
    for (uint32_t i = 0; i < store->used; i++) {
        if (store->slots[i]) tg_account_fini(store->slots[i]);
        free(store->slots[i]);
    }
    tg_map_fini(&store->by_id);
    free(store->slots);
    free(store->free_slots);
    free(store);
}

struct tg_account *tg_store_find(const struct tg_store *store, const char *id)
{
    return tg_map_get(&store->by_id, id, strlen(id));
}

/* Room for one more slot, in both arrays. */
static int reserve(struct tg_store *store)
{
    if (store->free_count || store->used < store->cap) return 0;
    uint32_t cap = store->cap ? store->cap * 2 : 64;
    struct tg_account **slots = realloc(store->slots, cap * sizeof *slots);
    if (slots) store->slots = slots;
    uint32_t *free_slots = realloc(store->free_slots, cap * sizeof *free_slots);
    if (free_slots) store->free_slots = free_slots;
    if (!slots || !free_slots) return -TG_ENOMEM;
    store->cap = cap;
    return 0;
}

struct tg_account *tg_store_open(struct tg_store *store, const char *id)
{
    struct tg_account *account = tg_store_find(store, id);
    if (account) return account;
    if (strlen(id) > TG_ACCOUNT_ID_MAX || reserve(store)) return NULL;
    account = malloc(sizeof *account);
    if (!account) return NULL;
    tg_account_init(account, id);
    if (tg_map_put(&store->by_id, account->id, strlen(account->id), account, NULL)) {
        free(account);
        return NULL;
    }
    account->slot = store->free_count ? store->free_slots[--store->free_count] : store->used++;
    account->birth = ++store->births;
    store->slots[account->slot] = account;
    store->count++;
    return account;
}

void tg_store_drop(struct tg_store *store, struct tg_account *account)
{
    tg_must(tg_map_remove(&store->by_id, account->id, strlen(account->id)) == account);
    store->slots[account->slot] = NULL;
    store->free_slots[store->free_count++] = account->slot;
    store->count--;
    tg_account_fini(account);
    free(account);
}

void tg_store_renew(struct tg_store *store, struct tg_account *account)
{
    uint32_t slot = account->slot;
    void *owner = account->owner;
    char id[TG_ACCOUNT_ID_MAX + 1];
    memcpy(id, account->id, sizeof id);
    tg_account_fini(account);
    tg_account_init(account, id);
    account->slot = slot;
    account->owner = owner;
    account->birth = ++store->births;
}

uint32_t tg_store_count(const struct tg_store *store)
{
    return store->count;
}

struct tg_account *tg_store_at(const struct tg_store *store, uint32_t slot)
{
    return slot < store->used ? store->slots[slot] : NULL;
}

uint32_t tg_store_slots(const struct tg_store *store)
{
    return store->used;
}
