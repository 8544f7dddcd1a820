-- Every way in which the test server of the MetaTrader 5 Web API can be ill, seen from outside.
local json = require("dkjson")
local loop = require("support.loop")
local webapi = require("support.webapi")

local POSITIONS = "POSITION_GET_BATCH"

describe("a fault of the Web API test server", function()
  local server

  before_each(function()
    server = webapi.start()
    server:control({
      { op = "account", login = 7 },
      { op = "open", login = 7, position = { Position = "71" } },
      { op = "open", login = 7, position = { Position = "72", Symbol = "XAUUSD" } },
      { op = "account", login = 8 },
      { op = "open", login = 8, position = { Position = "81" } },
    })
  end)

  after_each(function() server = webapi.finish(server) end)

  local function tickets(answer)
    local list = {}
    for i, row in ipairs(answer.answer or {}) do
      list[i] = row.Position
    end
    return table.concat(list, " ")
  end

  local function ask(client, params)
    return client:ask(POSITIONS, params or { GROUP = "*" })
  end

  local both = { "rest", "raw-aes" }

  for _, transport in ipairs(both) do
    describe("over " .. transport .. ":", function()
      local client

      before_each(function()
        client = server:client(transport)
        assert.equal(0, client.auth.retcode, client.auth.error)
      end)

      it("nothing goes wrong without one", function()
        assert.equal("71 72 81", tickets(ask(client)))
      end)

      it("retcode: each code that the documents know, with its text, and the next answer is well", function()
        for _, code in ipairs({ 1, 2, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1018, 12001, 12003, 12004 }) do
          server:fault({ kind = "retcode", code = code }, { command = POSITIONS, count = 1 })
          local answer = ask(client)
          assert.equal(code, answer.retcode)
          assert.is_nil(answer.answer)
          assert.matches("%a%a", answer.text)
          assert.not_equal("Unknown error", answer.text)
        end
        server:fault({ kind = "retcode", code = 99, text = "Of our own" }, { count = 1 })
        assert.equal("Of our own", ask(client).text)
        assert.equal("71 72 81", tickets(ask(client)))
      end)

      it("skip and count: it begins late, ends, and holds for its command alone", function()
        server:fault({ kind = "retcode", code = 12 }, { command = POSITIONS, skip = 1, count = 2 })
        local seen = {}
        for i = 1, 5 do
          assert.equal(0, client:ask("TEST_ACCESS").retcode)
          seen[i] = ask(client).retcode
        end
        assert.same({ 0, 12, 12, 0, 0 }, seen)
        server:fault({ kind = "retcode", code = 12 })
        assert.equal(12, ask(client).retcode)
        server:control({ op = "clear" })
        assert.equal(0, ask(client).retcode)
      end)

      it("delay: the answer is late and whole", function()
        server:fault({ kind = "delay", ms = 200 }, { count = 1 })
        local begun = loop.now()
        assert.equal("71 72 81", tickets(ask(client)))
        assert.is_true(loop.now() - begun >= 195)
      end)

      it("often: one answer each so often, and the code in between", function()
        server:fault({ kind = "often", code = 12, ms = 60000 }, { command = POSITIONS })
        assert.equal(0, ask(client).retcode)
        assert.equal(12, ask(client).retcode)
        server:control({ op = "clear" })
        server:fault({ kind = "often", code = 12, ms = 1 }, { command = POSITIONS })
        assert.equal(0, ask(client).retcode)
        loop.sleep(20)
        assert.equal(0, ask(client).retcode)
      end)

      it("hang: no answer, and the connection stays", function()
        server:fault({ kind = "hang" }, { count = 1 })
        client:say(POSITIONS, { GROUP = "*" })
        assert.is_true(client:silent(300))
        assert.is_true(client.process:alive())
      end)

      it("drop and reset: the connection is lost after so many bytes", function()
        for _, fault in ipairs({ { kind = "drop" }, { kind = "drop", bytes = 30 }, { kind = "drop", bytes = -1 }, { kind = "reset", bytes = 5 } }) do
          local one = server:client(transport)
          server:fault(fault, { command = POSITIONS, count = 1 })
          assert.is_truthy(ask(one).error, json.encode(fault))
        end
        assert.equal("71 72 81", tickets(ask(client)))
      end)

      it("truncate and garble: the frame is in order, the document is not", function()
        for _, fault in ipairs({ { kind = "truncate", bytes = 30 }, { kind = "garble" } }) do
          local one = server:client(transport)
          server:fault(fault, { command = POSITIONS, count = 1 })
          assert.is_truthy(ask(one).error, fault.kind)
        end
      end)

      it("garbage: bytes that follow no protocol", function()
        server:fault({ kind = "garbage" }, { command = POSITIONS, count = 1 })
        assert.is_truthy(ask(client).error)
      end)

      it("trickle: the answer comes in pieces, and is whole", function()
        server:fault({ kind = "trickle", bytes = 301, ms = 1 }, { command = POSITIONS, count = 1 })
        assert.equal("71 72 81", tickets(ask(client)))
        assert.equal("71 72 81", tickets(ask(client)))
      end)

      it("stale: the first answer again and again, until it is cleared", function()
        server:fault({ kind = "stale" }, { command = POSITIONS })
        assert.equal("71 72 81", tickets(ask(client)))
        server:control({ op = "close", login = 8, ticket = "81" })
        assert.equal("71 72 81", tickets(ask(client)))
        assert.equal("71 72", tickets(ask(client, { LOGIN = "7" })))
        server:control({ op = "clear" })
        assert.equal("71 72", tickets(ask(client)))
      end)

      it("empty: success and no rows", function()
        server:fault({ kind = "empty" }, { command = POSITIONS, count = 1 })
        local answer = ask(client)
        assert.equal(0, answer.retcode)
        assert.same({}, answer.answer)
      end)

      it("omit, foreign, twice, reversed: rows that are wrong", function()
        server:fault({ kind = "omit", login = 7 }, { command = POSITIONS, count = 1 })
        assert.equal("81", tickets(ask(client)))
        server:fault({ kind = "foreign", login = 99 }, { command = POSITIONS, count = 1 })
        assert.equal("99", ask(client).answer[1].Login)
        server:fault({ kind = "twice" }, { command = POSITIONS, count = 1 })
        assert.equal("71 71 72 72 81 81", tickets(ask(client)))
        server:fault({ kind = "reversed" }, { command = POSITIONS, count = 1 })
        assert.equal("81 72 71", tickets(ask(client)))
        server:fault({ kind = "omit", login = 8 }, { command = "USER_ACCOUNT_GET_BATCH", count = 1 })
        assert.equal(1, #client:ask("USER_ACCOUNT_GET_BATCH", { GROUP = "*" }).answer)
        server:fault({ kind = "twice" }, { command = "USER_ACCOUNT_GET_BATCH", count = 1 })
        assert.equal(4, #client:ask("USER_ACCOUNT_GET_BATCH", { GROUP = "*" }).answer)
      end)

      it("proof: the server does not prove itself", function()
        server:fault({ kind = "proof" }, { command = "AUTH_ANSWER", count = 1 })
        assert.matches("did not prove itself", server:client(transport).auth.error)
        assert.equal(0, server:client(transport).auth.retcode)
      end)

      it("authentication is refused with the code of a manager or of a rule", function()
        for _, code in ipairs({ 1002, 1011, 1012, 1020, 1026, 1027 }) do
          server:control({ op = "manager", login = 1000, refused = code })
          assert.equal(code, server:client(transport).auth.retcode)
        end
        server:control({ op = "manager", login = 1000 })
        server:fault({ kind = "retcode", code = 1018 }, { command = "AUTH_START", count = 1 })
        assert.equal(1018, server:client(transport).auth.retcode)
        server:control({ op = "manager", login = 2000, password = "Ünïcode-Пароль" })
        assert.equal(0, server:client(transport, 2000, "Ünïcode-Пароль").auth.retcode)
      end)

      it("accounts: dormant, refused or never there, by each of the three manners", function()
        server:control({ op = "account", login = 7, dormant = true })
        assert.equal(13, client:ask("USER_ACCOUNT_GET", { LOGIN = "7" }).retcode)
        assert.equal("10000.00", client:ask("USER_GET", { LOGIN = "7" }).answer.Balance)
        assert.equal("81", tickets(ask(client)))
        assert.equal(2, #client:ask("DEAL_GET_BATCH", { LOGIN = "7", FROM = "0", TO = "99999999999" }).answer)
        local all = { LOGIN = "7,8,9" }
        assert.equal(1, #client:ask("USER_ACCOUNT_GET_BATCH", all).answer)
        server:control({ op = "settings", missing = "partial" })
        local answer = client:ask("USER_ACCOUNT_GET_BATCH", all)
        assert.same({ 14, 1 }, { answer.retcode, #answer.answer })
        assert.equal(14, ask(client, all).retcode)
        server:control({ op = "settings", missing = "refuse" })
        answer = client:ask("USER_ACCOUNT_GET_BATCH", all)
        assert.same({ 13, nil }, { answer.retcode, answer.answer })
        server:control({ op = "settings", missing = "omit" })
        server:control({ op = "account", login = 7, dormant = false, refused = 8 })
        assert.equal(8, client:ask("USER_ACCOUNT_GET", { LOGIN = "7" }).retcode)
        assert.equal("81", tickets(ask(client)))
      end)

      it("late deals: told only when their time has come", function()
        server:control({ op = "account", login = 8, deals_late_ms = 2000 })
        server:control({ op = "close", login = 8, ticket = "81" })
        local function deals()
          return #client:ask("DEAL_GET_BATCH", { LOGIN = "8", FROM = "0", TO = "99999999999" }).answer
        end
        assert.equal("71 72", tickets(ask(client)))
        assert.is_true(deals() < 2)
        assert(loop.eventually(function() return deals() == 2 end, 4000))
      end)

      it("restart: connections are reset, nobody listens for a while, idle accounts are dormant then", function()
        server:control({ op = "account", login = 9 })
        assert.equal(0, client:ask("USER_ACCOUNT_GET", { LOGIN = "9" }).retcode)
        server:control({ op = "restart", down_ms = 60000 })
        assert.is_truthy(ask(client).error)
        local socket = server:socket()
        assert.equal("ECONNREFUSED", socket.refused)
        socket:close()
        server:control({ op = "restart" })
        local again = server:client(transport)
        assert.equal("71 72 81", tickets(ask(again)))
        assert.equal(13, again:ask("USER_ACCOUNT_GET", { LOGIN = "9" }).retcode)
        server:control({ op = "balance", login = 9, amount = 5 })
        assert.equal("10005.00", again:ask("USER_ACCOUNT_GET", { LOGIN = "9" }).answer.Balance)
        assert.equal(2, server:stats().restarts)
      end)

      it("maintenance: accepted and closed, or accepted and never answered", function()
        server:control({ op = "restart", down_ms = 60000, mode = "closed" })
        assert.is_truthy(server:client(transport).auth.error)
        server:control({ op = "restart", down_ms = 60000, mode = "hung" })
        local socket = server:socket()
        socket:send("GET /api/test/access HTTP/1.1\r\n\r\n")
        assert.is_nil(socket:take(1, 100))
        assert.is_false(socket.ended)
        socket:close()
        server:control({ op = "restart" })
        assert.equal(0, server:client(transport).auth.retcode)
      end)

      it("time: the offset changes, and old stamps stay", function()
        server:control({ op = "open", login = 8, position = { Position = "82" } })
        local before = ask(client, { TICKET = "82" }).answer[1]
        loop.sleep(5) -- the change is of a later millisecond
        server:control({ op = "time", zone_minutes = 120, daylight = 1, daylight_state = 1 })
        server:control({ op = "open", login = 8, position = { Position = "83" } })
        assert.same(before, ask(client, { TICKET = "82" }).answer[1])
        local after = ask(client, { TICKET = "83" }).answer[1]
        local ahead = tonumber(after.TimeCreate) - os.time()
        assert.is_true(math.abs(ahead - 3 * 3600) < 30)
        assert.is_true(math.abs(tonumber(after.TimeCreateMsc) / 1000 - tonumber(after.TimeCreate)) <= 1)
        assert.is_true(tonumber(after.TimeCreate) - tonumber(before.TimeCreate) >= 3600)
        local settings = client:ask("TIME_GET").answer
        assert.same({ "120", "1" }, { settings.TimeZone, settings.DaylightState })
      end)
    end)
  end

  describe("of REST alone:", function()
    it("http: statuses and bodies that are no answers", function()
      server:fault({ kind = "http", code = 503, text = "<html>Service Unavailable</html>", html = true }, { skip = 2, count = 1 })
      local client = server:client("rest")
      assert.matches("HTTP 503: not the answer of a Web API", ask(client).error)
      server:fault({ kind = "http", code = 403 }, { command = "AUTH_START", count = 1 })
      assert.matches("HTTP 403", server:client("rest").auth.error)
      server:fault({ kind = "http", code = 200, text = "<html>login</html>", html = true }, { command = "AUTH_START", count = 1 })
      assert.matches("HTTP 200: not the answer", server:client("rest").auth.error)
    end)

    it("a business error may bear an HTTP status of its own", function()
      server:control({ op = "settings", error_status = 400 })
      local answer = server:client("rest"):ask("USER_ACCOUNT_GET", { LOGIN = "99" })
      assert.same({ 13, 400 }, { answer.retcode, answer.status })
    end)
  end)

  describe("of the raw protocol alone:", function()
    it("split: packets of any size, cut inside characters, encrypted one by one", function()
      for _, transport in ipairs({ "raw", "raw-aes" }) do
        local client = server:client(transport)
        for _, bytes in ipairs({ 300, 301, 1, 7, 16, 65535 }) do
          server:fault({ kind = "split", bytes = bytes }, { command = POSITIONS, count = 1 })
          assert.equal("71 72 81", tickets(ask(client)), transport .. " " .. bytes)
        end
        server:control({ op = "settings", packet_bytes = 333 })
        assert.equal("71 72 81", tickets(ask(client)))
        server:control({ op = "settings", packet_bytes = 65534 })
      end
    end)

    it("pings: before, between and after the packets, and by themselves", function()
      local client = server:client("raw-aes")
      server:fault({ kind = "pings", code = 5, bytes = 301 }, { command = POSITIONS, count = 1 })
      local answer = ask(client)
      assert.equal("71 72 81", tickets(answer))
      assert.is_true(answer.pings > 50)
      server:control({ op = "settings", ping_ms = 20 })
      local later
      assert(loop.eventually(function()
        later = client:ask("TEST_ACCESS")
        return later.pings > answer.pings + 5
      end, 5000))
      assert.is_true(server:stats().pings_out >= later.pings)
    end)

    it("an answer of many packets is the same whether they leave one by one or as a whole", function()
      local many, few = webapi.start({ accounts = 400 }), {}
      many:control({
        { op = "settings", freeze = 1 },
        { op = "account", login = 7 },
        { op = "open", login = 7, position = { Position = "71", Comment = ("Zażółć 𝄞 "):rep(3) } },
      })
      for i = 1, 20 do few[i] = 5000000 + i end
      local function rows(client, params, fault)
        if fault then many:fault(fault, { command = POSITIONS, count = 1 }) end
        local answer, list = ask(client, params), {}
        assert.is_nil(answer.error, fault and fault.kind)
        for i, row in ipairs(answer.answer) do
          list[i] = table.concat({ row.Login, row.Position, row.TimeCreate, row.PriceCurrent, row.Profit, row.Comment }, " ")
        end
        return table.concat(list, "\n"), #list
      end
      -- The client's own AES is slow: few accounts, in packets that make many of them.
      for transport, params in pairs({ raw = { GROUP = "*" }, ["raw-aes"] = { LOGIN = "7," .. table.concat(few, ",") } }) do
        local client = many:client(transport)
        local wanted, count = rows(client, params, { kind = "delay", ms = 1 })
        assert.is_true(count >= 20)
        assert.matches("Zażółć 𝄞 Zażółć 𝄞", wanted)
        for _, fault in ipairs({ false, { kind = "split", bytes = 4099 }, { kind = "pings", code = 2, bytes = 4099 } }) do
          assert.is_true(rows(client, params, fault) == wanted, transport .. " " .. (fault and fault.kind or "none"))
        end
        many:fault({ kind = "drop", bytes = 20000 }, { command = POSITIONS, count = 1 })
        assert.is_truthy(ask(client, params).error)
      end
      assert.equal(0, many:stop())
    end)

    it("serial: the answer bears another number", function()
      local client = server:client("raw")
      server:fault({ kind = "serial" }, { command = POSITIONS, count = 1 })
      assert.matches("an answer to 0004 where 0003 was asked", ask(client).error)
    end)
  end)

  it("that does not exist is refused with what was meant", function()
    assert.matches('no such kind of fault: "trunkate"; meant: truncate', server:refusal({ op = "fault", fault = { kind = "trunkate" } }))
    assert.matches('no such op: "frobnicate"', server:refusal({ op = "frobnicate" }))
    assert.matches("mode must be", server:refusal({ op = "restart", mode = "asleep" }))
    assert.matches("packet_bytes must be", server:refusal({ op = "settings", packet_bytes = 65536 }))
    assert.matches('position has no field "Volum"', server:refusal({ op = "settings", omit = { position = { "Volum" } } }))
    assert.matches("not JSON", (server:request("POST", "{") and select(2, server:request("POST", "{")).error))
  end)
end)
