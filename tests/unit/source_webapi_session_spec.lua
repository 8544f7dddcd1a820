-- A session against a server that is played by hand, on a virtual clock: no sockets.
local ffi = require("ffi")
local cdef = require("support.cdef")
local bytes = require("support.webapi_bytes")
local C = cdef.library("source", { "source/webapi_session.h", "source/source.h" })
local wide, packet = bytes.wide, bytes.packet

jit.off(true, true)

local WALL = 1572518788000 -- the documentation's moment, and a whole hour is not near
local CRYPT_RAND = bytes.every
local SRV_RAND, SRV_PROOF = "73007dc7184747ce0f7c98516ef1c851", "77fe51827f7fa69dd80fbec9aa33f1bb"

describe("a Web API session", function()
  local session, options, host, endpoints, now, wall, log, sent, answers

  local opens = ffi.cast("void (*)(void *, const struct tg_webapi_endpoint *)", function(_, endpoint)
    log[#log + 1] = "open " .. ffi.string(endpoint.authority)
  end)
  local sends = ffi.cast("void (*)(void *, const char *, size_t)", function(_, text, len)
    sent[#sent + 1] = ffi.string(text, len)
  end)
  local shuts = ffi.cast("void (*)(void *)", function() log[#log + 1] = "shut" end)
  local readies = ffi.cast("void (*)(void *)", function() log[#log + 1] = "ready" end)
  local downs = ffi.cast("void (*)(void *)", function() log[#log + 1] = "down " .. ffi.string(session.fault.code) end)
  local rows = ffi.cast("tg_webapi_on_row", function(_, row)
    answers[#answers + 1] = ffi.string(row.text, row.len)
  end)
  local ends = ffi.cast("void (*)(void *, const struct tg_webapi_answer *)", function(_, answer)
    answers[#answers + 1] = answer.retcode
  end)

  local function new(changes, urls)
    urls = urls or { "mt5://a:443" }
    endpoints = ffi.new("struct tg_webapi_endpoint[?]", #urls)
    for i, url in ipairs(urls) do
      assert.equal(0, C.tg_webapi_endpoint_read(endpoints[i - 1], url, nil))
    end
    options = ffi.new("struct tg_webapi_session_options", {
      endpoints = endpoints, endpoints_count = #urls, login = "1000", agent = "spec", version = "3470", crypt = false, row_max = 4096,
      answer_max = 100000, request_ms = 2000, answer_ms = 10000, auth_ms = 10000, keepalive_ms = 20000, retry_first_ms = 500, retry_max_ms = 30000,
      refused_first_ms = 60000, refused_max_ms = 900000, time_ms = 3600000, check_ms = 3600000,
    })
    for key, value in pairs(changes or {}) do
      options[key] = value
    end
    assert.equal(0, C.tg_webapi_hash(options.hash, "Password1"))
    host = ffi.new("struct tg_webapi_session_host", { opens, sends, shuts, readies, downs, rows, ends })
    session = ffi.new("struct tg_webapi_session")
    now, wall, log, sent, answers = 1000, WALL, {}, {}, {}
    C.tg_webapi_session_init(session, options, host, now)
  end

  after_each(function()
    if session then C.tg_webapi_session_fini(session) end
    session = nil
  end)

  local function tick(ms)
    now, wall = now + (ms or 0), wall + (ms or 0)
    C.tg_webapi_session_tick(session, now, wall)
  end

  local function feed(text)
    C.tg_webapi_session_bytes(session, text, #text, now, wall)
  end

  local function state() return ffi.string(C.tg_webapi_state_name(session.state)) end

  -- What was said since the last call, as text: packets opened, or the lines of HTTP requests.
  local function said()
    local text = table.concat(sent)
    sent = {}
    text = text:gsub("^MT5WEBAPI", "")
    local out = {}
    while text ~= "" do
      if text:match("^%x%x%x%x%x%x%x%x%d") and not text:match("^GET") then
        local len = tonumber(text:sub(1, 4), 16)
        out[#out + 1] = text:sub(10, 9 + len):gsub("%z", "")
        text = text:sub(10 + len)
      else
        out[#out + 1] = text:match("^(.-) HTTP/1.1\r\n")
        text = text:sub((select(2, text:find("\r\n\r\n", 1, true))) + 1)
      end
    end
    return table.concat(out, "\n")
  end

  local serial
  local function answer(text)
    feed(packet(wide(text), serial))
    serial = serial + 1
  end

  local function proof(challenge)
    local out = ffi.new("char[33]")
    C.tg_webapi_proof(out, options.hash, challenge)
    return ffi.string(out)
  end

  local function connect()
    tick()
    C.tg_webapi_session_opened(session, now)
    serial = 1
  end

  local function start_auth()
    connect()
    local start = said()
    answer("AUTH_START|RETCODE=0 Done|VERSION_ACCESS=3320|SRV_RAND=" .. SRV_RAND .. "|\r\n")
    local reply = said()
    return reply:match("CLI_RAND=(%x+)|"), reply, start
  end

  local function authenticate()
    local challenge = start_auth()
    answer("AUTH_ANSWER|RETCODE=0 Done|CLI_RAND_ANSWER=" .. proof(challenge) .. "|CRYPT_RAND=" .. CRYPT_RAND .. "|\r\n")
  end

  local function get_ready(zone)
    authenticate()
    answer("TIME_GET|RETCODE=0 Done|\r\n" .. (zone or '{"TimeZone" : "120","DaylightState" : "1"}'))
    answer("TIME_SERVER|RETCODE=0 Done|TIME=" .. (WALL / 1000 + 10800 + 5) .. " 2019.10.31 13:46:33|\r\n")
    said()
  end

  local function ask(command)
    local request = ffi.new("struct tg_webapi_request", { command = command or C.TG_WEBAPI_TEST_ACCESS })
    assert.equal(0, C.tg_webapi_session_ask(session, request, now))
  end

  it("proves itself, and lets the server prove itself", function()
    new()
    local _, reply, start = start_auth()
    assert.equal("AUTH_START|VERSION=3470|AGENT=spec|LOGIN=1000|TYPE=MANAGER|CRYPT_METHOD=NONE|\r\n", start)
    assert.truthy(reply:match("^AUTH_ANSWER|SRV_RAND_ANSWER=" .. SRV_PROOF .. "|CLI_RAND=%x+|\r\n$"), reply)
    assert.same({ "open a:443" }, log)
  end)

  it("begins with the prefix", function()
    new()
    connect()
    assert.equal("MT5WEBAPI", sent[1]:sub(1, 9))
  end)

  it("reads the server's clock before it is ready", function()
    new()
    get_ready()
    assert.equal("ready", state())
    assert.same({ "open a:443", "ready" }, log)
    assert.equal(10800, session.zone.offset_s)
    assert.equal(5000, tonumber(session.zone.skew_ms))
    assert.equal("", ffi.string(session.fault.code))
  end)

  it("takes the offset from the two clocks when the server tells no zone", function()
    new()
    get_ready("")
    assert.equal(10800, session.zone.offset_s)
    assert.equal(5000, tonumber(session.zone.skew_ms))
  end)

  it("does so too when the server observes summer time and leaves out whether it is summer, as the documentation shows it", function()
    new()
    get_ready('{\r\n"Daylight" : "1",\r\n"TimeZone" : "120",\r\n"TimeServer" : "clock.psu.edu",\r\n"Days" : [\r\n["0"],["1"]\r\n]\r\n}\r\n')
    assert.equal(10800, session.zone.offset_s)
    assert.equal(5000, tonumber(session.zone.skew_ms))
    new()
    authenticate()
    answer("TIME_GET|RETCODE=0 Done|TIMEZONE=120|DAYLIGHT=1|\r\n")
    answer("TIME_SERVER|RETCODE=0 Done|TIME=" .. (WALL / 1000 + 10800 + 5) .. "|\r\n")
    assert.equal(10800, session.zone.offset_s)
    new()
    authenticate()
    answer("TIME_GET|RETCODE=0 Done|TIMEZONE=180|DAYLIGHT=0|\r\n")
    answer("TIME_SERVER|RETCODE=8 Not enough permissions|\r\n")
    assert.equal(10800, session.zone.offset_s)
  end)

  it("notices a clock that is not where its offset would have it", function()
    for ahead, apart in pairs({ [0] = false, [450] = false, [-450] = false, [451] = true, [-451] = true, [3600] = true, [-10800] = true }) do
      new()
      authenticate()
      answer('TIME_GET|RETCODE=0 Done|\r\n{"TimeZone" : "120","DaylightState" : "0"}')
      answer("TIME_SERVER|RETCODE=0 Done|TIME=" .. (WALL / 1000 + 7200 + ahead) .. "|\r\n")
      assert.equal(apart, session.apart, ahead)
      assert.equal(ahead * 1000, tonumber(session.zone.skew_ms))
    end
  end)

  it("does not guess a time", function()
    new()
    authenticate()
    answer("TIME_GET|RETCODE=8 Not enough permissions|\r\n")
    answer("TIME_SERVER|RETCODE=8 Not enough permissions|\r\n")
    assert.same({ "open a:443", "shut", "down NO_SERVER_TIME" }, log)
  end)

  it("goes by the configured offset", function()
    new({ offset_fixed = true, offset_s = -18000 })
    authenticate()
    assert.equal("TIME_SERVER|\r\n", said())
    answer("TIME_SERVER|RETCODE=8 Not enough permissions|\r\n")
    assert.equal("ready", state())
    assert.equal(-18000, session.zone.offset_s)
  end)

  it("believes no server that cannot prove itself", function()
    for _, forged in ipairs({ ("0"):rep(32), "", SRV_PROOF }) do
      new()
      start_auth()
      answer("AUTH_ANSWER|RETCODE=0 Done|CLI_RAND_ANSWER=" .. forged .. "|\r\n")
      assert.same({ "open a:443", "shut", "down SERVER_NOT_AUTHENTICATED" }, log)
      assert.equal(C.TG_POLL_REFUSED, session.fault["end"])
      C.tg_webapi_session_fini(session)
    end
  end)

  it("waits a minute and longer when it is refused", function()
    new()
    for _, wait in ipairs({ 60000, 120000, 240000, 480000, 900000, 900000 }) do
      start_auth()
      answer("AUTH_ANSWER|RETCODE=1001 Invalid account|\r\n")
      assert.equal("down INVALID_ACCOUNT", log[#log])
      assert.equal(wait, tonumber(session.due_ms) - now)
      tick(wait - 1)
      assert.equal("waiting", state())
      tick(1)
      assert.equal("connecting", state())
      session.state, session.due_ms = C.TG_WEBAPI_WAITING, now
    end
  end)

  it("comes back a little later each time when it is cut off", function()
    new()
    local base = 500
    for _ = 1, 12 do
      tick()
      C.tg_webapi_session_closed(session, "CONNECT_FAILED", "connection refused", now)
      local wait = tonumber(session.due_ms) - now
      assert.is_true(wait >= base / 2 and wait <= base * 1.5, wait .. " of " .. base)
      assert.equal("down CONNECT_FAILED", log[#log])
      base = math.min(base * 2, 30000)
      tick(wait)
      session.state, session.due_ms = C.TG_WEBAPI_WAITING, now
    end
  end)

  it("tries the next endpoint when a connection fails, and at once when a server is not the main one", function()
    new(nil, { "mt5://a:1", "mt5://b:2" })
    tick()
    C.tg_webapi_session_closed(session, "CONNECT_FAILED", "", now)
    tick(750)
    C.tg_webapi_session_opened(session, now)
    serial = 1
    answer("AUTH_START|RETCODE=12001 Not main|\r\n")
    assert.equal(now, tonumber(session.due_ms))
    tick()
    assert.same({ "open a:1", "shut", "down CONNECT_FAILED", "open b:2", "shut", "down NOT_MAIN", "open a:1" }, log)
    -- None of them is the main one: once around is a failure, which waits like any other.
    C.tg_webapi_session_opened(session, now)
    serial = 1
    answer("AUTH_START|RETCODE=12001 Not main|\r\n")
    assert.is_true(tonumber(session.due_ms) > now)
    tick(1500)
    assert.equal("open b:2", log[#log])
  end)

  it("has ten seconds to be authenticated", function()
    new()
    start_auth()
    tick(9999)
    assert.equal("authenticating", state())
    tick(1)
    assert.equal("down TIMEOUT", log[#log])
  end)

  it("asks, and tells rows and answers", function()
    new()
    get_ready()
    ask(C.TG_WEBAPI_POSITION_GET_BATCH)
    assert.equal("POSITION_GET_BATCH|\r\n", said())
    assert.equal("asking", state())
    local text = wide('POSITION_GET_BATCH|RETCODE=0 Done|\r\n[{"Login":"1"},{"Login":"2"}]')
    feed("000042680" .. packet(text:sub(1, 101), serial, true) .. "000042690" .. packet(text:sub(102), serial))
    assert.same({ '{"Login":"1"}', '{"Login":"2"}', 0 }, answers)
    assert.equal("ready", state())
  end)

  it("ends when an answer does not come, is cut off, is another's, or is none", function()
    local cases = {
      TIMEOUT = function() tick(2000) end,
      CONNECTION_BROKEN = function() C.tg_webapi_session_closed(session, "", "", now) end,
      BAD_DOCUMENT = function() answer('POSITION_GET_BATCH|RETCODE=0 Done|\r\n[{"Login":"1"}') end,
      ["BAD_DOCUMENT "] = function() answer("DEAL_GET_BATCH|RETCODE=0 Done|\r\n[]") end,
      ["BAD_DOCUMENT  "] = function() feed("HTTP/1.1 400 Bad Request\r\n\r\n") end,
      BODY_TOO_LARGE = function() answer('POSITION_GET_BATCH|RETCODE=0 Done|\r\n[{"a":"' .. ("x"):rep(5000) .. '"}]') end,
    }
    for code, happens in pairs(cases) do
      new()
      get_ready()
      ask(C.TG_WEBAPI_POSITION_GET_BATCH)
      said()
      happens()
      assert.equal("down " .. code:gsub(" ", ""), log[#log])
      assert.equal("waiting", state())
      assert.same(C.TG_POLL_FAILED, session.fault["end"])
      C.tg_webapi_session_fini(session)
      session = nil
    end
  end)

  it("waits for a long answer while it moves, and not for ever", function()
    new()
    get_ready()
    ask(C.TG_WEBAPI_POSITION_GET_BATCH)
    for byte in ("0064" .. ("%04x"):format(serial)):gmatch(".") do
      tick(1000)
      assert.equal("asking", state())
      feed(byte)
    end
    tick(1999)
    assert.equal("asking", state())
    tick(1)
    assert.equal("down TIMEOUT", log[#log])
    C.tg_webapi_session_fini(session)
    new()
    get_ready()
    ask(C.TG_WEBAPI_POSITION_GET_BATCH)
    feed(("0064%04x0"):format(serial))
    for _ = 1, 9 do
      tick(1000)
      feed("x")
    end
    assert.equal("asking", state())
    tick(1000)
    assert.equal("down TIMEOUT", log[#log])
  end)

  it("counts no time in which we did not run against the server", function()
    new()
    get_ready()
    ask(C.TG_WEBAPI_POSITION_GET_BATCH)
    now, wall = now + 60000, wall + 60000 -- stopped for a minute; the deadline was 2 s after the request
    C.tg_webapi_session_stalled(session, 58000, 1000, now)
    tick(999)
    assert.equal("asking", state())
    local text = packet(wide("POSITION_GET_BATCH|RETCODE=0 Done|\r\n[]"), serial)
    feed(text:sub(1, 5)) -- a long answer moves on, and has all of its time
    tick(1999)
    assert.equal("asking", state())
    feed(text:sub(6))
    assert.equal("ready", state())
    assert.same({ 0 }, answers)
    assert.equal(0, tonumber(session.counters.drops))
  end)

  it("gives up after such a stall, too, when nothing came meanwhile", function()
    new()
    get_ready()
    ask(C.TG_WEBAPI_POSITION_GET_BATCH)
    now, wall = now + 60000, wall + 60000
    C.tg_webapi_session_stalled(session, 58000, 1000, now)
    tick(1000)
    assert.equal("down TIMEOUT", log[#log])
  end)

  it("keeps what it waits for by itself after a stall: an attempt, a sign of life", function()
    new()
    get_ready()
    now, wall = now + 60000, wall + 60000
    C.tg_webapi_session_stalled(session, 40000, 1000, now)
    said()
    tick()
    assert.is_truthy(session.alive_ms == now)
    C.tg_webapi_session_closed(session, "CONNECTION_BROKEN", "spec", now)
    local due = tonumber(session.due_ms)
    C.tg_webapi_session_stalled(session, 40000, 1000, now)
    assert.equal(due, tonumber(session.due_ms))
  end)

  it("encrypts everything behind the proof", function()
    new({ crypt = true })
    local _, _, start = start_auth()
    assert.truthy(start:find("CRYPT_METHOD=AES256OFB|", 1, true))
    C.tg_webapi_session_fini(session)
    new({ crypt = true })
    authenticate()
    local hash, blocks = options.hash, ffi.new("unsigned char[16][16]")
    C.tg_webapi_blocks(blocks, hash, CRYPT_RAND)
    local theirs, ours = ffi.new("struct tg_webapi_stream"), ffi.new("struct tg_webapi_stream")
    C.tg_webapi_stream_init(theirs, blocks[0], blocks[2])
    C.tg_webapi_stream_init(ours, blocks[0], blocks[3])
    local function pass(stream, text)
      local copy = ffi.new("unsigned char[?]", #text + 1, text)
      C.tg_webapi_stream_pass(stream, copy, #text)
      return ffi.string(copy, #text)
    end
    local request = table.concat(sent)
    assert.equal(wide("TIME_GET|\r\n"), pass(theirs, request:sub(10)))
    feed(packet(pass(ours, wide('TIME_GET|RETCODE=0 Done|\r\n{"TimeZone":"0"}')), 3))
    feed(packet(pass(ours, wide("TIME_SERVER|RETCODE=0 Done|TIME=" .. WALL / 1000 .. "|\r\n")), 4))
    assert.equal("ready", state())
    C.tg_webapi_stream_fini(theirs)
    C.tg_webapi_stream_fini(ours)
  end)

  it("goes no further than the proof when the server gives no key", function()
    new({ crypt = true })
    local challenge = start_auth()
    answer("AUTH_ANSWER|RETCODE=0 Done|CLI_RAND_ANSWER=" .. proof(challenge) .. "|\r\n")
    assert.equal("down BAD_DOCUMENT", log[#log])
  end)

  it("shows that it is alive after 20 s", function()
    new()
    get_ready()
    tick(19999)
    assert.same({}, sent)
    tick(1)
    assert.same({ "000000040" }, sent)
    sent = {}
    tick(20000)
    assert.same({ "000000040" }, sent)
    assert.equal("ready", state())
  end)

  it("looks at the clock again each hour, and notes that summer ends", function()
    new()
    get_ready()
    C.tg_webapi_session_rest(session, now, wall)
    assert.equal("", said())
    local to_hour = 3600000 - WALL % 3600000
    now, wall = now + to_hour + 2000, wall + to_hour + 2000
    C.tg_webapi_session_rest(session, now, wall)
    assert.equal("TIME_GET|\r\n", said())
    answer('TIME_GET|RETCODE=0 Done|\r\n{"TimeZone" : "120","DaylightState" : "0"}')
    answer("TIME_SERVER|RETCODE=0 Done|TIME=" .. math.floor(wall / 1000) + 7200 .. "|\r\n")
    assert.equal(7200, session.zone.offset_s)
    assert.equal(1, session.zone.count)
    assert.equal(WALL - 10800000LL, C.tg_webapi_zone_utc(session.zone, WALL))
  end)

  describe("looks whether the server's clock moves", function()
    local function server_now() return math.floor(wall / 1000) + 10800 end

    -- Looks again after a while; the clock then shows `server_s`, or goes right but for `ahead` seconds. Whether it was asked.
    local function look(after_ms, server_s, ahead)
      now, wall = now + after_ms, wall + after_ms
      C.tg_webapi_session_rest(session, now, wall)
      local asked = said()
      if asked == "" then return false end
      assert.equal("TIME_SERVER|\r\n", asked)
      answer("TIME_SERVER|RETCODE=0 Done|TIME=" .. (server_s or server_now() + ahead) .. "|\r\n")
      assert.equal("ready", state())
      return true
    end

    before_each(function()
      new({ check_ms = 5000 })
      get_ready()
    end)

    it("each few seconds, and takes no zone from it", function()
      assert.is_false(look(4999))
      assert.is_true(look(1, nil, 5))
      assert.is_false(session.frozen)
      assert.equal(10800, session.zone.offset_s)
      assert.is_true(look(5000, nil, 4))
      assert.is_false(session.frozen)
    end)

    it("and says so within two looks after it stopped, until it moves", function()
      local stopped = server_now() + 3
      look(5000, stopped)
      look(5000, stopped)
      assert.is_true(session.frozen)
      look(5000, stopped)
      assert.is_true(session.frozen)
      look(5000, stopped + 5)
      assert.is_false(session.frozen)
    end)

    it("and takes a clock that is set back, or an answer without a time, for no proof", function()
      look(5000, nil, -7200)
      assert.is_false(session.frozen)
      now, wall = now + 5000, wall + 5000
      C.tg_webapi_session_rest(session, now, wall)
      assert.equal("TIME_SERVER|\r\n", said())
      answer("TIME_SERVER|RETCODE=12000 Not implemented|\r\n")
      assert.equal("ready", state())
      assert.is_false(session.frozen)
    end)
  end)

  it("says goodbye", function()
    new()
    get_ready()
    C.tg_webapi_session_quit(session)
    assert.equal("QUIT|\r\n", said())
    assert.equal("shut", log[#log])
    tick(100000)
    assert.equal("shut", log[#log])
  end)

  describe("over REST", function()
    local function http(body, status, headers)
      feed(("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s"):format(status or "200 OK", headers or "", #body, body))
    end

    local function rest_ready(time)
      new(nil, { "http://a:80" })
      connect()
      assert.equal("GET /api/auth/start?version=3470&agent=spec&login=1000&type=manager", said())
      http('{"retcode":"0 Done","version_access":"1290","srv_rand":"' .. SRV_RAND .. '"}', nil, "Set-Cookie: sid=1; Path=/\r\nset-cookie: b=2\r\n")
      assert.truthy(sent[1]:find("\r\nCookie: sid=1; b=2\r\n", 1, true))
      local challenge = sent[1]:match("&cli_rand=(%x+)")
      assert.truthy(sent[1]:find("/api/auth/answer?srv_rand_answer=" .. SRV_PROOF .. "&cli_rand=", 1, true))
      sent = {}
      http('{"retcode":"0 Done","cli_rand_answer":"' .. proof(challenge) .. '"}', nil, "Set-Cookie: sid=7\r\n")
      http('{"retcode":"0 Done","answer":{"TimeZone":"120","DaylightState":"1"}}')
      http('{"retcode":"0 Done","answer":{"' .. (time or "time") .. '":"' .. WALL / 1000 + 10805 .. ' 2019.10.31 13:46:33"}}')
      assert.truthy(sent[1]:find("\r\nCookie: b=2; sid=7\r\n", 1, true))
      sent = {}
    end

    it("is ready the same way, and knows the server's clock however its member is spelled", function()
      for _, time in ipairs({ "time", "Time" }) do
        rest_ready(time)
        assert.equal("ready", state())
        assert.equal(10800, session.zone.offset_s)
        assert.equal(5000LL, session.zone.skew_ms, time)
      end
    end)

    it("asks for long lists in a body", function()
      rest_ready()
      local logins = ffi.new("uint64_t[?]", 300)
      for i = 0, 299 do
        logins[i] = 500000 + i
      end
      local request = ffi.new("struct tg_webapi_request", { command = C.TG_WEBAPI_POSITION_GET_BATCH, logins = logins, logins_count = 2 })
      C.tg_webapi_session_ask(session, request, now)
      assert.equal("GET /api/position/get_batch?login=500000,500001", said())
      http('{"retcode":"0 Done","answer":[]}')
      request.logins_count = 300
      C.tg_webapi_request_add(request, "from", "1")
      C.tg_webapi_session_ask(session, request, now)
      local head, body = sent[1]:match("^(.-\r\n\r\n)(.*)$")
      assert.truthy(head:find("^POST /api/position/get_batch%?from=1 HTTP"))
      assert.truthy(head:find("Content-Length: " .. #body, 1, true))
      assert.truthy(body:find('^{"login":%[500000,500001,'))
      assert.truthy(body:find("500299]}$"))
    end)

    it("encodes what it sends", function()
      rest_ready()
      local request = ffi.new("struct tg_webapi_request", { command = C.TG_WEBAPI_GROUP_GET })
      C.tg_webapi_request_add(request, "group", "real\\a b=c|&")
      C.tg_webapi_session_ask(session, request, now)
      assert.equal("GET /api/group/get?group=real%5C%5Ca%20b%5C%3Dc%5C%7C%26", said())
    end)

    it("reads answers cut anywhere, chunked or not, and return codes behind any status", function()
      local body = '{"retcode":"13 Not found","answer":[{"Login":"1"}]}'
      local texts = {
        ("HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n"):format(body:sub(1, 5), #body - 5, body:sub(6)),
      }
      for _, text in ipairs(texts) do
        rest_ready()
        for step = 1, 60, 7 do
          ask(C.TG_WEBAPI_POSITION_GET_BATCH)
          answers = {}
          for at = 1, #text, step do
            feed(text:sub(at, at + step - 1))
          end
          assert.same({ '{"Login":"1"}', 13 }, answers)
        end
        C.tg_webapi_session_fini(session)
        session = nil
      end
    end)

    it("is refused by a bare 403, and sleeps a minute", function()
      new(nil, { "http://a:80" })
      connect()
      http("<html>Forbidden</html>", "403 Forbidden")
      assert.equal("down HTTP_STATUS", log[#log])
      assert.equal(60000, tonumber(session.due_ms) - now)
    end)

    it("ends with its connection", function()
      rest_ready()
      ask(C.TG_WEBAPI_POSITION_GET_BATCH)
      http('{"retcode":"0 Done","answer":[]}', nil, "Connection: close\r\n")
      assert.same({ 0 }, answers)
      assert.equal("down SESSION_CLOSED", log[#log])
    end)

    it("takes half a document for none", function()
      rest_ready()
      ask(C.TG_WEBAPI_POSITION_GET_BATCH)
      http('{"retcode":"0 Done","answer":[{"Login":"1"}')
      assert.equal("down BAD_DOCUMENT", log[#log])
    end)

    it("asks whether it still has access after 20 s", function()
      rest_ready()
      tick(20000)
      assert.equal("GET /api/test/access", said())
      http('{"retcode":"0 Done"}')
      assert.equal("ready", state())
      tick(20000)
      tick(2000)
      assert.equal("down TIMEOUT", log[#log])
    end)

    it("does not listen to what it did not ask for", function()
      rest_ready()
      http('{"retcode":"0 Done"}')
      assert.equal("down BAD_DOCUMENT", log[#log])
    end)
  end)
end)
