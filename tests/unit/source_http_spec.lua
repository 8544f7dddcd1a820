-- The http driver on a loop of its own, against the fake REST service in a process of its own.
local ffi = require("ffi")
local uv = require("luv")
local cdef = require("support.cdef")
local process = require("support.process")
local rest = require("support.rest")
local C = cdef.library("source", { "source/source.h", "source/http_url.h", "source/request_headers.h" })
local libuv = ffi.load("uv.so.1")

ffi.cdef([[
size_t uv_loop_size(void);
int uv_loop_init(uv_loop_t *);
int uv_loop_close(uv_loop_t *);
int uv_run(uv_loop_t *, int mode);
int uv_backend_fd(const uv_loop_t *);
int poll(void *, unsigned long, int);
struct probe { struct tg_poll poll; struct tg_poll_ops ops; };
]])

local OK, FAILED, BUSY, REFUSED, STALE, UNKNOWN = 0, 1, 2, 3, 4, 5
local ONCE_NOWAIT = 2

-- C calls back into Lua from uv_run and from cancel: neither may be in compiled code.
jit.off(true, true)

local function address(c)
  return tonumber(ffi.cast("intptr_t", ffi.cast("void *", c)))
end

describe("http source", function()
  local service, loop, source, options, err, polls, ended, wants, headers, clock

  -- One callback each for the whole file; LuaJIT has few slots for them.
  local on_done = ffi.cast("void (*)(struct tg_poll *)", function(poll)
    local probe = polls[address(poll)]
    probe.ended = (probe.ended or 0) + 1
    ended = ended + 1
    if probe.on_done then probe.on_done(probe) end
  end)
  local on_wants = ffi.cast("bool (*)(struct tg_poll *)", function()
    return wants
  end)

  setup(function()
    service = rest.start()
  end)

  teardown(function()
    service:stop()
    on_done:free()
    on_wants:free()
  end)

  -- Turns the loop until something is so, or for `timeout_ms`; without that, for as long as a busy machine may need.
  local function run(until_true, timeout_ms)
    local deadline = uv.hrtime() / 1e6 + (timeout_ms or 20000)
    while not until_true() and uv.hrtime() / 1e6 < deadline do
      libuv.uv_run(loop, ONCE_NOWAIT)
      uv.sleep(1)
    end
    return until_true()
  end

  local function open(changes)
    for key, value in pairs(changes or {}) do
      options[key] = value
    end
    local out = ffi.new("struct tg_source *[1]")
    local rc = C.tg_http_source_open(loop, clock, options, out, err)
    if rc == 0 then source = out[0] end
    return rc, ffi.string(err.text)
  end

  local function close()
    if source then source.ops.close(source) end
    source = nil
    run(function()
      return libuv.uv_run(loop, ONCE_NOWAIT) == 0
    end)
  end

  before_each(function()
    service:control({ op = "reset" })
    loop = ffi.cast("uv_loop_t *", ffi.C.calloc(1, libuv.uv_loop_size()))
    assert(libuv.uv_loop_init(loop) == 0)
    clock = C.tg_clock_system()
    err = ffi.new("struct tg_err")
    options = ffi.new("struct tg_http_source_options")
    options.url = service.url
    options.timeout_ms, options.concurrency, options.max_body = 5000, 8, 65536
    options.queue_ms = 10000
    options.max_stale_ms, options.currency_digits = 10000, 2
    polls, ended, wants = {}, 0, false
  end)

  after_each(function()
    close()
    assert.equal(0, libuv.uv_loop_close(loop), "handles are still open")
    ffi.C.free(loop)
    for _, probe in pairs(polls) do
      C.tg_records_fini(probe.c.poll.records)
    end
  end)

  -- A poll, started.
  local function poll(account, on_end, subject, since_ms)
    local probe = { c = ffi.new("struct probe"), account = account, on_done = on_end, subject = subject or "" }
    local c = probe.c
    c.ops.done, c.ops.wants_deals = on_done, on_wants
    c.poll.ops = c.ops
    c.poll.account_id, c.poll.subject = probe.account, probe.subject
    c.poll.deals_since_ms = since_ms or 0
    polls[address(c)] = probe
    assert.equal(0, source.ops.poll(source, c.poll))
    assert.is_nil(probe.ended)
    return probe
  end

  local function again(probe)
    probe.ended = nil
    assert.equal(0, source.ops.poll(source, probe.c.poll))
  end

  local function wait_for(probe, timeout_ms)
    assert.is_truthy(run(function()
      return probe.ended
    end, timeout_ms), "the poll did not end")
    assert.equal(1, probe.ended)
    assert.is_true(probe.c.poll.driver == nil)
    return tonumber(probe.c.poll["end"]), ffi.string(probe.c.poll.code), ffi.string(probe.c.poll.message)
  end

  -- Polls once and tells how it ended.
  local function once(account, timeout_ms)
    local probe = poll(account or "demo-1")
    local kind, code, message = wait_for(probe, timeout_ms)
    return kind, code, message, probe.c.poll
  end

  local function fault(fault_, part, count, account)
    service:control({ op = "fault", fault = fault_, part = part, count = count, account = account })
  end

  local function known(p)
    return p.records.positions_known, p.records.account_known, p.records.deals_known
  end

  local function nothing_known(p)
    assert.same({ false, false, false }, { known(p) })
  end

  describe("opening", function()
    it("refuses a URL that it could not use as it stands", function()
      for url, why in pairs({
        ["ftp://x"] = "http or https", ["x"] = "http or https", [""] = "http or https", ["http://"] = "http or https",
        ["http://u:p@h/"] = "user name", ["http://h/?q=1"] = "query", ["http://h/#f"] = "fragment",
        ["file:///etc/passwd"] = "http or https",
      }) do
        local rc, text = open({ url = url })
        assert.equal(-1, rc, url)
        assert.is_truthy(text:find(why, 1, true), url .. ": " .. text)
      end
    end)

    it("refuses bounds below one", function()
      for _, key in ipairs({ "timeout_ms", "concurrency", "max_body" }) do
        local before = options[key]
        assert.equal(-1, (open({ [key] = 0 })))
        options[key] = before
      end
    end)

    it("refuses a CA file that cannot be read", function()
      local rc, text = open({ ca_file = "/nonexistent/ca.pem" })
      assert.equal(-1, rc)
      assert.is_truthy(text:find("/nonexistent/ca.pem", 1, true))
    end)

    it("refuses headers that would break the request, without showing their values", function()
      for name, value in pairs({
        ["X-Key"] = "secret\r\nX-Evil: 1", ["X Key"] = "secret", [""] = "secret", ["X:Key"] = "secret",
        ["content-length"] = "secret", ["Transfer-Encoding"] = "secret", ["Connection"] = "secret",
      }) do
        headers = ffi.new("struct tg_http_source_header[1]", { { name, value } })
        local rc, text = open({ headers = headers, headers_count = 1 })
        assert.equal(-1, rc, name)
        assert.is_nil(text:find("secret", 1, true))
      end
    end)
  end)

  describe("a poll", function()
    it("brings positions and account", function()
      service:control({ { op = "open", account = "demo-1", position = { ticket = "9007199254740993" } },
        { op = "account", account = "demo-1", set = { balance = "12345.67" } } })
      open()
      local kind, code, _, p = once()
      assert.equal(OK, kind)
      assert.equal("", code)
      assert.same({ true, true, false }, { known(p) })
      assert.equal(1, p.records.positions_count)
      assert.equal("9007199254740993ULL", tostring(p.records.positions[0]._ticket))
      assert.equal(12345.67, p.records.account._balance)
    end)

    it("keeps every digit of a 64-bit ticket", function()
      for _, ticket in ipairs({ "1", "9223372036854775807", "18446744073709551615" }) do
        service:control({ { op = "reset" }, { op = "open", account = "demo-1", position = { ticket = ticket } } })
        if not source then open() end
        local kind, _, _, p = once()
        assert.equal(OK, kind)
        assert.equal(ticket .. "ULL", tostring(p.records.positions[0]._position_id))
      end
    end)

    it("reads MetaTrader's spelling", function()
      service:control({ { op = "spelling", value = "mt5" }, { op = "open", account = "demo-1", position = { type = "sell" } } })
      open()
      local kind, _, message, p = once()
      assert.equal(OK, kind, message)
      assert.equal(2, p.records.positions[0]._side)
    end)

    it("asks for positions first, then for the account, and for nothing else", function()
      open()
      once()
      assert.same({ "/api/mt5/account/demo-1/positions", "/api/mt5/account/demo-1/info" }, service:stats().paths)
    end)

    it("asks for the deals last when they are wanted, from the second that is of interest", function()
      service:control({ op = "open", account = "demo-1", position = { ticket = 77 } })
      service:control({ op = "close", account = "demo-1", ticket = 77, price = "1.08650", profit = 150, reason = "tp" })
      open()
      wants = true
      local probe = poll("demo-1", nil, nil, 1772445605999)
      assert.equal(OK, (wait_for(probe)))
      local c = probe.c
      assert.same({
        "/api/mt5/account/demo-1/positions", "/api/mt5/account/demo-1/info",
        "/api/mt5/account/demo-1/history?from_date=2026-03-02T10:00:05Z",
      }, service:stats().paths)
      assert.is_true(c.poll.records.deals_known)
      assert.equal(1, c.poll.records.deals_count)
      assert.equal("77ULL", tostring(c.poll.records.deals[0]._position_id))
      assert.equal(150, c.poll.records.deals[0]._profit)
    end)

    it("is good without deals when only they fail", function()
      wants = true
      open()
      for _, kind in ipairs({ { kind = "error", status = 500 }, { kind = "garble" }, { kind = "drop" }, { kind = "truncate" } }) do
        service:control({ op = "clear" })
        fault(kind, "history")
        local how, _, message, p = once()
        assert.equal(OK, how, message)
        assert.same({ true, true, false }, { known(p) })
      end
    end)

    it("stands a URL with a path and slashes at its end", function()
      open({ url = service.url .. "/prefix/v2//" })
      local kind, code = once()
      assert.equal(FAILED, kind)
      assert.equal("HTTP_404", code)
      assert.same({ "/prefix/v2/api/mt5/account/demo-1/positions" }, service:stats().paths)
    end)

    it("never lets an account's id climb in the path", function()
      open()
      for id, segment in pairs({ ["."] = "%2E", [".."] = "%2E%2E", ["a.b_c-D9"] = "a.b_c-D9" }) do
        once(id)
        local paths = service:stats().paths
        local last = paths[#paths]:match("^/api/mt5/account/([^/]+)/")
        assert.equal(segment, last)
      end
    end)

    it("looks at the positions again when the account counts others", function()
      service:control({ op = "account", account = "demo-1", set = { positions_count = 0 } })
      service:control({ op = "open", account = "demo-1" })
      open()
      local kind, code, _, p = once()
      assert.equal(STALE, kind)
      assert.equal("INCONSISTENT", code)
      nothing_known(p)
      local seen = service:stats().accounts["demo-1"]
      assert.same({ positions = 2, info = 1, history = 0 }, seen)
    end)

    it("is good when the second look agrees", function()
      open()
      -- The first list is an old one: the position has opened since.
      fault({ kind = "raw", body = '{"success":true,"positions":[]}' }, "positions", 1)
      service:control({ op = "open", account = "demo-1" })
      local kind, _, message, p = once()
      assert.equal(OK, kind, message)
      assert.equal(1, p.records.positions_count)
      assert.equal(2, service:stats().accounts["demo-1"].positions)
    end)
  end)

  describe("a failure", function()
    local function ends(wanted_kind, wanted_code, fault_)
      if not source then open() end
      for _, part in ipairs({ "positions", "info" }) do
        service:control({ op = "clear" })
        fault(fault_, part)
        local kind, code, message, p = once()
        assert.equal(wanted_kind, kind, part .. " " .. code .. " " .. message)
        assert.equal(wanted_code, code, part)
        assert.is_true(#message > 0)
        nothing_known(p)
      end
    end

    it("of the service is one, never an empty list", function()
      ends(FAILED, "MT5_ERROR", { kind = "error", status = 500 })
      ends(FAILED, "MT5_ERROR", { kind = "error", status = 200 })
      ends(FAILED, "BAD_DOCUMENT", { kind = "garble" })
      ends(FAILED, "BAD_DOCUMENT", { kind = "raw", body = "" })
      ends(FAILED, "BAD_DOCUMENT", { kind = "raw", body = "[]" })
      ends(FAILED, "SOURCE_ERROR", { kind = "raw", body = '{"success":false,"positions":[],"data":{"balance":0,"equity":0}}' })
      ends(FAILED, "HTTP_302", { kind = "raw", status = 302, extra = "Location: /elsewhere\r\n" })
      ends(FAILED, "HTTP_204", { kind = "raw", status = 204 })
      ends(FAILED, "HTTP_404", { kind = "raw", status = 404, body = '{"detail":"Not Found"}' })
    end)

    it("is a list that is null", function()
      open()
      fault({ kind = "positions_null" }, "positions")
      local kind, code = once()
      assert.equal(FAILED, kind)
      assert.equal("BAD_DOCUMENT", code)
    end)

    it("of the transport is one, in the middle of an answer too", function()
      ends(FAILED, "TRUNCATED", { kind = "truncate" })
      ends(FAILED, "CONNECTION_BROKEN", { kind = "drop" })
      ends(FAILED, "CONNECTION_BROKEN", { kind = "reset" })
    end)

    it("of an answer that never ends comes by its size", function()
      ends(FAILED, "BODY_TOO_LARGE", { kind = "endless" })
    end)

    it("is an answer of the wrong account, or an old one", function()
      ends(STALE, "WRONG_ACCOUNT", { kind = "wrong_account" })
      ends(STALE, "STALE", { kind = "cached", age = 11 })
    end)

    it("is not an answer that is cached but young", function()
      open()
      fault({ kind = "cached", age = 2 })
      assert.equal(OK, (once()))
    end)

    it("tells who refuses and who is busy, and for how long", function()
      ends(REFUSED, "UNAUTHORIZED", { kind = "error", status = 401, code = "UNAUTHORIZED" })
      ends(REFUSED, "HTTP_403", { kind = "raw", status = 403 })
      ends(BUSY, "RATE_LIMITED", { kind = "error", status = 429, code = "RATE_LIMITED", retry_after = 3 })
      fault({ kind = "error", status = 503, header = "7" })
      local kind, _, _, p = once()
      assert.equal(BUSY, kind)
      assert.equal(7000, tonumber(p.retry_after_ms))
    end)

    it("is an account that the service does not know", function()
      service:control({ op = "unknown", account = "demo-9" })
      open()
      local kind, code, _, p = once("demo-9")
      assert.equal(UNKNOWN, kind)
      assert.equal("ACCOUNT_NOT_FOUND", code)
      nothing_known(p)
      assert.equal(OK, (once("demo-1")))
    end)

    it("is a port where nobody listens", function()
      open({ url = "http://127.0.0.1:1" })
      local kind, code = once()
      assert.equal(FAILED, kind)
      assert.equal("CONNECT_FAILED", code)
    end)

    it("is an answer that is not HTTP", function()
      local server = uv.new_tcp()
      server:bind("127.0.0.1", 0)
      server:listen(8, function()
        local client = uv.new_tcp()
        server:accept(client)
        client:write("SSH-2.0-OpenSSH_9.2\r\n\r\n", function() client:close() end)
      end)
      open({ url = "http://127.0.0.1:" .. server:getsockname().port })
      local probe = poll("demo-1")
      run(function()
        uv.run("nowait")
        return probe.ended
      end)
      local kind, code = wait_for(probe)
      server:close()
      uv.run("nowait")
      assert.equal(FAILED, kind)
      assert.is_truthy(code == "NOT_HTTP" or code == "CONNECTION_BROKEN", code)
    end)

    it("does not show our secret when the service quotes it", function()
      headers = ffi.new("struct tg_http_source_header[1]", { { "Authorization", "Bearer s3cr3t-k3y-0001" } })
      open({ headers = headers, headers_count = 1 })
      fault({ kind = "error", status = 400, message = "bad key s3cr3t-k3y-0001!" })
      local _, _, message = once()
      assert.equal("bad key ***************!", message)
    end)

    it("leaves what the records held before out of the answer", function()
      service:control({ op = "open", account = "demo-1" })
      open()
      local probe = poll("demo-1")
      assert.equal(OK, (wait_for(probe)))
      assert.equal(1, probe.c.poll.records.positions_count)
      fault({ kind = "garble" })
      again(probe)
      assert.equal(FAILED, (wait_for(probe)))
      nothing_known(probe.c.poll)
      assert.equal(0, probe.c.poll.records.positions_count)
    end)
  end)

  describe("time", function()
    local function took(fault_, part)
      open({ timeout_ms = 200 })
      fault(fault_, part)
      local before = uv.hrtime() / 1e6
      local kind, code = once()
      return kind, code, uv.hrtime() / 1e6 - before
    end

    local function is_late(kind, code, ms)
      assert.equal(FAILED, kind)
      assert.equal("TIMEOUT", code)
      assert.is_true(ms >= 190 and ms < 3000, ms)
    end

    it("is up for a service that hangs", function()
      is_late(took({ kind = "hang" }, "positions"))
    end)

    it("is up for one that hangs at the second request: the deadline is the poll's", function()
      service:control({ op = "fault", part = "positions", fault = { kind = "delay", ms = 120 } })
      is_late(took({ kind = "delay", ms = 150 }, "info"))
    end)

    it("is up for one that sends byte after byte", function()
      is_late(took({ kind = "trickle", ms = 20 }, "info"))
    end)

    it("is up for a process that is frozen", function()
      open({ timeout_ms = 200 })
      service:freeze()
      local kind, code = once()
      service:thaw()
      assert.equal(FAILED, kind)
      assert.equal("TIMEOUT", code)
    end)

    it("is not up for an answer in small pieces or chunks", function()
      open({ timeout_ms = 3000 })
      fault({ kind = "trickle", ms = 0 }, "positions", 1)
      fault({ kind = "chunked" }, "info", 1)
      local kind, _, message = once()
      assert.equal(OK, kind, message)
    end)
  end)

  describe("a body", function()
    it("may be as large as the bound, and not a byte larger", function()
      local text = '{"success":true,"positions":[]}'
      fault({ kind = "raw", body = text }, "positions")
      fault({ kind = "raw", body = '{"success":true,"balance":1,"equity":1}' }, "info")
      open({ max_body = 39 })
      assert.equal(OK, (once()))
      close()
      open({ max_body = 38 })
      local kind, code = once()
      assert.equal(FAILED, kind)
      assert.equal("BODY_TOO_LARGE", code)
    end)
  end)

  describe("connections", function()
    it("are kept and used again", function()
      open()
      local before = service:stats().connections
      for _ = 1, 20 do
        assert.equal(OK, (once()))
      end
      -- The two that ask for the counts are their own.
      assert.equal(before + 2, service:stats().connections)
      assert.equal(40, service:stats().requests)
    end)

    it("are opened again when the service closes them", function()
      open()
      fault({ kind = "close" })
      for _ = 1, 3 do
        assert.equal(OK, (once()))
      end
    end)

    it("survive a restart of the service", function()
      open()
      assert.equal(OK, (once()))
      local port = service.port
      service:stop()
      assert.equal(FAILED, (once()))
      service = rest.start(port)
      assert.equal(OK, (once()))
    end)

    it("are never more than the requests that may be under way, and the rest wait in order", function()
      open({ concurrency = 3, timeout_ms = 3000 })
      fault({ kind = "delay", ms = 10 })
      local before, order = service:stats().connections, {}
      local list = {}
      for i = 1, 30 do
        list[i] = poll("acc-" .. i, function(probe) order[#order + 1] = probe.account end)
      end
      assert.is_true(run(function() return ended == 30 end))
      for _, probe in ipairs(list) do
        assert.equal(OK, (wait_for(probe)))
      end
      assert.is_true(service:stats().connections - before <= 3 + 2)
      -- In order, but for neighbours that shared the three slots.
      for i, account in ipairs(order) do
        assert.is_true(math.abs(tonumber(account:match("%d+")) - i) <= 3)
      end
    end)

    it("of hundreds of accounts work side by side", function()
      open({ concurrency = 300, timeout_ms = 5000 })
      fault({ kind = "delay", ms = 50 })
      for i = 1, 300 do
        poll("acc-" .. i)
      end
      assert.is_true(run(function() return ended == 300 end))
      for _, probe in pairs(polls) do
        assert.equal(OK, (wait_for(probe)))
      end
    end)

    it("are used again however many there are", function()
      open({ concurrency = 64, timeout_ms = 5000 })
      fault({ kind = "delay", ms = 50 })
      local before, list = service:stats().connections, {}
      for i = 1, 64 do
        list[i] = poll("acc-" .. i)
      end
      assert.is_true(run(function() return ended == 64 end))
      -- Each time, the one that asks for the counts is its own.
      assert.equal(before + 64 + 1, service:stats().connections)
      for _, probe in ipairs(list) do
        again(probe)
      end
      assert.is_true(run(function() return ended == 128 end))
      for _, probe in ipairs(list) do
        assert.equal(OK, (wait_for(probe)))
      end
      assert.equal(before + 64 + 2, service:stats().connections)
    end)

    it("that the service closes while nothing is asked do not keep the loop awake", function()
      open()
      fault({ kind = "leave", ms = 20 })
      for _ = 1, 3 do
        assert.equal(OK, (once()))
        local later = uv.hrtime() / 1e6 + 80
        run(function() return uv.hrtime() / 1e6 > later end)
        local descriptor = ffi.new("int[2]", libuv.uv_backend_fd(loop), 1) -- struct pollfd, POLLIN
        local function idle() return ffi.C.poll(descriptor, 1, 0) == 0 end
        assert.is_true(run(idle, 2000), "the loop has something to do again and again")
      end
    end)

    it("that hang hold up nobody else while there are slots", function()
      open({ concurrency = 4, timeout_ms = 1500 })
      fault({ kind = "hang" }, "*", nil, "bad")
      local bad = poll("bad")
      for _ = 1, 5 do
        assert.equal(OK, (once("good")))
      end
      assert.is_nil(bad.ended)
      assert.equal(FAILED, (wait_for(bad)))
    end)
  end)

  describe("cancelling", function()
    local function cancel(probe)
      source.ops.cancel(source, probe.c.poll)
      assert.is_true(probe.c.poll.driver == nil)
    end

    it("works at every request of a poll", function()
      wants = true
      open({ timeout_ms = 5000 }) -- the deadline is not what is tried here
      for _, part in ipairs({ "positions", "info", "history" }) do
        service:control({ { op = "reset" }, { op = "fault", part = part, fault = { kind = "hang" } } })
        local probe, reached = poll("demo-1"), false
        for _ = 1, 100 do
          run(function() return false end, 5)
          local seen = service:stats().accounts["demo-1"]
          reached = seen and seen[part] == 1
          if reached then break end
        end
        assert.is_true(reached, part)
        cancel(probe)
        service:control({ op = "clear" })
        again(probe)
        assert.equal(OK, (wait_for(probe)))
      end
    end)

    it("works before anything was sent, while it waits, and when it is idle", function()
      open({ concurrency = 1 })
      local first, second, third = poll("a"), poll("b"), poll("c")
      cancel(second)
      cancel(first)
      assert.equal(OK, (wait_for(third)))
      cancel(third)
      run(function() return false end, 30)
      assert.is_nil(first.ended)
      assert.is_nil(second.ended)
      assert.equal(1, third.ended)
      assert.is_nil(service:stats().accounts.b)
    end)

    it("lets the next in line have the slot", function()
      open({ concurrency = 1 })
      fault({ kind = "hang" }, "*", nil, "a")
      local first, second = poll("a"), poll("b")
      run(function() return false end, 20)
      cancel(first)
      assert.equal(OK, (wait_for(second)))
      assert.is_nil(first.ended)
    end)

    it("another poll from inside done is safe", function()
      open({ concurrency = 2 })
      local second
      poll("a", function() cancel(second) end)
      second = poll("b", function() error("b has been cancelled") end)
      fault({ kind = "delay", ms = 400 }, "*", nil, "b")
      assert.is_true(run(function() return ended == 1 end))
      run(function() return false end, 500)
      assert.equal(1, ended)
    end)
  end)

  describe("from inside done", function()
    it("the same poll may start again", function()
      open({ concurrency = 1 })
      local rounds = 0
      poll("a", function(probe)
        rounds = rounds + 1
        if rounds < 5 then again(probe) end
      end)
      assert.is_true(run(function() return rounds == 5 end))
    end)

    it("a poll that starts again goes to the end of the line", function()
      open({ concurrency = 1 })
      local order = {}
      local function note(probe)
        order[#order + 1] = probe.account
        if #order < 6 then again(probe) end
      end
      poll("a", note)
      poll("b", note)
      assert.is_true(run(function() return #order >= 6 end))
      assert.equal("ababab", table.concat(order):sub(1, 6))
    end)

    it("the source may be closed", function()
      open({ concurrency = 2 })
      local count = 0
      for i = 1, 6 do
        poll("acc-" .. i, function()
          count = count + 1
          source.ops.close(source)
          source = nil
        end)
      end
      assert.is_true(run(function() return libuv.uv_run(loop, ONCE_NOWAIT) == 0 end))
      assert.equal(1, count)
    end)
  end)

  describe("closing", function()
    it("ends polls that run and polls that wait, without done", function()
      open({ concurrency = 2 })
      fault({ kind = "hang" })
      for i = 1, 6 do
        poll("acc-" .. i)
      end
      run(function() return service:stats().requests >= 2 end)
      close()
      assert.equal(0, ended)
      for _, probe in pairs(polls) do
        assert.is_true(probe.c.poll.driver == nil)
      end
    end)

    it("works before the loop ever ran", function()
      open()
      poll("a")
      close()
      assert.equal(0, ended)
    end)
  end)

  describe("TLS", function()
    local folder, server, port

    setup(function()
      folder = uv.fs_mkdtemp((os.getenv("TMPDIR") or "/tmp") .. "/tidegate-tls-XXXXXX")
      assert.equal(0, os.execute(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        .. "-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout %s/key -out %s/cert 2>/dev/null"):format(
          folder, folder)))
      server = process.start({
        argv = { "openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-key", folder .. "/key", "-cert",
          folder .. "/cert" },
        env = { LD_PRELOAD = false },
      })
      port = assert(server:wait_line("^ACCEPT", 5000)):match(":(%d+)")
    end)

    teardown(function()
      server:stop()
      os.remove(folder .. "/key")
      os.remove(folder .. "/cert")
      uv.fs_rmdir(folder)
    end)

    it("refuses a certificate that nobody vouches for", function()
      open({ url = "https://localhost:" .. port, timeout_ms = 10000 })
      local kind, code = once(nil, 12000)
      assert.equal(FAILED, kind)
      assert.equal("TLS_FAILED", code)
    end)

    it("believes one that the CA file vouches for", function()
      open({ url = "https://localhost:" .. port, ca_file = folder .. "/cert", timeout_ms = 10000 })
      -- The server answers with a page of its own.
      local kind, code = once(nil, 12000)
      assert.equal(FAILED, kind)
      assert.equal("BAD_DOCUMENT", code)
    end)

    it("refuses a certificate of another name", function()
      open({ url = "https://127.0.0.1:" .. port, ca_file = folder .. "/cert", timeout_ms = 10000 })
      assert.equal("TLS_FAILED", select(2, once(nil, 12000)))
    end)
  end)

  describe("headers", function()
    local function sent(subject, list)
      headers = ffi.new("struct tg_http_source_header[?]", #list)
      for i, pair in ipairs(list) do
        headers[i - 1].name, headers[i - 1].value = pair[1], pair[2]
      end
      open({ headers = headers, headers_count = #list })
      assert.equal(OK, (wait_for(poll("demo-1", nil, subject))))
      close()
      return service:stats().headers["demo-1"]
    end

    it("go out as configured", function()
      local got = sent("", { { "X-API-Key", "k" }, { "Authorization", "Bearer t" } })
      assert.equal("k", got["x-api-key"])
      assert.equal("Bearer t", got.authorization)
      assert.equal("application/json", got.accept)
    end)

    it("have the account and the subject put in", function()
      local got = sent("alice", { { "X-Who", "{subject} of {account_id}/{subject}" }, { "X-Not", "{other}" } })
      assert.equal("alice of demo-1/alice", got["x-who"])
      assert.equal("{other}", got["x-not"])
    end)

    it("are left out when there is nothing to put in", function()
      assert.is_nil(sent("", { { "X-Who", "Bearer {subject}" } })["x-who"])
    end)

    it("cannot be forged by a subject", function()
      for subject, shown in pairs({
        ["a\r\nX-Evil: 1"] = "a%0D%0AX-Evil: 1", ["a%0D"] = "a%250D", [" a b "] = "%20a b%20",
        ["\127\1"] = "%7F%01", ["ä"] = "%C3%A4", ["auth0|a@b:c"] = "auth0|a@b:c",
      }) do
        local got = sent(subject, { { "X-Who", "{subject}" } })
        assert.equal(shown, got["x-who"])
        assert.is_nil(got["x-evil"])
      end
    end)
  end)
end)
