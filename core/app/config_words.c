/* The words that a configuration may use: env, file, here, and what is harmless of Lua's. Whatever
 * else it names is an error with the nearest word that there is, not a quiet nil. */
#include "app/config_sandbox_inner.h"

#include "app/hook_json.h"
#include "base/embedded.h"
#include "base/err.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIPE_MS 2000 /* so long a pipe may keep its reader waiting */

static const char *const base_names[] = {"assert", "error",  "ipairs",   "next",
                                         "pairs",  "select", "tonumber", "tostring",
                                         "type",   "unpack", NULL};
static const char *const string_names[] = {"byte",    "char", "find",  "format", "gmatch",
                                           "gsub",    "len",  "lower", "match",  "rep",
                                           "reverse", "sub",  "upper", NULL};
static const char *const table_names[] = {"concat", "insert", "maxn", "remove", "sort", NULL};
static const char *const math_names[] = {"abs", "ceil", "floor", "fmod", "huge", "log", "max",
                                         "min", "modf", "pi",    "pow",  "sqrt", NULL};

/* Pushes "line: key: " of whoever called us, for the value that holds `text`. */
static void push_where(lua_State *lua, const char *text)
{
    lua_Debug caller;
    const char *key = NULL;
    luaL_where(lua, 1);
    if (!tg_config_sandbox_of(lua)->over && lua_getstack(lua, 1, &caller) &&
        lua_getinfo(lua, "l", &caller))
        key = tg_config_scan_holder(tg_config_sandbox_of(lua)->scan, caller.currentline, text);
    if (!key) return;
    lua_pushfstring(lua, "%s: ", key);
    lua_concat(lua, 2);
}

/* Functions that run later must not wait for a disk, nor see another environment than the file. */
int tg_config_sandbox_refuse(lua_State *lua, const char *word)
{
    return luaL_error(lua, "%s is only there while the file is read: keep what it gives in a local",
                      word);
}

/* env(name [, default]): a variable of the environment; without a default it must be there. An
 * empty one counts as not there, since that is what an unset variable of a compose file becomes. */
static int l_env(lua_State *lua)
{
    const char *name = luaL_checkstring(lua, 1);
    if (tg_config_sandbox_of(lua)->over) return tg_config_sandbox_refuse(lua, "env");
    const char *value = getenv(name);
    if (value && *value) {
        lua_pushstring(lua, value);
        return 1;
    }
    if (lua_gettop(lua) >= 2) {
        lua_pushvalue(lua, 2);
        return 1;
    }
    push_where(lua, name);
    lua_pushfstring(lua, "the environment variable \"%s\" is %s", name,
                    value ? "empty" : "not set");
    lua_concat(lua, 2);
    return lua_error(lua);
}

/* Reads what there is. A pipe into which nobody writes must not hold the gateway, which reads its
 * configuration again while it serves. */
static ssize_t read_soon(int fd, char *chunk, size_t size)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    ssize_t n = read(fd, chunk, size);
    if (n >= 0 || errno != EAGAIN) return n;
    if (poll(&ready, 1, PIPE_MS) == 1) return read(fd, chunk, size);
    errno = ETIMEDOUT;
    return -1;
}

int tg_config_slurp(const char *path, size_t max, struct tg_buf *out)
{
    char chunk[4096];
    ssize_t n;
    int rc = 0, fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return -TG_EIO;
    while (!rc && (n = read_soon(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0)
            rc = -TG_EIO;
        else if ((size_t)n > max - out->len)
            rc = -TG_ELIMIT;
        else
            tg_buf_add(out, chunk, (size_t)n);
        if (out->failed) rc = -TG_ENOMEM;
    }
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return rc;
}

/* The length without the line ending that editors and `echo` put behind a secret. Bytes that are
 * not text are a key as it is: one that happens to end in 0x0a keeps it. */
static size_t text_length(const struct tg_buf *bytes)
{
    size_t len = bytes->len;
    if (!len || !tg_utf8_valid(bytes->data, len)) return len;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes->data[i];
        if (c < 0x20 && c != '\t' && c != '\r' && c != '\n') return len;
    }
    if (bytes->data[len - 1] != '\n') return len;
    len--;
    return len && bytes->data[len - 1] == '\r' ? len - 1 : len;
}

/* file(path): the contents of a file; relative paths start at `here`. The bytes wait in the
 * sandbox, which frees them also when Lua runs out of memory in the middle of this function. */
