/* The trade state of an account names neither its currency nor its owner; those change rarely and
 * are kept here. Clients that nobody polls any more are forgotten, so that a gateway that runs for
 * months knows no more of them than it serves. */
#include "source/webapi_client.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static void free_all(struct tg_map *map)
{
    size_t cursor = 0;
    for (struct tg_map_slot *slot; (slot = tg_map_next(map, &cursor));)
        free(slot->value);
    tg_map_fini(map);
}

void tg_webapi_clients_fini(struct tg_webapi_clients *clients)
{
    free_all(&clients->by_login);
    free_all(&clients->groups);
    free_all(&clients->symbols);
}

struct tg_webapi_client *tg_webapi_clients_find(const struct tg_webapi_clients *clients,
                                                uint64_t login)
{
    return tg_map_get(&clients->by_login, (const char *)&login, sizeof login);
}

struct tg_webapi_client *tg_webapi_clients_open(struct tg_webapi_clients *clients, uint64_t login)
{
    struct tg_webapi_client *client = tg_webapi_clients_find(clients, login);
    if (client) return client;
    client = calloc(1, sizeof *client);
    if (!client) return NULL;
    client->login = login;
    client->positions = -1;
    if (!tg_map_put(&clients->by_login, (const char *)&login, sizeof login, client, NULL))
        return client;
    free(client);
    return NULL;
}

/* Some that were not seen since, at most `cap`. */
static size_t unseen(const struct tg_webapi_clients *clients, int64_t since_ms, uint64_t *logins,
                     size_t cap)
{
    size_t cursor = 0, count = 0;
    for (struct tg_map_slot *slot; (slot = tg_map_next(&clients->by_login, &cursor));) {
        const struct tg_webapi_client *client = slot->value;
        if (client->job || client->seen_ms >= since_ms) continue;
        logins[count++] = client->login;
        if (count == cap) break;
    }
    return count;
}

/* A map must not change while it is walked, so they are listed first, some hundred at a time. */
void tg_webapi_clients_sweep(struct tg_webapi_clients *clients, int64_t since_ms)
{
    uint64_t logins[256];
    size_t count;
    while ((count = unseen(clients, since_ms, logins, 256)))
        for (size_t i = 0; i < count; i++)
            free(tg_map_remove(&clients->by_login, (const char *)&logins[i], sizeof logins[i]));
}

struct tg_webapi_fact *tg_webapi_fact_open(struct tg_map *map, const char *name)
{
    size_t len = strlen(name);
    struct tg_webapi_fact *fact = tg_map_get(map, name, len);
    if (fact) return fact;
    fact = calloc(1, sizeof *fact);
    if (!fact) return NULL;
    tg_copy(fact->name, sizeof fact->name, name, len);
    fact->digits = -1;
    if (!tg_map_put(map, name, len, fact, NULL)) return fact;
    free(fact);
    return NULL;
}
