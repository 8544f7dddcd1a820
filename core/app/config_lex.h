/* Tokens of Lua source text: enough of the language to know where things stand in a file. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum tg_lex_kind {
    TG_LEX_END,
    TG_LEX_NAME,   /* names and keywords */
    TG_LEX_STRING, /* the text between the quotes or brackets, escapes and all */
    TG_LEX_NUMBER,
    TG_LEX_SYMBOL, /* one byte, or two for == ~= <= >= .. :: */
};

struct tg_lex_token {
    enum tg_lex_kind kind;
    const char *text; /* points into the source */
    size_t len;
    size_t begin, end; /* bytes of the source that the token takes, quotes included */
    int line;          /* where it begins, from 1 */
    bool escaped;      /* STRING: there is a backslash in it */
};

/* Where reading stands; fill `source` and `len`, zero the rest, `line` = 1. */
struct tg_lex {
    const char *source;
    size_t len, at;
    int line;
};

/* The next token behind blanks and comments. Never fails: what is not Lua comes as symbols, and an
 * unfinished string ends with the line or the file. */
struct tg_lex_token tg_lex_next(struct tg_lex *lex);

/* Whether the token is this name, keyword or symbol. */
bool tg_lex_is(const struct tg_lex_token *token, const char *text);
