-- The test server of the MetaTrader 5 Web API, judged by a client in another language and byte by byte: what it says,
-- and how strict it is. Its faults are in webapi_faults_spec.lua, its accounts in webapi_accounts_spec.lua.
local json = require("dkjson")
local loop = require("support.loop")
local webapi = require("support.webapi")
local webapi_bytes = require("support.webapi_bytes")

-- Published vectors: the password "Password1", its challenge and proof, and the 256 random bytes 00 … ff.
local SRV_RAND, SRV_PROOF = "73007dc7184747ce0f7c98516ef1c851", "77fe51827f7fa69dd80fbec9aa33f1bb"
local CLI_RAND, CLI_PROOF = "4db98fec17aab4dc5a240bdc659e8395", "1732021b1b332f51660b2b315eed3a35"

local hex, unhex, every_byte = webapi_bytes.hex, webapi_bytes.unhex, webapi_bytes.every

describe("the Web API test server", function()
  local server

  local function start(options)
    server = webapi.start(options)
    return server
  end

  after_each(function() server = webapi.finish(server) end)

  local function account(login, options)
    local doc = { op = "account", login = login }
    for key, value in pairs(options or {}) do
      doc[key] = value
    end
    server:control(doc)
  end

  -- Authenticates on a connection of bytes over REST; the connection.
  local function rest_session()
    server:control({ op = "random", srv_rand = SRV_RAND })
    local socket = server:socket()
    assert.equal(200, (socket:get("/api/auth/start?version=484&agent=spec&login=1000&type=manager")))
    assert.equal(200, (socket:get("/api/auth/answer?srv_rand_answer=" .. SRV_PROOF .. "&cli_rand=" .. CLI_RAND)))
    return socket
  end

  -- The same over the raw protocol.
  local function raw_session(crypt)
    server:control({ op = "random", srv_rand = SRV_RAND, crypt_rand = every_byte })
    local socket = server:socket()
    socket:send("MT5WEBAPI" .. webapi.packet(
      "AUTH_START|VERSION=484|AGENT=spec|LOGIN=1000|TYPE=MANAGER|CRYPT_METHOD=" .. (crypt or "NONE") .. "|\r\n", 1))
    assert.is_truthy(socket:packet())
    socket:send(webapi.packet("AUTH_ANSWER|SRV_RAND_ANSWER=" .. SRV_PROOF .. "|CLI_RAND=" .. CLI_RAND .. "|\r\n", 2))
    assert.is_truthy(socket:packet())
    return socket
  end

  describe("bytes", function()
    it("REST: the published challenge, proof and answer, in the server's own layout", function()
      start():control({ op = "random", srv_rand = SRV_RAND })
      local socket = server:socket()
      local status, body, head = socket:get("/api/auth/start?version=484&agent=spec&login=1000&type=manager")
      assert.equal(200, status)
      assert.matches("Connection: keep%-alive", head)
      assert.equal('{\r\n"retcode" : "0 Done",\r\n"version_access" : "3470",\r\n"srv_rand" : "' .. SRV_RAND .. '"\r\n}\r\n', body)
      body = select(2, socket:get("/api/auth/answer?srv_rand_answer=" .. SRV_PROOF .. "&cli_rand=" .. CLI_RAND))
      assert.equal('{\r\n"retcode" : "0 Done",\r\n"version_access" : "3470",\r\n"version_trade" : "3470",\r\n' ..
        '"cli_rand_answer" : "' .. CLI_PROOF .. '"\r\n}\r\n', body)
      body = select(2, socket:get("/api/test/access"))
      assert.equal('{\r\n"retcode" : "0 Done"\r\n}\r\n', body)
      socket:close()
    end)

    it("raw: the published first packet, the frames around it, and the same proofs", function()
      start():control({ op = "manager", login = 14, password = "Password1" })
      server:control({ op = "random", srv_rand = SRV_RAND, crypt_rand = every_byte })
      local socket = server:socket()
      local first = webapi.packet("AUTH_START|VERSION=484|AGENT=test|LOGIN=14|TYPE=MANAGER|CRYPT_METHOD=AES256OFB|\r\n", 1)
      assert.equal("00a200010", first:sub(1, 9))
      socket:send("MT5WEBAPI" .. first)
      local body, serial, more = socket:packet()
      assert.equal(webapi.wide("AUTH_START|RETCODE=0 Done|VERSION_ACCESS=3470|SRV_RAND=" .. SRV_RAND .. "|\r\n"), body)
      assert.same({ 1, false }, { serial, more })
      socket:send(webapi.packet("AUTH_ANSWER|SRV_RAND_ANSWER=" .. SRV_PROOF .. "|CLI_RAND=" .. CLI_RAND .. "|\r\n", 2))
      body, serial = socket:packet()
      assert.equal(webapi.wide("AUTH_ANSWER|RETCODE=0 Done|VERSION_ACCESS=3470|VERSION_TRADE=3470|CLI_RAND_ANSWER=" ..
        CLI_PROOF .. "|CRYPT_RAND=" .. every_byte .. "|\r\n"), body)
      assert.equal(2, serial)
      socket:close()
    end)

    it("raw: the key material is given without encryption too, which then stays off", function()
      start():control({ op = "random", srv_rand = SRV_RAND, crypt_rand = every_byte })
      local socket = server:socket()
      socket:send("MT5WEBAPI" .. webapi.packet("AUTH_START|VERSION=484|AGENT=a|LOGIN=1000|TYPE=MANAGER|CRYPT_METHOD=NONE\r\n", 1))
      assert.is_truthy(socket:packet())
      socket:send(webapi.packet("AUTH_ANSWER|CLI_RAND=" .. CLI_RAND .. "|SRV_RAND_ANSWER=" .. SRV_PROOF .. "\r\n", 2))
      assert.is_truthy((socket:packet()):find(webapi.wide("|CRYPT_RAND=" .. every_byte .. "|\r\n"), 1, true))
      socket:send(webapi.packet("TEST_ACCESS|\r\n", 3))
      assert.equal(webapi.wide("TEST_ACCESS|RETCODE=0 Done|\r\n"), (socket:packet()))
      socket:close()
    end)

    it("raw: the published ciphers of a first and a second packet, and of the answer", function()
      start()
      local socket = raw_session("AES256OFB")
      socket:send("001c00030" .. unhex("1ef54afe0b0c7554a300657b6d86e9b61c4da24cb70af1463cb77366"))
      assert.equal("283bcc363fe3ac0a3fbca3cf15ecf229ea4867f2645061821087cdde14ec62333af27d4038cb83c38114d40e6afda0603339b8bdb761d3626a75",
        hex((socket:packet())))
      socket:send("001c00040" .. unhex("2ed70dbf1f510e4cfda085275ee5803be33bbc047a6d6a5df641f282"))
      local body, serial = socket:packet()
      assert.same({ 58, 4 }, { #body, serial })
      socket:close()
    end)

    it("raw: a further published vector, two packets under another password", function()
      local second = webapi_bytes.second
      start():control({ op = "manager", login = 33, password = second.password })
      server:control({ op = "random", srv_rand = second.challenge, crypt_rand = second.crypt_rand })
      local socket = server:socket()
      socket:send("MT5WEBAPI" .. webapi.packet("AUTH_START|VERSION=3211|AGENT=a|LOGIN=33|TYPE=MANAGER|CRYPT_METHOD=AES256OFB|\r\n", 1))
      assert.is_truthy(socket:packet())
      socket:send(webapi.packet("AUTH_ANSWER|SRV_RAND_ANSWER=" .. second.proof .. "|CLI_RAND=" .. CLI_RAND .. "|\r\n", 2))
      assert.is_truthy((socket:packet()):find(webapi.wide("RETCODE=0 Done"), 1, true))
      for serial, cipher in ipairs(second.ciphers) do
        socket:send(("001e%04x0"):format(serial + 2) .. unhex(cipher))
        assert.equal(#"SYMBOL_TOTAL|RETCODE=0 Done|TOTAL=12|\r\n" * 2, #socket:packet())
      end
      assert.same({ AUTH_START = 1, AUTH_ANSWER = 1, SYMBOL_TOTAL = 2 }, server:stats().by_command)
      socket:close()
    end)

    it("raw: an empty packet takes no keystream, an encrypted '|' does, and neither is answered", function()
      start()
      local client = server:client("raw-aes")
      client:say("!ping", ""):say("!pipe-ping", ""):say("!pipe-ping", "")
      assert.equal(0, client:ask("TEST_ACCESS").retcode)
      assert.equal(3, server:stats().pings_in)
    end)

    it("raw: documents as the server lays them out, one member a line", function()
      account(7, start() and { user = { Name = 'Zoë "Z" \\ Ünal', Leverage = 200 } })
      local socket = raw_session()
      socket:send(webapi.packet("GROUP_GET|GROUP=demo\\forex|\r\n", 3))
      assert.equal(webapi.wide('GROUP_GET|RETCODE=0 Done|\r\n{\r\n"Group" : "demo\\\\forex",\r\n"Company" : "Tidegate Simulator",\r\n' ..
        '"Currency" : "USD",\r\n"CurrencyDigits" : "2",\r\n"MarginMode" : "2",\r\n"MarginSOMode" : "0",\r\n' ..
        '"MarginCall" : "100.00",\r\n"MarginStopOut" : "50.00",\r\n"Symbols" : []\r\n}\r\n'), (socket:packet()))
      socket:close()
      assert.equal('Zoë "Z" \\ Ünal', server:client("raw"):ask("USER_GET", { LOGIN = "7" }).answer.Name)
      assert.equal('Zoë "Z" \\ Ünal', server:client("rest"):ask("USER_GET", { LOGIN = "7" }).answer.Name)
    end)

    it("raw: commands with and without the last bar, with escapes, and in several packets", function()
      start():control({ op = "group", group = "a=b|c\\d" })
      local socket = raw_session()
      socket:send(webapi.packet("TEST_ACCESS\r\n", 3))
      assert.equal(webapi.wide("TEST_ACCESS|RETCODE=0 Done|\r\n"), (socket:packet()))
      socket:send(webapi.packet("GROUP_GET|GROUP=a\\=b\\|c\\\\d|\r\n", 4))
      assert.is_truthy((socket:packet()):find(webapi.wide("GROUP_GET|RETCODE=0 Done|"), 1, true))
      local wide = webapi.wide("TEST_ACCESS|\r\n")
      socket:send(("%04x00051"):format(5) .. wide:sub(1, 5) .. ("%04x00050"):format(#wide - 5) .. wide:sub(6))
      assert.equal(webapi.wide("TEST_ACCESS|RETCODE=0 Done|\r\n"), (socket:packet()))
      socket:close()
    end)
  end)

  describe("both transports", function()
    for _, transport in ipairs({ "rest", "rest-post", "rest-old", "raw", "raw-aes" }) do
      it(transport .. " answers every command that reads", function()
        start({ accounts = 4 })
        account(7, { group = "real\\vip" })
        server:control({
          { op = "open", login = 7, position = { Symbol = "EURUSD" } },
          { op = "open", login = 7, position = { Symbol = "XAUUSD", Action = 1 } },
          { op = "order", login = 7, order = { Order = "9007199254740993" } },
          { op = "order", login = 7, order = { Order = "901" } },
          { op = "order_done", login = 7, ticket = "901", state = 2 },
        })
        local client = server:client(transport)
        assert.equal(0, client.auth.retcode)
        local window = { FROM = "0", TO = "99999999999" }
        local function with(params)
          for key, value in pairs(window) do
            params[key] = value
          end
          return params
        end
        local function ask(command, params)
          local answer = client:ask(command, params)
          assert.equal(0, answer.retcode, command .. ": " .. json.encode(answer))
          return answer.answer, answer
        end
        ask("TEST_ACCESS")
        assert.equal("7", ask("USER_ACCOUNT_GET", { LOGIN = "7" }).Login)
        assert.equal(2, #ask("USER_ACCOUNT_GET_BATCH", { LOGIN = "7,5000001" }))
        assert.equal(4, #ask("USER_ACCOUNT_GET_BATCH", { GROUP = "*,!real\\*" }))
        assert.equal("real\\vip", ask("USER_GET", { LOGIN = "7" }).Group)
        assert.equal(5, #ask("USER_GET_BATCH", { GROUP = "*" }))
        assert.same({ "7" }, ask("USER_LOGINS", { GROUP = "real\\*" }))
        assert.equal("1", ask("POSITION_GET", { LOGIN = "7", SYMBOL = "XAUUSD" }).Action)
        assert.equal(2, #ask("POSITION_GET_PAGE", { LOGIN = "7", OFFSET = "0", TOTAL = "100" }))
        assert.equal("XAUUSD", ask("POSITION_GET_PAGE", { LOGIN = "7", OFFSET = "1", TOTAL = "1" })[1].Symbol)
        assert.equal(2, #ask("POSITION_GET_BATCH", { LOGIN = "7" }))
        assert.equal(1, #ask("POSITION_GET_BATCH", { GROUP = "real\\*", SYMBOL = "XAU*" }))
        assert.equal("9007199254740993", ask("ORDER_GET", { TICKET = "9007199254740993" }).Order)
        assert.equal(1, #ask("ORDER_GET_PAGE", { LOGIN = "7", OFFSET = "0", TOTAL = "100" }))
        assert.equal(1, #ask("ORDER_GET_BATCH", { TICKET = "9007199254740993" }))
        assert.equal("2", ask("HISTORY_GET", { TICKET = "901" }).State)
        assert.equal(2, #ask("HISTORY_GET_PAGE", with({ LOGIN = "7", OFFSET = "1", TOTAL = "9" })))
        assert.equal(3, #ask("HISTORY_GET_BATCH", with({ LOGIN = "7" })))
        local deals = ask("DEAL_GET_BATCH", with({ LOGIN = "7" }))
        assert.equal(2, #deals)
        assert.equal(deals[1].Deal, ask("DEAL_GET", { TICKET = deals[1].Deal }).Deal)
        assert.equal(1, #ask("DEAL_GET_PAGE", with({ LOGIN = "7", OFFSET = "1", TOTAL = "9" })))
        for word, expected in pairs({ POSITION = "2", ORDER = "1", HISTORY = "3", DEAL = "2" }) do
          local dated = word == "HISTORY" or word == "DEAL"
          local answer, whole = ask(word .. "_GET_TOTAL", dated and with({ LOGIN = "7" }) or { LOGIN = "7" })
          local total = answer and answer.total or whole.fields.total
          assert.equal(expected, total)
        end
        assert.equal("2", ask("GROUP_GET", { GROUP = "real\\vip" }).MarginMode)
        assert.equal("5", ask("SYMBOL_GET", { SYMBOL = "EURUSD" }).Digits)
        local time = ask("TIME_GET")
        assert.same({ "120", 7, 24 }, { time.TimeZone, #time.Days, #time.Days[1] })
        local answer, whole = ask("TIME_SERVER")
        local text = answer and answer.time or whole.fields.time
        local seconds, date = text:match("^(%d+) (%d+%.%d+%.%d+ %d+:%d+:%d+)$")
        assert.equal(os.date("!%Y.%m.%d %H:%M:%S", tonumber(seconds)), date)
        assert.is_true(math.abs(tonumber(seconds) - 7200 - os.time()) < 30)
        ask("QUIT")
        assert.equal(0, server:stats().writes)
      end)
    end

    it("tells the same documents over both, to the byte, and every scalar as text", function()
      start({ accounts = 8 }):control({ op = "settings", freeze = true })
      local rest, raw = rest_session(), raw_session()
      local serial = 2
      for _, pair in ipairs({
        { "/api/user/account/get_batch?group=*", "USER_ACCOUNT_GET_BATCH|GROUP=*|\r\n" },
        { "/api/user/get?login=5000003", "USER_GET|LOGIN=5000003|\r\n" },
        { "/api/position/get_batch?group=*", "POSITION_GET_BATCH|GROUP=*|\r\n" },
        { "/api/deal/get_batch?group=*&from=0&to=99999999999", "DEAL_GET_BATCH|GROUP=*|FROM=0|TO=99999999999|\r\n" },
        { "/api/symbol/get?symbol=USDJPY", "SYMBOL_GET|SYMBOL=USDJPY|\r\n" },
        { "/api/time/get", "TIME_GET|\r\n" },
      }) do
        local _, body = rest:get(pair[1])
        local document = body:match('^{\r\n"retcode" : "0 Done",\r\n"answer" : (.*)\r\n}\r\n$')
        serial = serial + 1
        raw:send(webapi.packet(pair[2], serial))
        local message, more = ""
        repeat
          local part
          part, _, more = raw:packet()
          message = message .. part
        until not more
        local text = message:gsub("%z", ""):match("^[^\r]*|\r\n(.*)\r\n$")
        assert.equal(document, text)
        assert.is_nil(text:match('" : [^"%[{]'), "a scalar that is no text")
        assert.is_true(#text > 100)
      end
      rest:close()
      raw:close()
    end)

    it("let clients walk through symbols and groups", function()
      start({ accounts = 3 })
      for _, transport in ipairs({ "rest", "raw" }) do
        local client = server:client(transport)
        local function total(command)
          local answer = client:ask(command)
          return tonumber(answer.answer and answer.answer.total or answer.fields.total)
        end
        assert.equal("EURUSD", client:ask("SYMBOL_NEXT", { INDEX = "0" }).answer.Symbol)
        assert.equal("ETHUSD", client:ask("SYMBOL_NEXT", { INDEX = total("SYMBOL_TOTAL") - 1 }).answer.Symbol)
        assert.equal(13, client:ask("SYMBOL_NEXT", { INDEX = total("SYMBOL_TOTAL") }).retcode)
        assert.equal(3, client:ask("SYMBOL_NEXT").retcode)
        assert.is_truthy(client:ask("GROUP_NEXT", { INDEX = total("GROUP_TOTAL") - 1 }).answer.Group)
        assert.equal(3, total("USER_TOTAL"))
      end
    end)

    it("over HTTPS as well", function()
      local certificate = webapi.certificate()
      start({ accounts = 1, certificate = certificate })
      local client = server:client("rests")
      assert.equal(0, client.auth.retcode, client.auth.error)
      assert.equal("5000001", client:ask("USER_ACCOUNT_GET", { LOGIN = "5000001" }).answer.Login)
      assert.equal(0, server:client("raw").auth.retcode)
    end)
  end)

  describe("is strict:", function()
    it("a wrong password ends in 1001, over REST with 403, and the connection", function()
      start()
      for _, transport in ipairs({ "rest", "raw", "raw-aes" }) do
        local client = server:client(transport, nil, "Password2")
        assert.equal(1001, client.auth.retcode)
        assert.equal(transport == "rest" and 403 or nil, client.auth.status)
        assert.is_truthy(client:ask("TEST_ACCESS").error or transport == "rest")
      end
      assert.equal(1001, server:client("raw", 4711).auth.retcode)
      local socket = server:socket()
      socket:get("/api/auth/start?version=484&agent=x&login=1000&type=manager")
      local status = socket:get("/api/auth/answer?srv_rand_answer=" .. SRV_PROOF .. "&cli_rand=" .. CLI_RAND)
      assert.equal(403, status)
      assert.equal("EOF", socket:closed())
      socket:close()
      assert.equal(0, server:stats().authenticated)
    end)

    it("a session is its connection's", function()
      start()
      local good = rest_session()
      local other = server:socket()
      local status, body = other:get("/api/user/logins?group=*")
      assert.equal(403, status)
      assert.equal("8 Not enough permissions", json.decode(body).retcode)
      assert.equal("EOF", other:closed())
      assert.equal(200, (good:get("/api/test/access")))
      good:close()
      other:close()
      local raw = server:socket()
      raw:send("MT5WEBAPI" .. webapi.packet("USER_LOGINS|GROUP=*|\r\n", 1))
      assert.is_truthy((raw:packet()):find(webapi.wide("RETCODE=8 "), 1, true))
      assert.equal("EOF", raw:closed())
      raw:close()
    end)

    it("asks for its cookie when told to", function()
      start():control({ op = "settings", cookie = 2 })
      assert.equal(0, server:client("rest"):ask("TEST_ACCESS").retcode)
      local socket = server:socket()
      local _, _, head = socket:get("/api/auth/start?version=484&agent=x&login=1000&type=manager")
      assert.matches("Set%-Cookie: session=%x+", head)
      assert.equal(403, (socket:get("/api/auth/answer?srv_rand_answer=" .. SRV_PROOF .. "&cli_rand=" .. CLI_RAND)))
      socket:close()
    end)

    it("an answer later than the window is refused", function()
      start():control({ op = "settings", auth_window_ms = 50 })
      server:control({ op = "random", srv_rand = SRV_RAND })
      local socket = server:socket()
      socket:get("/api/auth/start?version=484&agent=x&login=1000&type=manager")
      loop.sleep(120)
      local status, body = socket:get("/api/auth/answer?srv_rand_answer=" .. SRV_PROOF .. "&cli_rand=" .. CLI_RAND)
      assert.equal(403, status)
      assert.equal("1001 Invalid account", json.decode(body).retcode)
      socket:close()
    end)

    it("silence for longer than the idle time ends a connection, pings hold it", function()
      start():control({ op = "settings", idle_ms = 1500 })
      local quiet, talking = raw_session(), raw_session()
      assert(loop.eventually(function()
        talking:send("000000020")
        return quiet.ended
      end, 5000))
      assert.equal("EOF", quiet.ended)
      assert.is_false(talking.ended)
      assert.equal(1, server:stats().closed_idle)
      quiet:close()
      talking:close()
    end)

    it("bad frames end the connection: no hex, a server's serial, the prefix twice, no UTF-16", function()
      start()
      for _, bytes in ipairs({ "00zz00030", "0002400010" .. "a", "MT5WEBAPI" .. webapi.packet("QUIT|\r\n", 3),
        "000300030abc", "000200030\0\220" }) do
        local socket = raw_session()
        socket:send(bytes)
        assert.equal("EOF", socket:closed(), bytes)
        socket:close()
      end
      assert.equal(5, server:stats().protocol_errors)
    end)

    it("plain text on an encrypted connection ends it or is not understood", function()
      start()
      local socket = raw_session("AES256OFB")
      socket:send(webapi.packet("TEST_ACCESS|\r\n", 3))
      local body = socket:packet(1000)
      assert.is_true(not body or not body:find(webapi.wide("RETCODE=0"), 1, true))
      socket:close()
    end)

    it("serials that do not count up are answered, and counted against the client", function()
      start()
      local socket = raw_session()
      assert.equal(0, server:stats().serial_jumps)
      socket:send(webapi.packet("TEST_ACCESS|\r\n", 9))
      assert.equal(9, select(2, socket:packet()))
      socket:send(webapi.packet("TEST_ACCESS|\r\n", 0x3fff) .. webapi.packet("TEST_ACCESS|\r\n", 1))
      assert.equal(0x3fff, select(2, socket:packet()))
      assert.equal(1, select(2, socket:packet()))
      assert.equal(2, server:stats().serial_jumps)
      socket:close()
    end)

    it("parameters: 3 for what is missing, wrong or too much", function()
      start({ accounts = 2 })
      for _, transport in ipairs({ "rest", "raw" }) do
        local client = server:client(transport)
        for _, case in ipairs({
          { "USER_ACCOUNT_GET" },
          { "USER_ACCOUNT_GET", { LOGIN = "x" } },
          { "USER_ACCOUNT_GET_BATCH" },
          { "USER_ACCOUNT_GET_BATCH", { LOGIN = "5000001", GROUP = "*" } },
          { "USER_ACCOUNT_GET_BATCH", { LOGIN = "5000001,x" } },
          { "POSITION_GET_BATCH", { LOGIN = "5000001", TICKET = "1" } },
          { "POSITION_GET_PAGE", { LOGIN = "5000001", OFFSET = "0", TOTAL = "101" } },
          { "POSITION_GET_PAGE", { LOGIN = "5000001", OFFSET = "0", TOTAL = "-1" } },
          { "POSITION_GET_PAGE", { LOGIN = "5000001", OFFSET = "0", TOTAL = "x" } },
          { "POSITION_GET_PAGE", { LOGIN = "5000001", TOTAL = "1" } },
          { "POSITION_GET_PAGE", { LOGIN = "5000001", OFFSET = "-1", TOTAL = "1" } },
          { "POSITION_GET", { LOGIN = "5000001" } },
          { "DEAL_GET_BATCH", { LOGIN = "5000001" } },
          { "DEAL_GET_BATCH", { GROUP = "*", FROM = "0" } },
          { "DEAL_GET_TOTAL", { LOGIN = "5000001", FROM = "0" } },
          { "DEAL_GET", { TICKET = "" } },
          { "GROUP_GET" },
          { "SYMBOL_GET" },
        }) do
          assert.equal(3, client:ask(case[1], case[2]).retcode, transport .. " " .. case[1])
        end
        assert.equal(13, client:ask("USER_ACCOUNT_GET", { LOGIN = "99" }).retcode)
        assert.equal(13, client:ask("DEAL_GET", { TICKET = "99" }).retcode)
        assert.equal(13, client:ask("SYMBOL_GET", { SYMBOL = "NONE" }).retcode)
        assert.equal(12000, client:ask("TRADE_BALANCE", { LOGIN = "5000001" }).retcode)
        assert.equal(12000, client:ask("USER_ADD", {}).retcode)
        assert.equal(12002, client:ask("FROBNICATE").retcode)
      end
      assert.equal(4, server:stats().writes)
    end)

    it("what a client must say of itself: 3, 1000 and 1010", function()
      start()
      for query, code in pairs({
        ["version=484&agent=&login=1000&type=manager"] = 3,
        ["version=484&agent=a%20b&login=1000&type=manager"] = 3,
        ["version=484&agent=a&login=x&type=manager"] = 3,
        ["agent=a&login=1000&type=manager"] = 3,
        ["version=483&agent=a&login=1000&type=manager"] = 1010,
        ["version=484&agent=a&login=1000&type=client"] = 1000,
      }) do
        local socket = server:socket()
        local _, body = socket:get("/api/auth/start?" .. query)
        assert.equal(code, tonumber(json.decode(body).retcode:match("^%d+")), query)
        socket:close()
      end
    end)

    it("lists in a body are read as they are in the query, ids beyond 2^53 to the digit", function()
      start()
      account(7)
      server:control({ op = "open", login = 7, position = { Position = "9223372036854775809" } })
      server:control({ op = "open", login = 7 })
      local client = server:client("rest")
      assert.equal(1, #client:ask("POSITION_GET_BATCH", {}, '{"ticket":[9223372036854775809]}').answer)
      assert.equal(2, #client:ask("POSITION_GET_BATCH", {}, '{"login":["7"]}').answer)
      assert.equal(2, #client:ask("POSITION_GET_BATCH", {}, '{"group":["demo\\\\*","!real\\\\*"]}').answer)
      assert.equal(3, client:ask("POSITION_GET_BATCH", {}, '{"Login":["7"]}').retcode)
    end)

    it("heads with stray line feeds and indentation are read, and a connection is closed when asked", function()
      start()
      local socket = server:socket()
      socket:send("GET /api/auth/start?version=484&agent=a&login=1000&type=manager HTTP/1.1\r\n\n      Connection: keep-alive\r\n\n      Host: x\r\n\r\n")
      assert.equal(200, (socket:response()))
      assert.is_false(socket.ended)
      socket:send("GET /api/quit HTTP/1.0\r\nHost: x\r\n\r\n")
      local status, _, head = socket:response()
      assert.equal(200, status)
      assert.matches("Connection: close", head)
      assert.equal("EOF", socket:closed())
      socket:close()
    end)

    it("what is not HTTP, not a path of the API or not GET and POST is refused", function()
      start()
      local socket = server:socket()
      assert.equal(404, (socket:get("/index/of/nothing")))
      socket:send("PUT /api/test/access HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
      assert.equal(400, (socket:response()))
      socket:send("nonsense\r\n\r\n")
      assert.equal(400, (socket:response()))
      assert.equal("EOF", socket:closed())
      socket:close()
    end)
  end)
end)
