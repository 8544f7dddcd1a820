/* The same functions that serve clients are called in the same order with the same clock: polls are
 * applied by the model, rules run when they ran, and messages are numbered by lane. Nothing is
 * asked that a recording does not answer (the time, randomness, the order of a hash), which is why
 * the same recording and rules give the same bytes on every machine.
 *
 * What would break it: a rule that is stopped because it ran too long on a slow machine. That is a
 * fault, and faults are told. */
#include "app/replay.h"

#include "app/client_class.h"
#include "app/setup.h"
#include "base/json.h"
#include "base/text.h"
#include "record/reel.h"
#include "stream/compose.h"

#include <stdlib.h>
#include <string.h>

/* What a gateway's channel and watch know of an account. */
struct part {
    uint64_t seq, rev;
    struct tg_replay_input input, poll; /* the newest note, and the newest poll */
    int interval_ms;
    bool live;
    bool first; /* its first state waits for the next turn */
};

struct player {
    const struct tg_replay_options *options;
    struct tg_replay_totals *totals;
    struct tg_clock_virtual clock;
    struct tg_store *store;
    struct tg_script *script;
    uint32_t client; /* the class of the client for whom is played; 0: for all */
    bool playing;
    bool turn; /* the rules run over polls */
    uint64_t step;
    struct tg_account **fresh;
    uint32_t fresh_count, fresh_cap;
    struct tg_buf message, members;
    bool failed; /* out of memory */
};

static struct tg_channel_names names_of(const struct player *player)
{
    const struct tg_envelope *names = tg_script_envelope(player->script);
    return (struct tg_channel_names){names->type, names->seq, names->rev, names->timestamp,
                                     names->payload};
}

static void tell(struct player *player, struct tg_replay_event *event)
{
    if (player->message.failed) {
        player->failed = true;
        tg_buf_clear(&player->message);
        return;
    }
    event->step = player->step;
    event->wall_ms = player->clock.wall;
    event->message = player->message.data;
    event->message_len = player->message.len;
    player->options->event(player->options->ctx, event);
}

static void on_event(void *ctx, const struct tg_script_event *event)
{
    struct player *player = ctx;
    struct part *part = event->account->owner;
    struct tg_rule_status rule = {.name = ""};
    const struct tg_channel_names names = names_of(player);
    bool latest = event->lane == TG_LANE_LATEST;
    uint64_t number = latest ? ++part->rev : ++part->seq;
    *event->receipt = (struct tg_script_receipt){.number = number};
    if (event->filtered && player->client &&
        !tg_script_permits(player->script, event, player->client))
        return;
    tg_buf_clear(&player->message);
    (void)tg_compose_event(&player->message, &names, latest, event->type, number,
                           player->clock.wall, event->payload, event->len);
    (void)tg_script_rule(player->script, event->rule, &rule);
    struct tg_replay_event told = {
        .input = player->turn ? part->poll : part->input,
        .account = event->account->id,
        .rule = rule.name,
        .type = event->type,
        .latest = latest,
        .filtered = event->filtered,
        .payload = event->payload,
        .payload_len = event->len,
    };
    tell(player, &told);
}

static void on_fault(void *ctx, const char *rule, const char *file, const char *account,
                     const char *text)
{
    const struct player *player = ctx;
    const struct tg_replay_fault fault = {player->clock.wall, account, rule, file, text};
    if (player->playing) player->options->fault(player->options->ctx, &fault);
}

static struct tg_account *open_account(struct player *player, const char *id)
{
    struct tg_account *account = tg_store_find(player->store, id);
    if (account) return account;
    struct part *part = calloc(1, sizeof *part);
    account = part ? tg_store_open(player->store, id) : NULL;
    if (!account) {
        free(part);
        player->failed = true;
        return NULL;
    }
    account->owner = part;
    if (tg_store_count(player->store) > player->totals->accounts)
        player->totals->accounts = tg_store_count(player->store);
    return account;
}

static void drop_account(struct player *player, struct tg_account *account)
{
    for (uint32_t i = 0; i < player->fresh_count; i++)
        if (player->fresh[i] == account) player->fresh[i--] = player->fresh[--player->fresh_count];
    if (player->script) tg_script_forget(player->script, account);
    free(account->owner);
    tg_store_drop(player->store, account);
}

static void drop_all(struct player *player)
{
    for (uint32_t slot = 0; slot < tg_store_slots(player->store); slot++) {
        struct tg_account *account = tg_store_at(player->store, slot);
        if (account) drop_account(player, account);
    }
}

