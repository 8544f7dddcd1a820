/* A terminal client that is strict with the gateway: it answers for its own life, comes back when
 * it may, stays away when it is told to, and says when the gateway's count of events and its own
 * differ. Messages are its result (stdout); what it has to say about them is not (stderr). */
#include "app/command.h"
#include "app/config_check.h"
#include "app/mint.h"
#include "app/tail_client.h"
#include "app/tail_ledger.h"
#include "app/tail_line.h"
#include "app/tail_retry.h"
#include "app/tail_safe.h"
#include "base/clock.h"
#include "base/rand.h"
#include "base/text.h"

#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_MS 10000
#define SETTLED_MS 10000 /* a connection that lasted so long starts the backoff anew */
#define MINT_TTL_S 3600

struct tail {
    const char *account_id, *given; /* `given`: the token that was given, NULL: it is minted */
    const char *subject;
    struct tg_config *config; /* to mint with; NULL when a token was given */
    bool raw, colour, reconnect;
    long count, shown; /* messages to show (0: no end), and shown */
    struct tg_tail_url url;
    struct tg_tail_ledger ledger;
    struct tg_tail_retry retry;
    struct tg_json json;
    struct tg_buf line;
    int64_t opened_ms; /* of this connection; 0: not open */
    int64_t away_ms;   /* `going_away` asked for this pause */
    bool output_failed;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static int64_t wall(void)
{
    return tg_wall_ms(tg_clock_system());
}

static void remark(struct tail *tail, char mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void remark(struct tail *tail, char mark, const char *format, ...)
{
    char text[640];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tg_buf_clear(&tail->line);
    tg_tail_remark(&tail->line, mark, text, tail->colour && isatty(STDERR_FILENO), wall());
    if (tail->line.data) (void)fprintf(stderr, "%s\n", tail->line.data);
}

static void tell_note(struct tail *tail, const struct tg_tail_note *note)
{
    if (note->lost)
        remark(tail, '!', "%llu events are missing: the gateway sent more than came here",
               (unsigned long long)note->lost);
    if (note->extra)
        remark(tail, '!', "%llu events too many: more came here than the gateway counted",
               (unsigned long long)note->extra);
    if (note->missed)
        remark(tail, '!', "%llu events happened while the connection was away and are not repeated",
               (unsigned long long)note->missed);
    if (note->reset)
        remark(tail, '*', "the gateway has started anew; the snapshot replaces what was known");
}

static bool show(struct tail *tail, const char *type, const char *data, size_t len)
{
    tg_buf_clear(&tail->line);
    if (tail->raw)
        tg_tail_safe_json(&tail->line, data, len);
    else
        tg_tail_line(&tail->line, &tail->json, type, tail->colour, wall());
    tg_buf_putc(&tail->line, '\n');
    if (tail->line.failed || fwrite(tail->line.data, 1, tail->line.len, stdout) != tail->line.len ||
        fflush(stdout)) {
        tail->output_failed = true;
        return false;
    }
    return !tail->count || ++tail->shown < tail->count;
}

static bool on_message(void *ctx, bool text, const char *data, size_t len)
{
    struct tail *tail = ctx;
    struct tg_err err = {{0}};
    char type[64] = "";
    int64_t pause = 0;
    if (!text || tg_json_parse(&tail->json, data, len, &err) ||
        tail->json.tokens->type != TG_JSON_OBJECT) {
        remark(tail, '!', "a message that is no JSON object was left out%s%s",
               *err.text ? ": " : "", err.text);
        return true;
    }
    uint32_t member = tg_json_get(&tail->json, 0, "type");
    if (member && tail->json.tokens[member].type == TG_JSON_STRING)
        tg_copy(type, sizeof type, tail->json.tokens[member].text, tail->json.tokens[member].len);
    struct tg_tail_note note = tg_tail_ledger_take(&tail->ledger, &tail->json, type);
    tell_note(tail, &note);
    member = tg_json_get(&tail->json, 0, "reconnect_after_ms");
    if (strcmp(type, "going_away") == 0 && member &&
        tg_json_read_i64(&tail->json.tokens[member], &pause) == 0)
        tail->away_ms = pause < 0 ? 0 : pause > TG_TAIL_RETRY_MAX_MS ? TG_TAIL_RETRY_MAX_MS : pause;
    return strcmp(type, "pong") == 0 || show(tail, type, data, len);
}

static void on_opened(void *ctx)
{
    struct tail *tail = ctx;
    tail->opened_ms = tg_mono_ms(tg_clock_system());
}

/* The token of the next connection: a new one each time when it is minted, since tokens expire. */
static int next_token(struct tail *tail, char **out, struct tg_err *err)
{
    if (tail->given) {
        *out = strdup(tail->given);
        return *out ? 0 : tg_fail(err, TG_ENOMEM, "out of memory");
    }
    const struct tg_mint mint = {
        .subject = tail->subject,
        .ttl_seconds = MINT_TTL_S,
        .accounts = {tail->account_id},
        .accounts_count = tail->config->auth.ownership_claim ? 1 : 0,
    };
    return tg_mint_token(&mint, tail->config, out, err);
}

/* The exit code of an end that coming back would not change, or -1. Says why. */
static int final(struct tail *tail, enum tg_tail_end end, const struct tg_tail_client *client)
{
    const char *why = client->why.text;
    switch (end) {
    case TG_TAIL_STOPPED: return tail->output_failed ? TG_EXIT_RUNTIME : TG_EXIT_DONE;
    case TG_TAIL_REFUSED:
        remark(tail, '!', "refused: %s", why);
        if (client->status == 401 && !tail->given && !tail->config->file)
            remark(tail, '*',
                   "the token was signed with the development key; --token or --config "
                   "give another");
        if (tg_tail_retry_status(client->status)) break;
        return client->status >= 400 && client->status <= 404 ? TG_EXIT_FAULT : TG_EXIT_RUNTIME;
    case TG_TAIL_CLOSED:
        remark(tail, '!', "closed by the gateway: %d %s", client->code, why);
        if (tg_tail_retry_close(client->code)) break;
        if (client->code == 1000) return TG_EXIT_DONE;
        return client->code == 4500 || client->code == 4501 || client->code == 4504
                   ? TG_EXIT_FAULT
                   : TG_EXIT_RUNTIME;
    default: remark(tail, '!', "%s", why);
    }
    return tail->reconnect ? -1 : TG_EXIT_RUNTIME;
}

/* Waits before the next attempt; false when a signal came. */
static bool pause_for(struct tail *tail, int64_t least_ms, const sigset_t *unblocked)
{
    int64_t wait = tg_tail_retry_wait(&tail->retry, least_ms);
    struct timespec timeout = {.tv_sec = wait / 1000, .tv_nsec = wait % 1000 * 1000000};
    remark(tail, '*', "again in %lld.%lld s", (long long)(wait / 1000),
           (long long)(wait % 1000 / 100));
    (void)ppoll(NULL, 0, &timeout, unblocked);
    return !stop;
}

static int follow(const struct tg_command *command, struct tail *tail, int ping_ms, int silence_ms)
{
    struct tg_err err = {{0}};
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked, unblocked;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGINT);
    (void)sigaddset(&blocked, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &blocked, &unblocked);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    for (;;) {
        char *token = NULL;
        if (next_token(tail, &token, &err))
            return tg_command_failed(command, TG_EXIT_FAULT, err.text);
        struct tg_tail_client client = {
            .url = &tail->url,
            .account_id = tail->account_id,
            .token = token,
            .epoch = tail->ledger.epoch,
            .since = tail->ledger.seq,
            .connect_ms = CONNECT_MS,
            .ping_ms = ping_ms,
            .silence_ms = silence_ms,
            .ctx = tail,
            .opened = on_opened,
            .message = on_message,
            .stop = &stop,
            .unblocked = &unblocked,
        };
        tail->opened_ms = tail->away_ms = 0;
        enum tg_tail_end end = tg_tail_client_run(&client);
        free(token);
        int code = final(tail, end, &client);
        if (code >= 0) return code;
        if (tail->opened_ms && tg_mono_ms(tg_clock_system()) - tail->opened_ms >= SETTLED_MS)
            tail->retry.failures = 0;
        int64_t least = client.retry_after_s * 1000L;
        if (least > TG_TAIL_RETRY_MAX_MS) least = TG_TAIL_RETRY_MAX_MS;
        if (!pause_for(tail, least > tail->away_ms ? least : tail->away_ms, &unblocked))
            return TG_EXIT_DONE;
    }
}

/* Where the token comes from; a signed one and a given one exclude each other. 0, or an exit code.
 */
static int find_token(const struct tg_command *command, const struct tg_args *args,
                      struct tail *tail)
{
    bool local = strcmp(tail->url.host, "localhost") == 0 || tg_address_is_loopback(tail->url.host);
    tail->given = tg_args_get(args, "token");
    if (tail->given && tg_args_get(args, "config"))
        return tg_command_misused(command, "--token is given, so --config would sign none: give "
                                           "one of them");
    if (tail->given && tg_args_get(args, "subject"))
        return tg_command_misused(command, "--token is given, and says itself who is asking: "
                                           "--subject is for a token that is signed here");
    if (!tail->given && !tg_args_get(args, "config")) {
        tail->given = getenv("TIDEGATE_TOKEN");
        if (tail->given && !*tail->given) tail->given = NULL;
    }
    if (tail->given && !tg_command_token_good(tail->given))
        return tg_command_misused(command, "the token holds bytes that no token has");
    if (tail->given) return 0;
    if (!local && !tg_args_get(args, "config"))
        return tg_command_misused(command, "a gateway elsewhere needs --token, TIDEGATE_TOKEN or "
                                           "--config");
    tail->config = tg_command_config(args);
    return tail->config ? 0 : TG_EXIT_FAULT;
}

static bool wants_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

static int run(const struct tg_command *command, const struct tg_args *args)
{
    struct tail tail = {
        .account_id = tg_args_get(args, "account"),
        .subject = tg_args_get(args, "subject"),
        .raw = tg_args_get(args, "raw") != NULL,
        .reconnect = !tg_args_get(args, "no-reconnect"),
        .colour = wants_colour(),
    };
    struct tg_err err = {{0}};
    long ping = 30, silence = 20;
    const char *url = tg_args_get(args, "url");
    if (!tail.account_id) tail.account_id = "demo-1";
    if (!tail.subject) tail.subject = "developer";
    if (!tg_account_id_valid(tail.account_id))
        return tg_command_misused(command, "--account: expected 1 to 64 of A-Z a-z 0-9 . _ -");
    if (tg_tail_url_read(url ? url : "ws://127.0.0.1:8080", &tail.url, &err) ||
        tg_args_number(args, "count", 1, 1000000000, &tail.count, &err) ||
        tg_args_number(args, "ping", 1, 3600, &ping, &err) ||
        tg_args_number(args, "timeout", 1, 3600, &silence, &err))
        return tg_command_misused(command, err.text);
    int code = find_token(command, args, &tail);
    tg_random_bytes(&tail.retry.rng.state, sizeof tail.retry.rng.state);
    if (!code) code = follow(command, &tail, (int)ping * 1000, (int)silence * 1000);
    tg_json_fini(&tail.json);
    tg_buf_fini(&tail.line);
    tg_config_free(tail.config);
    return code;
}

static const struct tg_option options[] = {
    {.name = "url", .value = "URL", .help = "the gateway (ws://127.0.0.1:8080)"},
    {.name = "account", .value = "ID", .help = "the account (demo-1)"},
    {.name = "token", .value = "TOKEN", .help = "who is asking; also from TIDEGATE_TOKEN"},
    {.name = "config", .value = "FILE", .help = "sign a token with this gateway's key instead"},
    {.name = "subject", .value = "NAME", .help = "whose token is signed (developer)"},
    {.name = "raw", .help = "one JSON message a line, as it came"},
    {.name = "count", .value = "N", .help = "end after so many messages"},
    {.name = "ping", .value = "SECONDS", .help = "how often to show life (30)"},
    {.name = "timeout", .value = "SECONDS", .help = "how long a ping may stay unanswered (20)"},
    {.name = "no-reconnect", .help = "end when the connection does"},
    {.name = NULL},
};

const struct tg_command tg_command_tail = {
    .name = "tail",
    .operands = "",
    .summary = "Show the live events of an account",
    .details = "Comes back when the connection is lost, unless the gateway says not to. Without a\n"
               "token it signs one: with --config, or for a gateway on this machine with the\n"
               "development key. Answers to its own pings are not shown.\n",
    .options = options,
    .run = run,
};
