/* One table says what each refusal is to a client: status, code, close code, words. */
#include "app/refusal.h"

#include "base/json.h"

static const struct tg_refusal_row rows[TG_REFUSALS] = {
    [TG_REFUSE_INVALID_REQUEST] = {400, "INVALID_REQUEST", 4505, "the request is malformed"},
    [TG_REFUSE_INVALID_ACCOUNT_ID] = {400, "INVALID_ACCOUNT_ID", 4505,
                                      "an account id is 1 to 64 characters of A-Z a-z 0-9 . _ -"},
    [TG_REFUSE_INVALID_PARAMETERS] = {400, "INVALID_PARAMETERS", 4505,
                                      "a query parameter is malformed"},
    [TG_REFUSE_AUTH_REQUIRED] = {401, "AUTH_REQUIRED", 4500, "a token is required"},
    [TG_REFUSE_AUTH_FAILED] = {401, "AUTH_FAILED", 4500, "the token is not valid"},
    [TG_REFUSE_TOKEN_EXPIRED] = {401, "TOKEN_EXPIRED", 4500, "the token has expired"},
    [TG_REFUSE_NOT_OWNER] = {403, "NOT_OWNER", 4501, "the account is not the token's"},
    [TG_REFUSE_NOT_FOUND] = {404, "NOT_FOUND", 4504, "there is nothing at this path"},
    [TG_REFUSE_UNKNOWN_ACCOUNT] = {404, "UNKNOWN_ACCOUNT", 4504, "the source has no such account"},
    [TG_REFUSE_METHOD_NOT_ALLOWED] = {405, "METHOD_NOT_ALLOWED", 4505,
                                      "this method is not allowed here"},
    [TG_REFUSE_UPGRADE_REQUIRED] = {426, "UPGRADE_REQUIRED", 4505,
                                    "this path speaks WebSocket (RFC 6455, version 13)"},
    [TG_REFUSE_RATE_LIMITED] = {429, "RATE_LIMITED", 4502, "too many requests"},
    [TG_REFUSE_TOO_MANY_CONNECTIONS] = {429, "TOO_MANY_CONNECTIONS", 4502, "too many connections"},
    [TG_REFUSE_OVERLOADED] = {503, "SERVICE_OVERLOADED", 4003, "the gateway is at its capacity"},
    [TG_REFUSE_DRAINING] = {503, "DRAINING", 4003, "the gateway is shutting down"},
    [TG_REFUSE_OWNERSHIP_UNAVAILABLE] = {503, "OWNERSHIP_UNAVAILABLE", 4003,
                                         "ownership cannot be checked now"},
    [TG_REFUSE_NO_STATE] = {503, "NO_STATE", 4003, "the account has not been polled yet"},
};

const struct tg_refusal_row *tg_refusal_row(enum tg_refusal refusal)
{
    return &rows[refusal];
}

void tg_refusal_body(struct tg_buf *out, enum tg_refusal refusal, int retry_after_s,
                     const char *reference)
{
    tg_json_open(out, '{');
    tg_json_member_bool(out, "success", false);
    tg_json_key(out, "error");
    tg_json_open(out, '{');
    tg_json_key(out, "code");
    tg_json_text(out, rows[refusal].code);
    tg_json_key(out, "message");
    tg_json_text(out, rows[refusal].message);
    tg_json_key(out, "retry_after_seconds");
    if (retry_after_s)
        tg_json_i64(out, retry_after_s);
    else
        tg_json_text(out, NULL);
    tg_json_key(out, "support_reference");
    tg_json_text(out, reference);
    tg_json_close(out, '}');
    tg_json_close(out, '}');
}