static void add_fresh(struct player *player, struct tg_account *account)
{
    if (player->fresh_count == player->fresh_cap) {
        uint32_t cap = player->fresh_cap ? player->fresh_cap * 2 : 64;
        struct tg_account **fresh = realloc(player->fresh, cap * sizeof(struct tg_account *));
        if (!fresh) {
            player->failed = true;
            return;
        }
        player->fresh = fresh;
        player->fresh_cap = cap;
    }
    player->fresh[player->fresh_count++] = account;
}

/* As in the scheduler and in events.c. A poll that was good then is good now. */
static void play_poll(struct player *player, struct tg_account *account, const struct tg_note *note)
{
    const struct tg_account_policy policy = {.suspect_polls = note->suspect_polls};
    struct part *part = account->owner;
    bool first = !account->known;
    int rc = tg_account_apply(account, note->records, &policy, note->mono_ms, note->wall_ms);
    player->totals->polls++;
    part->poll = part->input;
    part->interval_ms = note->interval_ms;
    if (rc == -TG_ENOMEM) player->failed = true;
    if (!rc && (first || tg_script_wakes(player->script, account))) add_fresh(player, account);
}

static void play_tick(struct player *player)
{
    for (uint32_t slot = 0; slot < tg_store_slots(player->store); slot++) {
        struct tg_account *account = tg_store_at(player->store, slot);
        if (!account || !account->wake_wall_ms) continue;
        struct part *part = account->owner;
        if (account->wake_wall_ms > player->clock.wall - part->interval_ms) continue;
        part->input = (struct tg_replay_input){.number = player->step, .kind = TG_NOTE_TICK};
        tg_script_due(player->script, account);
    }
}

/* The snapshot's function runs in any case: it may remember, and it may fail. */
static void play_snapshot(struct player *player, struct tg_account *account)
{
    struct part *part = account->owner;
    const struct tg_channel_names names = names_of(player);
    if (!account->known) return;
    tg_buf_clear(&player->members);
    (void)tg_script_snapshot(player->script, account, &player->members);
    if (player->members.failed || !player->members.len) {
        player->failed = true;
        return;
    }
    part->rev++;
    tg_buf_clear(&player->message);
    tg_compose_snapshot(&player->message, &names, part->seq, part->rev, player->clock.wall,
                        player->members.data, player->members.len, !part->live,
                        player->clock.mono - account->good_mono_ms);
    struct tg_replay_event told = {
        .input = part->input,
        .account = account->id,
        .rule = "snapshot",
        .type = "snapshot",
        .latest = true,
        .payload = player->members.data,
        .payload_len = player->members.len,
    };
    if (player->options->snapshots) tell(player, &told);
}

static bool is_wanted(const struct tg_replay_options *options, const char *id)
{
    for (int i = 0; i < options->accounts_count; i++)
        if (tg_glob_match(options->accounts[i], strlen(options->accounts[i]), id, strlen(id)))
            return true;
    return !options->accounts_count;
}

static void play_account(struct player *player, const struct tg_note *note)
{
    static const char *const moments[TG_NOTE_KINDS] = {
        [TG_NOTE_STATUS] = "source_status",
        [TG_NOTE_CONNECTED] = "client_connected",
        [TG_NOTE_DISCONNECTED] = "client_disconnected",
    };
    if (!is_wanted(player->options, note->account)) return;
    struct tg_account *account = open_account(player, note->account);
    if (!account) return;
    struct part *part = account->owner;
    part->input = (struct tg_replay_input){.number = player->step, .kind = note->kind};
    if (note->text)
        tg_copy(part->input.text, sizeof part->input.text, note->text, strlen(note->text));
    if (note->kind == TG_NOTE_STATUS) part->live = !strcmp(note->text, "live");
    switch (note->kind) {
    case TG_NOTE_POLL: play_poll(player, account, note); break;
    case TG_NOTE_SNAPSHOT: play_snapshot(player, account); break;
    case TG_NOTE_ENDED: drop_account(player, account); break;
    default: tg_script_tell(player->script, account, moments[note->kind], note->text);
    }
}

