-- The gateway reads the Web API over both protocols: what happens there arrives, whatever goes wrong makes no event, and
-- the difference is told once when it is over.
local gateway_of = require("support.gateway")
local lockstep = require("support.lockstep")
local loop = require("support.loop")
local process = require("support.process")
local webapi = require("support.webapi")

local FAST = {
  driver = "mt5_webapi", interval_ms = 200, timeout_ms = 1500, retry_first_ms = 150, retries = 2, probe_ms = 300, grace_ms = 0,
  breaker_failures = 100000, metadata_refresh_seconds = 60, dormant_refresh_seconds = 5, gather_ms = 5,
}

local SCHEMES = { rest = "http", rests = "https", raw = "mt5", ["raw-clear"] = "mt5" }

local function source(server, transport, changes)
  local out = {
    url = ("%s://127.0.0.1:%d"):format(SCHEMES[transport], server.port), login = tostring(server.login), password = server.password,
    crypt = transport ~= "raw-clear", ca_file = server.certificate and server.certificate.cert or nil,
  }
  for _, from in ipairs({ FAST, changes or {} }) do
    for key, value in pairs(from) do
      out[key] = value
    end
  end
  return out
end

-- The messages until one satisfies `last`; all but that one must be of the source's state.
local OF_STATE = { error = true, status = true, connected = true, account_update = true }
local function states_until(client, timeout_ms, last)
  local object, text = client:next_where(last, timeout_ms, function(other, words)
    assert.is_true(OF_STATE[other.type], words)
  end)
  return assert(object, "waited in vain: " .. tostring(text))
end

local function status_is(wanted)
  return function(object) return object.type == "status" and object.status == wanted end
end

local function is_error(object) return object.type == "error" end

