-- The command line as a person and a script meet it.
local uv = require("luv")
local json = require("dkjson")
local gateway_of = require("support.gateway")
local loop = require("support.loop")
local process = require("support.process")

local KEY = 'auth = { keys = { { algorithm = "HS256", secret = ("k"):rep(32) } } }'

describe("the command line", function()
  local folder

  setup(function()
    folder = gateway_of.folder()
  end)

  teardown(function()
    process.stop_all()
    os.execute("rm -rf " .. folder)
  end)

  local function start(argv, env)
    local all = { XDG_RUNTIME_DIR = folder, TIDEGATE_TOKEN = false, LD_PRELOAD = false, ASAN_OPTIONS = false }
    for name, value in pairs(env or {}) do all[name] = value end
    return process.start({ argv = { gateway_of.binary, unpack(argv) }, env = all, cwd = folder })
  end

  -- Exit code, stdout, stderr.
  local function run(...)
    local child = start({ ... })
    local code = child:wait_exit(20000)
    return code, table.concat(child.stdout, "\n"), table.concat(child.stderr, "\n")
  end

  local function write(name, text)
    gateway_of.write(folder .. "/" .. name, text)
    return name
  end

  local function claims_of(token)
    local body = token:match("^[^.]+%.([^.]+)%."):gsub("-", "+"):gsub("_", "/")
    local file = io.popen("printf %s '" .. body .. ("="):rep(-#body % 4) .. "' | base64 -d")
    local claims = json.decode(file:read("*a"))
    file:close()
    return claims
  end

  it("lists the commands, as a result when asked and as a message when not", function()
    local code, out, err = run("--help")
    assert.equal(0, code)
    assert.equal("", err)
    for _, name in ipairs({ "serve", "check", "token", "tail", "explain", "schema", "replay", "version" }) do
      assert.is_truthy(out:find("\n  " .. name .. " ", 1, true), name)
    end
    code, out, err = run()
    assert.equal(2, code)
    assert.equal("", out)
    assert.is_truthy(err:find("Usage:", 1, true))
  end)

  it("has help for each command, whose options are all real", function()
    for _, name in ipairs({ "serve", "check", "token", "tail", "explain", "schema", "replay", "version" }) do
      local code, out, err = run(name, "--help")
      assert.equal(0, code)
      assert.equal("", err)
      assert.is_truthy(out:find("Usage: tidegate " .. name, 1, true))
      for option, value in out:gmatch("\n  %-%-([%w-]+) (%S*)") do
        if value:match("^%u") then
          local rc, _, why = run(name, "--" .. option)
          assert.equal(2, rc)
          assert.is_truthy(why:find("--" .. option .. " needs a value", 1, true), why)
        end
      end
    end
  end)

  it("tells wrong usage with what was probably meant, and exits with 2", function()
    local code, out, err = run("serv")
    assert.equal(2, code)
    assert.equal("", out)
    assert.is_truthy(err:find('there is no command "serv"; did you mean "serve"?', 1, true), err)
    for _, case in ipairs({
      { "--confg; did you mean --config?", "serve", "--confg", "x" },
      { '"x" is one argument too many', "serve", "x" },
      { '"b" is one argument too many', "check", "a", "b" },
      { "--subject is needed", "token" },
      { "--ttl: expected a whole number from 1 to 31536000", "token", "--subject", "a", "--ttl", "0" },
      { "is no address", "tail", "--url", "http://x" },
      { "wss:// is not supported in this version", "tail", "--url", "wss://x" },
      { "--account: expected", "tail", "--account", "a b" },
      { "a gateway elsewhere needs --token", "tail", "--url", "ws://192.0.2.1:80" },
      { "--config is empty: it needs a value: FILE", "serve", "--config", "" },
      { "--record is empty: it needs a value: FOLDER", "serve", "--record=" },
      { "an argument is empty", "check", "" },
      { "--subject is empty", "token", "--subject", "" },
      { "--ttl: expected a whole number from 1 to 31536000, got \"1e3\"", "token", "--subject", "a", "--ttl", "1e3" },
      { "--ttl: expected a whole number", "token", "--subject", "a", "--ttl", "99999999999999999999" },
      { "--subject is given twice", "token", "--subject", "a", "--subject", "b" },
      { "--token is given, so --config would sign none", "tail", "--token", "a", "--config", "x" },
      { "--token is given, and says itself who is asking", "tail", "--token", "a", "--subject", "x" },
      { "the token holds bytes that no token has", "tail", "--token", "a\nHost: b" },
      { "--count: expected a whole number from 1 to 1000000000, got \"-1\"", "tail", "--count", "-1" },
      { "--ping: expected a whole number from 1 to 3600, got \"0\"", "tail", "--ping", "0" },
      { "--timeout: expected a whole number from 1 to 3600, got \"3601\"", "tail", "--timeout", "3601" },
      { "expected a port from 1 to 65535", "tail", "--url", "ws://127.0.0.1:65536" },
      { "and no query", "tail", "--url", "ws://127.0.0.1:1?token=x" },
      { "--raw takes no value", "tail", "--raw=yes" },
      { "--account is needed", "explain" },
      { "--account: expected 1 to 64", "explain", "--account", "\195\169" },
      { "--account is given twice", "explain", "--account", "a", "--account", "b" },
      { "--last: expected a whole number from 1 to 86400, got \"0\"", "explain", "--account", "a", "--last", "0" },
      { "--limit: expected a whole number from 1 to 10000, got \"x\"", "explain", "--account", "a", "--limit", "x" },
      { "--admin: expected http://host:port", "explain", "--account", "a", "--admin", "ftp://127.0.0.1" },
      { "--admin: expected http://host:port", "explain", "--account", "a", "--admin", "127.0.0.1:1" },
      { "--admin: expected http://host:port", "explain", "--account", "a", "--admin", "http://127.0.0.1:1/?x" },
      { "--admin: expected http://host:port", "explain", "--account", "a", "--admin", "http://127.0.0.1:99999" },
      { "the admin token holds bytes that no token has", "explain", "--account", "a", "--admin-token", "a\nb" },
      { "which recording?", "replay" },
      { "--rules: at most two sets are compared", "replay", "--rules", "a", "--rules", "b", "--rules", "c", "t" },
      { "--from: expected a time such as", "replay", "--from", "2026-13-01T00:00:00Z", "t" },
      { "--to is not behind --from", "replay", "--from", "2026-03-02T00:00:00Z", "--to", "2026-03-02T00:00:00Z", "t" },
      { "--query is a client's: it needs --client", "replay", "--query", "a=b", "t" },
      { "--json is given twice", "replay", "--json", "--json", "t" },
      { "--format: expected json-schema, asyncapi or typescript", "schema", "--format", "yaml" },
      { "--against prints differences", "schema", "--format", "asyncapi", "--against", "x" },
      { '"x" is one argument too many', "version", "x" },
    }) do
      code, out, err = run(unpack(case, 2))
      assert.equal(2, code, case[1])
      assert.equal("", out)
      assert.is_truthy(err:find(case[1], 1, true), err)
    end
  end)

  it("prints the version as a result", function()
    for _, word in ipairs({ "version", "--version" }) do
      local code, out = run(word)
      assert.equal(0, code)
      assert.is_truthy(out:find("^tidegate %d+%.%d+%.%d+\nLuaJIT "), out)
    end
  end)

  it("says when the result cannot be written", function()
    local code = os.execute(gateway_of.binary .. " version > /dev/full 2> /dev/null")
    assert.equal(3, code > 255 and code / 256 or code)
  end)

  describe("check", function()
    it("tells what is good, and exits with 0", function()
      write("good.lua", 'return { source = { url = "http://127.0.0.1:1" }, ' .. KEY .. " }")
      local code, out, err = run("check", "--config", "good.lua")
      assert.equal("", err)
      assert.equal(0, code)
      assert.is_truthy(out:find("configuration  good.lua", 1, true), out)
      assert.is_truthy(out:find("ownership by claim accounts", 1, true), out)
      assert.is_truthy(out:find("rules          the built-in set", 1, true), out)
    end)

    it("tells every fault of the file at once, and exits with 1", function()
      write("bad.lua", "return {\n  lisen = {},\n  log = { level = 'x' },\n}")
      local code, out, err = run("check", "--config", "bad.lua")
      assert.equal(1, code)
      assert.equal("", out)
      assert.is_truthy(err:find('bad.lua:2: lisen: there is no such key; did you mean "listen"?', 1, true), err)
      assert.is_truthy(err:find("bad.lua:3: log.level: expected", 1, true), err)
    end)

    it("looks at keys and at rules, even when one of them is bad", function()
      write("rule.lua", 'return rule "a" { watch = { "balanse" } }')
      write("weak.lua", 'return { source = { url = "http://127.0.0.1:1" }, rules = { path = "rule.lua" },\n'
        .. 'auth = { keys = { { algorithm = "HS256", secret = "short" } } } }')
      local code, _, err = run("check", "--config", "weak.lua")
      assert.equal(1, code)
      assert.is_nil(err:find('"short"', 1, true))
      assert.is_truthy(err:find("32", 1, true), err)
      assert.is_truthy(err:find("balanse", 1, true), err)
    end)

    it("takes rules by themselves, or instead of the configured ones", function()
      write("rule.lua", 'return rule "a" { watch = { "balanse" } }')
      write("fine.lua", 'rule "a" { watch = { "balance" } }\nexpect "a" { now = { balance = 5 }, gives = { balance = 5 } }')
      write("good.lua", 'return { source = { url = "http://127.0.0.1:1" }, ' .. KEY .. " }")
      local code, out, err = run("check", "fine.lua")
      assert.equal("", err)
      assert.equal(0, code)
      assert.equal("rules          fine.lua\n               1 rule, 1 example", out)
      code, out, err = run("check", "rule.lua")
      assert.equal("", out)
      assert.equal(1, code)
      assert.is_truthy(err:find("rule.lua:1", 1, true), err)
      code = run("check", "--config", "good.lua", "rule.lua")
      assert.equal(1, code)
      write("loud.lua", 'error("\\27[2J gone\\n")')
      code, out, err = run("check", "loud.lua")
      assert.equal("", out)
      assert.equal(1, code)
      assert.equal("tidegate check: loud.lua:1: \239\191\189[2J gone\239\191\189", err)
      code, out, err = run("check", "nowhere/")
      assert.equal("", out)
      assert.equal(1, code)
      assert.is_truthy(err:find("nowhere", 1, true), err)
    end)

    it("names a file that is none, a folder, or of another language", function()
      os.execute("mkdir -p " .. folder .. "/folder")
      write("comma.lua", 'return {\n  source = { driver = "sim" },,\n}\n')
      write("nothing.lua", "")
      for _, case in ipairs({
        { "folder", "folder: Is a directory" },
        { "comma.lua", "comma.lua:2: unexpected symbol near ','" },
        { "nothing.lua", "nothing.lua: the file must return a table, and returns nothing" },
      }) do
        for _, command in ipairs({ "check", "serve", "token" }) do
          local code, out, err = run(command, "--config", case[1], unpack(command == "token" and { "--subject", "a" } or {}))
          assert.equal(1, code)
          assert.equal("", out)
          assert.equal(case[2], err)
        end
      end
    end)

    it("names a file that is not there", function()
      local code, _, err = run("check", "--config", "none.lua")
      assert.equal(1, code)
      assert.equal("none.lua: No such file or directory", err)
      assert.equal(1, (run("serve", "--config", "none.lua")))
    end)
  end)

  describe("token", function()
    it("prints one, signed with the configured key, with the claims where they belong", function()
      write("good.lua", 'return { source = { url = "http://127.0.0.1:1" }, auth = { issuer = "me", ownership = { claim = "app.ids" },\n'
        .. 'keys = { { algorithm = "HS256", secret = ("k"):rep(32) } } } }')
      local code, out, err = run("token", "--config", "good.lua", "--subject", "alice", "--account", "a", "--account", "b",
        "--ttl", "60", "--claim", "app.plan=pro", "--claim", "level=3")
      assert.equal("", err)
      assert.equal(0, code)
      local claims = claims_of(out)
      assert.equal("alice", claims.sub)
      assert.equal("me", claims.iss)
      assert.equal(60, claims.exp - claims.iat)
      assert.equal(3, claims.level)
      assert.same({ ids = { "a", "b" }, plan = "pro" }, claims.app)
    end)

    it("exits with 1 when what was given cannot be signed", function()
      for _, args in ipairs({ { "--account", "a b" }, { "--claim", "x" }, { "--claim", "sub=bob" } }) do
        local code, out, err = run("token", "--subject", "alice", unpack(args))
        assert.equal(1, code)
        assert.equal("", out)
        assert.is_truthy(err:find("tidegate token: ", 1, true))
      end
    end)
  end)

  describe("with no configuration", function()
    it("serves a simulated market and prints how to connect; the other commands find its key", function()
      local server = start({ "serve" })
      if not server:wait_log({ event = "ready" }, 15000) then
        -- The demonstration's port is fixed; somebody on this machine may have it.
        local text = table.concat(server.stderr, "\n")
        assert.is_truthy(text:find("the port is in use", 1, true), text)
        assert.equal(3, server:wait_exit(5000))
        return pending("port 8080 is taken on this machine")
      end
      local text = table.concat(server.stderr, "\n")
      local url = text:match("wscat %-c '(ws://127%.0%.0%.1:8080/ws/account/demo%-1%?token=[^']+)'")
      assert.is_truthy(url, text)
      assert.is_truthy(text:find("tail --account demo-1", 1, true))
      local tail = start({ "tail", "--raw", "--count", "3" })
      assert.equal(0, tail:wait_exit(15000))
      assert.equal("connected", json.decode(tail.stdout[1]).type)
      local code, token = run("token", "--subject", "x", "--account", "demo-2")
      assert.equal(0, code)
      tail = start({ "tail", "--raw", "--count", "1", "--account", "demo-2" }, { TIDEGATE_TOKEN = token })
      assert.equal(0, tail:wait_exit(15000))
      tail = start({ "tail", "--account", "demo-1", "--token", token })
      assert.equal(1, tail:wait_exit(15000))
      assert.is_truthy(table.concat(tail.stderr, "\n"):find("HTTP 403 NOT_OWNER", 1, true))
      server:signal("sigint")
      assert.equal(0, server:wait_exit(25000))
    end)

    it("does not trust a key that others could know", function()
      local other = gateway_of.folder()
      local path = other .. "/tidegate-dev-" .. uv.getuid() .. ".key"
      gateway_of.write(path, ("0"):rep(64))
      uv.fs_chmod(path, 420) -- 0644
      local child = start({ "token", "--subject", "a" }, { XDG_RUNTIME_DIR = other })
      assert.equal(1, child:wait_exit(5000))
      assert.is_truthy(table.concat(child.stderr, "\n"):find("mode 0600", 1, true))
      os.execute("rm -rf " .. other)
    end)
  end)

  it("ends serve with 3 when its port is taken, and names it", function()
    local taken = uv.new_tcp()
    taken:bind("127.0.0.1", 0)
    taken:listen(1, function() end)
    local port = taken:getsockname().port
    for _, listener in ipairs({ "listen", "admin" }) do
      local config = { listen = 0, admin = 0 }
      config[listener] = port
      write("port.lua", ('return { listen = { address = "127.0.0.1", port = %d }, admin = { address = "127.0.0.1", '
        .. 'port = %d }, source = { driver = "sim" }, %s }'):format(config.listen, config.admin, KEY))
      local code, out, err = run("serve", "--config", "port.lua")
      assert.equal(3, code)
      assert.equal("", out)
      assert.is_truthy(err:find('"event":"start_failed"', 1, true), err)
      assert.is_truthy(err:find(("127.0.0.1 port %d: the port is in use by another program"):format(port), 1, true), err)
    end
    taken:close()
  end)

  it("ends serve with 1 when the rules are bad", function()
    write("rule.lua", 'return rule "a" { watch = { "balanse" } }')
    write("bad.lua", 'return { listen = { address = "127.0.0.1", port = 0 }, admin = { port = 0 }, source = { driver = "sim" },\n'
      .. 'rules = { path = "rule.lua" }, ' .. KEY .. " }")
    local child = start({ "serve", "--config", "bad.lua" })
    assert.equal(1, child:wait_exit(10000))
    assert.is_truthy(table.concat(child.stderr, "\n"):find("balanse", 1, true))
    loop.sleep(1)
  end)
end)
