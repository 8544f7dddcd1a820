-- "Why did I not get that event?", asked over the admin listener and on the command line.
local gateway_of = require("support.gateway")
local process = require("support.process")
local rest = require("support.rest")

local set = [[
return {
  rule "deposit" {
    watch = { "balance" },
    detect = function(now, was) return now.balance - was.balance > 1000 end,
    payload = { "balance" },
  },
  rule "risk" { watch = { "balance" }, to = function(client) return client.claims.role == "risk" end },
}
]]

describe("explain", function()
  local service, gateway, client

  setup(function()
    service = rest.start()
    gateway = gateway_of.start({ source = { driver = "http", url = service.url }, rules = { path = "rules" } },
      { files = { ["rules/money.lua"] = set } })
    client = assert(gateway:connect("ex-1"))
    assert(client:wait_type("snapshot", 2000))
    service:control({ op = "account", account = "ex-1", set = { balance = "10100.00" } })
    assert(gateway:eventually(function()
      local entries = gateway:admin("/admin/accounts/ex-1/explain").json.entries
      local last = entries[#entries]
      return last and last.changes and last.changes.balance
    end))
  end)

  teardown(function()
    client:close()
    assert.equal(0, gateway:stop())
    service:stop()
  end)

  local function run_at(url, ...)
    local command = process.start({
      argv = { gateway_of.binary, "explain", "--admin", url, ... },
      env = { LD_PRELOAD = false, ASAN_OPTIONS = gateway_of.sanitized and "detect_leaks=1:exitcode=99" or false },
    })
    assert(command:wait_exit(10000))
    return command.code, table.concat(command.stdout, "\n"), table.concat(command.stderr, "\n")
  end

  local function run(...)
    return run_at("http://127.0.0.1:" .. gateway.admin_port, ...)
  end

  it("names the rule that kept silent, with file and line", function()
    local answer = gateway:admin("/admin/accounts/ex-1/explain?type=deposit")
    assert.equal(200, answer.status)
    local last = answer.json.entries[#answer.json.entries]
    assert.same({ rule = "deposit", type = "deposit", at = "money.lua:2", woken_by = { "balance" }, outcome = "silent",
      because = "`detect` had nothing to tell at money.lua:4" }, last.rules[1])
  end)

  it("names the filter that let nobody have the event, and its seq", function()
    local answer = gateway:admin("/admin/accounts/ex-1/explain?type=risk&limit=1").json
    assert.equal(1, #answer.entries)
    assert.same({ { seq = 1, listeners = 1, to = { classes_yes = 0, classes_no = 1, at = "money.lua:7" } } },
      answer.entries[1].rules[1].events)
  end)

  it("prints the same for people, and as it comes", function()
    local code, out, err = run("--account", "ex-1")
    assert.equal(0, code, err)
    assert.truthy(out:find("balance 10000.00 -> 10100.00", 1, true), out)
    assert.truthy(out:find("silent: `detect` had nothing to tell at money.lua:4", 1, true), out)
    assert.truthy(out:find("spoke  seq 1 to 1 connections (`to` said yes to 0 and no to 1 kinds of clients, money.lua:7)", 1, true), out)
    code, out = run("--account", "ex-1", "--json", "--last", "600")
    assert.equal(0, code)
    assert.equal('{"account":"ex-1",', out:sub(1, 18))
    code, out = run("--account", "nobody")
    assert.equal(0, code)
    assert.truthy(out:find("nothing changed since", 1, true), out)
  end)

  it("refuses what it does not understand", function()
    for query, what in pairs({
      ["typ=x"] = 'unknown parameter "typ"; known: type, last_seconds, limit',
      ["limit=0"] = "limit must be a number from 1 to 10000",
      ["last_seconds=1e3"] = "last_seconds must be a number from 1 to 86400",
      ["type="] = "type is a message's type or a rule's name",
    }) do
      local answer = gateway:admin("/admin/accounts/ex-1/explain?" .. query)
      assert.equal(400, answer.status, query)
      assert.truthy(answer.json.error.message:find(what, 1, true), answer.body)
    end
    assert.equal(405, gateway:call("POST", "/admin/accounts/ex-1/explain", "{}").status)
    local code, _, err = run("--account", "ex-1", "--limit", "0")
    assert.equal(2, code, err)
    code, _, err = run("--account", "a/b")
    assert.equal(2, code, err)
    code, _, err = run("--account", "ex-1", "--type", ("x"):rep(300)) -- the gateway's own words
    assert.equal(1, code, err)
    assert.truthy(err:find("the gateway refuses: type is a message's type", 1, true), err)
    code, _, err = run_at("http://127.0.0.1:1", "--account", "ex-1")
    assert.equal(3, code, err)
    assert.truthy(err:find("http://127.0.0.1:1", 1, true), err)
  end)
end)
