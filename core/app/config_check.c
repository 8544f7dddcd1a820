/* Each of these is a configuration that would start and then disappoint: a header that is sent with
 * its placeholder in it, a client that is dropped before it was asked to ping, an admin port that
 * the whole network may use. The place to say so is here, with a line number. */
#include "app/config_check.h"

#include "base/map.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define FAULT(path, ...) tg_config_fault(reader->faults, path, __VA_ARGS__)

static int family(const char *address)
{
    unsigned char bytes[16];
    if (inet_pton(AF_INET, address, bytes) == 1) return AF_INET;
    return inet_pton(AF_INET6, address, bytes) == 1 ? AF_INET6 : 0;
}

bool tg_address_is_loopback(const char *address)
{
    struct in6_addr six;
    struct in_addr four;
    if (inet_pton(AF_INET, address, &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, address, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

bool tg_account_id_valid(const char *text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789._-";
    size_t len = strlen(text);
    return len >= 1 && len <= 64 && strspn(text, alphabet) == len;
}

static void check_listeners(struct tg_config_reader *reader)
{
    const struct tg_config *c = reader->config;
    if (!family(c->listen.address))
        FAULT("listen.address", "expected an IPv4 or IPv6 address, got \"%s\"", c->listen.address);
    if (!family(c->admin.address))
        FAULT("admin.address", "expected an IPv4 or IPv6 address, got \"%s\"", c->admin.address);
    else if (c->admin.enabled && !tg_address_is_loopback(c->admin.address) && !c->admin.token)
        FAULT("admin.address", "\"%s\" can be reached from outside: that needs admin.token",
              c->admin.address);
    if (c->admin.enabled && c->listen.port && c->listen.port == c->admin.port &&
        strcmp(c->listen.address, c->admin.address) == 0)
        FAULT("admin.port", "this is the address and port of listen, too");
}

static void check_accounts(struct tg_config_reader *reader)
{
    const struct tg_config *c = reader->config;
    struct tg_map seen = {0};
    struct tg_buf path = {0};
    if (c->accounts.always_count > c->accounts.maximum)
        FAULT("accounts.always", "%d accounts are more than accounts.maximum (%d)",
              c->accounts.always_count, c->accounts.maximum);
    for (int i = 0; i < c->accounts.always_count; i++) {
        char *id = c->accounts.always[i];
        void *before = NULL;
        tg_buf_clear(&path);
        tg_buf_printf(&path, "accounts.always[%d]", i + 1);
        if (path.failed || tg_map_put(&seen, id, strlen(id), id, &before)) {
            reader->failed = true;
            break;
        }
        if (!tg_account_id_valid(id))
            FAULT(path.data, "\"%s\" is no account id: 1 to 64 of A-Z a-z 0-9 . _ -", id);
        else if (before)
            FAULT(path.data, "\"%s\" stands in the list already", id);
    }
    tg_map_fini(&seen);
    tg_buf_fini(&path);
}

static void check_rules(struct tg_config_reader *reader)
{
    const struct tg_config *c = reader->config;
    if (c->rules.payload_bytes > c->rules.bytes_per_tick)
        FAULT("rules.payload_bytes", "%d are more than rules.bytes_per_tick (%d) lets out",
              c->rules.payload_bytes, c->rules.bytes_per_tick);
}

static void check_auth(struct tg_config_reader *reader)
{
    struct tg_config *c = reader->config;
    if (!c->auth.keys_count && !tg_config_is_given(reader, "auth.keys"))
        FAULT("auth.keys", "at least one key is required, such as "
                           "{ algorithm = \"HS256\", secret = env \"JWT_SECRET\" }");
    for (int i = 0; i < c->auth.keys_count; i++)
        for (int j = 0; c->auth.keys[i].kid && j < i; j++)
            if (c->auth.keys[j].kid && strcmp(c->auth.keys[i].kid, c->auth.keys[j].kid) == 0)
                FAULT("auth.keys", "two keys have the kid \"%s\"", c->auth.keys[i].kid);
    if (c->auth.authorize && tg_config_is_given(reader, "auth.ownership"))
        FAULT("auth.authorize", "expected either authorize or ownership, got both");
    if (tg_config_is_given(reader, "auth.ownership.file")) {
        if (tg_config_is_given(reader, "auth.ownership.claim"))
            FAULT("auth.ownership", "expected either claim or file, got both");
        free(c->auth.ownership_claim);
        c->auth.ownership_claim = NULL;
    } else if (tg_config_is_given(reader, "auth.ownership.file_bytes")) {
        FAULT("auth.ownership.file_bytes", "this does nothing without auth.ownership.file");
    }
}

static void check_clients(struct tg_config_reader *reader)
{
    const struct tg_config *c = reader->config;
    if (c->protocol.ping_seconds >= c->protocol.timeout_seconds)
        FAULT("protocol.ping_seconds",
              "expected less than protocol.timeout_seconds (%d), or clients that ping on time are "
              "closed",
              c->protocol.timeout_seconds);
    if (c->rules.payload_bytes > c->limits.queue_bytes / 2)
        FAULT("rules.payload_bytes",
              "expected at most half of limits.queue_bytes (%d), or one event closes a client",
              c->limits.queue_bytes);
    if (c->limits.token_bytes > c->limits.head_bytes)
        FAULT("limits.token_bytes",
              "a token comes in the request's head: expected at most "
              "limits.head_bytes (%d)",
              c->limits.head_bytes);
}

static void check_record(struct tg_config_reader *reader)
{
    const struct tg_config *c = reader->config;
    if (c->record.total_mb < 2 * c->record.file_mb)
        FAULT("record.total_mb", "expected at least twice record.file_mb (%d)", c->record.file_mb);
    if (!c->record.path && tg_config_is_given(reader, "record") &&
        !tg_config_is_given(reader, "record.path"))
        FAULT("record.path", "this is required in record and missing");
}

void tg_config_check(struct tg_config_reader *reader)
{
    check_listeners(reader);
    tg_config_check_sources(reader);
    check_accounts(reader);
    check_rules(reader);
    check_auth(reader);
    check_clients(reader);
    check_record(reader);
}
