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
        assert.is_truthy(text:find("address already in use", 1, true), text)
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
