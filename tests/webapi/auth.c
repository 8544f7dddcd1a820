/* Mutual proof that both know the manager's password, without sending it. A manager that does not
 * exist is challenged like any other and refused like a wrong password. */
#include "command.h"

#include "base/rand.h"
#include "base/text.h"
#include "retcode.h"

#include <stdio.h>
#include <string.h>

#define VERSION_OLDEST 484
#define BUILD "3470"

int64_t mt_auth_window_ms = 10000;
struct mt_fixed mt_auth_fixed;

static int refuse(struct mt_call *call, int code)
{
    call->session->state = MT_STRANGER;
    call->answer->close = true;
    call->answer->http_status = 403;
    return code;
}

int mt_auth_start(struct mt_call *call)
{
    struct mt_session *session = call->session;
    const char *version = mt_param(call->request, "VERSION");
    const char *agent = mt_param(call->request, "AGENT");
    const char *login = mt_param(call->request, "LOGIN");
    const char *type = mt_param(call->request, "TYPE");
    const char *crypt = mt_param(call->request, "CRYPT_METHOD");
    uint64_t build;
    char hex[2 * MT_DIGEST + 1];
    if (session->state == MT_AUTHENTICATED) return MT_PARAMS;
    if (tg_read_u64(version, strlen(version), &build)) return MT_PARAMS;
    if (build < VERSION_OLDEST) return refuse(call, MT_OLD_CLIENT);
    if (!*agent || strchr(agent, ' ')) return MT_PARAMS;
    if (tg_read_u64(login, strlen(login), &session->manager)) return MT_PARAMS;
    if (strcasecmp(type, "manager") != 0) return refuse(call, MT_INVALID_TERMINAL);
    session->crypt = call->request->transport == MT_RAW && strcmp(crypt, "AES256OFB") == 0;
    if (*crypt && !session->crypt && strcmp(crypt, "NONE") != 0 &&
        call->request->transport == MT_RAW)
        return MT_PARAMS;
    session->state = MT_CHALLENGED;
    session->challenged_ms = call->mono_ms;
    tg_random_bytes(session->srv_rand, sizeof session->srv_rand);
    if (mt_auth_fixed.srv_known)
        memcpy(session->srv_rand, mt_auth_fixed.srv_rand, sizeof session->srv_rand);
    mt_hex_write(session->srv_rand, sizeof session->srv_rand, hex);
    mt_answer_top(call->answer, "version_access", BUILD);
    mt_answer_top(call->answer, "srv_rand", hex);
    return MT_OK;
}

static void prove(struct mt_call *call, const uint8_t cli_rand[MT_DIGEST])
{
    struct mt_session *session = call->session;
    uint8_t proof[MT_DIGEST];
    char hex[2 * MT_CRYPT_RAND + 1];
    mt_md5_pair(session->hash, MT_DIGEST, cli_rand, MT_DIGEST, proof);
    if (call->fault && call->fault->kind == MT_FAULT_PROOF) proof[0] ^= 1;
    mt_hex_write(proof, MT_DIGEST, hex);
    mt_answer_top(call->answer, "version_access", BUILD);
    mt_answer_top(call->answer, "version_trade", BUILD);
    mt_answer_top(call->answer, "cli_rand_answer", hex);
    if (call->request->transport != MT_RAW) return;
    /* Given without encryption too: clients that never encrypt refuse an answer without it. */
    uint8_t rand[MT_CRYPT_RAND];
    tg_random_bytes(rand, sizeof rand);
    if (mt_auth_fixed.crypt_known) memcpy(rand, mt_auth_fixed.crypt_rand, sizeof rand);
    mt_hex_write(rand, sizeof rand, hex);
    mt_answer_top(call->answer, "crypt_rand", hex);
    if (!session->crypt) return;
    mt_cipher_init(session->hash, rand, &session->from_client, &session->to_client);
    call->answer->crypt = true;
}

int mt_auth_answer(struct mt_call *call)
{
    struct mt_session *session = call->session;
    const struct mt_manager *manager = mt_world_manager(call->world, session->manager);
    uint8_t given[MT_DIGEST], cli_rand[MT_DIGEST], proof[MT_DIGEST];
    if (session->state != MT_CHALLENGED) return refuse(call, MT_INVALID_ACCOUNT);
    if (call->mono_ms - session->challenged_ms > mt_auth_window_ms)
        return refuse(call, MT_INVALID_ACCOUNT);
    if (!mt_hex_read(mt_param(call->request, "SRV_RAND_ANSWER"), given, sizeof given) ||
        !mt_hex_read(mt_param(call->request, "CLI_RAND"), cli_rand, sizeof cli_rand))
        return refuse(call, MT_PARAMS);
    if (!manager) return refuse(call, MT_INVALID_ACCOUNT);
    mt_password_hash(manager->password, session->hash);
    mt_md5_pair(session->hash, MT_DIGEST, session->srv_rand, MT_DIGEST, proof);
    if (memcmp(given, proof, sizeof proof) != 0) return refuse(call, MT_INVALID_ACCOUNT);
    if (manager->refused) return refuse(call, manager->refused);
    session->state = MT_AUTHENTICATED;
    prove(call, cli_rand);
    return MT_OK;
}
