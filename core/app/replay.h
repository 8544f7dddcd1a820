/* A replay: a recording played to a rule set, on the clock of the recording. */
#pragma once

#include "app/config.h"
#include "model/store.h"
#include "record/note.h"
#include "script/script.h"

/* What made a rule speak: the note of the recording. */
struct tg_replay_input {
    uint64_t number; /* of the note, from 1 */
    int kind;        /* enum tg_note_kind */
    char text[64];   /* the status, or the client's subject */
};

/* An event, as clients would read it. Everything is borrowed for the time of the call. */
struct tg_replay_event {
    uint64_t step; /* the number of the note at which it was told; it may be later than the input */
    struct tg_replay_input input;
    int64_t wall_ms;
    const char *account, *rule, *type;
    bool latest, filtered;
    const char *payload, *message; /* JSON objects; the message has the gateway's members, too */
    size_t payload_len, message_len;
};

struct tg_replay_fault {
    int64_t wall_ms;
    const char *account, *rule, *file, *text; /* account "": none */
};

struct tg_replay_options {
    const struct tg_config *config; /* bounds of the rules */
    bool ids_as_recorded;           /* protocol.ids is the recording's, not the configuration's */
    const char *const *tapes;       /* files and folders */
    int tapes_count;
    const char *const *rules; /* a folder or a file; none: the built-in set */
    int rules_count;
    const char *const *accounts; /* globs; none: all */
    int accounts_count;
    /* Only what this client would get: its claims as JSON, NULL = any client's; its query. */
    const char *claims, *query;
    bool interpreted; /* without the JIT compiler: slower, the same events */
    bool snapshots;   /* snapshots are events, too, of the type "snapshot" */

    void (*event)(void *ctx, const struct tg_replay_event *event);
    void (*fault)(void *ctx, const struct tg_replay_fault *fault);
    /* A tape could not be read from some place on. `cut`: it ends there, nothing is damaged. */
    void (*damage)(void *ctx, const char *text, bool cut);
    /* A note was played; its events were told, and the accounts are as they were for the rules. May
     * be NULL. */
    void (*stepped)(void *ctx, uint64_t step, const struct tg_store *store);
    void *ctx;
};

struct tg_replay_totals {
    uint64_t notes, polls;
    uint32_t accounts;                   /* the most that were known at once */
    int64_t first_wall_ms, last_wall_ms; /* 0: nothing was played */
};

/* Plays the whole recording. 0, or with a sentence in `err`: -TG_EINVAL (the rules cannot be
 * loaded, the claims are no JSON object with a text `sub`), -TG_EIO, -TG_ENOTFOUND (no recording),
 * -TG_ENOMEM. */
int tg_replay_run(const struct tg_replay_options *options, struct tg_replay_totals *totals,
                  struct tg_err *err);
