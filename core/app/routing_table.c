/* The text is kept and looked into, not converted: a table of a million accounts is one allocation
 * and one parse, and a row costs something only when its account is asked for. It is judged in two
 * steps. What is no JSON object says nothing at all, and the table before it stays. A row that is
 * wrong is wrong for its account: a registry with one bad entry must not take the others away. */
#include "app/routing_table.h"

#include "base/json.h"
#include "base/map.h"
#include "base/text.h"

#include <string.h>

struct content {
    struct tg_buf text;
    struct tg_json json;
    struct tg_map rows; /* account id → its token */
};

struct tg_routing_table {
    const struct tg_config *config;
    struct content content;
};

static void content_fini(struct content *content)
{
    if (content->text.data) explicit_bzero(content->text.data, content->text.len);
    tg_buf_fini(&content->text);
    tg_json_fini(&content->json);
    tg_map_fini(&content->rows);
}

struct tg_routing_table *tg_routing_table_new(const struct tg_config *config)
{
    struct tg_routing_table *table = calloc(1, sizeof *table);
    if (table) table->config = config;
    return table;
}

void tg_routing_table_free(struct tg_routing_table *table)
{
    if (!table) return;
    content_fini(&table->content);
    free(table);
}

static int index_rows(struct content *content, struct tg_err *err)
{
    struct tg_json_token *tokens = content->json.tokens;
    struct tg_buf name = {0};
    int rc = 0;
    for (uint32_t key = 1; key < tokens[0].next && !rc; key = tokens[key + 1].next) {
        void *before = NULL;
        tg_buf_clear(&name);
        tg_json_unescape(&name, &tokens[key]);
        if (name.failed || tg_map_put(&content->rows, name.data ? name.data : "", name.len,
                                      &tokens[key + 1], &before))
            rc = tg_fail(err, TG_ENOMEM, "out of memory");
        else if (before)
            rc = tg_fail(err, TG_EINVAL, "\"%.64s\" has two rows", name.data ? name.data : "");
    }
    tg_buf_fini(&name);
    return rc;
}

int tg_routing_table_take(struct tg_routing_table *table, struct tg_buf *text, struct tg_err *err)
{
    struct content next = {.text = *text};
    const struct tg_buf *old = &table->content.text;
    *text = (struct tg_buf){0};
    if (old->data && next.text.data && old->len == next.text.len &&
        !memcmp(old->data, next.text.data, old->len)) {
        content_fini(&next);
        return 0;
    }
    int rc = tg_json_parse(&next.json, next.text.data ? next.text.data : "", next.text.len, err);
    if (!rc && next.json.tokens[0].type != TG_JSON_OBJECT)
        rc = tg_fail(err, TG_EINVAL, "not an object of accounts and routes");
    if (!rc) rc = index_rows(&next, err);
    if (rc) {
        content_fini(&next);
        return rc;
    }
    content_fini(&table->content);
    table->content = next;
    return 1;
}

/* A string or number as text in `plain`, or NULL. */
static const char *text_of(const struct tg_json_token *token, struct tg_buf *plain)
{
    tg_buf_clear(plain);
    if (token->type != TG_JSON_STRING && token->type != TG_JSON_NUMBER) return NULL;
    tg_json_unescape(plain, token);
    if (plain->failed || (plain->data && strlen(plain->data) != plain->len)) return NULL;
    return plain->data ? plain->data : "";
}

static int read_headers(struct tg_routing *routing, const struct tg_json *json, uint32_t object,
                        struct tg_err *err)
{
    const struct tg_json_token *tokens = json->tokens;
    struct tg_buf name = {0}, value = {0};
    int rc = tokens[object].type == TG_JSON_OBJECT
                 ? 0
                 : tg_fail(err, TG_EINVAL, "its headers are not an object");
    for (uint32_t key = object + 1; !rc && key < tokens[object].next; key = tokens[key + 1].next) {
        const char *left = text_of(&tokens[key], &name), *right = text_of(&tokens[key + 1], &value);
        rc = left && right ? tg_routing_header(routing, left, right, err)
                           : tg_fail(err, TG_EINVAL, "its headers are not all texts");
    }
    if (value.data) explicit_bzero(value.data, value.len);
    tg_buf_fini(&name);
    tg_buf_fini(&value);
    return rc;
}

static int read_row(struct tg_routing *routing, const struct tg_json *json, uint32_t row,
                    struct tg_err *err)
{
    const struct tg_json_token *tokens = json->tokens;
    struct tg_buf name = {0}, value = {0};
    int rc = 0;
    if (tokens[row].type == TG_JSON_STRING) {
        const char *source = text_of(&tokens[row], &value);
        rc = tg_routing_set(routing, "source", source ? source : "", err);
    } else if (tokens[row].type != TG_JSON_OBJECT) {
        rc = tg_fail(err, TG_EINVAL, "it is neither an object nor the name of a source");
    } else {
        for (uint32_t key = row + 1; !rc && key < tokens[row].next; key = tokens[key + 1].next) {
            const char *member = text_of(&tokens[key], &name);
            if (tokens[key + 1].type == TG_JSON_NULL) continue;
            if (member && !strcmp(member, "headers")) {
                rc = read_headers(routing, json, key + 1, err);
                continue;
            }
            const char *text = text_of(&tokens[key + 1], &value);
            rc = member && text
                     ? tg_routing_set(routing, member, text, err)
                     : tg_fail(err, TG_EINVAL, "its \"%s\" is not a text", member ? member : "?");
        }
    }
    tg_buf_fini(&name);
    tg_buf_fini(&value);
    return rc;
}

int tg_routing_table_find(const struct tg_routing_table *table, const char *account_id,
                          struct tg_routing **out, struct tg_err *err)
{
    const struct tg_json *json = &table->content.json;
    const struct tg_json_token *row =
        tg_map_get(&table->content.rows, account_id, strlen(account_id));
    if (!row || row->type == TG_JSON_NULL) return -TG_ENOTFOUND;
    struct tg_routing *routing = tg_routing_new();
    int rc = routing ? read_row(routing, json, (uint32_t)(row - json->tokens), err) : -TG_ENOMEM;
    if (!rc) rc = tg_routing_settle(routing, table->config, err);
    if (rc)
        tg_routing_free(routing);
    else
        *out = routing;
    return rc;
}

uint32_t tg_routing_table_count(const struct tg_routing_table *table)
{
    return (uint32_t)table->content.rows.count;
}
