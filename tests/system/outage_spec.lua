-- The source goes away, lies, or answers half: clients are told so, no event is made of it, and when the source is
-- back they are told the difference, once.
local gateway_of = require("support.gateway")
local loop = require("support.loop")
local rest = require("support.rest")

local FAST = {
  driver = "http", interval_ms = 200, timeout_ms = 600, retry_first_ms = 150, retries = 2, probe_ms = 400,
  max_body_bytes = 65536, breaker_failures = 1000,
}

local function source(url, changes)
  local out = { url = url }
  for key, value in pairs(FAST) do
    out[key] = value
  end
  for key, value in pairs(changes or {}) do
    out[key] = value
  end
  return out
end

-- The messages until one satisfies `last`; all but that one must be of the source's state.
local function states_until(client, timeout_ms, last)
  local deadline, seen = loop.now() + timeout_ms, {}
  repeat
    local object, text = client:next_json(math.max(1, deadline - loop.now()))
    assert(object, "waited in vain, after " .. #seen .. " messages: " .. tostring(text))
    seen[#seen + 1] = object
    if last(object) then return object, seen end
    assert.is_true(object.type == "error" or object.type == "status", text)
  until false
end

local function status_is(wanted)
  return function(object)
    return object.type == "status" and object.status == wanted
  end
end

local function announced_loss(client, timeout_ms)
  local lost = states_until(client, timeout_ms or 3000, function(object)
    return object.type == "error"
  end)
  assert.equal("CONNECTION_LOST", lost.error_code)
  assert.equal("MT5 connection lost, attempting reconnect", lost.message)
  assert.is_true(lost.retry_in_seconds >= 1)
  assert.equal("reconnecting", states_until(client, 1000, status_is("reconnecting")).status)
end

-- The events that follow, with account_update left out, until there were none for a while.
local function events_of(client)
  local out = {}
  while true do
    local object, text = client:next_json(700)
    if not object then return out end
    assert.is_nil(client.close_code, text)
    if object.type ~= "account_update" then out[#out + 1] = object end
  end
end

describe("a source that fails for one account", function()
  local service, gateway, client, id, ticket
  local serial = 0

  setup(function()
    service = rest.start()
    gateway = gateway_of.start({ source = source(service.url) })
  end)

  teardown(function()
    assert.equal(0, gateway:stop())
    service:stop()
  end)

  before_each(function()
    serial = serial + 1
    id = "outage-" .. serial
    ticket = service:control({ op = "open", account = id }).ticket
    client = assert(gateway:connect(id))
    assert.equal(ticket, assert(client:wait_type("snapshot", 3000)).positions[1].ticket)
  end)

  after_each(function()
    service:control({ op = "clear" })
    client:close()
  end)

  local function fault(kind, part)
    service:control({ op = "fault", account = id, part = part, fault = kind })
  end

  local other = "somebody-else"
  local empty = '{"success":true,"account_id":"%s","timestamp":"2026-01-01T00:00:00.000Z","positions":[],"count":0}'
  local faults = {
    { "hangs", { kind = "hang" } },
    { "drops the connection", { kind = "drop" } },
    { "resets the connection", { kind = "reset" } },
    { "garbles its documents", { kind = "garble" } },
    { "truncates its documents", { kind = "truncate" } },
    { "trickles", { kind = "trickle", ms = 20 } },
    { "never ends its answer", { kind = "endless" } },
    { "answers with too much", { kind = "big", bytes = 100000 } },
    { "answers for another account", { kind = "wrong_account", id = other } },
    { "answers with positions of another account", { kind = "wrong_account", id = other }, "positions" },
    { "answers from an old cache", { kind = "cached", age = 3600 } },
    { "answers null for positions", { kind = "positions_null" }, "positions" },
    { "answers with no positions while the account has one", { kind = "raw", body = empty }, "positions" },
    { "answers with an empty body", { kind = "raw", body = "" } },
    { "answers success without a document", { kind = "raw", body = '{"success":true}' } },
    { "answers 200 with an error in it", { kind = "error", status = 200 } },
    { "answers 500", { kind = "error", status = 500 } },
    { "fails for the positions alone", { kind = "error", status = 502 }, "positions" },
    { "answers with a page for people", { kind = "raw", status = 502, body = "<html>Bad Gateway</html>" } },
  }
  for _, case in ipairs(faults) do
    it("and " .. case[1] .. " is announced, makes no event, and its difference is told once", function()
      local kind = {}
      for key, value in pairs(case[2]) do
        kind[key] = value
      end
      if kind.body then kind.body = kind.body:gsub("%%s", id) end
      fault(kind, case[3])
      announced_loss(client)
      local opened = service:control({
        { op = "close", account = id, ticket = ticket, profit = 25, price = "1.08750", reason = "sl" },
        { op = "open", account = id, position = { symbol = "XAUUSD" } },
      }).ticket
      states_until(client, 6000, status_is("cached"))
      client:send_text('{"type":"snapshot"}')
      local snapshot = states_until(client, 1000, function(object) return object.type == "snapshot" end)
      assert.is_true(snapshot.cached)
      assert.is_true(snapshot.cache_age_seconds >= 0)
      assert.equal(ticket, snapshot.positions[1].ticket)
      assert.equal(0, snapshot.seq)
      service:control({ op = "clear" })
      states_until(client, 3000, status_is("live"))
      local events = events_of(client)
      assert.equal(2, #events)
      local by_type = {}
      for i, event in ipairs(events) do
        assert.equal(i, event.seq)
        by_type[event.type] = event
      end
      assert.equal(ticket, by_type.position_closed.ticket)
      assert.equal(25, by_type.position_closed.profit)
      assert.equal("sl", by_type.position_closed.reason)
      assert.is_nil(by_type.position_closed.estimated)
      assert.equal(opened, by_type.position_opened.position.ticket)
      client:send_text('{"type":"snapshot"}')
      snapshot = assert(client:wait_type("snapshot", 1000))
      assert.is_false(snapshot.cached)
      assert.equal(opened, snapshot.positions[1].ticket)
    end)
  end

  it("delays no other account", function()
    local healthy = assert(gateway:connect(id .. "-healthy"))
    assert(healthy:wait_type("snapshot", 3000))
    fault({ kind = "hang" })
    announced_loss(client)
    for i = 1, 3 do
      service:control({ op = "account", account = id .. "-healthy", set = { balance = 10000 + i } })
      assert.equal("account_update", assert(healthy:next_json(800)).type)
    end
    healthy:close()
  end)

  it("once, for a moment, is announced and is over: both are told", function()
    service:control({ op = "fault", account = id, count = 1, fault = { kind = "error", status = 500 } })
    announced_loss(client)
    states_until(client, 2000, status_is("live"))
    assert.same({}, events_of(client))
  end)

  it("by refusing the credentials is not asked fast again", function()
    fault({ kind = "error", status = 401, code = "INVALID_API_KEY" })
    local refused = states_until(client, 3000, function(object) return object.type == "error" end)
    assert.equal("SOURCE_REFUSED", refused.error_code)
    assert.is_true(refused.retry_in_seconds >= 60)
    local polls = service:stats().accounts[id].info
    loop.sleep(1500)
    assert.equal(polls, service:stats().accounts[id].info)
  end)
end)

describe("a source that is gone", function()
  local service, gateway

  after_each(function()
    if gateway then assert.equal(0, gateway:stop()) end
    gateway = nil
    if service then service:stop() end
    service = nil
  end)

  local function source_states(wanted)
    for state, count in pairs(wanted) do
      if gateway:metric(('tidegate_source_state{state="%s"}'):format(state)) ~= count then return false end
    end
    return true
  end

  it("is announced, the last state is served with its age, and a restart makes no event", function()
    service = rest.start()
    local port = service.port
    gateway = gateway_of.start({ source = source(service.url) })
    local client = assert(gateway:connect("demo-1"))
    assert(client:wait_type("snapshot", 3000))
    assert.equal("healthy", gateway:health().status)
    assert.is_true(source_states({ connected = 1 }))
    service:stop()
    announced_loss(client)
    local cached = states_until(client, 5000, status_is("cached"))
    assert.is_true(cached.age_ms > 0)
    assert.is_true(source_states({ error = 1, connected = 0 }))
    assert.equal("unhealthy", gateway:health().status)

    local late = assert(gateway:connect("demo-1"))
    assert.equal("cached", late:next_json(1000).status)
    local snapshot = late:next_json(1000)
    assert.equal("snapshot", snapshot.type)
    assert.is_true(snapshot.cached)
    local answer = gateway:get("/api/account/demo-1/snapshot?token=" .. gateway:token())
    assert.equal(200, answer.status)
    assert.is_true(answer.json.cached)

    local stranger = assert(gateway:connect("demo-2"))
    assert.equal("connecting", stranger:next_json(1000).status)
    states_until(stranger, 5000, status_is("down"))
    stranger:send_text('{"type":"ping"}')
    local pong = states_until(stranger, 1000, function(object) return object.type == "pong" end)
    assert.equal("down", pong.status)

    client:send_text('{"type":"ping"}')
    pong = states_until(client, 1000, function(object) return object.type == "pong" end)
    assert.equal("cached", pong.status)
    assert.is_true(pong.age_ms > 500)

    service = rest.start(port)
    states_until(client, 3000, status_is("live"))
    states_until(late, 3000, status_is("live"))
    states_until(stranger, 3000, status_is("live"))
    assert(stranger:wait_type("snapshot", 2000))
    assert.same({}, events_of(client))
    assert.same({}, events_of(late))
    assert.equal("healthy", gateway:health().status)
    service:control({ op = "open", account = "demo-1" })
    assert.equal(1, assert(client:wait_type("position_opened", 1500)).seq)
    for _, one in ipairs({ client, late, stranger }) do
      one:close()
    end
  end)

  it("because its process hangs is the same, and it comes back by itself", function()
    service = rest.start()
    gateway = gateway_of.start({ source = source(service.url) })
    local client = assert(gateway:connect("demo-1"))
    assert(client:wait_type("snapshot", 3000))
    service:freeze()
    announced_loss(client)
    states_until(client, 8000, status_is("cached"))
    service:thaw()
    states_until(client, 4000, status_is("live"))
    assert.same({}, events_of(client))
    client:close()
  end)

  it("for every account opens the circuit: it is asked now and then, not by everybody", function()
    service = rest.start()
    local port = service.port
    gateway = gateway_of.start({ source = source(service.url, { breaker_failures = 5, probe_ms = 1000 }) })
    local clients = {}
    for i = 1, 20 do
      clients[i] = assert(gateway:connect("demo-" .. i))
      assert(clients[i]:wait_type("snapshot", 3000))
    end
    service:stop()
    assert(gateway:eventually(function()
      return gateway:metric("tidegate_circuit_open") == 1
    end, 4000))
    for i = 1, 20 do
      states_until(clients[i], 6000, status_is("cached"))
    end
    assert.is_true(gateway:health().source.circuit_open)
    local before = gateway:metric('tidegate_polls_total{end="failed"}')
    loop.sleep(1500)
    assert.is_true(gateway:metric('tidegate_polls_total{end="failed"}') - before <= 6)
    assert.is_true(gateway:metric("tidegate_polls_held_total") > 0)
    service = rest.start(port)
    for i = 1, 20 do
      states_until(clients[i], 6000, status_is("live"))
    end
    assert.equal(0, gateway:metric("tidegate_circuit_open"))
    assert.is_true(source_states({ connected = 20, error = 0, reconnecting = 0 }))
    for i = 1, 20 do
      assert.same({}, i == 1 and events_of(clients[i]) or {})
      clients[i]:close()
    end
  end)

  it("from the start is no reason not to start", function()
    service = rest.start()
    local port = service.port
    service:stop()
    gateway = gateway_of.start({ source = source("http://127.0.0.1:" .. port) })
    local client = assert(gateway:connect("demo-1"))
    announced_loss((function()
      assert.equal("connecting", client:next_json(1000).status)
      return client
    end)())
    assert.equal(503, gateway:get("/api/account/demo-1/snapshot?token=" .. gateway:token()).status)
    service = rest.start(port)
    states_until(client, 4000, status_is("live"))
    assert(client:wait_type("snapshot", 1000))
    client:close()
  end)
end)
