-- The table of routes is asked for at a URL and followed while it changes: what is no table, or does not come, changes nothing.
local gateway_of = require("support.gateway")
local json = require("dkjson")
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
  while loop.now() < deadline do
    local object = client:heard(math.max(0, deadline - loop.now()))
    if not object and client.conn.eof then break end
    if object and object.type ~= "account_update" then out[#out + 1] = object.type .. " " .. tostring(object.status) end
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

  before_each(function()
    one:control({ op = "reset" })
    two:control({ op = "reset" })
    for i, service in ipairs({ one, two }) do
      service:control({ { op = "account", account = "a", set = { balance = 111 * i } }, { op = "account", account = "b", set = { balance = 111 * i } } })
    end
  end)

  after_each(function()
    if gateway then assert.equal(0, gateway:stop()) end
    if registry then registry:stop() end
    gateway, registry = nil, nil
  end)

  local function start(rows, changes)
    registry = table_server.start(type(rows) == "string" and rows or json.encode(rows))
    local routes = { url = registry.url, interval_ms = 1000, timeout_ms = 1000, headers = { ["X-Registry-Key"] = "letmein-to-the-registry" } }
    for key, value in pairs(changes or {}) do routes[key] = value end
    gateway = gateway_of.start({ source = false, sources = { main = source(one.url), other = source(two.url) }, routes = routes })
  end

  local function logged(text)
    return assert(gateway:eventually(function() return gateway:log_text():find(text, 1, true) end, 10000), text)
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
    { "is no JSON", function() registry.body = "<html>login</html>" end, "routes.url" },
    { "is cut off", function() registry.body = '{"a":"main","b":' end, "routes.url" },
    { "is a list", function() registry.body = '["a","b"]' end, "not an object of accounts and routes" },
    { "is null", function() registry.body = "null" end, "not an object of accounts and routes" },
    { "names an account twice", function() registry.body = '{"a":"other","a":"main"}' end, "has two rows" },
    { "is empty", function() registry.body = "" end, "routes.url" },
    { "comes with an error's status", function() registry.status, registry.body = 500, "{}" end, "HTTP status 500" },
    { "redirects elsewhere", function() registry.status, registry.header, registry.body = 302, "Location: /other\r\n", "" end, "HTTP status 302" },
    { "is larger than its bound", function() registry.body = json.encode({ a = "other", filler = ("x"):rep(5000) }) end, "BODY_TOO_LARGE" },
    { "never comes", function() registry.silent = true end, "routes.url" },
    { "is not there to be asked", function() registry:away() end, "routes.url" },
  }
  for _, ill in ipairs(ills) do
    it("that " .. ill[1] .. " changes nothing, says why, and is followed again when it is well", function()
      start({ a = "main", b = "main" }, { max_bytes = 4096 })
      local a = assert(gateway:connect("a"))
      snapshot_of(a)
      ill[2]()
      logged('"event":"routes_refused"')
      if ill[3] ~= "BODY_TOO_LARGE" then logged(ill[3]) end
      assert.same({}, told(a, 1500))
      local b = assert(gateway:connect("b")) -- the table before is still asked
      assert.equal(111, snapshot_of(b).account.balance)
      assert.truthy(gateway:health().last_error)
      registry.status, registry.header, registry.silent = 200, nil, nil
      registry.body = json.encode({ a = "other", b = "main" })
      if not registry.listener then registry:back() end
      local update = assert(a:wait_type("account_update", 10000))
      assert.equal(222, update.changes.balance.new)
      a:close()
      b:close()
    end)
  end

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