static void play(struct player *player, const struct tg_note *note)
{
    player->step++;
    player->totals->notes++;
    if (note->kind == TG_NOTE_RESTART) {
        drop_all(player);
        return;
    }
    player->clock.wall = note->wall_ms;
    player->clock.mono = note->mono_ms;
    player->totals->last_wall_ms = note->wall_ms;
    if (note->kind == TG_NOTE_TURN) {
        uint32_t count = player->fresh_count;
        player->fresh_count = 0;
        player->turn = true;
        tg_script_run(player->script, player->fresh, count);
        player->turn = false;
    } else if (note->kind == TG_NOTE_TICK) {
        play_tick(player);
    } else {
        play_account(player, note);
    }
    if (player->options->stepped)
        player->options->stepped(player->options->ctx, player->step, player->store);
}

/* Joins the class of the client for whom is played, as its connection would. */
static int join_client(struct player *player, struct tg_err *err)
{
    const struct tg_replay_options *options = player->options;
    struct tg_json claims = {0};
    struct tg_buf subject = {0};
    struct tg_err why = {{0}};
    if (!options->claims) return 0;
    int rc = tg_json_parse(&claims, options->claims, strlen(options->claims), &why);
    uint32_t sub = rc ? 0 : tg_json_get(&claims, 0, "sub");
    if (rc) {
        rc = tg_fail(err, -rc, "the client's claims: %s", why.text);
    } else if (!sub || claims.tokens[sub].type != TG_JSON_STRING) {
        rc = tg_fail(err, TG_EINVAL,
                     "the client's claims: an object with a text \"sub\" is expected, as in its "
                     "token");
    } else {
        tg_json_unescape(&subject, &claims.tokens[sub]);
        if (!subject.failed)
            player->client = tg_client_class(player->script, subject.len ? subject.data : "",
                                             options->claims, options->query ? options->query : "");
        if (!player->client) rc = tg_fail(err, TG_ENOMEM, "out of memory");
    }
    tg_json_fini(&claims);
    tg_buf_fini(&subject);
    return rc;
}

static int load_rules(struct player *player, const struct tg_tape_facts *facts, struct tg_err *err)
{
    const struct tg_replay_options *options = player->options;
    struct tg_script_options script = tg_setup_script(options->config, &player->clock.clock);
    script.paths = options->rules;
    script.paths_count = options->rules_count;
    script.explain_bytes = 0;
    script.trial_accounts = script.keep_generations = script.probation_seconds = 0;
    script.interpreted = options->interpreted;
    script.emit = on_event;
    script.fault = on_fault;
    script.ctx = player;
    if (options->ids_as_recorded && facts) script.ids_as_text = facts->ids_as_text;
    player->script = tg_script_new(&script);
    if (!player->script) return tg_fail(err, TG_ENOMEM, "no memory for the rules");
    int rc = tg_script_load(player->script, err);
    if (!rc) rc = join_client(player, err);
    player->playing = !rc;
    return rc;
}

/* The rules are loaded when the first tape has told how ids are written. */
static int play_reel(struct player *player, struct tg_reel *reel, struct tg_err *err)
{
    const struct tg_replay_options *options = player->options;
    struct tg_note note;
    int rc;
    while ((rc = tg_reel_next(reel, &note, err))) {
        if (rc == -TG_ENOMEM) return rc;
        if (rc < 0) {
            options->damage(options->ctx, err->text, rc == -TG_ECLOSED);
            err->text[0] = '\0';
            continue;
        }
        if (!player->script) {
            tg_clock_virtual_init(&player->clock, note.mono_ms, note.wall_ms);
            player->totals->first_wall_ms = note.wall_ms;
            rc = load_rules(player, tg_reel_facts(reel), err);
            if (rc) return rc;
        }
        play(player, &note);
        if (player->failed) return tg_fail(err, TG_ENOMEM, "out of memory");
    }
    return player->script ? 0 : load_rules(player, NULL, err); /* nothing was recorded */
}

int tg_replay_run(const struct tg_replay_options *options, struct tg_replay_totals *totals,
                  struct tg_err *err)
{
    struct player player = {.options = options, .totals = totals};
    struct tg_reel *reel = NULL;
    *totals = (struct tg_replay_totals){0};
    tg_clock_virtual_init(&player.clock, 0, 0);
    player.store = tg_store_new();
    if (!player.store) return tg_fail(err, TG_ENOMEM, "out of memory");
    int rc = tg_reel_open(options->tapes, options->tapes_count, &reel, err);
    if (!rc) rc = play_reel(&player, reel, err);
    player.playing = false;
    drop_all(&player);
    tg_script_free(player.script);
    tg_store_free(player.store);
    tg_reel_close(reel);
    free(player.fresh);
    tg_buf_fini(&player.message);
    tg_buf_fini(&player.members);
    return rc;
}
