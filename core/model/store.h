/* The store: the accounts that the gateway knows, by id and by slot. */
#pragma once

#include "model/account.h"

struct tg_store;

struct tg_store *tg_store_new(void);
void tg_store_free(struct tg_store *store);

/* The account of that id, or NULL. */
struct tg_account *tg_store_find(const struct tg_store *store, const char *id);

/* The account of that id, made when it does not exist. NULL when memory is short
 * or the id is longer than TG_ACCOUNT_ID_MAX. */
struct tg_account *tg_store_open(struct tg_store *store, const char *id);

/* Frees an account. */
void tg_store_drop(struct tg_store *store, struct tg_account *account);

/* Forgets everything of an account but its id, slot and owner, as if it had never been polled: it
 * gets a new birth. */
void tg_store_renew(struct tg_store *store, struct tg_account *account);

uint32_t tg_store_count(const struct tg_store *store);

/* The account in a slot, or NULL. Slots run from 0 to tg_store_slots() - 1. */
struct tg_account *tg_store_at(const struct tg_store *store, uint32_t slot);
uint32_t tg_store_slots(const struct tg_store *store);
