-- Bridges of other shapes: their requests, their documents through a map, and every way in which they fail.
local gateway_of = require("support.gateway")
local json = require("dkjson")
local rest = require("support.rest")

local QUICK = { interval_ms = 200, timeout_ms = 3000, retry_first_ms = 150, retries = 1, probe_ms = 300, grace_ms = 300 }

local function file(name)
  local handle = assert(io.open((os.getenv("TIDEGATE_SOURCE") or ".") .. "/tests/support/bridges/" .. name))
  local text = handle:read("*a")
  handle:close()
  return text
end

describe("a bridge", function()
  local bridge, gateway

  setup(function() bridge = rest.start(0, "bridge.lua") end)
  teardown(function() bridge:stop() end)
  before_each(function() bridge:control({ op = "reset" }) end)
  after_each(function()
    if gateway then gateway:kill() end
    gateway = nil
  end)

  local function answer(path, body, status)
    bridge:control({ op = "answer", path = path, body = type(body) == "table" and json.encode(body) or body, status = status })
  end

  local function open(source, functions, config)
    config = config or {}
    config.source = { driver = "http", url = bridge.url }
    for key, value in pairs(QUICK) do config.source[key] = value end
    for key, value in pairs(source) do config.source[key] = value end
    gateway = gateway_of.start(config, { functions = functions })
  end

  local function done()
    assert.equal(0, gateway:stop())
    gateway = nil
  end

  local function snapshot_of(client) return assert(client:wait_type("snapshot", 3000)) end

  local function terminal(change)
    local document = json.decode(file("terminal_bridge.json"))
    document.orders = document.orders or {}
    setmetatable(document.orders, { __jsontype = "array" })
    for _, name in ipairs({ "deals", "history_orders" }) do setmetatable(document[name], { __jsontype = "array" }) end
    if change then change(document) end
    answer("/snapshot", document)
  end

  it("beside a terminal tells everything in one document", function()
    terminal()
    open({ mapping = "terminal_bridge", headers = { Authorization = "Bearer t-0123456789" } })
    local client = assert(gateway:connect("764636"))
    local snapshot = snapshot_of(client)
    assert.equal(764636, tonumber(snapshot.account.login))
    assert.equal(501, snapshot.positions[1].ticket)
    assert.equal("2026-03-02T06:43:20.123Z", snapshot.positions[1].open_time)
    assert.same({}, snapshot.orders)
    local request = bridge:stats().requests[1]
    assert.equal("GET", request.method)
    assert.matches("^/snapshot%?deals_since=%d+$", request.target)
    assert.equal("Bearer t-0123456789", request.headers.authorization)
    terminal(function(document)
      document.positions = setmetatable({}, { __jsontype = "array" })
      document.account.balance = 9950
      document.deals[1] = {
        ticket = 71, order = 61, time = 1772441500, time_msc = os.time() * 1000 + 7200000, type = 1, entry = 1, magic = 7,
        position_id = 500, reason = 4, volume = 1, price = 1.08, commission = 0, swap = 0, profit = -50, fee = 0, symbol = "EURUSD",
      }
    end)
    local closed = assert(client:wait_type("position_closed", 2000))
    assert.equal(501, closed.ticket)
    assert.equal(1.08, closed.close_price)
    assert.falsy(closed.estimated)
    done()
  end)

  it("that stands for one account shows it to nobody else: its requests do not say who is meant", function()
    terminal()
    for _, part in ipairs({ "positions", "orders", "account" }) do answer("/" .. part, file("python_" .. part .. ".json")) end
    local functions = { route = 'function(id) if id == "a" then return { login = "764636" } end end' }
    for _, mapping in ipairs({ "terminal_bridge", "metatrader5_python" }) do
      open({ mapping = mapping }, functions)
      local owner, named, stranger = assert(gateway:connect("764636")), assert(gateway:connect("a")), assert(gateway:connect("7777"))
      snapshot_of(owner)
      snapshot_of(named)
      assert(gateway.process:wait_log({ event = "poll_failed", account = "7777", code = "WRONG_ACCOUNT" }, 5000))
      assert.truthy(gateway:eventually(function() return gateway:metric('tidegate_polls_total{end="stale"}') >= 2 end))
      gateway:kill()
      repeat
        local object = stranger:next_json(500)
        assert.is_true(not object or object.type == "connected" or object.type == "status" or object.type == "error", object and object.type)
      until not object
    end
    gateway = nil
  end)

  it("that cannot tell a part is announced as lost, and nothing is taken for empty", function()
    terminal()
    open({ mapping = "terminal_bridge" })
    local client = assert(gateway:connect("764636"))
    snapshot_of(client)
    local cases = {
      function(document) document.positions = nil end,
      function(document) document.account = nil end,
      function(document) document.orders = nil end,
      function(document) document.connected = false end,
      function(document) document.positions[1].volume = "much" end,
      function(document) document.positions[1].ticket = -1 end,
      function(document) document.positions[2] = document.positions[1] end,
      function(document) document.positions = { a = 1 } end,
      function(document) document.account.equity = "NaN" end,
      function(document) document.account.login = 1 end,
      function(document) document.positions = "none" end,
    }
    for i, change in ipairs(cases) do
      terminal(change)
      local lost = assert(client:wait_type("error", 3000), i)
      assert.equal("CONNECTION_LOST", lost.error_code)
      terminal()
      repeat
        local object = assert(client:next_json(3000), i)
        assert.is_true(object.type == "status" or object.type == "error", i .. ": " .. object.type)
      until object.status == "live"
    end
    for _, status in ipairs({ 500, 503, 404, 401 }) do
      answer("/snapshot", '{"code":"IPC_TIMEOUT","message":"the terminal hangs"}', status)
      local lost = assert(client:next_json(3000))
      assert.equal("error", lost.type)
      assert.equal(status == 401 and "SOURCE_REFUSED" or "CONNECTION_LOST", lost.error_code)
      if status == 401 then break end
      terminal()
      repeat until assert(client:next_json(5000)).status == "live"
    end
    done()
  end)

  it("in the Python package's names is asked for each part, positions first", function()
    for _, part in ipairs({ "positions", "orders", "account" }) do answer("/" .. part, file("python_" .. part .. ".json")) end
    answer("/history/deals", file("python_deals.json"))
    open({ mapping = "metatrader5_python", utc_offset_seconds = 10800 })
    local client = assert(gateway:connect("764636"))
    local snapshot = snapshot_of(client)
    assert.equal(2, #snapshot.positions)
    assert.equal("2026-03-02T05:43:20.123Z", snapshot.positions[1].open_time)
    assert.equal(1, #snapshot.orders)
    local seen = bridge:stats().requests
    assert.same({ "/positions", "/orders", "/account" }, { seen[1].target, seen[2].target, seen[3].target })
    answer("/positions", "[]")
    local asked = gateway:eventually(function()
      for _, request in ipairs(bridge:stats().requests) do
        if request.target:find("/history/deals", 1, true) then return request.target end
      end
    end)
    local from, to = asked:match("^/history/deals%?from=(%d+)&to=(%d+)$")
    assert.is_true(math.abs(tonumber(from) - (os.time() + 10800 - 60)) < 10, from)
    assert.is_true(math.abs(tonumber(to) - (os.time() + 10800 + 86400)) < 10, to)
    done()
  end)

  it("gets the places of its requests filled, encoded for where they stand", function()
    answer("*", { balance = 1, equity = 2 })
    open({
      requests = {
        account = {
          path = "/v1/{account_id}/{login}/x", method = "POST", body = '{"who":"{subject}","login":"{login}","since":{since_ms}}',
          headers = { ["X-Who"] = "{subject}", ["X-Part"] = "account" },
        },
      },
      headers = { ["X-Part"] = "any", ["X-Key"] = "k" },
    }, {
      ["source.map"] = "function(name, document) return { account = document } end",
      route = [[function(id) return { login = 'a/b "c" ?', headers = { ["X-Key"] = "own" } } end]],
    })
    local client = assert(gateway:connect("a.1", { claims = { sub = 'al"ice \\ \226\130\172' } }))
    assert.equal(2, snapshot_of(client).account.equity)
    local request = bridge:stats().requests[1]
    assert.equal("POST", request.method)
    assert.equal("/v1/a.1/a%2Fb%20%22c%22%20%3F/x", request.target)
    local body = assert(json.decode(request.body), request.body)
    assert.equal('al"ice \\ \226\130\172', body.who)
    assert.equal('a/b "c" ?', body.login)
    assert.is_true(body.since > 1.7e12)
    assert.equal("account", request.headers["x-part"])
    assert.equal("own", request.headers["x-key"])
    assert.equal("application/json", request.headers["content-type"])
    assert.equal('al"ice \\ %E2%82%AC', request.headers["x-who"])
    done()
  end)

  it("is read by another map after a SIGHUP, and by the old one when the new file is bad", function()
    answer("*", { balance = 1, equity = 2 })
    open({ requests = { account = { path = "/a" } } }, { ["source.map"] = "function(name, document) return { account = document } end" })
    local client = assert(gateway:connect("a"))
    snapshot_of(client)
    gateway.functions["source.map"] = "function(name, document) document.balance = 7 return { account = document } end"
    gateway:configure({})
    gateway.process:signal("sighup")
    assert.equal(7, assert(client:wait_type("account_update", 3000)).changes.balance.new)
    gateway.functions["source.map"] = "5"
    gateway:configure({})
    gateway.process:signal("sighup")
    assert.truthy(gateway.process:wait_log({ event = "reload_refused" }, 3000))
    gateway.functions["source.map"] = nil
    gateway:configure({})
    gateway.process:signal("sighup")
    assert.truthy(gateway:eventually(function() return gateway:log_text():find("taking away it takes a restart", 1, true) end))
    gateway.functions["source.map"] = "function() while true do end end"
    gateway:configure({})
    gateway.process:signal("sighup")
    assert.equal("error", assert(client:wait_type("error", 3000)).type)
    assert.truthy(gateway:eventually(function() return gateway:metric('tidegate_hook_faults_total{hook="map"}') > 0 end))
    assert.truthy(gateway:log_text():find("it ran for too long", 1, true))
    done()
  end)

  it("that is slow makes polls wait no longer than they may", function()
    bridge:freeze()
    open({ concurrency = 1, timeout_ms = 5000, queue_ms = 300, requests = { account = { path = "/a" } } },
      { ["source.map"] = "function(name, document) return { account = document } end" })
    local one, two = assert(gateway:connect("a")), assert(gateway:connect("b"))
    assert.truthy(gateway:eventually(function() return gateway:metric('tidegate_polls_total{end="busy"}') >= 1 end))
    assert.truthy(gateway:log_text():find("QUEUE_TIMEOUT", 1, true))
    bridge:thaw()
    answer("*", { balance = 1, equity = 2 })
    snapshot_of(one)
    assert(two:wait_type("snapshot", 5000))
    done()
  end)
end)
