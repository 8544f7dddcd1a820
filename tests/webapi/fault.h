/* What is to go wrong: rules that tests set, each for some of the commands to come. */
#pragma once

#include "base/list.h"
#include "base/map.h"

#include <stdbool.h>
#include <stdint.h>

enum mt_fault_kind {
    MT_FAULT_RETCODE,  /* answered with `code` */
    MT_FAULT_DELAY,    /* answered `ms` later */
    MT_FAULT_HANG,     /* never answered */
    MT_FAULT_DROP,     /* the connection is lost after `bytes` of the answer (from the end: < 0) */
    MT_FAULT_RESET,    /* the same, with a reset */
    MT_FAULT_TRUNCATE, /* the last `bytes` of the document are missing, the frame is in order */
    MT_FAULT_GARBAGE,  /* bytes that follow no protocol */
    MT_FAULT_GARBLE,   /* a frame in order around a document that is none */
    MT_FAULT_TRICKLE,  /* `bytes` at a time, `ms` apart */
    MT_FAULT_SERIAL,   /* raw: the serial is `code` more than the command's */
    MT_FAULT_PINGS,    /* raw: `count` pings before, between and after the packets */
    MT_FAULT_SPLIT,    /* raw: packets of `bytes` at most */
    MT_FAULT_PROOF,    /* a wrong cli_rand_answer */
    MT_FAULT_HTTP,     /* REST: HTTP status `code` and `text` as the body */
    MT_FAULT_STALE,    /* the answer of the first time again and again */
    MT_FAULT_EMPTY,    /* success, and no rows */
    MT_FAULT_OMIT,     /* the account `login` is missing in batches */
    MT_FAULT_FOREIGN,  /* documents bear the login `login` */
    MT_FAULT_TWICE,    /* every row is told twice */
    MT_FAULT_REVERSED, /* the rows come in reverse order */
    MT_FAULT_OFTEN, /* answered with `code` when `ms` have not passed since the last that was not */
    MT_FAULT_KINDS,
};

struct mt_fault {
    struct tg_list node;
    enum mt_fault_kind kind;
    char command[48]; /* "*": all */
    int transport;    /* -1: both */
    int64_t skip;     /* commands that are spared first */
    int64_t count;    /* commands it holds for; < 0: until cleared */
    int64_t code, ms, bytes;
    uint64_t login;
    char *text;
    bool html;
    int64_t served_ms;  /* OFTEN: when a command was last answered well, on the monotonic clock */
    struct tg_map kept; /* STALE: answers by question */
};

/* The kind of a name ("retcode", "delay", …) or -1; NULL-terminated names for suggestions. */
int mt_fault_kind_of(const char *name);
extern const char *const mt_fault_names[];

/* Adds a rule, which the list owns; forgets all. */
void mt_fault_add(struct mt_fault *fault);
void mt_fault_clear(void);

/* The first rule that holds for a command, used up by one; NULL: nothing goes wrong. The rule lives
 * until the next call. */
struct mt_fault *mt_fault_take(const char *command, int transport);