static int l_file(lua_State *lua)
{
    struct tg_config_sandbox *sandbox = tg_config_sandbox_of(lua);
    struct tg_buf *bytes = &sandbox->scratch;
    const char *given = luaL_checkstring(lua, 1);
    if (sandbox->over) return tg_config_sandbox_refuse(lua, "file");
    const char *path = given;
    if (*given != '/') path = lua_pushfstring(lua, "%s/%s", sandbox->here, given);
    tg_buf_clear(bytes);
    int rc = tg_config_slurp(path, TG_CONFIG_FILE_BYTES, bytes);
    if (!rc) {
        lua_pushlstring(lua, bytes->data ? bytes->data : "", text_length(bytes));
        return 1;
    }
    const char *reason = rc == -TG_EIO ? strerror(errno) : tg_strerror(rc);
    push_where(lua, given);
    lua_pushfstring(lua, "the file \"%s\" cannot be read: %s", path, reason);
    lua_concat(lua, 2);
    return lua_error(lua);
}

/* is_list(value): whether it came out of a document as a list. */
static int l_is_list(lua_State *lua)
{
    lua_pushboolean(lua, lua_istable(lua, 1) && tgl_json_is_list(lua, 1));
    return 1;
}

static int l_unknown_global(lua_State *lua)
{
    const char *name = lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : "?";
    static const char *const ours[] = {"env",    "file",     "mapping",  "is_list", "here",
                                       "assert", "error",    "ipairs",   "next",    "pairs",
                                       "select", "string",   "table",    "math",    "unpack",
                                       "type",   "tonumber", "tostring", NULL};
    const char *near = tg_nearest(name, ours);
    if (near) return luaL_error(lua, "there is no \"%s\" here; did you mean \"%s\"?", name, near);
    return luaL_error(lua, "there is no \"%s\" here; env(name), file(path) and here are", name);
}

static int l_new_global(lua_State *lua)
{
    const char *name = lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : "?";
    return luaL_error(lua,
                      "\"%s\" is set outside of the returned table and would be ignored; put it "
                      "into the table, or make it local",
                      name);
}

/* Copies the named members of the table at -1 into the one at -2 and pops the former. */
static void copy_members(lua_State *lua, const char *const *names)
{
    for (; *names; names++) {
        lua_getfield(lua, -1, *names);
        lua_setfield(lua, -3, *names);
    }
    lua_pop(lua, 1);
}

static void copy_library(lua_State *lua, const char *name, const char *const *names)
{
    lua_newtable(lua);
    lua_getglobal(lua, name);
    copy_members(lua, names);
    lua_setfield(lua, -2, name);
}

void tg_config_sandbox_environment(lua_State *lua)
{
    lua_newtable(lua);
    lua_pushvalue(lua, LUA_GLOBALSINDEX);
    copy_members(lua, base_names);
    copy_library(lua, "string", string_names);
    copy_library(lua, "table", table_names);
    copy_library(lua, "math", math_names);
    lua_pushcfunction(lua, l_env);
    lua_setfield(lua, -2, "env");
    lua_pushcfunction(lua, l_file);
    lua_setfield(lua, -2, "file");
    lua_pushcfunction(lua, tg_config_mapping);
    lua_setfield(lua, -2, "mapping");
    lua_pushcfunction(lua, l_is_list);
    lua_setfield(lua, -2, "is_list");
    lua_pushstring(lua, tg_config_sandbox_of(lua)->here);
    lua_setfield(lua, -2, "here");
    lua_newtable(lua);
    lua_pushcfunction(lua, l_unknown_global);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, l_new_global);
    lua_setfield(lua, -2, "__newindex");
    lua_setmetatable(lua, -2);
}

void tg_config_sandbox_bound(lua_State *lua)
{
    static const char path[] = "lua/bounded.lua";
    const struct tg_embedded *file = tg_embedded_find(path);
    static const char *const parts[] = {"string", "table", NULL};
    tg_must(file);
    if (luaL_loadbufferx(lua, file->text, file->len, "@lua/bounded.lua", "t")) lua_error(lua);
    lua_call(lua, 0, 1);
    for (int i = 0; parts[i]; i++) {
        lua_getglobal(lua, parts[i]);
        lua_getfield(lua, -2, parts[i]);
        lua_pushnil(lua);
        while (lua_next(lua, -2)) {
            lua_pushvalue(lua, -2);
            lua_insert(lua, -2);
            lua_settable(lua, -5);
        }
        lua_pop(lua, 2);
    }
    lua_getfield(lua, -1, "lock");
    lua_call(lua, 0, 0);
    lua_pop(lua, 1);
}
