local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("app", {
  "app/config.h", "app/hooks.h", "app/config_schema.h", "app/config_check.h", "app/dev_key.h", "base/buf.h",
})

ffi.cdef([[
int setenv(const char *name, const char *value, int overwrite);
int unsetenv(const char *name);
int chmod(const char *path, unsigned mode);
int symlink(const char *target, const char *path);
int mkfifo(const char *path, unsigned mode);
]])

local SECRET = ("s"):rep(32)
local BASE = 'source = { url = "http://127.0.0.1:8000" },'
local KEYS = 'auth = { keys = { { algorithm = "HS256", secret = ("s"):rep(32) } } },'

describe("gateway.lua", function()
  local folder, configs

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    os.execute("mkdir -p " .. folder)
    configs = {}
  end)

  after_each(function()
    for _, config in ipairs(configs) do C.tg_config_free(config) end
    os.execute("rm -rf " .. folder)
  end)

  local function write(name, text)
    local file = assert(io.open(folder .. "/" .. name, "wb"))
    file:write(text)
    file:close()
    return folder .. "/" .. name
  end

  -- The config, or nil and the messages without the folder.
  local function read_path(path)
    local out, why = ffi.new("struct tg_config *[1]"), ffi.new("struct tg_buf")
    local rc = C.tg_config_read(path, out, why)
    local text = why.data ~= nil and ffi.string(why.data, why.len) or ""
    C.tg_buf_fini(why)
    if rc == 0 then
      configs[#configs + 1] = out[0]
      assert.equal("", text)
      return out[0]
    end
    assert.is_true(out[0] == nil)
    return nil, (text:gsub(folder:gsub("%p", "%%%0") .. "/", ""))
  end

  local function read(text)
    return read_path(write("gateway.lua", text))
  end

  local function given(text)
    local config, why = read("return {" .. text .. "}")
    assert(config, why)
    return config
  end

  -- What is said about the body of the table, of which line 2 and on are the text.
  local function refused(text)
    local config, why = read("return {\n" .. text .. "\n}")
    assert.is_nil(config)
    return why
  end

  local function works(text)
    return given(BASE .. KEYS .. (text or ""))
  end

  local function wrong(text, plain)
    local why = refused(text .. ",\n" .. BASE .. KEYS)
    assert.is_truthy(why:find(plain, 1, true), why)
    return why
  end

  it("needs a source and a key, and has defaults for the rest", function()
    local config = works()
    assert.equal("0.0.0.0", ffi.string(config.listen.address))
    assert.equal(8080, config.listen.port)
    assert.is_false(config.listen.reuse_port)
    assert.equal("127.0.0.1", ffi.string(config.admin.address))
    assert.equal(9090, config.admin.port)
    assert.is_true(config.admin.enabled)
    assert.equal("http", ffi.string(config.sources[0].driver))
    assert.equal(1000, config.sources[0].interval_ms)
    assert.equal(4194304, tonumber(config.sources[0].max_body_bytes))
    assert.equal("accounts", ffi.string(config.auth.ownership_claim))
    assert.is_true(config.auth.ownership_file == nil)
    assert.is_true(config.auth.hide_unknown)
    assert.is_false(config.auth.reject_by_close)
    assert.equal(0, config.rules.paths_count)
    assert.equal(90, config.protocol.timeout_seconds)
    assert.equal(262144, config.limits.queue_bytes)
    assert.equal("auto", ffi.string(config.log.format))
    assert.equal(6, config.sources[0].sim.events_per_minute)
  end)

  it("takes the whole example of the documentation", function()
    ffi.C.setenv("TG_SPEC_KEY", "k-1", 1)
    ffi.C.setenv("TG_SPEC_SECRET", SECRET, 1)
    local config = given([[
      listen   = { address = "127.0.0.1", port = 8081, reuse_port = true },
      admin    = { address = "0.0.0.0", port = 9091, token = ("t"):rep(16) },
      source   = { driver = "http", url = "https://mt5.internal/base", interval_ms = 500, timeout_ms = 700,
                   headers = { ["X-API-Key"] = env "TG_SPEC_KEY", ["X-Account"] = "{account_id}/{subject}" } },
      accounts = { always = { "demo-1", "demo-2" } },
      auth     = { keys = { { algorithm = "HS512", secret = env "TG_SPEC_SECRET" }, { algorithm = "HS256", secret = "\0\1", kid = "k" } },
                   issuer = "i", audience = "a", reject = "close", hide_unknown = false,
                   ownership = { claim = "app_metadata.accounts" } },
      rules    = { path = { "rules/", "/etc/more" }, reload = false, budget_ms = 5, memory_mb = 32 },
      protocol = { ids = "string", ping_seconds = 10, timeout_seconds = 30 },
      log      = { level = "debug", format = "json" },
    ]])
    assert.equal(2, config.sources[0].headers_count)
    assert.equal("X-API-Key", ffi.string(config.sources[0].headers[0].name))
    assert.equal("k-1", ffi.string(config.sources[0].headers[0].value))
    assert.equal("X-Account", ffi.string(config.sources[0].headers[1].name))
    assert.equal(2, config.accounts.always_count)
    assert.equal("demo-2", ffi.string(config.accounts.always[1]))
    assert.equal(2, config.auth.keys_count)
    assert.equal(SECRET, ffi.string(config.auth.keys[0].secret, config.auth.keys[0].secret_len))
    assert.is_true(config.auth.keys[0].kid == nil)
    assert.equal("\0\1", ffi.string(config.auth.keys[1].secret, config.auth.keys[1].secret_len))
    assert.is_true(config.auth.reject_by_close)
    assert.is_true(config.protocol.ids_as_text)
    assert.equal(folder .. "/rules/", ffi.string(config.rules.paths[0]))
    assert.equal("/etc/more", ffi.string(config.rules.paths[1]))
    ffi.C.unsetenv("TG_SPEC_KEY")
    ffi.C.unsetenv("TG_SPEC_SECRET")
  end)

  it("takes one rules folder without a list", function()
    assert.equal(folder .. "/rules/", ffi.string(works('rules = { path = "rules/" }').rules.paths[0]))
  end)

  describe("names what is wrong", function()
    it("with file, line, key, expectation and the nearest key", function()
      assert.equal('gateway.lua:2: listen.prot: there is no such key; did you mean "port"?\n',
        refused("listen = { prot = 1 }," .. BASE .. KEYS))
      wrong("lisen = {}", 'gateway.lua:2: lisen: there is no such key; did you mean "listen"?')
      wrong("log = { zzzzzzzz = 1 }", "log.zzzzzzzz: there is no such key; there are level, format")
      wrong('listen = { port = "8080" }',
        'listen.port: expected a whole number from 0 to 65535, got "8080" (a string: put tonumber(…) around it)')
      wrong("listen = { port = 65536 }", "expected a whole number from 0 to 65535, got 65536")
      wrong("listen = { port = 1.5 }", "got 1.5")
      wrong("listen = { port = -1 }", "got -1")
      wrong("listen = { port = 0/0 }", "got not a number")
      wrong("listen = { port = {} }", "got a table")
      wrong("listen = { port = string.rep }", "got a function")
      wrong("listen = { port = evn }", "gateway.lua:2: there is no \"evn\" here; did you mean \"env\"?")
      wrong("listen = { reuse_port = 1 }", "listen.reuse_port: expected true or false, got 1")
      wrong("listen = 8080", "listen: expected a table, got 8080")
      wrong("log = { level = 'inf' }", 'log.level: expected "debug", "info", "warn" or "error" (did you mean "info"?), got "inf"')
      wrong("protocol = { ids = 5 }", 'protocol.ids: expected "number" or "string", got 5')
      wrong("{ 1 }", "expected key = value, got an entry without a key")
      wrong("rules = { path = {} , budget_ms = 0 }", "rules.budget_ms: expected a whole number from 1 to 1000, got 0")
      wrong("rules = { path = { a = 1 } }", "rules.path: expected a path or a list of paths, got a table")
      wrong("accounts = { always = { 'a', nil, 'b' } }", "accounts.always: expected a list of strings, no holes, got a table")
      wrong("listen = { address = 'a\\0b' }", "expected UTF-8 text without control characters")
      wrong("listen = { address = '' }", "expected a string of 1 to 1024 bytes")
    end)

    it("all at once, in the order of the file, and at most ten", function()
      local why = refused('log = { level = 1 },\nlisten = { port = "x" },\nlimits = { connections = 0 },\n' .. BASE .. KEYS)
      local lines = {}
      for line in why:gmatch("gateway.lua:(%d+): ") do lines[#lines + 1] = line end
      assert.same({ "2", "3", "4" }, lines)
      local many = {}
      for i = 1, 13 do many[i] = "k" .. i .. " = 1" end
      why = refused(table.concat(many, ",\n"))
      assert.equal(11, select(2, why:gsub("\n", "\n")))
      assert.is_truthy(why:find("gateway.lua: … and 5 more", 1, true), why)
    end)

    it("by the file alone when the key is computed", function()
      local _, why = read('local t = { listen = { port = "x" } }\n' .. "for k, v in pairs({ " .. BASE .. KEYS .. " }) do t[k] = v end\nreturn t")
      assert.is_truthy(why:find("^gateway.lua: listen.port: expected"), why)
    end)

    it("when a key is written twice", function()
      wrong("listen = { port = 1,\nport = 2 }", "gateway.lua:2: listen.port: this is given again in line 3")
    end)

    it("in Lua itself", function()
      local _, why = read("return {\n  a = = 1 }")
      assert.is_truthy(why:find("^gateway.lua:2: unexpected symbol"), why)
      _, why = read("local x = 1\nreturn nil + x")
      assert.is_truthy(why:find("^gateway.lua:2: attempt to perform arithmetic"), why)
      _, why = read("error({})")
      assert.is_truthy(why:find("^gateway.lua: "), why)
    end)

    it("when it returns no table", function()
      for text, what in pairs({ [""] = "nothing", ["return 5"] = "number", ["return nil"] = "nothing" }) do
        local _, why = read(text)
        assert.equal("gateway.lua: the file must return a table, and returns " .. what .. "\n", why)
      end
    end)

    it("when the file is not there", function()
      local _, why = read_path(folder .. "/none.lua")
      assert.equal("none.lua: No such file or directory\n", why)
      _, why = read_path(folder)
      assert.is_truthy(why:find("Is a directory", 1, true), why)
    end)
  end)

  it("takes the rules' options as they are, and refuses what is no option", function()
    local config = works('rules = { options = { margin = { warn = 130.5, on = true, zone = "a \\"b\\"" } } }')
    local json = require("dkjson")
    assert.same({ margin = { warn = 130.5, on = true, zone = 'a "b"' } }, json.decode(ffi.string(config.rules.options)))
    assert.is_true(works().rules.options == nil)
    for text, why in pairs({
      ["7"] = "rules.options: expected a table of files, got 7",
      ["{ margin = 7 }"] = "rules.options.margin: expected a table of options, got 7",
      ["{ { warn = 1 } }"] = "rules.options: expected file = { option = value }, got an entry without a key",
      ["{ margin = { 1 } }"] = "rules.options.margin: expected option = value, got an entry without a key",
      ["{ margin = { warn = { 1 } } }"] = "rules.options.margin.warn: expected a number, a text, true or false, got a table",
      ["{ margin = { warn = 0 / 0 } }"] = "rules.options.margin.warn: expected a number, a text, true or false, got not a number",
      ["{ margin = { warn = ('x'):rep(65536) } }"] = "rules.options: more than 65536 bytes",
    }) do
      local got = refused(BASE .. KEYS .. "rules = { options = " .. text .. " }")
      assert.is_truthy(got and got:find(why, 1, true), tostring(got))
    end
  end)

  describe("keeps secrets to itself", function()
    it("in messages about them", function()
      local why = refused(BASE .. 'auth = { keys = { { algorithm = "HS256", secret = "" } } }, admin = { token = "hunter2" }')
      assert.is_nil(why:find("hunter2", 1, true), why)
      assert.is_truthy(why:find("admin.token: expected a string of 16 to 1024 bytes, got 7 bytes", 1, true), why)
      assert.is_truthy(why:find("auth.keys[1].secret: expected a string of 1 to 4096 bytes, got 0 bytes", 1, true), why)
      why = refused(KEYS .. 'source = { url = "http://user:hunter2@x", headers = { A = "hunter2\\n" } }')
      assert.is_nil(why:find("hunter2", 1, true), why)
      why = refused(KEYS .. BASE .. "admin = { token = 1234567890123456 }")
      assert.is_nil(why:find("1234567890", 1, true), why)
    end)

    it("and names the variable and the key when one is missing", function()
      ffi.C.unsetenv("TG_SPEC_NONE")
      local why = refused(BASE .. '\nauth = { keys = { { algorithm = "HS256",\nsecret = env "TG_SPEC_NONE" } } }')
      assert.equal('gateway.lua:4: auth.keys[1].secret: the environment variable "TG_SPEC_NONE" is not set\n', why)
      ffi.C.setenv("TG_SPEC_NONE", "", 1)
      why = refused(BASE .. '\nauth = { keys = { { algorithm = "HS256",\nsecret = env "TG_SPEC_NONE" } } }')
      assert.is_truthy(why:find('"TG_SPEC_NONE" is empty', 1, true), why)
      ffi.C.unsetenv("TG_SPEC_NONE")
      assert.equal("info", ffi.string(works('log = { level = env("TG_SPEC_NONE", "info") }').log.level))
      why = refused(BASE .. 'auth = { keys = { { algorithm = "HS256", secret = env("TG_SPEC_NONE", nil) } } }')
      assert.is_truthy(why:find("auth.keys[1].secret: this is required and missing", 1, true), why)
    end)

    it("and reads them from files, without the line ending of text", function()
      local function secret(bytes)
        write("secret", bytes)
        local config = given(BASE .. 'auth = { keys = { { algorithm = "HS256", secret = file "secret" } } }')
        return ffi.string(config.auth.keys[0].secret, config.auth.keys[0].secret_len)
      end
      assert.equal("abc", secret("abc\n"))
      assert.equal("abc", secret("abc\r\n"))
      assert.equal("abc\n", secret("abc\n\n"))
      assert.equal("\1\2\n", secret("\1\2\n"))
      assert.equal("\255\n", secret("\255\n"))
      local why = refused(BASE .. 'auth = { keys = { { algorithm = "HS256",\nsecret = file "none" } } }')
      assert.equal('gateway.lua:3: auth.keys[1].secret: the file "none" cannot be read: No such file or directory\n', why)
      assert.equal(folder, ffi.string(works("log = { level = ({ [here] = 'warn' })['" .. folder .. "'] }").log.level) == "warn" and folder)
    end)
  end)

  describe("cannot hurt", function()
    it("with a loop that does not end", function()
      for _, text in ipairs({ "while true do end", "repeat until false", "local function f() return f() end f()" }) do
        local _, why = read(text)
        assert.is_truthy(why:find("gateway.lua:1: the file does not come to an end", 1, true), why)
      end
    end)

    it("with a secret that is a pipe into which nobody writes", function()
      assert.equal(0, ffi.C.mkfifo(folder .. "/pipe", 384))
      local why = refused(BASE .. 'auth = { keys = { { algorithm = "HS256", secret = file "pipe" } } }')
      assert.is_truthy(why:find("auth.keys[1].secret: expected", 1, true), why)
    end)

    it("with memory", function()
      local _, why = read('local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1e4) .. i end')
      assert.is_truthy(why:find("not enough memory", 1, true), why)
      _, why = read('local t = ("x"):rep(1e9)')
      assert.is_truthy(why:find("the result is over 64 KiB", 1, true), why)
    end)

    it("by reaching out", function()
      for _, name in ipairs({ "io", "os", "ffi", "require", "debug", "load", "loadstring", "dofile", "pcall", "xpcall",
        "setmetatable", "getmetatable", "rawset", "getfenv", "setfenv", "collectgarbage", "newproxy", "coroutine", "jit",
        "package", "_G", "module", "print" }) do
        local _, why = read("return " .. name)
        assert.is_truthy(why and why:find('there is no "' .. name .. '" here', 1, true), name .. ": " .. tostring(why))
      end
    end)

    it("with bytecode", function()
      local _, why = read(string.dump(function() return {} end))
      assert.is_truthy(why:find("^gateway.lua"), why)
    end)

    it("by setting a global that nobody reads", function()
      local _, why = read("listen = { port = 1 }\nreturn {}")
      assert.is_truthy(why:find('gateway.lua:1: "listen" is set outside of the returned table', 1, true), why)
    end)
  end)

  describe("refuses what belongs to a later version", function()
    for _, case in ipairs({
      { 'listen = { tls = { certificate = "c", key = "k" } }', "listen.tls" },
      { 'auth = { jwks_url = "x" }', "auth.jwks_url", true },
      { 'auth = { ownership = { url = "x" } }', "auth.ownership.url", true },
      { "protocol = { compression = true }", "protocol.compression" },
    }) do
      it("the key " .. case[2], function()
        local why = refused(case[1] .. (case[3] and "" or "," .. BASE .. KEYS))
        assert.is_truthy(why:find(case[2] .. ": not supported in this version", 1, true), why)
      end)
    end

    it("algorithms", function()
      local why = refused('auth = { keys = { { algorithm = "RS256", secret = "x" } } },' .. BASE)
      assert.is_truthy(why:find('auth.keys[1].algorithm: "RS256" is not supported in this version', 1, true), why)
    end)
  end)

  describe("checks that keys agree", function()
    it("about recordings", function()
      assert.is_truthy(refused('source = { driver = "replay" },' .. KEYS):find(
        'source.replay.path: this is required with the driver "replay" and missing', 1, true))
      assert.is_truthy(refused('source = { driver = "sim", replay = { path = "x" } },' .. KEYS):find(
        'source.replay: this belongs to the driver "replay", and source.driver is "sim"', 1, true))
      assert.is_truthy(refused("record = { flush_seconds = 1 }," .. BASE .. KEYS):find(
        "record.path: this is required in record and missing", 1, true))
      assert.is_truthy(refused('record = { path = "x", file_mb = 600 },' .. BASE .. KEYS):find(
        "record.total_mb: expected at least twice record.file_mb (600)", 1, true))
    end)

    it("about the source", function()
      assert.is_truthy(refused(KEYS):find("source.url: this is required", 1, true))
      local function source(text) return refused(KEYS .. "source = {" .. text .. "}") end
      assert.is_truthy(source('url = "ftp://x"'):find("expected http:// or https://", 1, true))
      assert.is_truthy(source('url = "nonsense"'):find("source.url: expected", 1, true))
      assert.is_truthy(source('url = "http://a b"'):find("source.url: expected a URL", 1, true))
      assert.is_truthy(source('url = "http://u:p@x"'):find("use source.headers", 1, true))
      assert.is_truthy(source('url = "http://x/?a=1"'):find("expected no query", 1, true))
      assert.is_truthy(source('driver = "sim", url = "http://x"'):find('source.url: this belongs to the driver "http" or "mt5_webapi"', 1, true))
      assert.is_truthy(source('url = "http://x", sim = {}'):find('source.sim: this belongs to the driver "sim"', 1, true))
      assert.is_truthy(source('url = "http://x", headers = { A = "{acount_id}" }'):find("source.headers.A: its placeholders", 1, true))
      assert.is_truthy(source('url = "http://x", headers = { ["A b"] = "x" }'):find("no name of an HTTP header", 1, true))
      assert.is_truthy(source('url = "http://x", headers = { A = "x", a = "y" }'):find("is given twice", 1, true))
      assert.is_truthy(source('url = "http://x", headers = { A = "x\\r\\nB: y" }'):find("without control characters", 1, true))
      assert.is_truthy(source('url = "http://x", headers = { "x" }'):find("an entry without a name", 1, true))
      assert.is_truthy(source('url = "http://x", refused_first_ms = 900001'):find("this is more than source.refused_max_ms", 1, true))
      assert.is_truthy(source('driver = "sim", sim = { outage_every_seconds = 5, outage_for_seconds = 5 }'):find("expected less than", 1, true))
      assert.is_truthy(source('driver = "sim", sim = { outage_for_seconds = 5 }'):find("does nothing without", 1, true))
    end)

    it("about a Web API", function()
      local function source(text, wanted)
        local why = refused(KEYS .. 'source = { driver = "mt5_webapi", login = "1", password = "x",' .. text .. "}")
        assert.is_truthy(why:find(wanted, 1, true), why)
      end
      local why = refused(KEYS .. 'source = { driver = "mt5_webapi" }')
      for _, name in ipairs({ "url", "login", "password" }) do
        assert.is_truthy(why:find("source." .. name .. ": this is required with the driver \"mt5_webapi\"", 1, true), why)
      end
      source('url = "ftp://x"', "source.url: expected https://host:443 or mt5://host:443")
      source('url = "https://x/path"', "source.url: expected a host and a port, and nothing behind them")
      source('url = "https://user:secret@x"', "source.url: expected a host and a port")
      source('url = "mt5://x:70000"', "source.url: expected a port of 1 … 65535")
      source('url = "mt5://:443"', "source.url: expected a host")
      source('url = "mt5://x", fallback_urls = { "mt5://y", "z" }', "source.fallback_urls: expected https://host:443")
      source('url = "mt5://x", login = "7a"', "source.login: expected the number of a manager account")
      source('url = "mt5://x", agent = "a b"', "source.agent: expected no blanks")
      source('url = "mt5://x", utc_offset = "3"', 'source.utc_offset: expected "auto" or an offset such as "+03:00"')
      source('url = "mt5://x", batch_logins = 2001', "source.batch_logins: expected")
      source('url = "mt5://x", keepalive_seconds = 180', "source.keepalive_seconds: expected")
      source('url = "mt5://x", headers = { A = "b" }', 'source.headers: this belongs to the driver "http"')
      source('url = "mt5://x", version = 483', "source.version: expected")
    end)

    it("about authentication", function()
      assert.is_truthy(refused(BASE):find("auth.keys: at least one key is required", 1, true))
      local function auth(text) return refused(BASE .. "auth = {" .. text .. "}") end
      assert.is_truthy(auth("keys = {}"):find("auth.keys: expected 1 to 32 entries, got 0", 1, true))
      assert.is_truthy(auth('keys = { { algorithm = "HS256" } }'):find("auth.keys[1].secret: this is required", 1, true))
      local key = '{ algorithm = "HS256", secret = "x", kid = "a" }'
      assert.is_truthy(auth("keys = {" .. key .. "," .. key .. "}"):find('two keys have the kid "a"', 1, true))
      local keys = "keys = {" .. key .. "},"
      assert.is_truthy(auth(keys .. 'ownership = { claim = "a", file = "b" }'):find("expected either claim or file", 1, true))
      assert.is_truthy(auth(keys .. "ownership = { file_bytes = 5000 }"):find("does nothing without", 1, true))
      local config = given(BASE .. "auth = {" .. keys .. 'ownership = { file = "owners.json" } }')
      assert.is_true(config.auth.ownership_claim == nil)
      assert.equal(folder .. "/owners.json", ffi.string(config.auth.ownership_file))
    end)

    it("about listeners", function()
      wrong('listen = { address = "localhost" }', "listen.address: expected an IPv4 or IPv6 address")
      wrong('admin = { address = "0.0.0.0" }', "admin.address: \"0.0.0.0\" can be reached from outside: that needs admin.token")
      works('admin = { address = "0.0.0.0", enabled = false }')
      works('admin = { address = "::1" }')
      wrong('admin = { port = 8080 }, listen = { address = "127.0.0.1" }', "admin.port: this is the address and port of listen")
      works('admin = { port = 0 }, listen = { address = "127.0.0.1", port = 0 }')
    end)

    it("about rules", function()
      local why = refused(BASE .. KEYS .. "rules = { payload_bytes = 65536, bytes_per_tick = 65535 }")
      assert.is_truthy(why:find("rules.payload_bytes: 65536 are more than rules.bytes_per_tick (65535) lets out", 1, true), why)
      works("rules = { payload_bytes = 65536, bytes_per_tick = 65536 }")
    end)

    it("about accounts and clients", function()
      wrong('accounts = { always = { "a b" } }', 'accounts.always[1]: "a b" is no account id')
      wrong('accounts = { always = { "a", "a" } }', 'accounts.always[2]: "a" stands in the list already')
      wrong('accounts = { maximum = 1, always = { "a", "b" } }', "2 accounts are more than accounts.maximum")
      wrong("protocol = { ping_seconds = 90 }", "expected less than protocol.timeout_seconds (90)")
      wrong("rules = { payload_bytes = 131073 }", "expected at most half of limits.queue_bytes")
      wrong("limits = { token_bytes = 8193 }", "expected at most limits.head_bytes (8192)")
    end)
  end)

  it("gives the first fault alone when one sentence is wanted", function()
    local out, err = ffi.new("struct tg_config *[1]"), ffi.new("struct tg_err")
    local path = write("gateway.lua", "return { lisen = 1, logg = 2 }")
    assert.equal(-1, C.tg_config_load(path, out, err))
    local text = ffi.string(err.text)
    assert.is_truthy(text:find("gateway.lua:1: .+ %(and 3 more%)$"), text)
  end)

  it("reads a hundred thousand accounts in good time", function()
    local list = {}
    for i = 1, 100000 do list[i] = ("%q"):format("account-" .. i) end
    local before = os.clock()
    assert.equal(100000, works("accounts = { always = {" .. table.concat(list, ",\n") .. "} }").accounts.always_count)
    assert.is_true(os.clock() - before < 20) -- of processor time; what is not linear takes minutes
  end)

  it("refuses more than its bound of bytes", function()
    local _, why = read("--" .. ("x"):rep(16777216))
    assert.is_truthy(why:find("larger than 16777216 bytes", 1, true), why)
  end)

  describe("when there is none", function()
    local runtime

    before_each(function()
      runtime = os.getenv("XDG_RUNTIME_DIR")
      ffi.C.setenv("XDG_RUNTIME_DIR", folder, 1)
    end)

    after_each(function()
      if runtime then ffi.C.setenv("XDG_RUNTIME_DIR", runtime, 1) else ffi.C.unsetenv("XDG_RUNTIME_DIR") end
    end)

    local function key_path()
      local path = C.tg_dev_key_path()
      local text = ffi.string(path)
      ffi.C.free(path)
      return text
    end

    it("runs the simulator on loopback with a key that the user's other commands find", function()
      local config = assert(read_path(nil))
      assert.is_true(config.file == nil)
      assert.equal("sim", ffi.string(config.sources[0].driver))
      assert.equal("127.0.0.1", ffi.string(config.listen.address))
      assert.equal(1, config.auth.keys_count)
      assert.equal("HS256", ffi.string(config.auth.keys[0].algorithm))
      local secret = ffi.string(config.auth.keys[0].secret, config.auth.keys[0].secret_len)
      assert.is_truthy(secret:find("^" .. ("[0-9a-f]"):rep(64) .. "$"))
      assert.equal(secret, ffi.string(assert(read_path(nil)).auth.keys[0].secret))
      local mode = io.popen("stat -c %a " .. key_path()):read("*l")
      assert.equal("600", mode)
      local left = io.popen("ls -A " .. folder .. " | wc -l"):read("*n")
      assert.equal(1, left)
    end)

    it("trusts no key file that others could read, have written, or have put elsewhere", function()
      assert(read_path(nil))
      assert.equal(0, ffi.C.chmod(key_path(), 420)) -- 0644
      local _, why = read_path(nil)
      assert.is_truthy(why:find("mode 0600", 1, true), why)
      os.remove(key_path())
      write("elsewhere", ("0"):rep(64))
      ffi.C.chmod(folder .. "/elsewhere", 384) -- 0600
      assert.equal(0, ffi.C.symlink(folder .. "/elsewhere", key_path()))
      _, why = read_path(nil)
      assert.is_truthy(why:find("symbolic link", 1, true), why)
      os.remove(key_path())
      assert.equal(0, ffi.C.mkfifo(key_path(), 384))
      _, why = read_path(nil)
      assert.is_truthy(why:find("is not a file", 1, true), why)
    end)

    it("refuses a key file that holds something else", function()
      for _, text in ipairs({ "", "short", ("0"):rep(65), ("G"):rep(64) }) do
        local file = io.open(key_path(), "wb")
        file:write(text)
        file:close()
        ffi.C.chmod(key_path(), 384)
        local _, why = read_path(nil)
        assert.is_truthy(why:find("holds no development key", 1, true), why)
      end
    end)

    it("says so when the key cannot be kept", function()
      ffi.C.setenv("XDG_RUNTIME_DIR", folder .. "/none", 1)
      local _, why = read_path(nil)
      assert.is_truthy(why:find("cannot keep a development key", 1, true), why)
    end)
  end)

  describe("with several sources", function()
    it("gives each its own keys and defaults, sorted by name", function()
      local config = given(KEYS .. [[ sources = {
        other = { driver = "sim", sim = { accounts = 3 }, interval_ms = 250 },
        main = { url = "http://a", headers = { ["X-Key"] = "k" } },
        ["eu-1"] = { url = "http://b", timeout_ms = 99 },
      } ]])
      assert.equal(3, config.sources_count)
      local names = {}
      for i = 0, 2 do names[#names + 1] = ffi.string(config.sources[i].name) end
      assert.same({ "eu-1", "main", "other" }, names)
      assert.equal(1, C.tg_config_default_source(config))
      assert.equal(99, config.sources[0].timeout_ms)
      assert.equal(2000, config.sources[1].timeout_ms)
      assert.equal(1, config.sources[1].headers_count)
      assert.equal(0, config.sources[2].headers_count)
      assert.equal("sim", ffi.string(config.sources[2].driver))
      assert.equal(3, config.sources[2].sim.accounts)
      assert.equal(6, config.sources[2].sim.events_per_minute)
      assert.equal(250, config.sources[2].interval_ms)
    end)

    it("calls the only one main, and lets an only one have any name", function()
      local config = given(BASE .. KEYS)
      assert.equal(1, config.sources_count)
      assert.equal("main", ffi.string(config.sources[0].name))
      config = given(KEYS .. 'sources = { bridge = { url = "http://a" } }')
      assert.equal(0, C.tg_config_default_source(config))
    end)

    it("says what is wrong with which of them", function()
      local function sources(text, wanted)
        local why = refused("sources = " .. text .. "," .. KEYS)
        assert.is_truthy(why:find(wanted, 1, true), why)
      end
      sources('{ main = { url = "http://x" }, other = { driver = "sim", url = "http://x" } }',
        'sources.other.url: this belongs to the driver "http" or "mt5_webapi", and sources.other.driver is "sim"')
      sources('{ main = { uurl = "http://x" } }', 'sources.main.uurl: there is no such key; did you mean "url"?')
      sources('{ main = { url = "http://x" }, ["eu-1"] = {} }', 'sources["eu-1"].url: this is required')
      sources('{ a = { url = "http://x" }, b = { url = "http://y" } }', "none of them is called \"main\"")
      sources('{ ["a b"] = { url = "http://x" } }', "expected a name of 1 to 32")
      sources('{ { url = "http://x" } }', "sources: expected name = { … }, got an entry without a name")
      sources('{ main = "http://x" }', "sources.main: expected a table")
      sources("{}", "sources: expected at least 1")
      sources('"http://x"', "sources: expected a table of names and tables")
      local why = refused(BASE .. KEYS .. 'sources = { main = { url = "http://x" } }')
      assert.is_truthy(why:find("sources: expected either source or sources, got both", 1, true), why)
      local many = {}
      for i = 1, 65 do many[i] = ("s%d = { driver = 'sim' }"):format(i) end
      sources("{ " .. table.concat(many, ", ") .. "}", "more than 64")
    end)
  end)

  describe("with functions", function()
    it("keeps them for the time after the file, and nothing else needs them", function()
      local config = given(BASE .. [[ auth = { keys = { { algorithm = "HS256", secret = ("s"):rep(32) } },
        authorize = function() return true end }, route = function(id) return nil end, ]])
      assert.is_true(config.functions ~= nil)
      assert.equal(2, config.functions.sandbox.functions)
      assert.are_not.equal(config.route, config.auth.authorize)
      assert.is_true(given(BASE .. KEYS).functions == nil)
    end)

    it("refuses what is none, and routes that lead nowhere", function()
      local function why_of(text, wanted)
        local why = refused(text .. "," .. KEYS)
        assert.is_truthy(why:find(wanted, 1, true), why)
      end
      why_of(BASE .. 'route = "main"', 'route: expected a function, got "main"')
      why_of(BASE .. "routes = {}", "routes: expected file or url")
      why_of(BASE .. 'routes = { file = "a", url = "http://x" }', "expected either file or url, got both")
      why_of(BASE .. 'routes = { file = "a", interval_ms = 2000 }', "routes.interval_ms: this does nothing without routes.url")
      why_of(BASE .. 'routes = { url = "ftp://x" }', "routes.url: ")
      why_of(BASE .. 'routes = { file = "a", missing = "main" }', 'expected "unknown" or "default"')
      why_of('sources = { a = { url = "http://x" }, b = { url = "http://y" } }, routes = { file = "r", missing = "default" }',
        'routes.missing: "default" needs a source that is called "main"')
      given('sources = { a = { url = "http://x" }, b = {} }, routes = { file = "r" },' .. KEYS)
    end)
  end)

  it("is documented: every key of the schema stands in docs/configuration.md with its default", function()
    local file = assert(io.open((os.getenv("TIDEGATE_SOURCE") or ".") .. "/docs/configuration.md"))
    local docs = file:read("*a")
    file:close()
    local count = 0
    local function walk(fields, prefix)
      local i = 0
      while fields[i].name ~= nil do
        local field = fields[i]
        local path = prefix .. ffi.string(field.name)
        if field.kind == C.TG_CONFIG_SECTION then
          walk(field.fields, path .. ".")
        elseif field.kind == C.TG_CONFIG_NAMED then
          assert(docs:find("\n(|%s*`" .. path .. "`%s*|[^\n]*)"), path .. " is not documented")
        elseif field.kind ~= C.TG_CONFIG_LATER then
          count = count + 1
          local initial = field.initial ~= nil and "`" .. ffi.string(field.initial) .. "`" or "–"
          if field.kind == C.TG_CONFIG_CHOICE or field.kind == C.TG_CONFIG_SWITCH or field.kind == C.TG_CONFIG_TEXT then
            initial = initial:gsub("^`(.*)`$", '`"%1"`')
          end
          local row = docs:match("\n(|%s*`" .. path:gsub("%p", "%%%0") .. "`%s*|[^\n]*)")
          assert(row, path .. " is not documented")
          local cells = {}
          for cell in row:gmatch("|%s*([^|]-)%s*%f[|]") do cells[#cells + 1] = cell end
          assert.equal(initial, cells[3], path)
          if field.kind == C.TG_CONFIG_RECORDS then walk(field.fields, path .. "[].") end
        end
        i = i + 1
      end
    end
    walk(C.tg_config_schema, "")
    assert.is_true(count > 70)
  end)
end)
