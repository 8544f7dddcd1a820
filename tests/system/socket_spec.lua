-- The network as it is: resets, half-closed and slow clients, too many of them, and a port that is taken. Against the product's
-- own connection code with an echo behind it.
local gateway_of = require("support.gateway")
local process = require("support.process")
local wire = require("support.wire")
local frames = require("support.frames")
local loop = require("support.loop")

local BUILD = os.getenv("TIDEGATE_BUILD") or "build/dev"

-- A sanitizer keeps freed memory to catch its use: what a process holds says nothing then.
local sanitized = gateway_of.sanitized
local it_measured = sanitized and pending or it

describe("a server on real sockets", function()
  local server, port

  local function start(arguments, shell)
    local argv = { BUILD .. "/echo_server", unpack(arguments or {}) }
    if shell then argv = { "/bin/sh", "-c", shell .. '; exec "$0" "$@"', unpack(argv) } end
    server = process.start({ argv = argv })
    port = assert(server:wait_log({ event = "listening" }, 5000)).port
  end

  after_each(function()
    local code, why
    if server then
      code, why = server:stop()
      code = code or -1
      why = (why or "") .. "\n" .. table.concat(server.stderr, "\n")
    end
    server = nil
    assert.equal(0, code or 0, why)
  end)

  -- It serves: at once, or, with `sooner_or_later`, when the places of those who left are free.
  local function echoes(sooner_or_later)
    local client = sooner_or_later and loop.eventually(function() return (wire.connect({ port = port })) end, 2000)
      or wire.connect({ port = port })
    assert(client)
    client:send_text("still here")
    assert.equal("still here", assert(client:next_message()).data)
    assert.equal(1000, client:close())
  end

  -- A number of /proc/<pid>/status, in kB, and the processor time used, in ticks of 10 ms.
  local function status(name)
    local file = assert(io.open("/proc/" .. server.pid .. "/status"))
    local text = file:read("*a")
    file:close()
    return tonumber(text:match(name .. ":%s*(%d+)"))
  end

  local function cpu()
    local file = assert(io.open("/proc/" .. server.pid .. "/stat"))
    local user, system = file:read("*a"):match("%) %S+ " .. ("%S+ "):rep(10) .. "(%d+) (%d+)")
    file:close()
    return tonumber(user) + tonumber(system)
  end

  -- Write system calls so far.
  local function writes()
    local file = assert(io.open("/proc/" .. server.pid .. "/io"))
    local text = file:read("*a")
    file:close()
    return tonumber(text:match("syscw: (%d+)"))
  end

  it("tells its port and ends cleanly on SIGTERM, whoever is connected", function()
    start()
    local line = assert(server:wait_line("^%d+$", 1000))
    assert.equal(port, tonumber(line))
    local open, raw = assert(wire.connect({ port = port })), assert(wire.raw(port))
    raw:send("GET / HT")
    open:send_bytes(frames.encode({ opcode = frames.TEXT, payload = "half a frame" }):sub(1, 7))
    loop.sleep(50)
    assert.equal(0, server:stop())
    assert.equal(1006, (open:wait_closed(1000)))
    assert.is_true(raw:wait_eof(1000))
    raw:abort()
    server = nil
  end)

  it("says clearly that a port is taken", function()
    start()
    local second = process.start({ argv = { BUILD .. "/echo_server", "--port", tostring(port) } })
    assert.equal(3, second:wait_exit(5000))
    assert.equal("cannot listen on 127.0.0.1 port " .. port .. ": the port is in use by another program", second.stderr[1])
  end)

  it("refuses an address that is none, and one that is not ours", function()
    for address, why in pairs({
      ["localhost"] = '"localhost" is not an IPv4 or IPv6 address',
      ["192.0.2.1"] = "cannot listen on 192.0.2.1 port 0: address not available",
    }) do
      local bad = process.start({ argv = { BUILD .. "/echo_server", "--address", address } })
      assert.equal(3, bad:wait_exit(5000))
      assert.equal(why, bad.stderr[1])
    end
  end)

  it("shares a port with another process when both ask for it", function()
    start({ "--reuse-port", "1" })
    local argv = { BUILD .. "/echo_server", "--reuse-port", "1", "--port", tostring(port) }
    local second = process.start({ argv = argv })
    assert.is_truthy(second:wait_log({ event = "listening", port = port }, 5000))
    for _ = 1, 20 do
      echoes()
    end
    assert.equal(0, second:stop())
  end)

  it("takes IPv6 clients, and IPv4 ones by the same listener, each by its own address", function()
    start({ "--address", "::" })
    for i, host in ipairs({ "127.0.0.1", "::1" }) do
      if i > 1 then loop.sleep(1100) end -- a second line of this kind within a second would be held back
      local raw = assert(wire.raw(port, host))
      raw:send("nonsense\r\n\r\n")
      assert.equal(400, raw:next_answer(1000).status)
      raw:abort()
      assert.is_truthy(server:wait_log({ event = "request_refused", address = host }, 1500))
    end
  end)

  it("outlives clients that leave abruptly at any point", function()
    start()
    local message = frames.encode({ opcode = frames.BINARY, payload = ("x"):rep(1000000) })
    local handshake = wire.handshake({ port = port })
    for _, bytes in ipairs({ "", "G", handshake:sub(1, 40), handshake, handshake .. message:sub(1, 5000), handshake .. message }) do
      for _, reset in ipairs({ true, false }) do
        local raw = assert(wire.raw(port))
        raw:send(bytes)
        loop.sleep(5)
        raw:abort(reset)
      end
    end
    echoes()
  end)

  it("answers a client that has ended its half", function()
    start()
    local raw = assert(wire.raw(port))
    raw:send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    raw:shutdown()
    local answer = assert(raw:next_answer(1000))
    assert.equal(426, answer.status)
    assert.equal("13", answer.headers["sec-websocket-version"])
    assert.is_true(raw:wait_eof(1000))
    assert.is_nil(raw.error)
    raw:abort()
  end)

  it("delivers a refusal although the client goes on sending", function()
    start()
    local raw = assert(wire.raw(port))
    raw:send("GARBAGE\r\n\r\n" .. ("x"):rep(300000))
    local answer = assert(raw:next_answer(2000))
    assert.equal(400, answer.status)
    assert.equal("INVALID_REQUEST", answer.json.error.code)
    assert.is_true(raw:wait_eof(1000))
    assert.is_nil(raw.error)
    raw:abort()
  end)

  it("takes requests and handshakes byte by byte", function()
    start()
    local raw = assert(wire.raw(port))
    raw:send_split("GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n" .. wire.handshake({ port = port }), 1)
    assert.equal(426, raw:next_answer(1000).status)
    assert.equal(426, raw:next_answer(1000).status)
    assert.equal(101, raw:next_answer(1000).status)
    raw:abort()
  end)

  it("stops reading a client that does not read, and loses nothing of what it owes", function()
    start({ "--max-message", "2000000" })
    local client = assert(wire.connect({ port = port, keep = false }))
    local message = frames.encode({ opcode = frames.BINARY, payload = ("x"):rep(1000000) })
    client:pause()
    for _ = 1, 60 do
      client:send_bytes(message)
    end
    loop.sleep(500)
    assert.is_true(client.conn.sent_bytes < 30 * #message, "it read " .. client.conn.sent_bytes .. " bytes")
    assert.is_true(sanitized or status("VmRSS") < 40000)
    client:resume()
    assert.is_truthy(loop.await(function()
      return client.count == 60
    end, 10000))
    assert.equal(1000, client:close())
  end)

  it("answers the Pings of a flood only as fast as they are read", function()
    start()
    local client = assert(wire.connect({ port = port, keep = false }))
    local pings = frames.encode({ opcode = frames.PING, payload = ("p"):rep(125) }):rep(8000)
    client:pause()
    for _ = 1, 40 do
      client:send_bytes(pings)
    end
    loop.sleep(300)
    assert.is_true(sanitized or status("VmRSS") < 30000)
    client:abort(true)
    echoes()
  end)

  it("puts all frames of a turn into few writes", function()
    start()
    local client = assert(wire.connect({ port = port, record = true }))
    local before = writes()
    client:send_bytes(frames.encode({ opcode = frames.PING, payload = "p" }):rep(1000))
    assert.is_truthy(loop.await(function()
      return #client.frames == 1000
    end, 2000))
    assert.is_true(writes() - before < 50, "it took " .. writes() - before .. " writes")
    client:abort()
  end)

  it("tells one client too many, and takes the next when a place is free", function()
    start({ "--connections", "2" })
    local one, two = assert(wire.connect({ port = port })), assert(wire.connect({ port = port }))
    local none, refusal = wire.connect({ port = port })
    assert.is_nil(none)
    assert.equal(503, refusal.status)
    assert.equal("5", refusal.headers["retry-after"])
    assert.equal("SERVICE_OVERLOADED", refusal.json.error.code)
    assert.equal(1000, two:close())
    echoes(true)
    one:send_text("unharmed")
    assert.equal("unharmed", one:next_message().data)
    one:abort()
  end)

  it("drops a flood beyond that without a word, and recovers", function()
    start({ "--connections", "1" })
    local served = assert(wire.connect({ port = port }))
    local crowd, told, dropped, begun = {}, 0, 0, loop.now()
    for i = 1, 200 do
      crowd[i] = assert(wire.raw(port))
    end
    for _, raw in ipairs(crowd) do
      assert.is_true(raw:wait_eof(2000))
      if raw:bytes():find("503", 1, true) then told = told + 1 else dropped = dropped + 1 end
    end
    -- Those who were told have 5 s to leave: then others can be told.
    if loop.now() - begun < 5000 then assert.equal(128, told) else assert.is_true(told >= 128) end
    assert.equal(200, told + dropped)
    served:send_text("unharmed")
    assert.equal("unharmed", served:next_message().data)
    served:abort()
    for _, raw in ipairs(crowd) do
      raw:abort()
    end
    echoes(true)
  end)

  it("neither spins nor stops when descriptors run out", function()
    start({}, "ulimit -n 24")
    local crowd = {}
    for i = 1, 40 do
      crowd[i] = assert(wire.raw(port))
    end
    loop.sleep(100)
    local before = cpu()
    loop.sleep(500)
    assert.is_true(cpu() - before < 10, "it used " .. (cpu() - before) .. " ticks")
    assert.is_truthy(server:wait_log({ event = "descriptors_short", level = "error" }, 1000))
    for _, raw in ipairs(crowd) do
      raw:abort()
    end
    echoes(true)
  end)

  it_measured("needs less than 1 KB for an idle WebSocket", function()
    start({ "--connections", "5000" })
    local clients = {}
    local function open(n)
      for _ = 1, n do
        clients[#clients + 1] = assert(wire.connect({ port = port }))
      end
    end
    open(100)
    local before = status("VmRSS")
    open(1500)
    local each = (status("VmRSS") - before) * 1024 / 1500
    for _, client in ipairs(clients) do
      client:abort()
    end
    assert.is_true(each < 1024, ("it took %d bytes"):format(each))
  end)

  it_measured("gives everything back when thousands have come and gone", function()
    start()
    local function churn(n)
      for i = 1, n do
        local client = assert(wire.connect({ port = port }))
        client:send_text("x")
        if i % 3 == 0 then client:send_bytes("\129\200half") end
        if i % 2 == 0 then assert(client:next_message()) end
        client:abort(i % 4 == 0)
      end
      loop.sleep(100)
    end
    churn(500)
    local before = status("VmRSS")
    churn(3000)
    assert.is_true(status("VmRSS") - before < 512, "it grew by " .. status("VmRSS") - before .. " kB")
  end)
end)
