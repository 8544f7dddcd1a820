/* A session with a Web API: connecting, proving, staying alive, coming back. No I/O: its host opens
 * and closes connections, and time is an argument. */
#pragma once

#include "base/histogram.h"
#include "base/rand.h"
#include "source/rest_error.h"
#include "source/webapi_retcode.h"
#include "source/webapi_row.h"
#include "source/webapi_wire.h"
#include "source/webapi_zone.h"

/* A server's address, as configured. */
struct tg_webapi_endpoint {
    char host[256];
    char authority[280]; /* host:port */
    int port;
    bool raw, tls; /* mt5:// · https:// */
};

/* Reads "https://host[:443]", "http://…" (tests, or behind a proxy that adds TLS) or
 * "mt5://host[:443]". 0, or -TG_EINVAL with what is wrong. */
int tg_webapi_endpoint_read(struct tg_webapi_endpoint *out, const char *url, struct tg_err *err);

enum tg_webapi_state {
    TG_WEBAPI_WAITING, /* until `due_ms`, then the next attempt */
    TG_WEBAPI_CONNECTING,
    TG_WEBAPI_STARTING,  /* AUTH_START is out */
    TG_WEBAPI_ANSWERING, /* AUTH_ANSWER is out */
    TG_WEBAPI_TIMING,    /* TIME_GET or TIME_SERVER is out */
    TG_WEBAPI_READY,     /* may be asked */
    TG_WEBAPI_ASKING,    /* a request of the owner's is out */
    TG_WEBAPI_PINGING,   /* TEST_ACCESS is out */
    TG_WEBAPI_OVER,
};

/* "waiting", "connecting", … for people. */
const char *tg_webapi_state_name(enum tg_webapi_state state);

struct tg_webapi_session_options {
    const struct tg_webapi_endpoint *endpoints; /* at least one; all borrowed */
    int endpoints_count;
    const char *login, *agent, *version;
    struct tg_webapi_hash hash;
    bool crypt; /* raw only */
    size_t row_max;
    int64_t answer_max;
    int64_t request_ms;   /* for an answer to begin, and between any two of its bytes */
    int64_t answer_ms;    /* for the whole of it */
    int64_t auth_ms;      /* of connecting and proving together; the server allows 10 s */
    int64_t keepalive_ms; /* idle for so long: a sign of life */
    int64_t retry_first_ms, retry_max_ms;     /* doubles, with half of it drawn either way */
    int64_t refused_first_ms, refused_max_ms; /* doubles */
    int64_t time_ms;                          /* how often the server's clock is read again */
    int64_t check_ms;                         /* how often is looked whether it moves */
    bool offset_fixed; /* `offset_s` is configured, the server is not asked for it */
    int32_t offset_s;
};

struct tg_webapi_session_host {
    /* Begin a connection; tg_webapi_session_opened or _closed follows, never from inside. */
    void (*open)(void *ctx, const struct tg_webapi_endpoint *endpoint);
    void (*send)(void *ctx, const char *bytes, size_t len);
    void (*shut)(void *ctx);  /* end the connection, or the attempt; nothing follows */
    void (*ready)(void *ctx); /* may be asked, for the first time or again */
    void (*down)(void *ctx);  /* not ready any more: what was asked has no answer. `fault` says why
                               */
    void (*row)(void *ctx, const struct tg_webapi_row *row);
    void (*answer)(void *ctx, const struct tg_webapi_answer *answer);
    void *ctx;
};

struct tg_webapi_session {
    const struct tg_webapi_session_options *options;
    struct tg_webapi_session_host host;
    struct tg_webapi_wire *wire; /* NULL: not connected */
    enum tg_webapi_state state;
    int64_t due_ms;          /* when time alone does something next */
    int64_t alive_ms;        /* when we last sent something */
    int64_t asked_ms;        /* when the request was sent that is out */
    int64_t timed_ms, hour;  /* when the clock was last read; the UTC hour of it */
    int64_t wall_ms, now_ms; /* of the call that is running */
    int endpoint;
    int failures, refusals;
    int moved;         /* endpoints in a row that were not the main one */
    bool server_asked; /* TIMING: it is TIME_SERVER that is out */
    bool ready_told;
    bool taking; /* bytes are being taken: the wire may not be freed */
    char challenge[TG_WEBAPI_HEX];
    struct tg_webapi_zone zone;
    struct tg_webapi_rows rows;
    int64_t server_s; /* of the newest TIME_SERVER; 0: not told */
    int32_t offset_s;
    bool offset_told;
    bool checking;                /* TIMING: it is only looked whether the clock moves */
    bool frozen;                  /* the server answers, and its clock does not move */
    bool apart;                   /* its clock is not where its offset would have it */
    int64_t checked_ms;           /* when the clock was last asked for */
    int64_t clock_s, clock_ms;    /* what it was when it last told, and when that was */
    struct tg_rest_verdict fault; /* why there is no session, while there is none */
    struct tg_rng rng;
    struct tg_buf out;
    struct {
        uint64_t connects, drops, refused, requests, moves;
        uint64_t answers[TG_WEBAPI_CLASSES + 1]; /* by class of code; the last: without one */
        struct tg_histogram round_trip;
    } counters;
};

/* The options are borrowed, the host is copied. The first attempt is at the first tick. */
void tg_webapi_session_init(struct tg_webapi_session *session,
                            const struct tg_webapi_session_options *options,
                            const struct tg_webapi_session_host *host, int64_t now_ms);
void tg_webapi_session_fini(struct tg_webapi_session *session);

/* What happened to the connection. `wall_ms` is our UTC clock. */
void tg_webapi_session_opened(struct tg_webapi_session *session, int64_t now_ms);
void tg_webapi_session_bytes(struct tg_webapi_session *session, const char *bytes, size_t len,
                             int64_t now_ms, int64_t wall_ms);
void tg_webapi_session_closed(struct tg_webapi_session *session, const char *code,
                              const char *message, int64_t now_ms);

/* Time has passed; call it at `due_ms`, or more often. */
void tg_webapi_session_tick(struct tg_webapi_session *session, int64_t now_ms, int64_t wall_ms);

/* We did not run for `lost_ms`, a process that was stopped, a machine that was paused. That is no
 * time that the server took: what is waited for has all of it back, and `grace_ms` from now on at
 * the least, in which what arrived meanwhile is read. */
void tg_webapi_session_stalled(struct tg_webapi_session *session, int64_t lost_ms, int64_t grace_ms,
                               int64_t now_ms);

/* Sends a request; `answer` or `down` follows. Only while READY. 0, or -TG_E… and the session is as
 * before. */
int tg_webapi_session_ask(struct tg_webapi_session *session,
                          const struct tg_webapi_request *request, int64_t now_ms);

/* The owner has come to an end of asking: now is the time for the session's own questions. */
void tg_webapi_session_rest(struct tg_webapi_session *session, int64_t now_ms, int64_t wall_ms);

/* What was asked is not wanted any more, or the server said something that ends the session. */
void tg_webapi_session_drop(struct tg_webapi_session *session, const struct tg_rest_verdict *why,
                            int64_t now_ms);

/* Goes to the next endpoint, at once when there is another. */
void tg_webapi_session_move(struct tg_webapi_session *session, const struct tg_rest_verdict *why,
                            int64_t now_ms);

/* Says goodbye where it can, and ends. Nothing is called after. */
void tg_webapi_session_quit(struct tg_webapi_session *session);
