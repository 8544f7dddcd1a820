#include "app/config_options.h"

#include "app/config_value.h"
#include "base/json.h"

#include <math.h>
#include <stdlib.h>

static void path_cut(struct tg_buf *path, size_t len)
{
    path->len = len;
    if (path->data) path->data[len] = '\0';
}

/* The key below the value on top, as a text, put at the end of the path; NULL with a fault. */
static const char *key_of(struct tg_config_reader *reader, const char *expected, size_t *len)
{
    lua_State *lua = reader->lua;
    if (lua_type(lua, -2) != LUA_TSTRING) {
        tg_config_fault(reader->faults, reader->path.data,
                        "expected %s, got an entry without a key", expected);
        return NULL;
    }
    const char *key = lua_tolstring(lua, -2, len);
    tg_config_path_key(&reader->path, key, *len);
    return key;
}

static void write_option(struct tg_config_reader *reader, const struct tg_config_field *field,
                         struct tg_buf *out)
{
    lua_State *lua = reader->lua;
    size_t len;
    switch (lua_type(lua, -1)) {
    case LUA_TBOOLEAN: tg_json_bool(out, lua_toboolean(lua, -1)); return;
    case LUA_TSTRING: {
        const char *text = lua_tolstring(lua, -1, &len);
        tg_json_string(out, text, len);
        return;
    }
    case LUA_TNUMBER:
        if (isfinite(lua_tonumber(lua, -1))) {
            tg_json_double(out, lua_tonumber(lua, -1));
            return;
        }
        break;
    default: break;
    }
    tg_json_text(out, NULL);
    tg_config_value_refuse(reader, field, "a number, a text, true or false");
}

/* A JSON object of the table on top; `inner`: its values are tables themselves. */
static void write_table(struct tg_config_reader *reader, const struct tg_config_field *field,
                        bool inner, struct tg_buf *out)
{
    lua_State *lua = reader->lua;
    size_t mark = reader->path.len, len;
    const char *expected = inner ? "option = value" : "file = { option = value }";
    tg_json_open(out, '{');
    if (!lua_istable(lua, -1)) {
        tg_config_value_refuse(reader, field, inner ? "a table of options" : "a table of files");
    } else {
        lua_pushnil(lua);
        while (lua_next(lua, -2)) {
            const char *key = key_of(reader, expected, &len);
            if (key) {
                tg_json_string(out, key, len);
                tg_buf_putc(out, ':');
                if (inner)
                    write_option(reader, field, out);
                else
                    write_table(reader, field, true, out);
            }
            path_cut(&reader->path, mark);
            lua_pop(lua, 1);
        }
    }
    tg_json_close(out, '}');
}

void tg_config_options_read(struct tg_config_reader *reader, const struct tg_config_field *field,
                            void *base)
{
    char **to = (void *)((char *)base + field->offset);
    struct tg_buf text = {0};
    write_table(reader, field, false, &text);
    if (text.len > TG_CONFIG_OPTIONS_BYTES)
        tg_config_fault(reader->faults, reader->path.data, "more than %d bytes",
                        TG_CONFIG_OPTIONS_BYTES);
    free(*to);
    *to = tg_buf_take(&text);
    if (!*to) reader->failed = true;
}
