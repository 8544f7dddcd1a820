local ffi = require("ffi")
local cdef = require("support.cdef")
local frames = require("support.frames")
local C = cdef.library("net", { "net/receiver.h" })

local TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10

-- The functions that C calls back from may not be compiled into the code that calls C.
jit.off(true, true)

describe("receiver", function()
  local pool, receiver, events, told, hook

  before_each(function()
    told, hook = {}, nil
    events = ffi.new("struct tg_receiver_events")
    events.message = function(_, text, data, len)
      told[#told + 1] = (text and "text " or "binary ") .. ffi.string(data, len)
      if hook then hook() end
    end
    events.ping = function(_, data, len)
      told[#told + 1] = "ping " .. ffi.string(data, len)
      if hook then hook() end
    end
    events.close = function(_, code)
      told[#told + 1] = "close " .. code
    end
    pool = C.tg_receiver_pool_new(events)
    receiver = ffi.new("struct tg_receiver")
  end)

  after_each(function()
    C.tg_receiver_fini(receiver)
    assert.equal(0, C.tg_receiver_pool_busy(pool))
    C.tg_receiver_pool_free(pool)
    events.message:free()
    events.ping:free()
    events.close:free()
  end)

  local function start(message_bytes, fragments)
    C.tg_receiver_fini(receiver)
    C.tg_receiver_init(receiver, pool, message_bytes or 1000, fragments or 0)
    told = {}
  end

  -- Feeds in pieces; the first code that is not 0, or 0.
  local function feed(bytes, size)
    for at = 1, #bytes, size or #bytes do
      local piece = bytes:sub(at, at + (size or #bytes) - 1)
      local code = C.tg_receiver_feed(receiver, piece, #piece)
      if code ~= 0 then return code end
    end
    return 0
  end

  local function frame(opcode, payload, more)
    local f = { opcode = opcode, payload = payload, key = "\1\2\3\4" }
    for name, value in pairs(more or {}) do
      f[name] = value
    end
    return frames.encode(f)
  end

  -- The same bytes in every cut tell the same and end with the same code.
  local function tells(bytes, expected, code, message_bytes, fragments)
    for size = 1, #bytes do
      start(message_bytes, fragments)
      assert.equal(code or 0, feed(bytes, size), "in pieces of " .. size)
      assert.same(expected, told)
    end
  end

  it("tells whole messages (RFC 6455 §5.6)", function()
    tells(frame(TEXT, "héllo") .. frame(BINARY, "\0\255") .. frame(TEXT, ""), { "text héllo", "binary \0\255", "text " })
  end)

  it("reads lengths of all three forms (§5.2)", function()
    for _, length in ipairs({ 125, 126, 127, 65535, 65536 }) do
      start(100000)
      assert.equal(0, feed(frame(BINARY, ("x"):rep(length)), 1009))
      assert.equal(7 + length, #told[1])
      assert.is_true(receiver.slot == nil)
    end
  end)

  it("puts fragments together (§5.4)", function()
    tells(
      frame(TEXT, "a", { fin = false }) .. frame(CONTINUATION, "", { fin = false }) .. frame(CONTINUATION, "b"),
      { "text ab" }
    )
    tells(frame(TEXT, "", { fin = false }) .. frame(CONTINUATION, ""), { "text " })
  end)

  it("takes control frames between fragments (§5.4)", function()
    tells(
      frame(TEXT, "a", { fin = false }) .. frame(PING, "p") .. frame(PONG, "q") .. frame(CONTINUATION, "b"),
      { "ping p", "text ab" }
    )
  end)

  it("tells Pings with their payload and passes over Pongs (§5.5)", function()
    tells(frame(PING, "") .. frame(PING, ("p"):rep(125)) .. frame(PONG, "x"), { "ping ", "ping " .. ("p"):rep(125) })
  end)

  it("tells a Close once and nothing after it (§5.5.1)", function()
    tells(frame(CLOSE, "") .. frame(TEXT, "late"), { "close 1005" })
    tells(frame(CLOSE, "\3\232") .. frame(CLOSE, "\3\233"), { "close 1000" })
    tells(frame(CLOSE, "\15\160bye ä"), { "close 4000" })
    tells(frame(TEXT, "a", { fin = false }) .. frame(CLOSE, "\3\232"), { "close 1000" })
  end)

  it("accepts every close code of the registry and no other (§7.4)", function()
    local function code_of(code)
      start()
      local rc = feed(frame(CLOSE, string.char(math.floor(code / 256), code % 256)))
      return rc, told[1]
    end
    for _, code in ipairs({ 1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 4999 }) do
      assert.same({ 0, "close " .. code }, { code_of(code) })
    end
    for _, code in ipairs({ 0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535 }) do
      assert.same({ 1002 }, { code_of(code) }, tostring(code))
    end
  end)

  it("refuses a Close of one byte, and a reason that is not UTF-8", function()
    tells(frame(CLOSE, "\3"), {}, 1002)
    tells(frame(CLOSE, "\3\232\255"), {}, 1007)
    tells(frame(CLOSE, "\3\232\195"), {}, 1007)
    tells(frame(CLOSE, "\3\231x"), {}, 1002)
  end)

  it("refuses what the protocol forbids with 1002 (§5)", function()
    local lone = frame(TEXT, "ok")
    tells(lone .. frame(TEXT, "x", { mask = false }), { "text ok" }, 1002)
    for rsv = 1, 7 do
      tells(lone .. frame(TEXT, "x", { rsv = rsv }), { "text ok" }, 1002)
      tells(lone .. frame(PING, "x", { rsv = rsv }), { "text ok" }, 1002)
    end
    for _, opcode in ipairs({ 3, 4, 5, 6, 7, 11, 12, 13, 14, 15 }) do
      tells(lone .. frame(opcode, "x"), { "text ok" }, 1002)
    end
    tells(lone .. frame(CONTINUATION, "x"), { "text ok" }, 1002)
    tells(frame(TEXT, "x", { fin = false }) .. frame(TEXT, "y"), {}, 1002)
    tells(frame(TEXT, "x", { fin = false }) .. frame(BINARY, "y", { fin = false }), {}, 1002)
    tells(frame(PING, "x", { fin = false }) .. frame(CONTINUATION, "y"), {}, 1002)
    tells(frame(CLOSE, "", { fin = false }), {}, 1002)
  end)

  it("refuses control frames over 125 bytes (§5.5)", function()
    for _, opcode in ipairs({ CLOSE, PING, PONG }) do
      start()
      assert.equal(1002, feed(frame(opcode, ("x"):rep(126)), 1))
    end
  end)

  it("refuses lengths that are not minimal, and negative ones (§5.2)", function()
    start()
    assert.equal(1002, feed(frame(TEXT, ("x"):rep(125), { form = 16 }), 1))
    start(100000)
    assert.equal(1002, feed(frame(TEXT, ("x"):rep(1000), { form = 64 }), 1))
    start()
    assert.equal(1002, feed("\130\255\255\255\255\255\255\255\255\255\1\2\3\4x", 1))
  end)

  it("refuses text that is not UTF-8 with 1007 (§8.1)", function()
    for _, bad in ipairs({
      "\255", "\128", "\192\128", "\193\191", "\224\128\128", "\237\160\128", "\240\128\128\128", "\244\144\128\128", "a\195",
      "\195(", "\226\130", "\206\186\225\189\185\207\131\206\188\206\181\237\160\128edited",
    }) do
      tells(frame(TEXT, bad), {}, 1007)
    end
  end)

  it("takes characters that are cut between fragments, not ones that never end", function()
    tells(frame(TEXT, "\226", { fin = false }) .. frame(CONTINUATION, "\130\172"), { "text €" })
    tells(frame(TEXT, "\226", { fin = false }) .. frame(CONTINUATION, "\130"), {}, 1007)
  end)

  it("fails on the first wrong byte, not at the end of the message", function()
    start()
    assert.equal(0, feed(frame(TEXT, "fine", { fin = false })))
    assert.equal(1007, feed(frame(CONTINUATION, "\255" .. ("x"):rep(100), { fin = false }):sub(1, 8)))
  end)

  it("lets binary messages hold anything", function()
    tells(frame(BINARY, "\255\254"), { "binary \255\254" })
  end)

  it("bounds a message, whole or in fragments, with 1009", function()
    tells(frame(TEXT, "12345678"), { "text 12345678" }, 0, 8)
    tells(frame(TEXT, "123456789"), {}, 1009, 8)
    tells(frame(TEXT, "12345", { fin = false }) .. frame(CONTINUATION, "6789"), {}, 1009, 8)
    tells(frame(TEXT, "12345", { fin = false }) .. frame(PING, "123456789") .. frame(CONTINUATION, "678"),
      { "ping 123456789", "text 12345678" }, 0, 8)
  end)

  it("refuses by the header alone, before the payload comes", function()
    for _, length in ipairs({ 9, 70000, 2 ^ 31, 2 ^ 40 }) do
      start(8)
      assert.equal(1009, feed(frame(BINARY, "", { length = length }) .. "x", 1))
    end
  end)

  it("bounds the fragments of a message with 1008, and starts anew with the next", function()
    local three = frame(TEXT, "a", { fin = false }) .. frame(CONTINUATION, "b", { fin = false }) .. frame(CONTINUATION, "c")
    tells(three .. frame(PING, "") .. three, { "text abc", "ping ", "text abc" }, 0, 100, 3)
    tells(three, {}, 1008, 100, 2)
  end)

  it("takes a message of 16 MB in fragments of 64 bytes", function()
    start(16 * 1024 * 1024)
    local payload = ("x"):rep(64)
    local first, middle = frame(BINARY, payload, { fin = false }), frame(CONTINUATION, payload, { fin = false })
    assert.equal(0, feed(first .. middle:rep(262142) .. frame(CONTINUATION, payload), 65536))
    assert.equal(7 + 16 * 1024 * 1024, #told[1])
  end)

  it("holds no memory between messages and shares what waits", function()
    start()
    assert.equal(0, C.tg_receiver_pool_idle(pool))
    feed(frame(TEXT, "a"))
    assert.is_true(receiver.slot == nil)
    assert.equal(0, C.tg_receiver_pool_busy(pool))
    assert.equal(1, C.tg_receiver_pool_idle(pool))
    feed(frame(TEXT, "b"):sub(1, 1))
    assert.equal(1, C.tg_receiver_pool_busy(pool))
    assert.equal(0, C.tg_receiver_pool_idle(pool))
    feed(frame(TEXT, "b"):sub(2))
    assert.equal(0, C.tg_receiver_pool_busy(pool))
    assert.same({ "text a", "text b" }, told)
  end)

  it("keeps what it needs in the middle of a message, also between its frames", function()
    start()
    feed(frame(TEXT, "a", { fin = false }))
    assert.equal(1, C.tg_receiver_pool_busy(pool))
    feed(frame(CONTINUATION, "b"))
    assert.equal(0, C.tg_receiver_pool_busy(pool))
  end)

  it("keeps apart receivers that share the pool", function()
    local others = {}
    for i = 1, 100 do
      others[i] = ffi.new("struct tg_receiver")
      C.tg_receiver_init(others[i], pool, 100, 0)
    end
    for at = 1, 9 do
      for i = 1, 100 do
        local bytes = frame(TEXT, ("%03d"):format(i)):sub(at, at)
        assert.equal(0, C.tg_receiver_feed(others[i], bytes, 1))
      end
    end
    assert.equal(100, #told)
    for i = 1, 100 do
      assert.equal(("text %03d"):format(i), told[i])
      C.tg_receiver_fini(others[i])
    end
    assert.equal(64, C.tg_receiver_pool_idle(pool))
  end)

  it("never gives a context that has failed to another", function()
    start()
    assert.equal(1002, feed(frame(3, "x")))
    assert.equal(0, C.tg_receiver_pool_idle(pool))
    assert.equal(0, feed(frame(TEXT, "ignored")))
    assert.same({}, told)
  end)

  it("can be stopped from inside a message", function()
    start()
    hook = function()
      C.tg_receiver_stop(receiver)
    end
    assert.equal(0, feed(frame(TEXT, "one") .. frame(TEXT, "two") .. frame(3, "bad")))
    assert.same({ "text one" }, told)
    assert.equal(0, C.tg_receiver_pool_busy(pool))
  end)

  it("can be stopped from inside a Ping", function()
    start()
    hook = function()
      C.tg_receiver_stop(receiver)
    end
    assert.equal(0, feed(frame(PING, "one") .. frame(PING, "two")))
    assert.same({ "ping one" }, told)
  end)

  it("takes any bytes at all without harm", function()
    local state = 12345
    local function random()
      state = (state * 1103515245 + 12345) % 2147483648
      return math.floor(state / 65536) % 256
    end
    for _ = 1, 2000 do
      start(200, 4)
      local bytes = {}
      for i = 1, 40 do
        bytes[i] = string.char(random())
      end
      bytes[1] = string.char(128 + random() % 3)
      bytes[2] = string.char(128 + random() % 20)
      feed(table.concat(bytes), 1 + random() % 40)
    end
  end)
end)