-- The events that follow, with account_update left out, until there were none for `quiet_ms`; `awaited` of them are
-- waited for.
local function events_of(client, quiet_ms, awaited)
  local out = {}
  while true do
    local object, text
    if #out < (awaited or 0) then object, text = client:next_json(3000) else object, text = client:heard(quiet_ms or 700) end
    if not object then return out end
    assert.is_nil(client.close_code, text)
    if object.type ~= "account_update" and object.type ~= "status" then out[#out + 1] = object end
  end
end

describe("the Web API", function()
  local TRANSPORTS = { "rest", "raw", "raw-clear", "rests" }
  local worlds, serial = {}, 7000

  setup(function()
    for _, transport in ipairs(TRANSPORTS) do
      local server = webapi.start({ certificate = transport == "rests" and webapi.certificate() or nil })
      worlds[transport] = { server = server, gateway = gateway_of.start({ source = source(server, transport) }) }
    end
  end)

  teardown(function()
    for _, transport in ipairs(TRANSPORTS) do
      assert.equal(0, worlds[transport].gateway:stop())
      assert.equal(0, worlds[transport].server:stop())
    end
    process.stop_all()
  end)

  -- A client of an account of its own with one position.
  local function enter(case)
    case.server, case.gateway = worlds[case.transport].server, worlds[case.transport].gateway
    serial = serial + 1
    case.login = serial
    case.server:control({ op = "account", login = case.login })
    case.ticket = case.server:control({ op = "open", login = case.login, position = { Symbol = "EURUSD", Profit = "5.00" } }).ticket
    case.client = assert(case.gateway:connect(tostring(case.login)))
  end

  local function begin(case)
    local snapshot = assert(case.client:wait_type("snapshot", 8000))
    assert.equal(tonumber(case.ticket), snapshot.positions[1].ticket)
  end

  local function snapshot_of(case)
    case.client:send_text('{"type":"snapshot"}')
    return assert(case.client:wait_type("snapshot", 2000))
  end

  -- A story that is lived over all transports at once, step by step, and judged for each by itself. A step is a function
  -- of the case, or a time in ms for all. `protocol`: "rest" or "raw" alone.
  local function over_all(steps, judge, protocol)
    local cases = {}
    for _, transport in ipairs(TRANSPORTS) do
      if not protocol or (SCHEMES[transport] == "mt5") == (protocol == "raw") then
        cases[#cases + 1] = { transport = transport }
      end
    end

    setup(function()
      lockstep.live(cases, { enter, begin, unpack(steps) })
      for _, case in ipairs(cases) do
        case.server:control({ op = "clear" })
        if case.client then case.client:close() end
      end
    end)

    for _, case in ipairs(cases) do
      it("over " .. case.transport, function()
        lockstep.verify(case)
        judge(case)
      end)
    end
  end

  -- All events until it is quiet for all of them; `awaited` are waited for.
  local function hear(awaited, quiet_ms)
    return function(case) case.events = events_of(case.client, 0, awaited) end, quiet_ms or 700, function(case)
      for _, event in ipairs(events_of(case.client, 0)) do
        table.insert(case.events, event)
      end
    end
  end

  -- The position was closed and another one opened, each once, with these figures.
  local function told_once(case, reason)
    local by_type = {}
    for _, event in ipairs(case.events) do
      by_type[event.type] = event
    end
    assert.equal(2, #case.events)
    assert.equal(tonumber(case.ticket), by_type.position_closed.ticket)
    assert.equal(25, by_type.position_closed.profit)
    assert.equal(reason, by_type.position_closed.reason)
    assert.is_nil(by_type.position_closed.estimated)
    assert.equal(tonumber(case.opened), by_type.position_opened.position.ticket)
  end

  local function trade(reason)
    return function(case)
      case.opened = case.server:control({
        { op = "close", login = case.login, ticket = case.ticket, price = "1.20000", profit = "25.00", reason = reason },
        { op = "open", login = case.login, position = { Symbol = "XAUUSD", Profit = "1.00" } },
      }).ticket
    end
  end

  describe("tells an account as it is", function()
    over_all({ function(case) case.back = snapshot_of(case) end }, function(case)
      assert.is_truthy(case.back.account.currency:match("^%u%u%u$"))
      assert.equal("EURUSD", case.back.positions[1].symbol)
      assert.equal("buy", case.back.positions[1].type)
      assert(case.gateway:eventually(function() return case.gateway:health().sources.main.session.state == "ready" end))
    end)
  end)

  describe("tells what happens, with the deal's own figures", function()
    over_all({ trade(4), hear(2) }, function(case) told_once(case, "tp") end)
  end)

  local faults = {
    { "hangs", "POSITION_GET_BATCH", { kind = "hang" } },
    { "hangs at the accounts", "USER_ACCOUNT_GET_BATCH", { kind = "hang" } },
    { "drops the connection in an answer", "POSITION_GET_BATCH", { kind = "drop", bytes = 200 } },
    { "resets the connection", "DEAL_GET_BATCH", { kind = "reset", bytes = 10 } },
    { "cuts documents short", "POSITION_GET_BATCH", { kind = "truncate", bytes = 40 } },
    { "sends garbage", "POSITION_GET_BATCH", { kind = "garbage" } },
    { "garbles documents", "USER_ACCOUNT_GET_BATCH", { kind = "garble" } },
    { "lacks its trade server", "*", { kind = "retcode", code = 10 } },
    { "shuts down", "POSITION_GET_BATCH", { kind = "retcode", code = 15 } },
    { "answers in part", "POSITION_GET_BATCH", { kind = "retcode", code = 14 } },
    { "tells no positions while the account floats", "POSITION_GET_BATCH", { kind = "empty" } },
    { "tells the account's rows twice", "POSITION_GET_BATCH", { kind = "twice" } },
    { "leaves the account out", "USER_ACCOUNT_GET_BATCH", { kind = "omit" } },
    { "tells another account", "USER_ACCOUNT_GET_BATCH", { kind = "foreign", login = 4242 } },
    { "answers under another serial", "POSITION_GET_BATCH", { kind = "serial", code = 1 }, "raw" },
    { "answers 500 with a page", "POSITION_GET_BATCH", { kind = "http", code = 500, text = "<html>oops</html>" }, "rest" },
  }
  for _, fault in ipairs(faults) do
    describe("and " .. fault[1] .. ": announced, no event, and the difference once", function()
      over_all({
        function(case)
          local rule = { login = fault[3].kind == "omit" and case.login or nil }
          for name, value in pairs(fault[3]) do
            rule[name] = value
          end
          case.server:fault(rule, { command = fault[2] })
        end,
        function(case) states_until(case.client, 5000, is_error) end,
        trade(3),
        600, -- for polls that fail with the difference there
        function(case) case.server:control({ op = "clear" }) end,
        function(case) states_until(case.client, 15000, status_is("live")) end,
        hear(2),
      }, function(case) told_once(case, "sl") end, fault[4])
    end)
  end

  local harmless = {
    { "turns its rows round", { kind = "reversed" } },
    { "takes its time", { kind = "delay", ms = 100 } },
    { "pings between packets", { kind = "pings", count = 3 }, "raw" },
    { "parts its answers at odd places", { kind = "split", bytes = 301 }, "raw" },
    { "parts its answers in small pieces", { kind = "split", bytes = 7 }, "raw" },
  }
  for _, kind in ipairs(harmless) do
    describe("does not mind a server that " .. kind[1], function()
      over_all({
        function(case)
          case.server:fault(kind[2], { command = "*" })
          case.opened = case.server:control({ op = "open", login = case.login, position = { Symbol = "XAUUSD" } }).ticket
        end,
        hear(1, 1200),
      }, function(case)
        assert.equal(1, #case.events)
        assert.equal("position_opened", case.events[1].type)
        assert.equal(tonumber(case.opened), case.events[1].position.ticket)
      end, kind[3])
    end)
  end

  describe("reads a dormant account from its record, and does not know one that is not there", function()
    over_all({}, function(case)
      case.server:control({ op = "account", login = 4711, dormant = true, user = { Balance = "750.00", Credit = "50.00" } })
      local dormant = assert(case.gateway:connect("4711"))
      local snapshot = assert(dormant:wait_type("snapshot", 5000))
      assert.same({}, snapshot.positions)
      assert.equal(800, snapshot.account.equity)
      dormant:close()
      local nobody = case.gateway:connect("999999")
      assert.is_truthy(case.gateway:eventually(function()
        return case.gateway:metric('tidegate_polls_total{end="unknown"}') > 0
      end))
      if nobody then nobody:close() end
    end)
  end)

  describe("survives a restart of the server without an event", function()
    over_all({
      function(case) case.server:control({ op = "restart", down_ms = 2500, mode = "refused" }) end, -- longer than a poll may take
      function(case) states_until(case.client, 5000, is_error) end,
      function(case) states_until(case.client, 15000, status_is("live")) end,
      hear(0),
    }, function(case) assert.same({}, case.events) end)
  end)
end)

describe("a Web API server that wants us differently", function()
  local BOTH = { "rest", "raw" }
  local server, gateway
  local servers, gateways, clients

  before_each(function() servers, gateways, clients = {}, {}, {} end)

  after_each(function()
    for _, client in pairs(clients) do
      client:close()
    end
    for _, one in pairs(gateways) do
      assert.equal(0, one:stop())
    end
    for _, one in pairs(servers) do
      assert.equal(0, one:stop())
    end
    if gateway then assert.equal(0, gateway:stop()) end
    if server then assert.equal(0, server:stop()) end
    gateway, server = nil, nil
    process.stop_all()
  end)

  -- A server and a gateway for each of the two protocols, and a client of account 5 each.
  local function both(changes, prepare)
    for _, transport in ipairs(BOTH) do
      servers[transport] = webapi.start()
      prepare(servers[transport])
      gateways[transport] = gateway_of.start({ source = source(servers[transport], transport, changes) })
      clients[transport] = assert(gateways[transport]:connect("5"))
    end
  end

  it("by refusing the password is not asked fast again, over either protocol", function()
    both({ password = "wrong" }, function() end)
    for _, transport in ipairs(BOTH) do
      local refused = states_until(clients[transport], 4000, is_error)
      assert.equal("SOURCE_REFUSED", refused.error_code, transport)
      assert.is_true(refused.retry_in_seconds >= 60, transport)
    end
    loop.sleep(1500)
    for _, transport in ipairs(BOTH) do
      assert.equal(1, servers[transport]:stats().by_command.AUTH_START, transport)
    end
  end)

  it("by proving nothing is not believed, over either protocol", function()
    both({}, function(one) one:fault({ kind = "proof" }, { command = "*" }) end)
    for _, transport in ipairs(BOTH) do
      assert.equal("SOURCE_REFUSED", states_until(clients[transport], 4000, is_error).error_code, transport)
      assert.equal("SERVER_NOT_AUTHENTICATED", gateways[transport]:health().sources.main.session.code, transport)
      assert.is_nil(servers[transport]:stats().by_command.POSITION_GET_BATCH, transport)
    end
  end)

  it("by being too busy is asked less often, over either protocol", function()
    both({}, function(one) one:control({ op = "account", login = 5 }) end)
    for _, transport in ipairs(BOTH) do
      assert(clients[transport]:wait_type("snapshot", 5000), transport)
      servers[transport]:fault({ kind = "retcode", code = 1018 }, { command = "POSITION_GET_BATCH", count = 1 })
    end
    for _, transport in ipairs(BOTH) do
      local one = gateways[transport]
      states_until(clients[transport], 4000, is_error)
      assert.is_truthy(one:eventually(function() return one:health().sources.main.session.pace_ms > 0 end), transport)
    end
    for _, transport in ipairs(BOTH) do
      states_until(clients[transport], 20000, status_is("live"))
    end
  end)

  it("by being a certificate's that nobody knows is not spoken to", function()
    server = webapi.start({ certificate = webapi.certificate() })
    local config = source(server, "rests")
    config.ca_file = nil
    gateway = gateway_of.start({ source = config })
    local client = assert(gateway:connect("5"))
    states_until(client, 5000, is_error)
    assert.equal("TLS_FAILED", gateway:health().sources.main.session.code)
    client:close()
  end)

  it("by being away is replaced by the next", function()
    local away = webapi.start()
    local url = "mt5://127.0.0.1:" .. away.port
    away:stop()
    server = webapi.start()
    server:control({ op = "account", login = 5 })
    gateway = gateway_of.start({ source = source(server, "raw", { url = url, fallback_urls = { "mt5://127.0.0.1:" .. server.port } }) })
    local client = assert(gateway:connect("5"))
    assert(client:wait_type("snapshot", 8000))
    client:close()
  end)

  it("in one request for all of its groups", function()
    server = webapi.start({ accounts = 40 })
    local always = {}
    for i = 1, 40 do
      always[i] = tostring(5000000 + i)
    end
    server:control({ op = "account", login = 77, group = "other\\group" })
    always[41] = "77"
    gateway = gateway_of.start({ source = source(server, "raw", { groups = "demo\\*", batch_logins = 10, interval_ms = 500 }), accounts = { always = always } })
    assert.is_truthy(gateway:eventually(function()
      return gateway:metric('tidegate_source_state{state="connected"}') == 41
    end, 15000))
    server:control({ op = "reset_stats" })
    local begun = loop.now()
    loop.sleep(3000)
    local counts = server:stats().by_command
    assert.is_true(counts.POSITION_GET_BATCH <= 2 + 3 * (loop.now() - begun) / 500, "requests do not grow with the accounts: " .. counts.POSITION_GET_BATCH)
  end)
end)
