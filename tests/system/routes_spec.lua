-- Several sources, and accounts that find theirs by a table and a function while the gateway runs.
local gateway_of = require("support.gateway")
local json = require("dkjson")
local loop = require("support.loop")
local rest = require("support.rest")

local QUICK = {
  interval_ms = 200, timeout_ms = 3000, retry_first_ms = 150, retries = 1, probe_ms = 300, breaker_failures = 3, grace_ms = 300,
}

local function source(url)
  local out = { driver = "http", url = url }
  for key, value in pairs(QUICK) do out[key] = value end
  return out
end

-- The configuration's own text with functions in it: `gateway_of` writes data only, so they come in by the file.
local function start(sources, functions, files)
  local self = gateway_of.start({ source = false, sources = sources, routes = { file = "routes.json" } },
    { files = files, functions = functions })
  return self
end

local function snapshot_of(client, timeout_ms)
  return assert(client:wait_type("snapshot", timeout_ms or 3000))
end

-- Everything that is told within a while, but for what changes all the time.
local function told(client, ms)
  local out, deadline = {}, loop.now() + ms
  while loop.now() < deadline do
    local object = client:heard(math.max(0, deadline - loop.now()))
    if not object and client.conn.eof then break end
    if object and object.type ~= "account_update" then out[#out + 1] = object end
  end
  return out
end

describe("accounts of several sources", function()
  local one, two, gateway

  setup(function()
    one, two = rest.start(), rest.start()
  end)

  teardown(function()
    one:stop()
    two:stop()
  end)

  before_each(function()
    one:control({ op = "reset" })
    two:control({ op = "reset" })
  end)

  after_each(function()
    if gateway then gateway:kill() end
    gateway = nil
  end)

  local function text_of(rows) return next(rows) and json.encode(rows) or "{}" end
  local function routes(rows) gateway:write("routes.json", text_of(rows)) end

  local function open(rows, functions)
    gateway = start({ main = source(one.url), other = source(two.url) }, functions, { ["routes.json"] = text_of(rows) })
  end

  it("are polled where the table says, and fail by themselves", function()
    one:control({ op = "account", account = "a", set = { balance = 111 } })
    two:control({ op = "account", account = "b", set = { balance = 222 } })
    open({ a = "main", b = { source = "other" } })
    local a, b = assert(gateway:connect("a")), assert(gateway:connect("b"))
    assert.equal(111, snapshot_of(a).account.balance)
    assert.equal(222, snapshot_of(b).account.balance)
    two:control({ op = "fault", fault = { kind = "error", status = 500 } })
    assert.truthy(gateway:eventually(function() return gateway:health().sources.other.error == 1 end))
    local health = gateway:becomes("degraded")
    assert.is_false(health.sources.main.circuit_open)
    assert.equal(1, health.sources.main.connected)
    assert.is_true(gateway:metric('tidegate_polls_total{source="other",end="failed"}') >= 1)
    assert.equal(0, gateway:metric('tidegate_polls_total{source="main",end="failed"}'))
    assert.same({}, told(a, 500))
    one:control({ op = "account", account = "a", set = { balance = 112 } })
    assert(a:wait_type("account_update", 1500))
    assert.equal(0, gateway:stop())
    gateway = nil
  end)

  it("move when the table changes, and their clients hear of nothing that did not happen", function()
    for _, service in ipairs({ one, two }) do
      service:control({ op = "open", account = "a", position = { ticket = 7, symbol = "EURUSD", volume = 1 } })
    end
    open({ a = "main" })
    local a = assert(gateway:connect("a"))
    assert.equal(1, #snapshot_of(a).positions)
    routes({ a = { source = "other" } })
    assert.truthy(gateway:eventually(function() return gateway:health().sources.other.connected == 1 end))
    local before = one:stats().accounts.a.positions
    assert.same({}, told(a, 1000))
    assert.equal(before, one:stats().accounts.a.positions)
    two:control({ op = "close", account = "a", ticket = 7 })
    local closed = assert(a:wait_type("position_closed", 2000))
    assert.equal(7, closed.ticket)
    assert.equal(0, gateway:stop())
    gateway = nil
  end)

  it("begin anew when they become another login's", function()
    one:control({ op = "open", account = "a", position = { ticket = 7, symbol = "EURUSD", volume = 1 } })
    open({ a = { login = "1" } })
    local a = assert(gateway:connect("a"))
    local epoch = assert(a:wait_type("connected", 1000)).epoch
    snapshot_of(a)
    routes({ a = { login = "2", source = "other" } })
    local seen = told(a, 2500)
    assert.equal(4004, a:wait_closed(1000))
    for _, object in ipairs(seen) do assert.are_not.equal("position_closed", object.type) end
    local again = assert(gateway:connect("a"))
    assert.are_not.equal(epoch, assert(again:wait_type("connected", 1000)).epoch)
    assert.same({}, snapshot_of(again).positions)
    assert.equal(0, gateway:stop())
    gateway = nil
  end)

  it("that leave the table are unknown, and are back with it", function()
    open({ a = "main" })
    local a = assert(gateway:connect("a"))
    snapshot_of(a)
    routes({})
    told(a, 2500)
    assert.equal(4504, a:wait_closed(1000))
    assert.truthy(gateway:eventually(function()
      return gateway:get("/api/account/a/snapshot?token=" .. gateway:token()).status == 403
    end))
    gateway:becomes("healthy")
    routes({ a = "other" })
    assert.truthy(gateway:eventually(function()
      local client = gateway:connect("a")
      local snapshot = client and client:wait_type("snapshot", 1000)
      return snapshot
    end))
    assert.equal(0, gateway:stop())
    gateway = nil
  end)

  it("whose row is wrong fail by themselves, and the log says why", function()
    open({ a = "othr", b = "other" })
    local a, b = assert(gateway:connect("a")), assert(gateway:connect("b"))
    snapshot_of(b)
    assert.equal("reconnecting", assert(a:wait_type("status", 2000)).status)
    assert.is_nil((a:heard_type("snapshot", 500)))
    assert.truthy(gateway:log_text():find('the row of \\"a\\": there is no source \\"othr\\"; did you mean \\"other\\"?', 1, true))
    assert.is_nil(one:stats().accounts.a)
    assert.is_nil(two:stats().accounts.a)
    routes({ a = "other", b = "other" })
    snapshot_of(a)
    assert.equal(0, gateway:stop())
    gateway = nil
  end)

  it("are found by a function, which a SIGHUP replaces", function()
    one:control({ op = "account", account = "a", set = { balance = 111 } })
    two:control({ op = "account", account = "a", set = { balance = 222 } })
    open({}, { route = 'function(id) if id == "a" then return "main" end end' })
    local a = assert(gateway:connect("a"))
    assert.equal(111, snapshot_of(a).account.balance)
    gateway.functions.route = 'function(id) if id == "a" then return { source = "other", headers = { ["X-Who"] = "{account_id}" } } end end'
    gateway:configure({})
    gateway.process:signal("sighup")
    local update = assert(a:wait_type("account_update", 3000))
    assert.equal(222, update.changes.balance.new)
    assert.equal("a", two:stats().headers.a["x-who"])
    gateway.functions.route = "function(id) while true do end end"
    gateway:configure({})
    gateway.process:signal("sighup")
    assert.truthy(gateway:eventually(function() return gateway:metric('tidegate_hook_faults_total{hook="route"}') > 0 end))
    assert.truthy(gateway:eventually(function() return gateway:log_text():find("ROUTE_ERROR", 1, true) end))
    assert.truthy(gateway:log_text():find("gateway.lua:%d+: stopped: it ran for too long"))
    assert.equal(0, gateway:stop())
    gateway = nil
  end)
end)

describe("authorize", function()
  it("lets in whom it says yes to, and nobody else", function()
    local gateway = gateway_of.start({}, {
      functions = { ["auth.authorize"] = [[function(claims, id)
        if id == "demo-4" then error("no idea") end
        if id == "demo-5" then while true do end end
        return claims.team and claims.team.accounts and claims.team.accounts[1] == id or claims.word
      end]] },
    })
    local function status(account, claims)
      claims.accounts = { "*" }
      return gateway:get("/api/account/" .. account .. "/snapshot?token=" .. gateway:token(claims)).status
    end
    assert.is_true(status("demo-1", { team = { accounts = { "demo-1" } } }) ~= 403)
    assert.equal(403, status("demo-2", { team = { accounts = { "demo-1" } } }))
    assert.equal(403, status("demo-1", {}))
    assert.equal(403, status("demo-1", { word = "yes" }))
    assert.equal(403, status("demo-1", { word = 1 }))
    assert.equal(403, status("demo-4", { word = true }))
    assert.equal(403, status("demo-5", { word = true }))
    assert.is_true(status("demo-1", { word = true }) ~= 403)
    assert.equal(2, gateway:metric('tidegate_hook_faults_total{hook="authorize"}'))
    assert.truthy(gateway:log_text():find("no idea", 1, true))
    gateway.functions["auth.authorize"] = "function() return false end"
    gateway:configure({})
    gateway.process:signal("sighup")
    assert.truthy(gateway.process:wait_log({ event = "reloaded" }, 3000))
    assert.equal(403, status("demo-1", { word = true }))
    assert.equal(0, gateway:stop())
  end)
end)
