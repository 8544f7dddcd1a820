-- `tidegate tail` against a gateway that does whatever a spec wants.
local frames = require("support.frames")
local gateway_of = require("support.gateway")
local loop = require("support.loop")
local process = require("support.process")
local ws_server = require("support.ws_server")

describe("tidegate tail", function()
  local server, tail

  after_each(function()
    process.stop_all()
    if server then server:stop() end
    server, tail = nil, nil
  end)

  local function start(...)
    tail = process.start({
      argv = { gateway_of.binary, "tail", "--url", "ws://127.0.0.1:" .. server.port, "--token", "t.o.k", "--account", "acc", ... },
      env = { TIDEGATE_TOKEN = false, LD_PRELOAD = false, ASAN_OPTIONS = false, TERM = "xterm" },
    })
    return tail
  end

  local function hello(seq, epoch)
    return { type = "connected", account_id = "acc", epoch = epoch or "e1", seq = seq or 0, recovered = false, status = "live" }
  end

  local function remark(pattern, from)
    local line, at = tail:wait_line(pattern, 10000, "stderr", from)
    assert.is_truthy(line, pattern .. ": " .. table.concat(tail.stderr, "\n"))
    return line, at
  end

  it("asks with the token in a header, shows what comes, and ends after --count with a good-bye", function()
    server = ws_server.start(function(peer)
      peer:json(hello())
      peer:json({ type = "status", status = "live" })
      peer:json({ type = "extra" })
    end)
    start("--raw", "--count", "2")
    local peer = server:accept(5000)
    assert.is_truthy(peer.head:find("^GET /ws/account/acc HTTP/1.1\r\n"))
    assert.is_truthy(peer.head:find("\r\nAuthorization: Bearer t.o.k\r\n", 1, true))
    assert.equal(0, tail:wait_exit(5000))
    assert.equal(2, #tail.stdout)
    assert.is_truthy(tail.stdout[2]:find('"status":"live"', 1, true))
    assert.same({}, tail.stderr)
    assert.is_true(loop.await(function() return peer.ended end, 2000))
    assert.equal(frames.CLOSE, peer.frames[#peer.frames].opcode)
    assert.equal(frames.close_payload(1000), peer.frames[#peer.frames].payload)
  end)

  it("shows life with a message and with a Ping frame, and does not show the answers", function()
    server = ws_server.start(function(peer)
      peer.answer = function(self) self:json({ type = "pong", sent = 0 }) end
      peer:json(hello())
    end)
    start("--raw", "--ping", "1")
    local peer, pings, messages = server:accept(5000), 0, 0
    loop.await(function()
      local frame = table.remove(peer.frames, 1)
      if frame and frame.opcode == frames.PING then pings = pings + 1 end
      if frame and frame.opcode == frames.TEXT then
        assert.equal('{"type":"ping"}', frame.payload)
        messages = messages + 1
      end
      return pings >= 2 and messages >= 2
    end, 5000)
    assert.is_true(pings >= 2 and messages >= 2)
    tail:signal("sigint")
    assert.equal(0, tail:wait_exit(5000))
    assert.equal(1, #tail.stdout)
  end)

  it("says when events are missing", function()
    server = ws_server.start(function(peer)
      peer:json(hello(5))
      peer:json({ type = "position_opened", seq = 6, position = { ticket = 1 } })
      peer:json({ type = "pong", sent = 3 })
    end)
    start()
    remark("2 events are missing")
  end)

  it("comes back where it stopped, and says what happened meanwhile", function()
    local times = 0
    server = ws_server.start(function(peer)
      times = times + 1
      peer:json(hello(times == 1 and 5 or 9))
      if times == 1 then
        peer:json({ type = "x", seq = 6 })
        peer:close(4002, "too slow")
      end
    end)
    start()
    assert.is_truthy(server:accept(5000))
    remark("closed by the gateway: 4002 too slow")
    remark("again in %d")
    local peer = server:accept(5000)
    assert.is_truthy(peer.head:find("^GET /ws/account/acc%?epoch=e1&since=6 HTTP"), peer.head)
    remark("3 events happened while the connection was away")
  end)

  it("comes back when the connection breaks in the middle of a message", function()
    local times = 0
    server = ws_server.start(function(peer)
      times = times + 1
      if times > 1 then return peer:json(hello(0, "e2")) end
      peer:json(hello())
      peer:write("\129\126\1")
      loop.sleep(50)
      peer:drop()
    end)
    start()
    remark("the connection broke")
    assert.is_truthy(server:accept(5000))
    assert.is_truthy(server:accept(5000))
    remark("started anew")
  end)

  it("takes a gateway that answers no pings for dead, whatever else it sends", function()
    server = ws_server.start(function(peer)
      peer.silent = true
      peer:json(hello())
      peer.answer = function(self) self:json({ type = "account_update", rev = 1 }) end
    end)
    start("--timeout", "1", "--ping", "1", "--no-reconnect")
    assert.equal(3, tail:wait_exit(5000))
    remark("does not answer pings")
  end)

  it("waits as long as going_away asks", function()
    local times = 0
    server = ws_server.start(function(peer)
      times = times + 1
      peer:json(hello())
      if times > 1 then return end
      peer:json({ type = "going_away", reconnect_after_ms = 1500 })
      peer:close(4003, "draining")
    end)
    start()
    local line = remark("again in")
    assert.is_truthy(line:find("again in 1.5 s", 1, true), line)
    assert.is_truthy(server:accept(5000))
    local before = loop.now()
    assert.is_truthy(server:accept(5000))
    assert.is_true(loop.now() - before >= 1000)
  end)

  for code, exit in pairs({ [4500] = 1, [4501] = 1, [4504] = 1, [4502] = 3, [4503] = 3, [4505] = 3, [1000] = 0 }) do
    it("stays away after " .. code .. " and exits with " .. exit, function()
      server = ws_server.start(function(peer)
        peer:json(hello())
        peer:close(code, "because")
      end)
      start()
      assert.equal(exit, tail:wait_exit(5000))
      remark("closed by the gateway: " .. code .. " because")
    end)
  end

  local function refusal(status, body, extra)
    return ("HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s"):format(status, #body, extra or "", body)
  end

  it("tells a refusal in the gateway's words and does not ask again", function()
    server = ws_server.start()
    server.refusal = refusal("403 Forbidden", '{"success":false,"error":{"code":"NOT_OWNER","message":"not\\u001b[31m yours"}}')
    start()
    assert.equal(1, tail:wait_exit(5000))
    local line = remark("refused: HTTP 403 NOT_OWNER: not")
    assert.is_nil(line:find("\27", 1, true))
    assert.equal(1, #server.peers)
  end)

  it("asks again when that may help, after Retry-After", function()
    server = ws_server.start(function(peer) peer:json(hello()) end)
    server.refusal = refusal("503 Service Unavailable", "{}", "Retry-After: 1\r\n")
    start("--count", "1")
    remark("refused: HTTP 503")
    remark("again in 1.0 s")
    server.refusal = nil
    assert.equal(0, tail:wait_exit(5000))
  end)

  it("ends at the first loss with --no-reconnect", function()
    server = ws_server.start(function(peer) peer:close(4003, "draining") end)
    start("--no-reconnect")
    assert.equal(3, tail:wait_exit(5000))
    server:stop()
    start("--no-reconnect")
    assert.equal(3, tail:wait_exit(5000))
    remark("Connection refused")
    server = nil
  end)

  it("lets no message steer the terminal, in either form", function()
    server = ws_server.start(function(peer)
      peer:text('{"type":"x","comment":"\\u001b]0;t\\u0007\194\155 2J"}')
      peer:text('{"type":"x",\n"comment":"\194\155"}')
      peer:text("\27[2J is no JSON")
      peer:text('["no object"]')
      peer:write(frames.encode({ opcode = frames.BINARY, payload = "{}", mask = false }))
    end)
    start("--raw", "--count", "2")
    assert.equal(0, tail:wait_exit(5000))
    assert.same({ '{"type":"x","comment":"\\u001b]0;t\\u0007\\u009b 2J"}', '{"type":"x", "comment":"\\u009b"}' }, tail.stdout)
    start()
    for _ = 1, 3 do remark("no JSON object") end
    assert.equal(2, #tail.stdout)
    assert.is_nil(table.concat(tail.stdout):find("[\27\7]"))
    assert.is_nil(table.concat(tail.stderr):find("\27", 1, true))
  end)

  it("shows a message of many fragments and of a megabyte whole", function()
    local long = ("x"):rep(1048576)
    server = ws_server.start(function(peer)
      local text = '{"type":"long","v":"' .. long .. '"}'
      peer:write(frames.encode({ opcode = frames.TEXT, payload = text:sub(1, 1000), fin = false, mask = false }))
      peer:write(frames.encode({ opcode = frames.CONTINUATION, payload = text:sub(1001), mask = false }))
    end)
    start("--raw", "--count", "1")
    assert.equal(0, tail:wait_exit(5000))
    assert.equal(#long + 22, #tail.stdout[1])
  end)

  it("ends when nobody reads what it shows", function()
    server = ws_server.start(function(peer) peer:json(hello()) end)
    local command = ("%s tail --raw --token a.b.c --account acc --url ws://127.0.0.1:%d >/dev/full 2>/dev/null")
      :format(gateway_of.binary, server.port)
    local child = process.start({ argv = { "/bin/sh", "-c", command }, env = { LD_PRELOAD = false, ASAN_OPTIONS = false } })
    assert.equal(3, child:wait_exit(5000))
  end)

  it("answers Ctrl-C also while it waits, connects, or reads", function()
    server = ws_server.start()
    server.refusal = refusal("503 Service Unavailable", "{}", "Retry-After: 20\r\n")
    start()
    remark("again in")
    tail:signal("sigterm")
    assert.equal(0, tail:wait_exit(2000))
  end)
end)
