-- A source that wants to be asked less often, or that withholds an account: clients are told one state with its reason, what
-- happens still arrives, and when the source allows it again they are live within a bound.
local gateway_of = require("support.gateway")
local loop = require("support.loop")
local process = require("support.process")
local rest = require("support.rest")
local webapi = require("support.webapi")

-- Waits that a probe would end are far away: what recovers does so by itself.
local FAST = { interval_ms = 100, timeout_ms = 2000, retry_first_ms = 150, retries = 2, probe_ms = 600000 }

local function with(changes)
  local out = {}
  for _, from in ipairs({ FAST, changes }) do
    for key, value in pairs(from) do
      out[key] = value
    end
  end
  return out
end

-- What a client is told of the source, in order, until it is told `last`; other events are kept as well.
local function told_until(client, last, timeout_ms)
  local deadline, states, events = loop.now() + timeout_ms, {}, {}
  repeat
    local object, text = client:next_json(math.max(1, deadline - loop.now()))
    assert(object, "waited in vain for " .. last .. ", after " .. table.concat(states, " ") .. ": " .. tostring(text))
    local word = object.type == "status" and object.status or object.type == "error" and object.error_code
    if word then
      states[#states + 1] = word
    else
      events[#events + 1] = object
    end
  until word == last
  return states, events
end

local function follow(client, ms)
  local deadline, states = loop.now() + ms, {}
  while loop.now() < deadline do
    local object = client:heard(math.max(0, deadline - loop.now()))
    if object and object.type == "status" then states[#states + 1] = object.status end
  end
  return states
end

local function status_of(client)
  client:send_text('{"type":"ping"}')
  return assert(client:wait_type("pong", 5000)).status
end

describe("a Web API server", function()
  local server, gateway, client

  local function start(transport)
    server = webapi.start()
    server:control({ op = "account", login = 5 })
    gateway = gateway_of.start({
      source = with({
        driver = "mt5_webapi", url = (transport == "raw" and "mt5" or "http") .. "://127.0.0.1:" .. server.port,
        login = "1000", password = "Password1", gather_ms = 5,
      }),
    })
    client = assert(gateway:connect("5"))
    assert(client:wait_type("snapshot", 8000))
  end

  after_each(function()
    if client then client:close() end
    if gateway then assert.equal(0, gateway:stop()) end
    if server then assert.equal(0, server:stop()) end
    server, gateway, client = nil, nil, nil
    process.stop_all()
  end)

  for _, case in ipairs({ { "rest", 12 }, { "raw", 1018 } }) do
    it(("over %s that answers %d makes one state of it, and live is told once"):format(case[1], case[2]), function()
      start(case[1])
      server:fault({ kind = "retcode", code = case[2] }, { command = "POSITION_GET_BATCH", count = 3 })
      assert.same({ "SOURCE_BUSY", "cached" }, (told_until(client, "cached", 8000)))
      local opened = server:control({ op = "open", login = 5, position = { Symbol = "XAUUSD" } }).ticket
      local states, events = told_until(client, "live", 30000)
      assert.same({ "live" }, states)
      local seen = 0
      for _, event in ipairs(events) do
        if event.type == "position_opened" then
          assert.equal(tonumber(opened), event.position.ticket)
          seen = seen + 1
        end
      end
      assert.equal(1, seen)
      assert.equal(0, gateway:health().sources.main.session.pace_ms)
      assert.equal("live", status_of(client))
    end)
  end

  it("that wanted fewer requests and then fails in another way is asked no faster for that", function()
    server = webapi.start()
    server:control({ op = "account", login = 5 })
    gateway = gateway_of.start({
      source = with({
        driver = "mt5_webapi", url = "http://127.0.0.1:" .. server.port, login = "1000", password = "Password1", gather_ms = 5, probe_ms = 300,
      }),
    })
    client = assert(gateway:connect("5"))
    assert(client:wait_type("snapshot", 8000))
    server:fault({ kind = "retcode", code = 7 }, { command = "USER_ACCOUNT_GET_BATCH" })
    server:fault({ kind = "retcode", code = 12 }, { command = "POSITION_GET_BATCH", count = 1 })
    assert(gateway.process:wait_log({ event = "slowed_down" }, 8000))
    local slow = gateway:health().sources.main.session
    assert.equal(200, slow.pace_ms)
    -- Five intervals are half a second; this many rounds, repeated after probe_ms, are more than one.
    server:control({ op = "reset_stats" })
    assert.is_truthy(loop.eventually(function() return (server:stats().by_command.USER_ACCOUNT_GET_BATCH or 0) >= 6 end, 20000))
    assert.equal(200, gateway:health().sources.main.session.pace_ms)
    assert.is_nil(gateway:log_text():find("sped_up", 1, true))
    server:control({ op = "clear" })
    told_until(client, "live", 20000)
    assert.is_truthy(gateway:log_text():find("sped_up", 1, true))
  end)

  it("that never allows full speed is not called live, and not told as away", function()
    start("rest")
    server:fault({ kind = "often", code = 12, ms = 350 }, { command = "POSITION_GET_BATCH" })
    assert.same({ "SOURCE_BUSY", "cached" }, (told_until(client, "cached", 8000)))
    server:control({ op = "reset_stats" })
    assert.same({}, follow(client, 4000))
    assert.equal("cached", status_of(client))
    assert.is_true(server:stats().by_command.USER_ACCOUNT_GET_BATCH >= 3) -- and it is polled, as far as it lets itself be
    assert.equal("degraded", gateway:health().status)
    assert.equal(1, gateway:metric('tidegate_source_state{source="main",state="stale"}'))
    assert.equal(0, gateway:metric('tidegate_source_state{source="main",state="reconnecting"}'))
  end)

  for _, code in ipairs({ 13, 8 }) do
    it("that answers " .. code .. " to everything is asked each few seconds, and is live when it does not any more", function()
      start("rest")
      server:fault({ kind = "retcode", code = code })
      told_until(client, "cached", 8000)
      loop.sleep(1500)
      assert.equal("cached", status_of(client))
      server:control({ op = "clear" })
      local begun = loop.now()
      assert.same({ "live" }, (told_until(client, "live", 10000)))
      -- Eight times retry_first_ms, a tenth more, an interval and the poll; and a slow machine.
      assert.is_true(loop.now() - begun < 20000, "it took " .. loop.now() - begun)
    end)
  end
end)

describe("a REST service that answers 429", function()
  it("makes one state of it, and live is told once", function()
    local service = rest.start()
    local gateway = gateway_of.start({ source = with({ driver = "http", url = service.url }) })
    local client = assert(gateway:connect("busy-1"))
    assert(client:wait_type("snapshot", 8000))
    service:control({ op = "fault", account = "busy-1", fault = { kind = "error", status = 429, code = "TOO_MANY" } })
    assert.same({ "SOURCE_BUSY", "cached" }, (told_until(client, "cached", 8000)))
    assert.same({}, follow(client, 1500))
    service:control({ op = "clear" })
    assert.same({ "live" }, (told_until(client, "live", 30000)))
    client:close()
    assert.equal(0, gateway:stop())
    service:stop()
  end)
end)

describe("a source that answers the same again and again", function()
  after_each(function() process.stop_all() end)

  it("is told as stale when its clock stands still, and live when it moves (Web API)", function()
    local server = webapi.start()
    server:control({ op = "account", login = 5 })
    local gateway = gateway_of.start({
      source = with({
        driver = "mt5_webapi", url = "http://127.0.0.1:" .. server.port, login = "1000", password = "Password1", clock_check_seconds = 3,
      }),
    })
    local client = assert(gateway:connect("5"))
    assert(client:wait_type("snapshot", 8000))
    server:fault({ kind = "stale" })
    local begun = loop.now()
    assert.same({ "SOURCE_STALE", "cached" }, (told_until(client, "cached", 30000)))
    assert.is_true(loop.now() - begun < 20000)
    assert.equal(1, gateway:metric('tidegate_session_clock_stopped{source="main"}'))
    assert.same({}, follow(client, 1500))
    client:send_text('{"type":"ping"}')
    assert.is_true(assert(client:wait_type("pong", 5000)).age_ms >= 2000)
    local opened = server:control({ op = "open", login = 5, position = { Symbol = "XAUUSD" } }).ticket
    server:control({ op = "clear" })
    local states, events = told_until(client, "live", 20000)
    assert.same({ "live" }, states)
    local seen = 0
    for _, event in ipairs(events) do
      if event.type == "position_opened" then seen = seen + 1 end
    end
    if seen == 0 then seen = assert(client:wait_type("position_opened", 5000)).position.ticket == tonumber(opened) and 1 or 0 end
    assert.equal(1, seen)
    client:close()
    assert.equal(0, gateway:stop())
    assert.equal(0, server:stop())
  end)

  it("is told as stale when its time stands still, and live when it moves (REST)", function()
    local service = rest.start()
    local gateway = gateway_of.start({ source = with({ driver = "http", url = service.url, max_stale_ms = 2000 }) })
    local client = assert(gateway:connect("old-1"))
    assert(client:wait_type("snapshot", 8000))
    local body = '{"success":true,"account_id":"old-1","timestamp":"%s","%s}'
    local account = 'data":{"balance":10000.00,"equity":10000.00,"margin":0,"free_margin":10000.00,"currency":"USD"}'
    local at = os.date("!%Y-%m-%dT%H:%M:%SZ", os.time() + 1)
    service:control({
      { op = "fault", account = "old-1", part = "positions", fault = { kind = "raw", body = body:format(at, 'positions":[]') } },
      { op = "fault", account = "old-1", part = "info", fault = { kind = "raw", body = body:format(at, account) } },
    })
    assert.same({ "SOURCE_STALE", "cached" }, (told_until(client, "cached", 20000)))
    assert(gateway.process:wait_log({ event = "account_stale", account = "old-1", code = "SOURCE_STALE" }, 5000))
    assert.same({ "degraded", 1 }, { gateway:health().status, gateway:health().sources.main.stale })
    assert.equal(1, gateway:metric('tidegate_source_state{source="main",state="stale"}'))
    assert.same({}, follow(client, 1000))
    client:send_text('{"type":"snapshot"}')
    local snapshot = assert(client:wait_type("snapshot", 5000))
    assert.is_true(snapshot.cached and snapshot.cache_age_seconds >= 2)
    service:control({ op = "clear" })
    assert.same({ "live" }, (told_until(client, "live", 20000)))
    client:close()
    assert.equal(0, gateway:stop())
    service:stop()
  end)
end)

describe("the metrics of a Web API session", function()
  it("tell its server, its logins and losses, what was answered, how long it took and how many accounts at once", function()
    local server = webapi.start()
    local always = {}
    for login = 1, 12 do
      server:control({ op = "account", login = login })
      always[login] = tostring(login)
    end
    local gateway = gateway_of.start({
      source = with({ driver = "mt5_webapi", url = "http://127.0.0.1:" .. server.port, login = "1000", password = "Password1" }),
      accounts = { always = always },
    })
    local function metric(name, labels)
      return gateway:metric(("tidegate_session_%s{source=\"main\"%s}"):format(name, labels and "," .. labels or ""))
    end
    local function comes(name, labels, wanted)
      assert.is_truthy(gateway:eventually(function() return (metric(name, labels) or -1) >= wanted end, 20000), name)
    end
    comes("batch_accounts_count", nil, 3)
    assert.equal(1, metric("ready"))
    assert.equal(1, metric("endpoint", ('endpoint="127.0.0.1:%d"'):format(server.port)))
    assert.equal(1, metric("logins_total"))
    assert.equal(0, metric("lost_total"))
    assert.equal(0, metric("slow_level"))
    assert.is_true(metric("batch_accounts_sum") >= 12)
    assert.is_true(metric("batch_accounts_bucket", 'le="50"') > metric("batch_accounts_bucket", 'le="10"'))
    assert.is_true(metric("round_trip_seconds_count") >= 9)
    assert.is_true(metric("requests_total") >= metric("round_trip_seconds_count"))
    assert.is_true(metric("answers_total", 'class="done"') >= 9)
    for _, class in ipairs({ "no_data", "retry", "slow", "move", "refused", "none" }) do
      assert.is_truthy(metric("answers_total", ('class="%s"'):format(class)), class)
    end
    server:fault({ kind = "retcode", code = 12 }, { command = "POSITION_GET_BATCH", count = 1 })
    comes("slowdowns_total", nil, 1)
    assert.equal(1, metric("answers_total", 'class="slow"'))
    server:fault({ kind = "drop" }, { command = "POSITION_GET_BATCH", count = 1 })
    comes("lost_total", nil, 1)
    comes("logins_total", nil, 2)
    server:control({ op = "manager", login = 1000, refused = 1011 })
    server:control({ op = "restart" })
    comes("refused_total", nil, 1)
    assert.equal(0, metric("ready"))
    assert.equal(0, gateway:stop())
    assert.equal(0, server:stop())
    process.stop_all()
  end)
end)

describe("a source whose clock is not where its offset would have it (Web API)", function()
  after_each(function() process.stop_all() end)

  it("is told to the operator, once; of one that is, nothing is", function()
    local server = webapi.start()
    server:control({ op = "account", login = 5 })
    for offset, apart in pairs({ ["+05:00"] = -10800, ["+02:00"] = 0, auto = 0 }) do
      local gateway = gateway_of.start({
        source = with({
          driver = "mt5_webapi", url = "http://127.0.0.1:" .. server.port, login = "1000", password = "Password1", utc_offset = offset,
          metadata_refresh_seconds = 60,
        }),
      })
      local client = assert(gateway:connect("5"))
      assert(client:wait_type("snapshot", 8000))
      local session = gateway:health().sources.main.session
      -- Times are told in whole seconds, and a second may pass between the two clocks.
      assert.is_true(math.abs(session.clock_apart_s - apart) <= 2, session.clock_apart_s)
      local lines = select(2, gateway:log_text():gsub('"event":"clock_apart","seconds":%-10[78]%d%d,"utc_offset_s":18000', ""))
      assert.equal(apart == 0 and 0 or 1, lines)
      client:close()
      assert.equal(0, gateway:stop())
    end
    assert.equal(0, server:stop())
  end)
end)
