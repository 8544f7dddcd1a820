/* The inside of a session, shared by its proof and its clock. */
#pragma once

#include "source/webapi_session.h"

/* Ends the session, or the attempt at one, with what ails it. */
void tg_webapi_session_fail(struct tg_webapi_session *session, enum tg_poll_end end,
                            const char *code, const char *message);

/* Sends one of the session's own requests, answered in `state` by `due_ms`. */
void tg_webapi_session_send(struct tg_webapi_session *session,
                            const struct tg_webapi_request *request, enum tg_webapi_state state,
                            int64_t due_ms);

/* The session's own questions are answered: the owner may ask. */
void tg_webapi_session_become_ready(struct tg_webapi_session *session);

/* Begins the proof on a new connection; and takes the answers of both of its steps. */
void tg_webapi_session_prove(struct tg_webapi_session *session);
void tg_webapi_session_take_proof(struct tg_webapi_session *session,
                                  const struct tg_webapi_answer *answer);

/* Asks for the zone and then the time, or for the time alone; and takes the answer. */
void tg_webapi_session_ask_time(struct tg_webapi_session *session, bool server);
void tg_webapi_session_take_time(struct tg_webapi_session *session,
                                 const struct tg_webapi_answer *answer);
