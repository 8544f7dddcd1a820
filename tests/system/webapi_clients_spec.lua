-- What clients that others wrote were seen to send to the test server of the Web API, byte for byte, and what they need to
-- read in its answers. docs/webapi-server.md says which clients, and how they were run.
local json = require("dkjson")
local loop = require("support.loop")
local webapi = require("support.webapi")
local webapi_bytes = require("support.webapi_bytes")

-- The published challenges, with which everything below was seen.
local SRV_RAND, SRV_PROOF = webapi_bytes.SRV_RAND, webapi_bytes.SRV_PROOF
local CLI_RAND, CLI_PROOF = webapi_bytes.CLI_RAND, webapi_bytes.CLI_PROOF

local hex, unhex, every_byte, wide = webapi_bytes.hex, webapi_bytes.unhex, webapi_bytes.every, webapi.wide

describe("Clients that others wrote:", function()
  local server

  before_each(function()
    server = webapi.start()
    server:control({
      { op = "random", srv_rand = SRV_RAND, crypt_rand = every_byte },
      { op = "account", login = 7 },
      { op = "open", login = 7, position = { Symbol = "EURUSD" } },
    })
  end)

  after_each(function() server = webapi.finish(server) end)

  -- A message of several packets, put together; its serial.
  local function message(socket)
    local whole, part, serial, more = ""
    repeat
      part, serial, more = socket:packet()
      whole = whole .. assert(part, "no answer: " .. tostring(socket.ended))
    until not more
    return whole, serial
  end

  local function text_of(socket)
    local whole, serial = message(socket)
    return (whole:gsub("%z", "")), serial
  end

  describe("MetaQuotes' PHP classes over the raw protocol", function()
    local function authenticate(socket, first_header, crypt)
      socket:send("MT5WEBAPI" .. first_header ..
        wide("AUTH_START|VERSION=2190|AGENT=WebAPI|LOGIN=1000|TYPE=MANAGER|CRYPT_METHOD=" .. crypt .. "|\r\n"))
      assert.equal("AUTH_START|RETCODE=0 Done|VERSION_ACCESS=3470|SRV_RAND=" .. SRV_RAND .. "|\r\n", (text_of(socket)))
      socket:send("00d200020" .. wide("AUTH_ANSWER|SRV_RAND_ANSWER=" .. SRV_PROOF .. "|CLI_RAND=" .. CLI_RAND .. "|\r\n"))
      assert.truthy((text_of(socket)):find("|CLI_RAND_ANSWER=" .. CLI_PROOF .. "|CRYPT_RAND=" .. every_byte .. "|\r\n", 1, true))
    end

    it("without encryption: pings of one '|' take serials and are not answered", function()
      local socket = server:socket()
      authenticate(socket, "00a200010", "NONE")
      socket:send("001c00030" .. wide("TEST_ACCESS|\r\n"))
      assert.same({ "TEST_ACCESS|RETCODE=0 Done|\r\n", 3 }, { text_of(socket) })
      socket:send("000600040" .. wide("|\r\n") .. "000600050" .. wide("|\r\n"))
      socket:send("003a00060" .. wide("POSITION_GET_TOTAL|LOGIN=7|\r\n"))
      assert.same({ "POSITION_GET_TOTAL|RETCODE=0 Done|TOTAL=1|\r\n", 6 }, { text_of(socket) })
      socket:send("005e00070" .. wide("POSITION_GET_PAGE|LOGIN=7|OFFSET=0|TOTAL=100|\r\n"))
      local page, serial = text_of(socket)
      assert.equal(7, serial)
      assert.equal("EURUSD", json.decode(page:match("^POSITION_GET_PAGE|RETCODE=0 Done|\r\n(.*)$"))[1].Symbol)
      -- A backslash is doubled on its way; "demo\forex" is meant.
      socket:send("003c00080" .. wide("GROUP_GET|GROUP=demo\\\\forex|\r\n"))
      assert.truthy((text_of(socket)):find('"Group" : "demo\\\\forex"', 1, true))
      socket:send("000e00090" .. wide("QUIT|\r\n"))
      assert.same({ "QUIT|RETCODE=0 Done|\r\n", 9 }, { text_of(socket) })
      assert.equal("EOF", socket:closed())
      socket:close()
      local stats = server:stats()
      assert.same({ 2, 0, 0 }, { stats.pings_in, stats.serial_jumps, stats.protocol_errors })
    end)

    it("with encryption: the same words, each packet from the edge of a block", function()
      local socket = server:socket()
      authenticate(socket, "00ac00010", "AES256OFB")
      local sizes = {
        TEST_ACCESS = #"TEST_ACCESS|RETCODE=0 Done|\r\n" * 2,
        POSITION_GET_TOTAL = #"POSITION_GET_TOTAL|RETCODE=0 Done|TOTAL=1|\r\n" * 2,
        QUIT = #"QUIT|RETCODE=0 Done|\r\n" * 2,
      }
      for number, seen in ipairs(webapi_bytes.seen) do
        local body, name = unhex(seen[2]), seen[1]:match("^[^|]*")
        socket:send(("%04x%04x0"):format(#body, number + 2) .. body)
        if name ~= "" then
          local cipher, serial = message(socket)
          assert.equal(number + 2, serial)
          if sizes[name] then assert.equal(sizes[name], #cipher, name) end
          if name == "TEST_ACCESS" then
            assert.equal("283bcc363fe3ac0a3fbca3cf15ecf229ea4867f2645061821087cdde14ec62333af27d4038cb83c38114d40e6afda0603339b8bdb761d3626a75", hex(cipher))
          end
        end
      end
      assert.equal("EOF", socket:closed())
      socket:close()
      local stats = server:stats()
      assert.same({ AUTH_START = 1, AUTH_ANSWER = 1, TEST_ACCESS = 1, POSITION_GET_TOTAL = 1, POSITION_GET_PAGE = 1, GROUP_GET = 1, QUIT = 1 },
        stats.by_command)
      assert.same({ 2, 0, 0 }, { stats.pings_in, stats.serial_jumps, stats.protocol_errors })
    end)
  end)

  it("a client of Node names its type 'Manager', reads key material without encryption, and is given whole answers in small packets", function()
    server:control({ op = "settings", packet_bytes = 301 })
    local socket = server:socket()
    socket:send("MT5WEBAPI00b200010" ..
      wide("AUTH_START|VERSION=5570|AGENT=MT5-RISK-PROBE|LOGIN=1000|TYPE=Manager|CRYPT_METHOD=NONE|\r\n"))
    assert.truthy((text_of(socket)):find("|SRV_RAND=" .. SRV_RAND .. "|\r\n", 1, true))
    socket:send("00d200020" .. wide("AUTH_ANSWER|SRV_RAND_ANSWER=" .. SRV_PROOF .. "|CLI_RAND=" .. CLI_RAND .. "|\r\n"))
    assert.truthy((text_of(socket)):find("|CRYPT_RAND=" .. every_byte .. "|\r\n", 1, true))
    socket:send("003a00030" .. wide("POSITION_GET_BATCH|LOGIN=7|\r\n"))
    local batch = text_of(socket)
    assert.equal("7", json.decode(batch:match("|\r\n(.*)$"))[1].Login)
    socket:close()
  end)

  it("a client of Python counts from 2 and pings with the serial 0", function()
    local socket = server:socket()
    socket:send("MT5WEBAPI00c200020" ..
      wide("AUTH_START|VERSION=3211|AGENT=WebApiExtensionExample|LOGIN=1000|TYPE=MANAGER|CRYPT_METHOD=NONE|\r\n"))
    assert.same({ "AUTH_START|RETCODE=0 Done|VERSION_ACCESS=3470|SRV_RAND=" .. SRV_RAND .. "|\r\n", 2 }, { text_of(socket) })
    socket:send("00d200030" .. wide("AUTH_ANSWER|SRV_RAND_ANSWER=" .. SRV_PROOF .. "|CLI_RAND=" .. CLI_RAND .. "|\r\n"))
    assert.equal(3, select(2, message(socket)))
    socket:send("000000000002c00040" .. wide("SYMBOL_NEXT|INDEX=0|\r\n"))
    local answer, serial = text_of(socket)
    assert.equal(4, serial)
    assert.equal("EURUSD", json.decode(answer:match("|\r\n(.*)$")).Symbol)
    socket:close()
    assert.equal(1, server:stats().pings_in)
  end)

  -- The document of a REST answer; the status must be 200.
  local function answer_of(socket, request)
    socket:send(request)
    local status, body = socket:response()
    assert.equal(200, status, request)
    return json.decode(body)
  end

  it("MetaQuotes' PHP class over REST posts nothing where it gets, and lists as a body", function()
    local head = " HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\nConnection: Keep-Alive\r\nContent-Length: %d\r\n" ..
      "Content-Type: application/x-www-form-urlencoded\r\n\r\n%s"
    local socket = server:socket()
    local function post(path, body)
      return answer_of(socket, "POST " .. path .. head:format(#(body or ""), body or ""))
    end
    assert.equal(SRV_RAND, post("/api/auth/start?version=3470&agent=WebManager&login=1000&type=manager").srv_rand)
    assert.equal(CLI_PROOF, post("/api/auth/answer?srv_rand_answer=" .. SRV_PROOF .. "&cli_rand=" .. CLI_RAND).cli_rand_answer)
    assert.same({ total = "1" }, post("/api/position/get_total?login=7").answer)
    assert.equal("7", post("/api/position/get_batch", '{"login":[7]}').answer[1].Login)
    assert.equal("0 Done", post("/api/test/access").retcode)
    socket:close()
    assert.equal(1, server:stats().connections)
  end)

  it("clients of Node and Python over REST read 'time' and 'total', leave a selector empty, and ask for pages without saying how much", function()
    local opens = {}
    for i = 1, 119 do
      opens[i] = { op = "open", login = 7, position = { Symbol = "EURUSD" } }
    end
    server:control(opens)
    local socket = server:socket()
    local function get(path)
      return answer_of(socket, "GET " .. path .. " HTTP/1.1\r\nConnection: keep-alive\r\nHost: 127.0.0.1\r\n\r\n").answer
    end
    get("/api/auth/start?version=1985&agent=WebManager&login=1000&type=manager")
    get("/api/auth/answer?srv_rand_answer=" .. SRV_PROOF .. "&cli_rand=" .. CLI_RAND)
    assert.matches("^%d+ %d+%.%d+%.%d+ %d+:%d+:%d+$", get("/api/time/server").time)
    assert.equal(120, #get("/api/position/get_batch?login=7&group="))
    assert.equal(120, #get("/api/position/get_batch?login=&group=*"))
    assert.equal("120", get("/api/deal/get_total?from=0&to=2000000000&login=7").total)
    assert.equal(100, #get("/api/deal/get_page?offset=0&from=0&to=2000000000&login=7"))
    assert.equal(20, #get("/api/deal/get_page?offset=100&from=0&to=2000000000&login=7"))
    assert.equal(100, #get("/api/position/get_page?login=7&offset=0&total=0"))
    assert.equal("0", get("/api/order/get_total?login=7&offset=0&total=0").total)
    socket:close()
  end)

  it("members are spelled as MetaTrader's documentation has them when told to", function()
    server:control({ op = "settings", lower_members = false })
    local client = server:client("rest")
    assert.same({ Total = "1" }, client:ask("POSITION_GET_TOTAL", { LOGIN = "7" }).answer)
    assert.truthy(client:ask("TIME_SERVER").answer.Time)
    assert.equal("1", server:client("raw"):ask("POSITION_GET_TOTAL", { LOGIN = "7" }).fields.total)
  end)

  it("silence of the client's own is not broken by pings of the server's, which hold nothing", function()
    server:control({ op = "settings", idle_ms = 700, ping_ms = 20 })
    local socket = server:socket()
    socket:send("MT5WEBAPI00a200010" ..
      wide("AUTH_START|VERSION=2190|AGENT=WebAPI|LOGIN=1000|TYPE=MANAGER|CRYPT_METHOD=NONE|\r\n"))
    message(socket)
    socket:send("00d200020" .. wide("AUTH_ANSWER|SRV_RAND_ANSWER=" .. SRV_PROOF .. "|CLI_RAND=" .. CLI_RAND .. "|\r\n"))
    message(socket)
    assert.equal("EOF", socket:closed())
    assert.truthy(#socket.text >= 9 and #socket.text % 9 == 0)
    for header in socket.text:gmatch(".........") do
      local serial = tonumber(header:match("^0000(%x%x%x%x)0$"), 16)
      assert.truthy(serial and serial >= 0x4000 and serial <= 0x7fff, header)
    end
    socket:close()
    assert.truthy(loop.eventually(function() return server:stats().closed_idle == 1 end, 5000))
  end)
end)
