-- The test server of the MetaTrader 5 Web API, judged by a client in another language and byte by byte: what it says. How
-- strict it is stands in webapi_strict_spec.lua, its faults in webapi_faults_spec.lua, its accounts in
-- webapi_accounts_spec.lua, what other people's clients send in webapi_clients_spec.lua.
local json = require("dkjson")
local webapi = require("support.webapi")
local webapi_bytes = require("support.webapi_bytes")

-- Published vectors: the challenges for the password "Password1" and their proofs, and the 256 random bytes 00 … ff.
local SRV_RAND, SRV_PROOF = webapi_bytes.SRV_RAND, webapi_bytes.SRV_PROOF
local CLI_RAND, CLI_PROOF = webapi_bytes.CLI_RAND, webapi_bytes.CLI_PROOF
local hex, unhex, every_byte = webapi_bytes.hex, webapi_bytes.unhex, webapi_bytes.every

describe("the Web API test server", function()
  local server

  local function start(options)
    server = webapi.start(options)
    return server
  end

  after_each(function() server = webapi.finish(server) end)

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
      local socket = server:raw_session("AES256OFB")
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
      start():account(7, { user = { Name = 'Zoë "Z" \\ Ünal', Leverage = 200 } })
      local socket = server:raw_session()
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
      local socket = server:raw_session()
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
        server:account(7, { group = "real\\vip" })
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
      local rest, raw = server:rest_session(), server:raw_session()
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
end)
