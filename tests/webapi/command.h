/* Commands: what a client asks, whatever transport it came by, and what it is answered. */
#pragma once

#include "cipher.h"
#include "fault.h"
#include "world.h"

#define MT_PARAMS_MAX 32

enum mt_transport { MT_REST, MT_RAW };

/* Names are upper case; all text belongs to the transport. */
struct mt_request {
    enum mt_transport transport;
    const char *command;
    struct {
        const char *name, *value;
    } params[MT_PARAMS_MAX];
    int params_count;
    const char *body;
    size_t body_len;
};

/* Who speaks on a connection, and how far it has come. */
struct mt_session {
    enum { MT_STRANGER, MT_CHALLENGED, MT_AUTHENTICATED } state;
    uint64_t manager;
    bool crypt;
    int64_t challenged_ms; /* monotonic */
    uint8_t srv_rand[MT_DIGEST], hash[MT_DIGEST];
    struct mt_cipher from_client, to_client;
};

struct mt_answer {
    int retcode;
    const char *text;     /* instead of the code's own; or NULL */
    struct tg_buf raw;    /* "NAME=VALUE|…" of the raw protocol */
    struct tg_buf top;    /* the same as members beside "retcode" of the REST envelope */
    struct tg_buf member; /* the same inside "answer" of the REST envelope */
    struct tg_buf json;   /* the document of both */
    int http_status;      /* of the REST envelope; 0: 200 */
    bool close;           /* the connection ends with this answer */
    bool crypt;           /* what comes after this answer is encrypted */
};

/* What is known while a command is carried out. */
struct mt_call {
    struct mt_world *world;
    struct mt_session *session;
    const struct mt_request *request;
    struct mt_answer *answer;
    struct mt_fault *fault; /* what is to go wrong with it; or NULL */
    int64_t mono_ms, wall_ms;
};

/* Carries a command out. */
void mt_command_run(struct mt_call *call);

void mt_answer_fini(struct mt_answer *answer);

/* A field beside the code: "SRV_RAND=…|" and "srv_rand" in the envelope. */
void mt_answer_top(struct mt_answer *answer, const char *name, const char *value);

/* A field of the answer: "TOTAL=…|" and {"total" : "…"}. `name` begins with a capital. */
void mt_answer_member(struct mt_answer *answer, const char *name, const char *value);

/* The value of a parameter by its upper-case name; "" when it is not given. */
const char *mt_param(const struct mt_request *request, const char *name);

/* The commands that read accounts; a code. */
typedef int mt_handler(struct mt_call *call);
mt_handler mt_user_get, mt_user_batch, mt_user_logins, mt_account_get, mt_account_batch;
mt_handler mt_position_get, mt_order_get, mt_history_get, mt_deal_get;
mt_handler mt_rows_total, mt_rows_page, mt_rows_batch;

/* The two steps of the authentication; MT_OK or a code. */
int mt_auth_start(struct mt_call *call);
int mt_auth_answer(struct mt_call *call);

/* Randomness that a test chose, to compare with published vectors. */
struct mt_fixed {
    bool srv_known, crypt_known;
    uint8_t srv_rand[MT_DIGEST], crypt_rand[MT_CRYPT_RAND];
};
extern struct mt_fixed mt_auth_fixed;

/* Whether members that stand alone in an answer are written "total" and "time", as clients of real
 * servers read them, and not "Total" and "Time", as the documentation has them. */
extern bool mt_lower_members;

/* How long a challenge may be left unanswered. */
extern int64_t mt_auth_window_ms;
