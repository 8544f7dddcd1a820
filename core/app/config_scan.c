/* Walks the table constructors behind `return` and notes where each key stands. Values that are not
 * constructors are skipped as bracketed runs of tokens, whatever they compute. A key that is made
 * at run time has no place of its own; its nearest written ancestor stands in for it.
 *
 * Lua lets a constructor name a key twice and takes one of the two. For a configuration that is a
 * setting somebody wrote and nobody honours, so the scan notes it. */
#include "app/config_scan.h"

#include "app/config_lex.h"
#include "base/err.h"
#include "base/text.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32

struct walk {
    struct tg_config_scan *scan;
    struct tg_lex lex;
    struct tg_lex_token token; /* the one to look at next */
    struct tg_buf path;
    int depth;
};

static void next(struct walk *walk)
{
    walk->token = tg_lex_next(&walk->lex);
}

static bool at(const struct walk *walk, const char *text)
{
    return tg_lex_is(&walk->token, text);
}

static bool at_end(const struct walk *walk)
{
    return walk->token.kind == TG_LEX_END;
}

void tg_config_path_key(struct tg_buf *path, const char *key, size_t len)
{
    bool plain = len > 0 && !(key[0] >= '0' && key[0] <= '9');
    for (size_t i = 0; i < len; i++)
        plain = plain && (key[i] == '_' || (key[i] >= '0' && key[i] <= '9') ||
                          (key[i] >= 'a' && key[i] <= 'z') || (key[i] >= 'A' && key[i] <= 'Z'));
    if (plain) {
        if (path->len) tg_buf_putc(path, '.');
        tg_buf_add(path, key, len);
    } else {
        tg_buf_puts(path, "[\"");
        tg_buf_add(path, key, len);
        tg_buf_puts(path, "\"]");
    }
}

void tg_config_path_index(struct tg_buf *path, int index)
{
    tg_buf_printf(path, "[%d]", index);
}

static void path_cut(struct tg_buf *path, size_t len)
{
    path->len = len;
    if (path->data) path->data[len] = '\0';
}

static struct tg_config_place *find(const struct tg_config_scan *scan, const char *path, size_t len)
{
    uintptr_t at_one = (uintptr_t)tg_map_get(&scan->by_path, path, len);
    return at_one ? &scan->places[at_one - 1] : NULL;
}

static bool grow(struct tg_config_scan *scan)
{
    if (scan->count < scan->cap) return true;
    int cap = scan->cap ? scan->cap * 2 : 64;
    struct tg_config_place *places = realloc(scan->places, (size_t)cap * sizeof *places);
    if (!places) return false;
    scan->places = places;
    scan->cap = cap;
    return true;
}

/* Notes the path with its line; gives the place's index, or -1. */
static int note(struct walk *walk, int line)
{
    struct tg_config_scan *scan = walk->scan;
    const struct tg_buf *path = &walk->path;
    struct tg_config_place *known = path->data ? find(scan, path->data, path->len) : NULL;
    if (known) {
        known->again = line;
        return -1;
    }
    char *copy = path->failed || !path->data || !grow(scan) ? NULL : strdup(path->data);
    if (!copy ||
        tg_map_put(&scan->by_path, copy, path->len, (void *)((uintptr_t)scan->count + 1), NULL)) {
        free(copy);
        scan->failed = true;
        return -1;
    }
    scan->places[scan->count] = (struct tg_config_place){.path = copy, .line = line};
    return scan->count++;
}

static bool opens_block(const struct walk *walk)
{
    return at(walk, "function") || at(walk, "do") || at(walk, "if") || at(walk, "repeat");
}

static bool closes_block(const struct walk *walk)
{
    return at(walk, "end") || at(walk, "until");
}

static bool opens_bracket(const struct walk *walk)
{
    return at(walk, "(") || at(walk, "[") || at(walk, "{");
}

static bool closes_bracket(const struct walk *walk)
{
    return at(walk, ")") || at(walk, "]") || at(walk, "}");
}

/* Skips an expression to the `,`, `;` or `}` that ends it. */
static void skip_value(struct walk *walk)
{
    int nested = 0;
    while (!at_end(walk)) {
        if (!nested && (at(walk, ",") || at(walk, ";") || at(walk, "}"))) return;
        if (opens_block(walk) || opens_bracket(walk)) nested++;
        if (closes_block(walk) || closes_bracket(walk)) nested--;
        next(walk);
    }
}

static void constructor(struct walk *walk);

static void value(struct walk *walk, int line)
{
    int place = note(walk, line);
    size_t begin = walk->token.begin;
    if (at(walk, "{") && walk->depth < DEPTH_MAX) constructor(walk);
    skip_value(walk); /* what is left of it, such as an operator behind a table */
    if (place >= 0) {
        walk->scan->places[place].begin = begin;
        walk->scan->places[place].end = walk->token.begin;
    }
}

