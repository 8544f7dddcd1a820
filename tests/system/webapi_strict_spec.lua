-- How strict the test server of the MetaTrader 5 Web API is: what a real server refuses, it refuses, and who breaks the
-- protocol is left.
local json = require("dkjson")
local loop = require("support.loop")
local webapi = require("support.webapi")
local webapi_bytes = require("support.webapi_bytes")

local SRV_RAND, SRV_PROOF = webapi_bytes.SRV_RAND, webapi_bytes.SRV_PROOF
local CLI_RAND = webapi_bytes.CLI_RAND

describe("the Web API test server is strict:", function()
  local server

  local function start(options)
    server = webapi.start(options)
    return server
  end

  after_each(function() server = webapi.finish(server) end)

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
    local good = server:rest_session()
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
    local quiet, talking = server:raw_session(), server:raw_session()
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
      local socket = server:raw_session()
      socket:send(bytes)
      assert.equal("EOF", socket:closed(), bytes)
      socket:close()
    end
    assert.equal(5, server:stats().protocol_errors)
  end)

  it("plain text on an encrypted connection ends it or is not understood", function()
    start()
    local socket = server:raw_session("AES256OFB")
    socket:send(webapi.packet("TEST_ACCESS|\r\n", 3))
    local body = socket:packet(1000)
    assert.is_true(not body or not body:find(webapi.wide("RETCODE=0"), 1, true))
    socket:close()
  end)

  it("serials that do not count up are answered, and counted against the client", function()
    start()
    local socket = server:raw_session()
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
    server:account(7)
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

  it("its limits are the known ones unless a test sets others", function()
    local limits = start():control({ op = "settings" })
    assert.same({ 10000, 180000, 20000, 65534 }, { limits.auth_window_ms, limits.idle_ms, limits.ping_ms, limits.packet_bytes })
    assert.equal(50, server:control({ op = "settings", auth_window_ms = 50 }).auth_window_ms)
  end)

  it("the steps of the authentication come in their order, once, and are written as they should be", function()
    start()
    local answer = "/api/auth/answer?srv_rand_answer=" .. SRV_PROOF .. "&cli_rand=" .. CLI_RAND
    local function refusal(path, first)
      local socket = server:socket()
      if first then assert.equal(200, (socket:get(first))) end
      local status, body = socket:get(path)
      assert.equal("EOF", socket:closed())
      socket:close()
      return { status, json.decode(body).retcode }
    end
    assert.same({ 403, "1001 Invalid account" }, refusal(answer))
    server:control({ op = "random", srv_rand = SRV_RAND })
    local begin = "/api/auth/start?version=484&agent=x&login=1000&type=manager"
    assert.same({ 403, "3 Invalid parameters" }, refusal(answer:sub(1, -2), begin))
    assert.same({ 403, "3 Invalid parameters" }, refusal(answer:gsub("=77", "=7x"), begin))
    local session = server:rest_session()
    local _, body = session:get(begin)
    assert.equal("3 Invalid parameters", json.decode(body).retcode)
    assert.equal(200, (session:get("/api/test/access")))
    session:close()
  end)

  it("an encryption that it does not know is refused, one letter off as well", function()
    start()
    for _, method in ipairs({ "AES2560FB", "aes256ofb", "AES128" }) do
      local socket = server:socket()
      socket:send("MT5WEBAPI" ..
        webapi.packet("AUTH_START|VERSION=484|AGENT=a|LOGIN=1000|TYPE=MANAGER|CRYPT_METHOD=" .. method .. "|\r\n", 1))
      assert.equal(webapi.wide("AUTH_START|RETCODE=3 Invalid parameters|\r\n"), (socket:packet()), method)
      socket:close()
    end
  end)

  it("a packet may be as long as its header can say, a message of packets 4 MiB", function()
    start({ accounts = 1 })
    local socket = server:raw_session()
    local command = "USER_GET_BATCH|LOGIN=5000001"
    command = command .. (",5000001"):rep((32767 - #command - 3) / 8)
    command = command .. (" "):rep(32767 - #command - 3) .. "|\r\n"
    assert.equal("fffe", webapi.packet(command, 3):sub(1, 4))
    socket:send(webapi.packet(command, 3))
    assert.equal(3, select(2, socket:packet()))
    for _ = 1, 65 do
      socket:send(webapi.packet(command, 4, true))
    end
    -- It may be reset rather than closed: what was not read yet is lost.
    assert.truthy(socket:closed())
    socket:close()
    assert.equal(1, server:stats().protocol_errors)
  end)

  it("a request without an end, and one that announces too much or no number, are refused", function()
    start()
    for _, request in ipairs({
      "GET /api/test/access HTTP/1.1\r\nX: " .. ("x"):rep(70000),
      "POST /api/position/get_batch HTTP/1.1\r\nHost: x\r\nContent-Length: 4194305\r\n\r\n",
      "POST /api/position/get_batch HTTP/1.1\r\nHost: x\r\nContent-Length: much\r\n\r\n",
    }) do
      local socket = server:socket()
      socket:send(request)
      assert.equal(400, (socket:response()))
      assert.truthy(socket:closed())
      socket:close()
    end
    assert.equal(3, server:stats().protocol_errors)
  end)
end)
