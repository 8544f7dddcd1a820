local ffi = require("ffi")
local json = require("dkjson")
local cdef = require("support.cdef")
local frames = require("support.frames")
local wire = require("support.wire")
local C = cdef.library("net", { "net/connection.h", "base/log.h" })
ffi.cdef("FILE *fopen(const char *path, const char *mode);")

local HTTP, OPEN, CLOSING, DRAIN, ENDED = 0, 1, 2, 3, 4
local TEXT, CLOSE, PING, PONG = frames.TEXT, frames.CLOSE, frames.PING, frames.PONG

-- The functions that C calls back from may not be compiled into the code that calls C.
jit.off(true, true)

describe("connection", function()
  local env, clock, wheel, counters, conn, log, on, said, alive
  local callbacks = {}

  setup(function()
    -- A callback's error must not unwind through C: it is kept and raised after the call.
    local function safe(name)
      return function(...)
        log[#log + 1] = name
        local handler = on[name]
        if handler then
          local ok, why = pcall(handler, ...)
          if not ok then said = said or why end
        end
      end
    end
    callbacks.request = ffi.cast("void (*)(void *, struct tg_conn *, const struct tg_request *)", safe("request"))
    callbacks.message = ffi.cast("void (*)(void *, struct tg_conn *, bool, const char *, size_t)", safe("message"))
    callbacks.ping = ffi.cast("void (*)(void *, struct tg_conn *)", safe("ping"))
    callbacks.writable = ffi.cast("void (*)(void *, struct tg_conn *)", safe("writable"))
    callbacks.closed = ffi.cast("void (*)(void *, struct tg_conn *, int)", safe("closed"))
    callbacks.changed = ffi.cast("void (*)(struct tg_conn *)", function() end)
    C.tg_log_setup(C.TG_LOG_ERROR, C.TG_LOG_JSON, ffi.C.fopen("/dev/null", "w"))
  end)

  teardown(function()
    for _, callback in pairs(callbacks) do
      callback:free()
    end
  end)

  before_each(function()
    alive = C.tg_blob_bytes_alive()
    log, on, said = {}, {}, nil
    clock = ffi.new("struct tg_clock_virtual")
    C.tg_clock_virtual_init(clock, 1000000, 0)
    wheel = ffi.new("struct tg_wheel")
    C.tg_wheel_init(wheel, 100, 1000000)
    counters = ffi.new("struct tg_server_counters")
    env = ffi.new("struct tg_conn_env", {
      clock = clock.clock, wheel = wheel, counters = counters, pool = C.tg_conn_pool_new(),
      handler = {
        request = callbacks.request, message = callbacks.message, ping = callbacks.ping, writable = callbacks.writable,
        closed = callbacks.closed,
      },
      head_bytes = 1024, body_bytes = 100, message_bytes = 1000, fragments = 8, handshake_ms = 10000, idle_ms = 30000,
      close_ms = 5000, write_low = 100, write_high = 500, changed = callbacks.changed,
    })
    conn = ffi.new("struct tg_conn")
    assert.equal(0, C.tg_conn_init(conn, env, 7, "192.0.2.1", "public"))
  end)

  after_each(function()
    C.tg_conn_lost(conn)
    C.tg_conn_fini(conn)
    C.tg_receiver_pool_free(env.pool)
    assert.equal(alive, C.tg_blob_bytes_alive())
    assert.equal(0, tonumber(wheel.armed))
    assert.equal(0, counters.open_http)
    assert.equal(0, counters.open_ws)
    if said then error(said) end
  end)

  local function input(bytes, size)
    for at = 1, #bytes, size or #bytes do
      local piece = bytes:sub(at, at + (size or #bytes) - 1)
      C.tg_conn_input(conn, piece, #piece)
    end
  end

  -- Takes up to `most` bytes of what is queued, as the kernel would.
  local function output(most)
    local pieces, got = ffi.new("struct tg_piece[64]"), {}
    local n = C.tg_send_queue_peek(conn.out, pieces, 64, most or 1e6)
    for i = 0, n - 1 do
      got[#got + 1] = ffi.string(pieces[i].data, pieces[i].len)
    end
    local text = table.concat(got)
    C.tg_conn_gone(conn, #text)
    return text
  end

  local function advance(ms)
    C.tg_clock_virtual_advance(clock, ms)
    C.tg_wheel_advance(wheel, clock.mono)
  end

  local function answer(status, body, more)
    return function(_, c)
      local a = ffi.new("struct tg_answer", more or {})
      a.status, a.body, a.len = status, body, #body
      C.tg_conn_answer(c, a)
    end
  end

  local function statuses(text)
    local all = {}
    for status in text:gmatch("HTTP/1.1 (%d+)") do
      all[#all + 1] = tonumber(status)
    end
    return all
  end

  local function count(name)
    local n = 0
    for _, entry in ipairs(log) do
      if entry == name then n = n + 1 end
    end
    return n
  end

  local function upgrade()
    on.request = function(_, c)
      C.tg_conn_upgrade(c, nil)
    end
    input(wire.handshake({ path = "/ws" }))
    local head = output()
    assert.equal(1, head:find("HTTP/1.1 101", 1, true))
    assert.equal(OPEN, conn.state)
  end

  local function frame(opcode, payload, more)
    local f = { opcode = opcode, payload = payload }
    for name, value in pairs(more or {}) do
      f[name] = value
    end
    return frames.encode(f)
  end

  -- What was sent as decoded frames: "1:hello", "8:1000 reason".
  local function sent()
    local bytes, at, all = output(), 1, {}
    while at <= #bytes do
      local f, next_at = frames.decode(bytes, at)
      assert(f, next_at or "half a frame")
      local payload = f.payload
      if f.opcode == CLOSE and payload ~= "" then
        payload = (payload:byte(1) * 256 + payload:byte(2)) .. " " .. payload:sub(3)
      end
      all[#all + 1], at = f.opcode .. ":" .. payload, next_at
    end
    return all
  end

  local function send(text)
    local blob = C.tg_frame_new(false, text, #text)
    C.tg_conn_send(conn, blob)
    C.tg_blob_unref(blob)
  end

  local GET = "GET /a%20b?q=1 HTTP/1.1\r\nHost: h\r\n\r\n"

  describe("with HTTP", function()
    it("shows a request and sends the answer", function()
      on.request = function(_, c, request)
        assert.equal("GET", ffi.string(request.method))
        assert.equal("/a b", ffi.string(request.path))
        assert.equal("q=1", ffi.string(request.query))
        assert.equal("192.0.2.1", ffi.string(request.address))
        assert.equal("public", ffi.string(request.listener))
        assert.equal("h", ffi.string(C.tg_request_header(request, "HOST")))
        assert.is_false(request.websocket or request.upgrade)
        assert.equal(426, request.handshake_status)
        assert.is_true(request.bearer == nil and request.subprotocol_token == nil)
        assert.equal(7, tonumber(C.tg_conn_id(c)))
        answer(200, "{}")(nil, c)
      end
      input(GET, 1)
      local text = output()
      assert.same({ 200 }, statuses(text))
      assert.equal("{}", text:match("\r\n\r\n(.*)"))
      assert.equal(HTTP, conn.state)
    end)

    it("finds the bearer token", function()
      local got = {}
      on.request = function(_, c, request)
        got[#got + 1] = request.bearer ~= nil and ffi.string(request.bearer) or false
        answer(200, "")(nil, c)
      end
      for _, value in ipairs({ "Bearer abc", "bearer   abc", "Basic abc", "Bearer" }) do
        input("GET / HTTP/1.1\r\nHost: h\r\nAuthorization: " .. value .. "\r\n\r\n")
        output()
      end
      assert.same({ "abc", "abc", false, false }, got)
    end)

    it("answers pipelined requests one after the other, in order", function()
      local n = 0
      on.request = function(_, c)
        n = n + 1
        answer(200 + n, "")(nil, c)
      end
      input(GET .. GET .. GET, 11)
      assert.same({ 201, 202, 203 }, statuses(output()))
      assert.equal(3, tonumber(counters.requests))
    end)

    it("answers 404 when nobody else did", function()
      input(GET)
      local text = output()
      assert.same({ 404 }, statuses(text))
      local body = json.decode(text:match("\r\n\r\n(.*)"))
      assert.equal("NOT_FOUND", body.error.code)
      assert.equal("7", body.error.support_reference)
      assert.equal(HTTP, conn.state)
    end)

    it("ends after an answer that says so, or when the client wants it", function()
      on.request = answer(200, "", { close = true })
      input(GET .. GET)
      assert.same({ 200 }, statuses(output()))
      assert.equal(1, count("request"))
      assert.equal(DRAIN, conn.state)
      assert.is_true(C.tg_conn_wants_shutdown(conn))
      assert.is_true(C.tg_conn_wants_input(conn))
      assert.is_false(C.tg_conn_is_over(conn))
      C.tg_conn_eof(conn)
      assert.is_true(C.tg_conn_is_over(conn))
    end)

    it("keeps HTTP/1.0 clients only when they ask", function()
      on.request = answer(200, "")
      input("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
      assert.is_truthy(output():find("Connection: keep-alive", 1, true))
      input("GET / HTTP/1.0\r\n\r\n")
      assert.is_truthy(output():find("Connection: close", 1, true))
      assert.equal(DRAIN, conn.state)
    end)

    it("keeps the body from HEAD", function()
      on.request = answer(200, "body")
      input("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
      local text = output()
      assert.is_truthy(text:find("Content-Length: 4", 1, true))
      assert.equal("", text:match("\r\n\r\n(.*)"))
    end)

    it("sends 100 Continue and reads on", function()
      on.request = function(_, c, request)
        answer(200, ffi.string(request.body, request.body_len))(nil, c)
      end
      input("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
      assert.equal("HTTP/1.1 100 Continue\r\n\r\n", output())
      input("data")
      assert.equal("data", output():match("\r\n\r\n(.*)"))
    end)

    for status, case in pairs({
      [400] = { "GET / HTTP/1.1\r\n\r\n", "INVALID_REQUEST" },
      [413] = { "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n", "TOO_LARGE" },
      [431] = { "GET / HTTP/1.1\r\nHost: h\r\nX: " .. ("x"):rep(1024) .. "\r\n\r\n", "TOO_LARGE" },
      [501] = { "BREW / HTTP/1.1\r\nHost: h\r\n\r\n", "INVALID_REQUEST" },
      [505] = { "GET / HTTP/2.0\r\nHost: h\r\n\r\n", "INVALID_REQUEST" },
    }) do
      it("refuses with " .. status .. " in the protocol's shape, and ends", function()
        input(case[1] .. GET)
        local text = output()
        assert.same({ status }, statuses(text))
        local body = json.decode(text:match("\r\n\r\n(.*)"))
        assert.is_false(body.success)
        assert.equal(case[2], body.error.code)
        assert.equal("7", body.error.support_reference)
        assert.is_truthy(text:find("Connection: close", 1, true))
        assert.equal(DRAIN, conn.state)
        assert.equal(0, count("request"))
        assert.equal(1, tonumber(counters.bad_requests))
      end)
    end

    it("refuses a target it cannot decode without showing it to anybody", function()
      input("GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n")
      assert.same({ 400 }, statuses(output()))
      assert.equal(0, count("request"))
    end)

    it("tells one client too many to come back", function()
      C.tg_conn_turn_away(conn)
      input(GET)
      local text = output()
      assert.same({ 503 }, statuses(text))
      assert.is_truthy(text:find("Retry-After: 5", 1, true))
      local body = json.decode(text:match("\r\n\r\n(.*)"))
      assert.equal("SERVICE_OVERLOADED", body.error.code)
      assert.equal(5, body.error.retry_after_seconds)
    end)

    it("holds pipelined requests back while the answers are not read", function()
      on.request = answer(200, ("x"):rep(400))
      input(GET:rep(20))
      assert.equal(1, count("request"))
      assert.is_false(C.tg_conn_wants_input(conn))
      local text = ""
      repeat
        local more = output(250)
        text = text .. more
      until more == ""
      assert.equal(20, #statuses(text))
      assert.equal(20, count("request"))
      assert.is_true(C.tg_conn_wants_input(conn))
    end)

    it("finishes what it owes a client that has ended its half", function()
      on.request = answer(200, "")
      input(GET)
      C.tg_conn_eof(conn)
      assert.is_false(C.tg_conn_is_over(conn))
      assert.same({ 200 }, statuses(output()))
      assert.is_true(C.tg_conn_is_over(conn))
    end)
  end)

  describe("with deadlines", function()
    it("drops a client that says nothing for 10 s, silently", function()
      advance(9900)
      assert.equal(HTTP, conn.state)
      advance(200)
      assert.equal(DRAIN, conn.state)
      assert.equal("", output())
      assert.equal(1, tonumber(counters.handshake_timeouts))
    end)

    it("answers 408 to one that dribbles a request for 10 s", function()
      for i = 1, 20 do
        input(GET:sub(i, i))
        advance(505)
      end
      local text = output()
      assert.same({ 408 }, statuses(text))
      assert.equal(DRAIN, conn.state)
      assert.equal(1, tonumber(counters.handshake_timeouts))
    end)

    it("counts the body into the 10 s", function()
      input("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
      advance(10100)
      assert.same({ 408 }, statuses(output()))
    end)

    it("keeps an idle connection for idle_ms, and gives the next request its own 10 s", function()
      on.request = answer(200, "")
      input(GET)
      output()
      advance(29000)
      assert.equal(HTTP, conn.state)
      input(GET:sub(1, 5))
      advance(9000)
      input(GET:sub(6))
      assert.same({ 200 }, statuses(output()))
      advance(30200)
      assert.equal(DRAIN, conn.state)
      assert.equal("", output())
      assert.equal(0, tonumber(counters.handshake_timeouts))
    end)

    it("waits no longer than close_ms for the peer to end its half", function()
      input("x y\r\n")
      output()
      assert.equal(DRAIN, conn.state)
      advance(4900)
      assert.equal(DRAIN, conn.state)
      input("whatever it still sends")
      advance(300)
      assert.equal(ENDED, conn.state)
      assert.is_true(C.tg_conn_is_over(conn))
      assert.is_false(C.tg_conn_wants_input(conn))
    end)

    it("has none while a WebSocket is open", function()
      upgrade()
      assert.equal(0, tonumber(wheel.armed))
      advance(1000000)
      assert.equal(OPEN, conn.state)
    end)
  end)

  describe("as a WebSocket", function()
    it("passes on what came right behind the handshake, however it is cut", function()
      on.request = function(_, c, request)
        assert.is_true(request.websocket and request.upgrade)
        C.tg_conn_upgrade(c, ffi.cast("void *", 42))
      end
      local got = {}
      on.message = function(_, c, text, data, len)
        assert.equal(42, tonumber(ffi.cast("intptr_t", C.tg_conn_data(c))))
        got[#got + 1] = { text, ffi.string(data, len) }
      end
      input(wire.handshake({ path = "/ws" }) .. frame(TEXT, "one") .. frame(2, "two"), 7)
      assert.same({ { true, "one" }, { false, "two" } }, got)
      assert.equal(1, counters.open_ws)
      assert.equal(0, counters.open_http)
      assert.equal(1, tonumber(counters.upgrades))
    end)

    it("sends frames in order, also from inside the request", function()
      on.request = function(_, c)
        C.tg_conn_upgrade(c, nil)
        send("first")
      end
      input(wire.handshake({ path = "/ws" }))
      send("second")
      local text = output()
      assert.is_truthy(text:find("\r\n\r\n\129\5first\129\6second$"))
      assert.equal(2, tonumber(counters.frames_out))
      assert.equal(#text, tonumber(counters.bytes_out))
    end)

    it("answers a Ping with its payload and tells", function()
      upgrade()
      input(frame(PING, "abc"))
      assert.same({ PONG .. ":abc" }, sent())
      assert.equal(1, count("ping"))
    end)

    it("echoes the peer's Close, tells its code once, and drains", function()
      local codes = {}
      on.closed = function(_, c, code)
        codes[#codes + 1] = code
        send("too late")
        C.tg_conn_close(c, 1000, nil)
      end
      upgrade()
      input(frame(CLOSE, frames.close_payload(4321, "bye")) .. frame(TEXT, "late"))
      assert.same({ 4321 }, codes)
      assert.same({ CLOSE .. ":4321 " }, sent())
      assert.equal(DRAIN, conn.state)
      assert.is_true(C.tg_conn_wants_shutdown(conn))
      C.tg_conn_eof(conn)
      assert.is_true(C.tg_conn_is_over(conn))
      assert.same({ 4321 }, codes)
      assert.equal(0, count("message"))
      assert.equal(1, tonumber(counters.closes[4321]))
    end)

    it("tells 1005 for a Close without a code and echoes it without", function()
      local got
      on.closed = function(_, _, code)
        got = code
      end
      upgrade()
      input(frame(CLOSE, ""))
      assert.equal(1005, got)
      assert.same({ CLOSE .. ":" }, sent())
    end)

    for code, bytes in pairs({
      [1002] = frame(3, "x"), [1007] = frame(TEXT, "\255"), [1009] = frame(TEXT, ("x"):rep(1001)),
      [1008] = frame(TEXT, "", { fin = false }) .. frame(0, "", { fin = false }):rep(8),
    }) do
      it("closes with " .. code .. " when the peer earns it, and tells that", function()
        local got
        on.closed = function(_, _, c)
          got = c
        end
        upgrade()
        input(bytes .. frame(TEXT, "late"))
        assert.equal(code, got)
        assert.same({ CLOSE .. ":" .. code .. " " }, sent())
        assert.equal(DRAIN, conn.state)
        assert.equal(0, count("message"))
      end)
    end

    it("tells 1006 when the connection breaks or ends without a Close", function()
      local got = {}
      on.closed = function(_, _, code)
        got[#got + 1] = code
      end
      upgrade()
      send("unsent")
      C.tg_conn_eof(conn)
      assert.same({ 1006 }, got)
      assert.equal(ENDED, conn.state)
      C.tg_conn_lost(conn)
      assert.same({ 1006 }, got)
    end)

    it("closes behind what is queued and waits for the peer's Close", function()
      local got
      on.closed = function(_, _, code)
        got = code
      end
      upgrade()
      send("before")
      C.tg_conn_close(conn, 4003, "draining")
      send("after")
      C.tg_conn_close(conn, 4000, "again")
      C.tg_conn_cut(conn, 4000, "again")
      assert.same({ TEXT .. ":before", CLOSE .. ":4003 draining" }, sent())
      assert.equal(CLOSING, conn.state)
      assert.is_nil(got)
      input(frame(TEXT, "ignored") .. frame(PING, "ignored") .. frame(CLOSE, frames.close_payload(1000)))
      assert.equal(4003, got)
      assert.equal(0, count("message") + count("ping"))
      assert.same({}, sent())
      assert.equal(DRAIN, conn.state)
    end)

    it("waits close_ms for it, no longer, whatever the peer sends", function()
      local got
      on.closed = function(_, _, code)
        got = code
      end
      upgrade()
      C.tg_conn_close(conn, 4000, nil)
      for _ = 1, 49 do
        input(frame(TEXT, "chatter"))
        advance(100)
      end
      assert.is_nil(got)
      advance(200)
      assert.equal(4000, got)
      assert.equal(ENDED, conn.state)
    end)

    it("gives the whole close no more than close_ms, though the peer answers late", function()
      upgrade()
      C.tg_conn_close(conn, 4000, nil)
      advance(4000)
      input(frame(CLOSE, ""))
      assert.equal(DRAIN, conn.state)
      advance(1200)
      assert.equal(ENDED, conn.state)
    end)

    it("tells its own code when the peer answers a Close with garbage or by leaving", function()
      for _, ending in ipairs({
        function() input(frame(3, "x")) end,
        function() C.tg_conn_eof(conn) end,
        function() C.tg_conn_lost(conn) end,
      }) do
        local got
        on.closed = function(_, _, code)
          got = code
        end
        upgrade()
        C.tg_conn_close(conn, 4001, nil)
        ending()
        assert.equal(4001, got)
        C.tg_conn_lost(conn)
        C.tg_conn_fini(conn)
        assert.equal(0, C.tg_conn_init(conn, env, 8, "192.0.2.1", "public"))
      end
    end)

    it("cuts off what waits for a slow client, but never inside a frame", function()
      upgrade()
      send(("a"):rep(200))
      send("dropped")
      output(10)
      C.tg_conn_cut(conn, 4002, "too slow")
      local text = output()
      assert.equal(194 + 2 + 2 + #"too slow", #text)
      assert.equal("\136\10\15\162too slow", text:sub(195))
    end)

    it("lets a message handler close, cut and send", function()
      on.message = function(_, c)
        send("answer")
        C.tg_conn_close(c, 4505, "enough")
        send("not this")
      end
      upgrade()
      input(frame(TEXT, "1") .. frame(TEXT, "2") .. frame(PING, "3"))
      assert.equal(1, count("message"))
      assert.same({ TEXT .. ":answer", CLOSE .. ":4505 enough" }, sent())
    end)

    it("can be aborted inside a message, as when the server ends", function()
      on.message = function(_, c)
        C.tg_conn_abort(c, 1001)
      end
      local got
      on.closed = function(_, _, code)
        got = code
      end
      upgrade()
      input(frame(TEXT, "1") .. frame(TEXT, "2"))
      assert.equal(1001, got)
      assert.equal(1, count("message"))
      assert.is_true(C.tg_conn_is_over(conn))
    end)

    it("can be aborted inside a request, before and after the answer", function()
      on.request = function(_, c)
        C.tg_conn_abort(c, 1001)
        answer(200, "")(nil, c)
      end
      input(GET .. GET)
      assert.equal(1, count("request"))
      assert.equal(0, count("closed"))
      assert.equal(ENDED, conn.state)
    end)

    it("tells when there is room again, once, at the low mark", function()
      upgrade()
      assert.is_true(C.tg_conn_has_room(conn))
      send(("x"):rep(300))
      assert.is_true(C.tg_conn_has_room(conn))
      send(("x"):rep(300))
      assert.is_false(C.tg_conn_has_room(conn))
      assert.is_false(C.tg_conn_wants_input(conn))
      assert.equal(608, tonumber(C.tg_conn_pending(conn)))
      output(500)
      assert.is_true(C.tg_conn_has_room(conn))
      assert.equal(0, count("writable"))
      output(50)
      assert.equal(1, count("writable"))
      assert.is_true(C.tg_conn_wants_input(conn))
      output()
      assert.equal(1, count("writable"))
    end)

    it("may be refilled from inside writable", function()
      local left = 5
      on.writable = function()
        if left > 0 then
          left = left - 1
          send(("x"):rep(500))
        end
      end
      upgrade()
      send(("x"):rep(500))
      while tonumber(C.tg_conn_pending(conn)) > 0 do
        output(333)
      end
      assert.equal(0, left)
    end)

    it("stops reading a client that pings and does not read", function()
      upgrade()
      local pings = frame(PING, ("p"):rep(125)):rep(4)
      input(pings)
      assert.is_false(C.tg_conn_wants_input(conn))
      output()
      assert.is_true(C.tg_conn_wants_input(conn))
    end)

    it("always reads on once it is closing, so that the peer's Close is seen", function()
      upgrade()
      send(("x"):rep(600))
      assert.is_false(C.tg_conn_wants_input(conn))
      C.tg_conn_close(conn, 4000, nil)
      assert.is_true(C.tg_conn_wants_input(conn))
    end)

    it("is small when idle", function()
      upgrade()
      assert.is_true(conn.http == nil and conn.receiver.slot == nil)
      assert.equal(conn.out.few, conn.out.ring)
      assert.is_true(ffi.sizeof("struct tg_conn") < 400)
    end)
  end)
end)
