-- The gateway reads the Web API over both protocols: what happens there arrives, whatever goes wrong makes no event, and
-- the difference is told once when it is over.
local gateway_of = require("support.gateway")
local loop = require("support.loop")
local process = require("support.process")
local webapi = require("support.webapi")

local FAST = {
  driver = "mt5_webapi", interval_ms = 200, timeout_ms = 500, retry_first_ms = 150, retries = 2, probe_ms = 300, grace_ms = 0,
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
local function states_until(client, timeout_ms, last)
  local deadline, seen = loop.now() + timeout_ms, {}
  repeat
    local object, text = client:next_json(math.max(1, deadline - loop.now()))
    assert(object, "waited in vain, after " .. #seen .. " messages: " .. tostring(text))
    seen[#seen + 1] = object
    if last(object) then return object, seen end
    local fits = ({ error = 1, status = 1, connected = 1, account_update = 1 })[object.type]
    assert(fits, text)
  until false
end

local function status_is(wanted)
  return function(object) return object.type == "status" and object.status == wanted end
end

local function is_error(object) return object.type == "error" end

-- The events that follow, with account_update left out, until there were none for a while.
-- All events until it is quiet; `awaited` of them are given time, because the machine may be busy with others.
local function events_of(client, quiet_ms, awaited)
  local out = {}
  while true do
    local object, text = client:next_json(#out < (awaited or 0) and 8000 or quiet_ms or 700)
    if not object then return out end
    assert.is_nil(client.close_code, text)
    if object.type ~= "account_update" and object.type ~= "status" then out[#out + 1] = object end
  end
end

for _, transport in ipairs({ "rest", "raw", "raw-clear", "rests" }) do
  describe("the Web API over " .. transport, function()
    local server, gateway, client, login, ticket
    local serial = 7000

    setup(function()
      server = webapi.start({ certificate = transport == "rests" and webapi.certificate() or nil })
      gateway = gateway_of.start({ source = source(server, transport) })
    end)

    teardown(function()
      assert.equal(0, gateway:stop())
      assert.equal(0, server:stop())
      process.stop_all()
    end)

    before_each(function()
      serial = serial + 1
      login = serial
      server:control({ op = "account", login = login })
      ticket = server:control({ op = "open", login = login, position = { Symbol = "EURUSD", Profit = "5.00" } }).ticket
      client = assert(gateway:connect(tostring(login)))
      local snapshot = assert(client:wait_type("snapshot", 8000))
      assert.equal(tonumber(ticket), snapshot.positions[1].ticket)
    end)

    after_each(function()
      server:control({ op = "clear" })
      client:close()
    end)

    it("tells an account as it is", function()
      client:send_text('{"type":"snapshot"}')
      local snapshot = assert(client:wait_type("snapshot", 2000))
      assert.is_truthy(snapshot.account.currency:match("^%u%u%u$"))
      assert.equal("EURUSD", snapshot.positions[1].symbol)
      assert.equal("buy", snapshot.positions[1].type)
      assert.equal("ready", gateway:health().sources.main.session.state)
    end)

    it("tells what happens, with the deal's own figures", function()
      server:control({ op = "close", login = login, ticket = ticket, price = "1.20000", profit = "25.00", reason = 4 })
      local opened = server:control({ op = "open", login = login, position = { Symbol = "XAUUSD" } }).ticket
      local by_type = {}
      for _, event in ipairs(events_of(client, 700, 2)) do
        by_type[event.type] = event
      end
      assert.equal(tonumber(ticket), by_type.position_closed.ticket)
      assert.equal(25, by_type.position_closed.profit)
      assert.equal("tp", by_type.position_closed.reason)
      assert.is_nil(by_type.position_closed.estimated)
      assert.equal(tonumber(opened), by_type.position_opened.position.ticket)
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
    }
    if SCHEMES[transport] == "mt5" then
      faults[#faults + 1] = { "answers under another serial", "POSITION_GET_BATCH", { kind = "serial", code = 1 } }
    else
      faults[#faults + 1] = { "answers 500 with a page", "POSITION_GET_BATCH", { kind = "http", code = 500, text = "<html>oops</html>" } }
      faults[#faults + 1] = { "forgets that we authenticated", "POSITION_GET_BATCH", { kind = "http", code = 403, text = "" }, true }
    end
    for _, case in ipairs(faults) do
      local refused = case[4]
      if not refused then
        it("and " .. case[1] .. ": announced, no event, and the difference once", function()
          local rule = { kind = case[3].kind, code = case[3].code, bytes = case[3].bytes, text = case[3].text, login = case[3].login }
          if rule.kind == "omit" then rule.login = login end
          server:fault(rule, { command = case[2] })
          states_until(client, 5000, is_error)
          local opened = server:control({
            { op = "close", login = login, ticket = ticket, price = "1.20000", profit = "25.00", reason = 3 },
            { op = "open", login = login, position = { Symbol = "XAUUSD", Profit = "1.00" } },
          }).ticket
          loop.sleep(600)
          server:control({ op = "clear" })
          states_until(client, 15000, status_is("live"))
          local count, by_type = 0, {}
          for _, event in ipairs(events_of(client, 700, 2)) do
            by_type[event.type] = event
            count = count + 1
          end
          assert.equal(2, count)
          assert.equal(tonumber(ticket), by_type.position_closed.ticket)
          assert.equal(25, by_type.position_closed.profit)
          assert.equal("sl", by_type.position_closed.reason)
          assert.is_nil(by_type.position_closed.estimated)
          assert.equal(tonumber(opened), by_type.position_opened.position.ticket)
        end)
      end
    end

    local harmless = { { "turns its rows round", { kind = "reversed" } }, { "takes its time", { kind = "delay", ms = 100 } } }
    if SCHEMES[transport] == "mt5" then
      harmless[#harmless + 1] = { "pings between packets", { kind = "pings", count = 3 } }
      harmless[#harmless + 1] = { "parts its answers at odd places", { kind = "split", bytes = 301 } }
      harmless[#harmless + 1] = { "parts its answers in small pieces", { kind = "split", bytes = 7 } }
    end
    for _, case in ipairs(harmless) do
      it("does not mind a server that " .. case[1], function()
        server:fault(case[2], { command = "*" })
        local opened = server:control({ op = "open", login = login, position = { Symbol = "XAUUSD" } }).ticket
        local seen = 0
        for _, event in ipairs(events_of(client, 1200)) do
          assert.equal("position_opened", event.type)
          assert.equal(tonumber(opened), event.position.ticket)
          seen = seen + 1
        end
        assert.equal(1, seen)
      end)
    end

    it("reads a dormant account from its record, and does not know one that is not there", function()
      server:control({ op = "account", login = 4711, dormant = true, user = { Balance = "750.00", Credit = "50.00" } })
      local dormant = assert(gateway:connect("4711"))
      local snapshot = assert(dormant:wait_type("snapshot", 5000))
      assert.same({}, snapshot.positions)
      assert.equal(800, snapshot.account.equity)
      dormant:close()
      local nobody = gateway:connect("999999")
      assert.is_truthy(gateway:eventually(function()
        return gateway:metric('tidegate_polls_total{end="unknown"}') > 0
      end))
      if nobody then nobody:close() end
    end)

    it("survives a restart of the server without an event", function()
      server:control({ op = "restart", down_ms = 800, mode = "refused" })
      states_until(client, 5000, is_error)
      states_until(client, 15000, status_is("live"))
      assert.same({}, events_of(client))
      client:send_text('{"type":"snapshot"}')
      assert.equal(tonumber(ticket), assert(client:wait_type("snapshot", 2000)).positions[1].ticket)
    end)
  end)
end

describe("a Web API server that wants us differently", function()
  local server, gateway

  after_each(function()
    if gateway then assert.equal(0, gateway:stop()) end
    if server then assert.equal(0, server:stop()) end
    gateway, server = nil, nil
    process.stop_all()
  end)

  for _, transport in ipairs({ "rest", "raw" }) do
    it("by refusing the password over " .. transport .. " is not asked fast again", function()
      server = webapi.start()
      gateway = gateway_of.start({ source = source(server, transport, { password = "wrong" }) })
      local client = assert(gateway:connect("5"))
      local refused = states_until(client, 4000, is_error)
      assert.equal("SOURCE_REFUSED", refused.error_code)
      assert.is_true(refused.retry_in_seconds >= 60)
      loop.sleep(1500)
      assert.equal(1, server:stats().by_command.AUTH_START)
      client:close()
    end)

    it("by proving nothing over " .. transport .. " is not believed", function()
      server = webapi.start()
      server:fault({ kind = "proof" }, { command = "*" })
      gateway = gateway_of.start({ source = source(server, transport) })
      local client = assert(gateway:connect("5"))
      assert.equal("SOURCE_REFUSED", states_until(client, 4000, is_error).error_code)
      assert.equal("SERVER_NOT_AUTHENTICATED", gateway:health().sources.main.session.code)
      assert.is_nil(server:stats().by_command.POSITION_GET_BATCH)
      client:close()
    end)

    it("by being too busy over " .. transport .. " is asked less often", function()
      server = webapi.start()
      server:control({ op = "account", login = 5 })
      gateway = gateway_of.start({ source = source(server, transport) })
      local client = assert(gateway:connect("5"))
      assert(client:wait_type("snapshot", 5000))
      server:fault({ kind = "retcode", code = 1018 }, { command = "POSITION_GET_BATCH", count = 1 })
      states_until(client, 4000, is_error)
      assert.is_truthy(gateway:eventually(function() return gateway:health().sources.main.session.pace_ms == 2000 end))
      states_until(client, 10000, status_is("live"))
      server:control({ op = "reset_stats" })
      loop.sleep(4500)
      assert.is_true(server:stats().by_command.POSITION_GET_BATCH <= 3)
      client:close()
    end)
  end

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
    loop.sleep(3000)
    local counts = server:stats().by_command
    assert.is_true(counts.POSITION_GET_BATCH <= 20, "requests do not grow with the accounts: " .. counts.POSITION_GET_BATCH)
  end)
end)
