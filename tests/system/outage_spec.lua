-- The source goes away, lies, or answers half: clients are told so, no event is made of it, and when the source is
-- back they are told the difference, once.
local gateway_of = require("support.gateway")
local lockstep = require("support.lockstep")
local loop = require("support.loop")
local rest = require("support.rest")

-- A healthy poll has its time on a busy machine, too.
local FAST = {
  driver = "http", interval_ms = 200, timeout_ms = 1500, retry_first_ms = 150, retries = 2, probe_ms = 400,
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
  local object, text = client:next_where(last, timeout_ms, function(other, words)
    assert.is_true(other.type == "error" or other.type == "status", words)
  end)
  return assert(object, "waited in vain: " .. tostring(text))
end

local function status_is(wanted)
  return function(object)
    return object.type == "status" and object.status == wanted
  end
end

local function announced_loss(client)
  local lost = states_until(client, 5000, function(object)
    return object.type == "error"
  end)
  assert.equal("CONNECTION_LOST", lost.error_code)
  assert.equal("MT5 connection lost, attempting reconnect", lost.message)
  assert.is_true(lost.retry_in_seconds >= 1)
  assert.equal("reconnecting", states_until(client, 1000, status_is("reconnecting")).status)
end

-- The events that follow, with account_update left out, until there were none for `quiet_ms`; `awaited` of them are
-- waited for.
local function events_of(client, awaited, quiet_ms)
  local out = {}
  while true do
    local object, text
    if #out < (awaited or 0) then object, text = client:next_json(2000) else object, text = client:heard(quiet_ms or 700) end
    if not object then return out end
    assert.is_nil(client.close_code, text)
    if object.type ~= "account_update" then out[#out + 1] = object end
  end
end

local function snapshot_of(client)
  client:send_text('{"type":"snapshot"}')
  return states_until(client, 1000, function(object) return object.type == "snapshot" end)
end

describe("a source that fails for one account", function()
  local service, gateway
  local serial = 0

  setup(function()
    service = rest.start()
    gateway = gateway_of.start({ source = source(service.url) })
  end)

  teardown(function()
    assert.equal(0, gateway:stop())
    service:stop()
  end)

  -- A client of an account of its own with one position.
  local function enter()
    serial = serial + 1
    local one = { id = "outage-" .. serial }
    one.ticket = service:control({ op = "open", account = one.id }).ticket
    one.client = assert(gateway:connect(one.id))
    assert.equal(one.ticket, assert(one.client:wait_type("snapshot", 3000)).positions[1].ticket)
    return one
  end

  local other = "somebody-else"
  local empty = '{"success":true,"account_id":"%s","timestamp":"2026-01-01T00:00:00.000Z","positions":[],"count":0}'
  local faults = {
    { "hangs", { kind = "hang" } },
    { "drops the connection", { kind = "drop" } },
    { "resets the connection", { kind = "reset" } },
    { "garbles its documents", { kind = "garble" } },
    { "truncates its documents", { kind = "truncate" } },
    { "trickles", { kind = "trickle", ms = 50 } },
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

  -- All of them at once, each for an account of its own, step by step; what goes wrong for one is told by its spec.
  describe("and", function()
    local cases = {}

    setup(function()
      for i in ipairs(faults) do
        cases[i] = enter()
        cases[i].kind, cases[i].part = {}, faults[i][3]
        for key, value in pairs(faults[i][2]) do
          cases[i].kind[key] = value
        end
        if cases[i].kind.body then cases[i].kind.body = cases[i].kind.body:gsub("%%s", cases[i].id) end
      end
      lockstep.live(cases, {
        function(case) service:control({ op = "fault", account = case.id, part = case.part, fault = case.kind }) end,
        function(case)
          announced_loss(case.client)
          case.opened = service:control({
            { op = "close", account = case.id, ticket = case.ticket, profit = 25, price = "1.08750", reason = "sl" },
            { op = "open", account = case.id, position = { symbol = "XAUUSD" } },
          }).ticket
        end,
        function(case)
          states_until(case.client, 12000, status_is("cached"))
          case.away = snapshot_of(case.client)
        end,
        function() service:control({ op = "clear" }) end,
        function(case) states_until(case.client, 5000, status_is("live")) end,
        function(case) case.events = events_of(case.client, 2, 0) end,
        700, -- for what should not come
        function(case)
          for _, event in ipairs(events_of(case.client, 0, 0)) do
            table.insert(case.events, event)
          end
        end,
        function(case) case.back = snapshot_of(case.client) end,
        function(case) case.client:close() end,
      })
    end)

    for i, fault in ipairs(faults) do
      it(fault[1] .. " is announced, makes no event, and its difference is told once", function()
        local case = cases[i]
        lockstep.verify(case)
        assert.is_true(case.away.cached)
        assert.is_true(case.away.cache_age_seconds >= 0)
        assert.equal(case.ticket, case.away.positions[1].ticket)
        assert.equal(0, case.away.seq)
        assert.equal(2, #case.events)
        local by_type = {}
        for seq, event in ipairs(case.events) do
          assert.equal(seq, event.seq)
          by_type[event.type] = event
        end
        assert.equal(case.ticket, by_type.position_closed.ticket)
        assert.equal(25, by_type.position_closed.profit)
        assert.equal("sl", by_type.position_closed.reason)
        assert.is_nil(by_type.position_closed.estimated)
        assert.equal(case.opened, by_type.position_opened.position.ticket)
        assert.is_false(case.back.cached)
        assert.equal(case.opened, case.back.positions[1].ticket)
      end)
    end
  end)

  it("delays no other account", function()
    local patient = gateway_of.start({ source = source(service.url, { timeout_ms = 120000 }) })
    local healthy, hanging = assert(patient:connect("healthy")), assert(patient:connect("hanging"))
    assert(healthy:wait_type("snapshot", 3000))
    assert(hanging:wait_type("snapshot", 3000))
    service:control({ op = "fault", account = "hanging", fault = { kind = "hang" } })
    assert(patient:eventually(function() return patient:metric("tidegate_polls_skipped_total") > 0 end))
    for i = 1, 3 do
      service:control({ op = "account", account = "healthy", set = { balance = 10000 + i } })
      assert.equal("account_update", assert(healthy:next_json(800)).type)
    end
    service:control({ op = "clear" })
    healthy:close()
    hanging:close()
    assert.equal(0, patient:stop())
  end)

  it("once, for a moment, is announced and is over: both are told", function()
    local one = enter()
    service:control({ op = "fault", account = one.id, count = 1, fault = { kind = "error", status = 500 } })
    announced_loss(one.client)
    states_until(one.client, 2000, status_is("live"))
    assert.same({}, events_of(one.client))
    one.client:close()
  end)

  it("by refusing the credentials is not asked fast again", function()
    local one = enter()
    service:control({ op = "fault", account = one.id, fault = { kind = "error", status = 401, code = "INVALID_API_KEY" } })
    local refused = states_until(one.client, 3000, function(object) return object.type == "error" end)
    assert.equal("SOURCE_REFUSED", refused.error_code)
    assert.is_true(refused.retry_in_seconds >= 60)
    local polls = service:stats().accounts[one.id].info
    loop.sleep(1500)
    assert.equal(polls, service:stats().accounts[one.id].info)
    service:control({ op = "clear" })
    one.client:close()
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
    gateway:becomes("healthy")
    assert.is_true(source_states({ connected = 1 }))
    service:stop()
    announced_loss(client)
    local cached = states_until(client, 5000, status_is("cached"))
    assert.is_true(cached.age_ms > 0)
    assert.is_true(source_states({ error = 1, connected = 0 }))
    gateway:becomes("unhealthy")

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
    gateway:becomes("healthy")
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
    local before, begun = gateway:metric('tidegate_polls_total{end="failed"}'), loop.now()
    loop.sleep(1500)
    local failed = gateway:metric('tidegate_polls_total{end="failed"}') - before
    assert.is_true(failed <= 4 + 1.5 * (loop.now() - begun) / 1000, failed .. " polls failed")
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
