/* The proof of a session, in two steps:
 *
 *     AUTH_START ──SRV_RAND──► AUTH_ANSWER ──CLI_RAND_ANSWER, CRYPT_RAND──► the clock
 *
 * The server must prove itself as we do: one that cannot answer our challenge does not know the
 * password, and nothing it says is believed. */
#include "source/webapi_session_inner.h"

#include "source/webapi_batch.h"
#include "source/webapi_retcode.h"

void tg_webapi_session_prove(struct tg_webapi_session *session)
{
    const struct tg_webapi_session_options *options = session->options;
    bool raw = options->endpoints[session->endpoint].raw;
    struct tg_webapi_request request = {.command = TG_WEBAPI_AUTH_START};
    tg_webapi_request_add(&request, "version", options->version);
    tg_webapi_request_add(&request, "agent", options->agent);
    tg_webapi_request_add(&request, "login", options->login);
    tg_webapi_request_add(&request, "type", raw ? "MANAGER" : "manager");
    if (raw) tg_webapi_request_add(&request, "crypt_method", options->crypt ? "AES256OFB" : "NONE");
    tg_webapi_session_send(session, &request, TG_WEBAPI_STARTING, session->due_ms);
}

static void answer_auth(struct tg_webapi_session *session, const struct tg_webapi_fields *fields)
{
    struct tg_webapi_request request = {.command = TG_WEBAPI_AUTH_ANSWER};
    const char *challenge = tg_webapi_fields_get(fields, "SRV_RAND");
    char proof[TG_WEBAPI_HEX];
    if (!challenge || tg_webapi_proof(proof, &session->options->hash, challenge)) {
        tg_webapi_session_fail(session, TG_POLL_FAILED, "BAD_DOCUMENT",
                               "the server's challenge cannot be read");
        return;
    }
    tg_webapi_challenge(session->challenge);
    tg_webapi_request_add(&request, "srv_rand_answer", proof);
    tg_webapi_request_add(&request, "cli_rand", session->challenge);
    tg_webapi_session_send(session, &request, TG_WEBAPI_ANSWERING, session->due_ms);
}

static void judge_auth(struct tg_webapi_session *session, const struct tg_webapi_answer *answer,
                       struct tg_rest_verdict *why)
{
    if (tg_webapi_classify(answer->retcode) == TG_WEBAPI_MOVE)
        tg_webapi_session_move(session, why, session->now_ms);
    else
        tg_webapi_session_drop(session, why, session->now_ms);
}

void tg_webapi_session_take_proof(struct tg_webapi_session *session,
                                  const struct tg_webapi_answer *answer)
{
    const struct tg_webapi_session_options *options = session->options;
    struct tg_rest_verdict why = {0};
    if (tg_webapi_judge(answer, "authentication", &why)) {
        judge_auth(session, answer, &why);
        return;
    }
    if (answer->retcode != 0) {
        tg_webapi_session_fail(session, TG_POLL_REFUSED, "NOT_FOUND",
                               "authentication: the server does not know us");
        return;
    }
    if (session->state == TG_WEBAPI_STARTING) {
        answer_auth(session, answer->fields);
        return;
    }
    const char *proof = tg_webapi_fields_get(answer->fields, "CLI_RAND_ANSWER");
    const char *rand = tg_webapi_fields_get(answer->fields, "CRYPT_RAND");
    if (!proof || !tg_webapi_proves(&options->hash, session->challenge, proof)) {
        tg_webapi_session_fail(session, TG_POLL_REFUSED, tg_webapi_retcode_name(1008),
                               tg_webapi_retcode_hint(1008));
        return;
    }
    if (options->endpoints[session->endpoint].raw && options->crypt &&
        (!rand || tg_webapi_wire_crypt(session->wire, &options->hash, rand))) {
        tg_webapi_session_fail(session, TG_POLL_FAILED, "BAD_DOCUMENT",
                               "the server gave no key for the encryption");
        return;
    }
    session->checking = false;
    tg_webapi_session_ask_time(session, options->offset_fixed);
}