/* Reads `[ "text" ] =` or `[ 1 ] =`, standing on the bracket, and extends the path; false (standing
 * on the value) when the key is computed. */
static bool bracket_key(struct walk *walk, bool *positional)
{
    bool known = false;
    uint64_t index;
    next(walk);
    struct tg_lex_token key = walk->token;
    next(walk);
    if (at(walk, "]")) {
        next(walk);
        known = at(walk, "=");
        if (known && key.kind == TG_LEX_STRING && !key.escaped &&
            !memchr(key.text, '\0', key.len)) {
            tg_config_path_key(&walk->path, key.text, key.len);
        } else if (known && key.kind == TG_LEX_NUMBER && !tg_read_u64(key.text, key.len, &index) &&
                   index <= INT_MAX) {
            tg_config_path_index(&walk->path, (int)index);
            *positional = true;
        } else {
            known = false;
        }
    } else {
        int nested = 1;
        while (nested && !at_end(walk)) {
            nested += opens_bracket(walk) - closes_bracket(walk);
            next(walk);
        }
    }
    if (at(walk, "=")) next(walk);
    return known;
}

/* Whether a name is followed by `=`: a key and not an expression. Does not move. */
static bool name_is_key(const struct walk *walk)
{
    struct tg_lex ahead = walk->lex;
    struct tg_lex_token after = tg_lex_next(&ahead);
    return walk->token.kind == TG_LEX_NAME && tg_lex_is(&after, "=");
}

static void constructor(struct walk *walk)
{
    int index = 0;
    size_t base = walk->path.len;
    walk->depth++;
    next(walk);
    while (!at_end(walk) && !at(walk, "}")) {
        int line = walk->token.line;
        bool positional = false;
        if (at(walk, "[")) {
            if (bracket_key(walk, &positional))
                value(walk, line);
            else
                skip_value(walk);
        } else if (name_is_key(walk)) {
            tg_config_path_key(&walk->path, walk->token.text, walk->token.len);
            next(walk);
            next(walk);
            value(walk, line);
        } else {
            tg_config_path_index(&walk->path, ++index);
            value(walk, line);
        }
        path_cut(&walk->path, base);
        if (at(walk, ",") || at(walk, ";")) next(walk);
    }
    next(walk);
    walk->depth--;
}

/* Where the value of the only `return` that stands in no function begins; false when there is none
 * or there are several, so that nobody knows which one runs. */
static bool find_return(struct walk *walk, struct tg_lex *found)
{
    unsigned char blocks[256];
    int depth = 0, functions = 0, returns = 0;
    for (next(walk); !at_end(walk); next(walk)) {
        if (opens_block(walk)) {
            if (depth == (int)sizeof blocks) return false;
            blocks[depth] = at(walk, "function");
            functions += blocks[depth++];
        } else if (closes_block(walk) && depth) {
            functions -= blocks[--depth];
        } else if (at(walk, "return") && !functions) {
            returns++;
            *found = walk->lex;
        }
    }
    return returns == 1;
}

int tg_config_scan_read(struct tg_config_scan *scan, const char *source, size_t len)
{
    struct walk walk = {.scan = scan, .lex = {.source = source, .len = len, .line = 1}};
    struct tg_lex begin;
    *scan = (struct tg_config_scan){.source = source};
    if (find_return(&walk, &begin)) {
        walk.lex = begin;
        next(&walk);
        if (at(&walk, "{")) constructor(&walk);
    }
    tg_buf_fini(&walk.path);
    if (!scan->failed) return 0;
    tg_config_scan_fini(scan);
    return -TG_ENOMEM;
}

void tg_config_scan_fini(struct tg_config_scan *scan)
{
    for (int i = 0; i < scan->count; i++)
        free(scan->places[i].path);
    free(scan->places);
    tg_map_fini(&scan->by_path);
    *scan = (struct tg_config_scan){0};
}

int tg_config_scan_line(const struct tg_config_scan *scan, const char *path)
{
    size_t len = strlen(path);
    while (len) {
        const struct tg_config_place *place = find(scan, path, len);
        if (place) return place->line;
        while (len && path[len - 1] != '.' && path[len - 1] != '[')
            len--;
        if (len) len--;
    }
    return 0;
}

static bool holds(const char *source, size_t begin, size_t end, const char *text)
{
    return end > begin && memmem(source + begin, end - begin, text, strlen(text)) != NULL;
}

const char *tg_config_scan_holder(const struct tg_config_scan *scan, int line, const char *text)
{
    const struct tg_config_place *best = NULL;
    for (int i = 0; i < scan->count; i++) {
        const struct tg_config_place *place = &scan->places[i];
        if (place->line > line || !holds(scan->source, place->begin, place->end, text)) continue;
        if (!best || place->begin >= best->begin) best = place;
    }
    return best ? best->path : NULL;
}
