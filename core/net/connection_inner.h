/* What the files of the connection share. */
#pragma once

#include "net/connection.h"

/* The HTTP stage: made with the connection, gone after the upgrade. NULL when memory is short. */
struct tg_conn_http *tg_conn_http_new(const struct tg_conn_env *env);
void tg_conn_http_free(struct tg_conn_http *http);

/* Bytes in TG_CONN_HTTP; what follows an upgrade goes on to the WebSocket stage. */
void tg_conn_http_input(struct tg_conn *conn, const char *bytes, size_t len);

/* The output is down to the low mark: requests that were held back go on. */
void tg_conn_http_resume(struct tg_conn *conn);

/* The deadline of a request, or of waiting for one, has passed. */
void tg_conn_http_timeout(struct tg_conn *conn);

/* Bytes in TG_CONN_OPEN and TG_CONN_CLOSING. */
void tg_conn_websocket_input(struct tg_conn *conn, const char *bytes, size_t len);

/* Queues bytes; takes over the reference, which may be NULL when memory was short. */
void tg_conn_put(struct tg_conn *conn, struct tg_blob *blob);

/* Sets the one deadline, from now. */
void tg_conn_deadline(struct tg_conn *conn, int ms);

/* Nothing more will be said: TG_CONN_DRAIN. */
void tg_conn_drain(struct tg_conn *conn);

/* Calls `closed`, once, when the connection was a WebSocket. */
void tg_conn_tell_closed(struct tg_conn *conn, int code);

/* Becomes a WebSocket: TG_CONN_OPEN. */
void tg_conn_open(struct tg_conn *conn, void *data);
