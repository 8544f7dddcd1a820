/* Strict about what it knows and silent about what it does not: a client that misspells `include`
 * learns so, a client of tomorrow that adds a member works. Parsed with the strict reader because
 * what it lets through is echoed (`id`) into our own messages. */
#include "stream/message_in.h"

#include "base/json.h"
#include "stream/events.h"

#include <string.h>

static int read_ping(struct tg_message_in *message, const struct tg_json *json, struct tg_err *err)
{
    uint32_t id = tg_json_get(json, 0, "id");
    if (!id) return 0;
    const struct tg_json_token *token = &json->tokens[id];
    bool quoted = token->type == TG_JSON_STRING;
    size_t len = token->len + 2 * (size_t)quoted;
    if (len > TG_MESSAGE_ID)
        return tg_fail(err, TG_EINVAL, "id is longer than %d bytes", TG_MESSAGE_ID);
    tg_buf_add(&message->text, token->text - quoted, len);
    return 0;
}

static int read_auth(struct tg_message_in *message, const struct tg_json *json, struct tg_err *err)
{
    uint32_t token = tg_json_get(json, 0, "token");
    if (!token || json->tokens[token].type != TG_JSON_STRING || !json->tokens[token].len)
        return tg_fail(err, TG_EINVAL, "auth needs a token, a string");
    tg_json_unescape(&message->text, &json->tokens[token]);
    return 0;
}

static int read_events(struct tg_message_in *message, const struct tg_json *json,
                       struct tg_err *err)
{
    uint32_t include = tg_json_get(json, 0, "include");
    if (!include || json->tokens[include].type != TG_JSON_ARRAY)
        return tg_fail(err, TG_EINVAL, "events needs include, a list of event types");
    if (json->tokens[include].count > TG_EVENTS_GLOBS)
        return tg_fail(err, TG_EINVAL, "include has more than %d entries", TG_EVENTS_GLOBS);
    for (uint32_t i = include + 1; i < json->tokens[include].next; i = json->tokens[i].next) {
        const struct tg_json_token *glob = &json->tokens[i];
        if (glob->type != TG_JSON_STRING || !tg_events_glob_valid(glob->text, glob->len))
            return tg_fail(err, TG_EINVAL,
                           "include takes 1 to %d characters of A-Z a-z 0-9 _ . - * an entry",
                           TG_EVENTS_GLOB);
        if (message->text.len) tg_buf_putc(&message->text, ',');
        tg_buf_add(&message->text, glob->text, glob->len);
    }
    return 0;
}

static int read_message(struct tg_message_in *message, const struct tg_json *json,
                        struct tg_err *err)
{
    uint32_t type = tg_json_get(json, 0, "type");
    const struct tg_json_token *name = &json->tokens[type];
    if (json->tokens[0].type != TG_JSON_OBJECT)
        return tg_fail(err, TG_EINVAL, "a message is a JSON object");
    if (!type || name->type != TG_JSON_STRING)
        return tg_fail(err, TG_EINVAL, "a message needs a type, a string");
    if (tg_json_is(name, "ping")) {
        message->kind = TG_MESSAGE_PING;
        return read_ping(message, json, err);
    }
    if (tg_json_is(name, "auth")) {
        message->kind = TG_MESSAGE_AUTH;
        return read_auth(message, json, err);
    }
    if (tg_json_is(name, "events")) {
        message->kind = TG_MESSAGE_EVENTS;
        return read_events(message, json, err);
    }
    if (tg_json_is(name, "snapshot")) {
        message->kind = TG_MESSAGE_SNAPSHOT;
        return 0;
    }
    return tg_fail(err, TG_EINVAL, "unknown type; known are ping, auth, snapshot and events");
}

int tg_message_in_parse(struct tg_message_in *message, const char *data, size_t len,
                        struct tg_err *err)
{
    struct tg_json json = {0};
    int rc = tg_json_parse(&json, data, len, err);
    if (!rc) rc = read_message(message, &json, err);
    if (!rc && message->text.failed) rc = -TG_ENOMEM;
    tg_json_fini(&json);
    return rc;
}

void tg_message_in_fini(struct tg_message_in *message)
{
    tg_buf_fini(&message->text);
}
