-- The table of routes is asked for at a URL and followed while it changes: what is no table, or does not come, changes nothing.
local gateway_of = require("support.gateway")
local json = require("dkjson")
local lockstep = require("support.lockstep")
local loop = require("support.loop")
local rest = require("support.rest")
local table_server = require("support.table_server")

local QUICK = { interval_ms = 200, timeout_ms = 3000, retry_first_ms = 150, retries = 1, probe_ms = 300, breaker_failures = 1000, grace_ms = 300 }

local function source(url)
  local out = { driver = "http", url = url }
  for key, value in pairs(QUICK) do out[key] = value end
  return out
end

local function snapshot_of(client) return assert(client:wait_type("snapshot", 5000)) end

-- Everything that is told within a while, but for what changes all the time.
local function told(client, ms)
  local out, deadline = {}, loop.now() + ms
  while true do
    local object = client:heard(math.max(0, deadline - loop.now()))
    if not object then break end
    if object.type ~= "account_update" then out[#out + 1] = object.type .. " " .. tostring(object.status) end
  end
  return out
end

describe("a table of routes at a URL", function()
  local one, two, registry, gateway

  setup(function()
    one, two = rest.start(), rest.start()
  end)

  teardown(function()
    one:stop()
    two:stop()
  end)

  -- The two services are told apart by their balances.
  local function reset()
    for i, service in ipairs({ one, two }) do
      service:control({ { op = "reset" }, { op = "account", account = "a", set = { balance = 111 * i } },
        { op = "account", account = "b", set = { balance = 111 * i } } })
    end
  end

  before_each(reset)

  after_each(function()
    if gateway then assert.equal(0, gateway:stop()) end
    if registry then registry:stop() end
    gateway, registry = nil, nil
  end)

  -- A registry and a gateway that follows it.
  local function pair(rows, changes)
    local of = table_server.start(type(rows) == "string" and rows or json.encode(rows))
    local routes = { url = of.url, interval_ms = 1000, timeout_ms = 1000, headers = { ["X-Registry-Key"] = "letmein-to-the-registry" } }
    for key, value in pairs(changes or {}) do routes[key] = value end
    return of, gateway_of.start({ source = false, sources = { main = source(one.url), other = source(two.url) }, routes = routes })
  end

  local function start(rows, changes)
    registry, gateway = pair(rows, changes)
  end

  local function logged(text, by)
    by = by or gateway
    return assert(by:eventually(function() return by:log_text():find(text, 1, true) end, 10000), text)
  end

  it("is asked for with its headers, again and again, and moves accounts while it changes", function()
    start({ a = "main" })
    local a = assert(gateway:connect("a"))
    assert.equal(111, snapshot_of(a).account.balance)
    assert.truthy(registry.head:find("\r\nX-Registry-Key: letmein-to-the-registry\r\n", 1, true))
    registry.body = json.encode({ a = "other" })
    local update = assert(a:wait_type("account_update", 8000))
    assert.equal(222, update.changes.balance.new)
    logged('"event":"routes_reloaded"')
    assert.truthy(registry:asked(2))
    assert.is_nil(gateway:log_text():find("letmein", 1, true))
    a:close()
  end)

  it("serves nobody before it has answered, and everybody once it has", function()
    start("{}")
    registry:away()
    gateway:kill()
    gateway = gateway_of.start({ source = false, sources = { main = source(one.url), other = source(two.url) },
      routes = { url = registry.url, interval_ms = 1000, timeout_ms = 1000 } })
    local a = assert(gateway:connect("a"))
    assert.equal("reconnecting", assert(a:wait_type("status", 5000)).status)
    assert.is_nil((a:heard_type("snapshot", 700)))
    assert.is_nil(one:stats().accounts.a)
    logged("routes.url")
    registry.body = json.encode({ a = "main" })
    registry:back()
    assert.equal(111, snapshot_of(a).account.balance)
    a:close()
  end)

  -- What the registry can do wrong, and the words of the log.
  local ills = {
    { "is no JSON", function(of) of.body = "<html>login</html>" end, "routes.url" },
    { "is cut off", function(of) of.body = '{"a":"main","b":' end, "routes.url" },
    { "is a list", function(of) of.body = '["a","b"]' end, "not an object of accounts and routes" },
    { "is null", function(of) of.body = "null" end, "not an object of accounts and routes" },
    { "names an account twice", function(of) of.body = '{"a":"other","a":"main"}' end, "has two rows" },
    { "is empty", function(of) of.body = "" end, "routes.url" },
    { "comes with an error's status", function(of) of.status, of.body = 500, "{}" end, "HTTP status 500" },
    { "redirects elsewhere", function(of) of.status, of.header, of.body = 302, "Location: /other\r\n", "" end, "HTTP status 302" },
    { "is larger than its bound", function(of) of.body = json.encode({ a = "other", filler = ("x"):rep(5000) }) end, "BODY_TOO_LARGE" },
    { "never comes", function(of) of.silent = true end, "routes.url" },
    { "is not there to be asked", function(of) of:away() end, "routes.url" },
  }

  -- All of them at once, each with a registry and a gateway of its own.
  describe("that", function()
    local cases = {}

    setup(function()
      reset()
      for i, ill in ipairs(ills) do
        cases[i] = { ill = ill }
      end
      lockstep.live(cases, {
        function(case) case.registry, case.gateway = pair({ a = "main", b = "main" }, { max_bytes = 4096 }) end,
        function(case) case.a = assert(case.gateway:connect("a")) end,
        function(case) snapshot_of(case.a) end,
        function(case) case.ill[2](case.registry) end,
        function(case)
          logged('"event":"routes_refused"', case.gateway)
          if case.ill[3] ~= "BODY_TOO_LARGE" then logged(case.ill[3], case.gateway) end
        end,
        1500,
        function(case) case.told = told(case.a, 0) end,
        function(case)
          case.b = assert(case.gateway:connect("b")) -- the table before is still asked
          case.balance = snapshot_of(case.b).account.balance
          case.last_error = case.gateway:health().last_error
        end,
        function(case)
          local of = case.registry
          of.status, of.header, of.silent = 200, nil, nil
          of.body = json.encode({ a = "other", b = "main" })
          if not of.listener then of:back() end
        end,
        function(case) case.update = assert(case.a:wait_type("account_update", 10000)) end,
      })
    end)

    teardown(function()
      for _, case in ipairs(cases) do
        if case.a then case.a:close() end
        if case.b then case.b:close() end
        if case.gateway then assert.equal(0, case.gateway:stop()) end
        if case.registry then case.registry:stop() end
      end
    end)

    for i, ill in ipairs(ills) do
      it(ill[1] .. " changes nothing, says why, and is followed again when it is well", function()
        local case = cases[i]
        lockstep.verify(case)
        assert.same({}, case.told)
        assert.equal(111, case.balance)
        assert.truthy(case.last_error)
        assert.equal(222, case.update.changes.balance.new)
      end)
    end
  end)

  it("that leaves an account out ends its clients as unknown, and no other", function()
    start({ a = "main", b = "main" })
    local a, b = assert(gateway:connect("a")), assert(gateway:connect("b"))
    snapshot_of(a)
    snapshot_of(b)
    registry.body = json.encode({ b = "main" })
    assert.equal(4504, a:wait_closed(10000))
    assert.same({}, told(b, 700))
    assert.truthy(gateway:eventually(function()
      return gateway:get("/api/account/a/snapshot?token=" .. gateway:token()).status == 403
    end))
    registry.body = json.encode({ a = "other", b = "main" })
    assert.truthy(gateway:eventually(function()
      local client = gateway:connect("a")
      local snapshot = client and client:wait_type("snapshot", 1000)
      return snapshot and snapshot.account.balance == 222
    end))
    b:close()
  end)

  it("is taken up to its bound, to the byte", function()
    local function sized(bytes)
      local text = json.encode({ a = "other", f = "" })
      return (text:gsub('"f":""', '"f":"' .. ("x"):rep(bytes - #text) .. '"'))
    end
    start({ a = "main" }, { max_bytes = 4096 })
    local a = assert(gateway:connect("a"))
    snapshot_of(a)
    registry.body = sized(4097)
    assert.equal(4097, #registry.body)
    logged('"event":"routes_refused"')
    assert.same({}, told(a, 700))
    registry.body = sized(4096)
    assert.equal(222, assert(a:wait_type("account_update", 10000)).changes.balance.new)
    a:close()
  end)
end)
