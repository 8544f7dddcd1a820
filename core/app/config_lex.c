/* LuaJIT compiles a table constructor and forgets where its keys stood, so error messages that name
 * a line need a second look at the text. That look must agree with Lua on one thing only: what is a
 * comment, what is a string and what is neither (Lua 5.1 manual, section 2.1). A key inside a long
 * comment taken for a real one would send the reader to the wrong line. */
#include "app/config_lex.h"

#include <string.h>

static char peek(const struct tg_lex *lex, size_t ahead)
{
    return lex->at + ahead < lex->len ? lex->source[lex->at + ahead] : '\0';
}

static void step(struct tg_lex *lex)
{
    if (lex->source[lex->at++] == '\n') lex->line++;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c) ||
           (unsigned char)c >= 0x80; /* LuaJIT takes any such byte into a name */
}

/* The level of a long bracket that opens here (`[[` is 0, `[=[` is 1), or -1. */
static int long_level(const struct tg_lex *lex)
{
    size_t n = 1;
    if (peek(lex, 0) != '[') return -1;
    while (peek(lex, n) == '=')
        n++;
    return peek(lex, n) == '[' ? (int)n - 1 : -1;
}

/* Reads a long bracket to behind its end; `*begin` and `*end` receive what stands inside. */
static void long_bracket(struct tg_lex *lex, int level, size_t *begin, size_t *end)
{
    lex->at += (size_t)level + 2;
    *begin = lex->at;
    while (lex->at < lex->len) {
        if (peek(lex, 0) == ']') {
            int n = 0;
            while (peek(lex, (size_t)n + 1) == '=')
                n++;
            if (n == level && peek(lex, (size_t)n + 1) == ']') {
                *end = lex->at;
                lex->at += (size_t)level + 2;
                return;
            }
        }
        step(lex);
    }
    *end = lex->at;
}

static void blanks(struct tg_lex *lex)
{
    while (lex->at < lex->len) {
        char c = peek(lex, 0);
        if (c == '-' && peek(lex, 1) == '-') {
            size_t begin, end;
            lex->at += 2;
            int level = long_level(lex);
            if (level >= 0) {
                long_bracket(lex, level, &begin, &end);
            } else {
                while (lex->at < lex->len && peek(lex, 0) != '\n')
                    lex->at++;
            }
        } else if (c == ' ' || (c >= '\t' && c <= '\r') ||
                   (c == '#' && lex->at == 0)) { /* a first line with #! is skipped */
            if (c == '#') {
                while (lex->at < lex->len && peek(lex, 0) != '\n')
                    lex->at++;
            } else {
                step(lex);
            }
        } else {
            return;
        }
    }
}

static void short_string(struct tg_lex *lex, struct tg_lex_token *token)
{
    char quote = peek(lex, 0);
    lex->at++;
    token->text = lex->source + lex->at;
    while (lex->at < lex->len && peek(lex, 0) != quote && peek(lex, 0) != '\n') {
        if (peek(lex, 0) == '\\') {
            token->escaped = true;
            lex->at++;
            if (lex->at == lex->len) break;
        }
        step(lex);
    }
    token->len = (size_t)(lex->source + lex->at - token->text);
    if (peek(lex, 0) == quote && lex->at < lex->len) lex->at++;
}

static void number(struct tg_lex *lex)
{
    while (lex->at < lex->len) {
        char c = peek(lex, 0);
        bool exponent = c == 'e' || c == 'E' || c == 'p' || c == 'P';
        if (!is_word(c) && c != '.') return;
        lex->at++;
        if (exponent && (peek(lex, 0) == '+' || peek(lex, 0) == '-')) lex->at++;
    }
}

static size_t symbol_length(const struct tg_lex *lex)
{
    static const char pairs[][3] = {"==", "~=", "<=", ">=", "..", "::"};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (peek(lex, 0) == pairs[i][0] && peek(lex, 1) == pairs[i][1]) return 2;
    return 1;
}

struct tg_lex_token tg_lex_next(struct tg_lex *lex)
{
    struct tg_lex_token token = {.kind = TG_LEX_END};
    int level;
    blanks(lex);
    token.begin = token.end = lex->at;
    token.line = lex->line;
    token.text = lex->source + lex->at;
    if (lex->at >= lex->len) return token;
    char c = peek(lex, 0);
    if (c == '"' || c == '\'') {
        token.kind = TG_LEX_STRING;
        short_string(lex, &token);
    } else if ((level = long_level(lex)) >= 0) {
        size_t begin, end;
        token.kind = TG_LEX_STRING;
        long_bracket(lex, level, &begin, &end);
        token.text = lex->source + begin;
        token.len = end - begin;
    } else if (is_digit(c) || (c == '.' && is_digit(peek(lex, 1)))) {
        token.kind = TG_LEX_NUMBER;
        number(lex);
        token.len = lex->at - token.begin;
    } else if (is_word(c)) {
        token.kind = TG_LEX_NAME;
        while (lex->at < lex->len && is_word(peek(lex, 0)))
            lex->at++;
        token.len = lex->at - token.begin;
    } else {
        token.kind = TG_LEX_SYMBOL;
        token.len = symbol_length(lex);
        lex->at += token.len;
    }
    token.end = lex->at;
    return token;
}

bool tg_lex_is(const struct tg_lex_token *token, const char *text)
{
    return (token->kind == TG_LEX_NAME || token->kind == TG_LEX_SYMBOL) &&
           token->len == strlen(text) && memcmp(token->text, text, token->len) == 0;
}
