-- What RFC 6455 demands of a server, as data: what is sent, what must come back, and how it must end. The numbers are those
-- of the Autobahn suite's categories, whose cases these are equal to in substance and stricter than in their demands.
--
--   id, about     the case
--   send          the bytes, or a function that makes them (large ones are made when their turn comes)
--   chop          sent in pieces of so many bytes
--   then_send     sent when nothing more came after `send` for a moment: for what must fail before it
--   expect        the frames that must come, in order: { opcode, payload }
--   close         the close code that must come; 1000 (default): we close and it is answered
--   we_close      `send` holds our Close frame
--   silent        the Close frame must come without a code
local frames = require("support.frames")
local encode, close_payload = frames.encode, frames.close_payload
local TEXT, BINARY, CONTINUATION = frames.TEXT, frames.BINARY, frames.CONTINUATION
local CLOSE, PING, PONG = frames.CLOSE, frames.PING, frames.PONG

local cases = {}

local function add(id, about, case)
  case.id, case.about = id, about
  cases[#cases + 1] = case
end

local function frame(opcode, payload, more)
  local f = { opcode = opcode, payload = payload or "" }
  for name, value in pairs(more or {}) do
    f[name] = value
  end
  return encode(f)
end

local MORE = { fin = false }

-- A message in fragments of `size` bytes.
local function fragments(opcode, payload, size)
  local out, at = {}, 1
  repeat
    local piece = payload:sub(at, at + size - 1)
    out[#out + 1] = frame(at == 1 and opcode or CONTINUATION, piece, { fin = at + size > #payload })
    at = at + size
  until at > #payload
  return table.concat(out)
end

-- 1 framing: every length at the edges of the three forms
for kind, opcode in ipairs({ TEXT, BINARY }) do
  for i, length in ipairs({ 0, 125, 126, 127, 128, 65535, 65536, 65536 }) do
    local payload = (opcode == TEXT and "*" or "\254"):rep(length)
    add(("1.%d.%d"):format(kind, i), ("a message of %d bytes"):format(length), {
      send = frame(opcode, payload), chop = i == 8 and 997 or nil, expect = { { opcode, payload } },
    })
  end
end

-- 2 Pings and Pongs
add("2.1", "an empty Ping", { send = frame(PING), expect = { { PONG, "" } } })
add("2.2", "a Ping with text", { send = frame(PING, "Hello, world!"), expect = { { PONG, "Hello, world!" } } })
add("2.3", "a Ping with bytes that are not UTF-8", {
  send = frame(PING, "\0\255\254\253\252\251\0\255"), expect = { { PONG, "\0\255\254\253\252\251\0\255" } },
})
add("2.4", "the largest Ping", { send = frame(PING, ("\254"):rep(125)), expect = { { PONG, ("\254"):rep(125) } } })
add("2.5", "a Ping that is too large", { send = frame(PING, ("\254"):rep(126)), expect = {}, close = 1002 })
add("2.6", "the largest Ping byte by byte", {
  send = frame(PING, ("\254"):rep(125)), chop = 1, expect = { { PONG, ("\254"):rep(125) } },
})
add("2.7", "a Pong nobody asked for", { send = frame(PONG), expect = {} })
add("2.8", "a Pong with a payload nobody asked for", { send = frame(PONG, "unsolicited"), expect = {} })
add("2.9", "a Pong, then a Ping", { send = frame(PONG, "unsolicited") .. frame(PING, "ping"), expect = { { PONG, "ping" } } })
for i, chop in ipairs({ false, 1 }) do
  local bytes, expect = "", {}
  for n = 1, 10 do
    bytes = bytes .. frame(PING, "payload-" .. n)
    expect[n] = { PONG, "payload-" .. n }
  end
  add("2." .. 9 + i, "ten Pings" .. (chop and " byte by byte" or ""), { send = bytes, chop = chop or nil, expect = expect })
end

-- 3 reserved bits
local hello = frame(TEXT, "Hello, world!")
local HELLO = { TEXT, "Hello, world!" }
add("3.1", "a reserved bit in a message", { send = frame(TEXT, "x", { rsv = 1 }), expect = {}, close = 1002 })
add("3.2", "a good message, then a reserved bit, then a Ping", {
  send = hello .. frame(TEXT, "x", { rsv = 2 }) .. frame(PING), expect = { HELLO }, close = 1002,
})
add("3.3", "the same in one segment per frame", {
  send = hello .. frame(TEXT, "x", { rsv = 3 }) .. frame(PING), chop = #hello, expect = { HELLO }, close = 1002,
})
add("3.4", "the same byte by byte", {
  send = hello .. frame(TEXT, "x", { rsv = 4 }) .. frame(PING), chop = 1, expect = { HELLO }, close = 1002,
})
add("3.5", "a reserved bit in a binary message", { send = frame(BINARY, "x", { rsv = 5 }), expect = {}, close = 1002 })
add("3.6", "a reserved bit in a Ping", { send = frame(PING, "x", { rsv = 6 }), expect = {}, close = 1002 })
add("3.7", "a reserved bit in a Close", { send = frame(CLOSE, "", { rsv = 7 }), expect = {}, close = 1002, we_close = true })

-- 4 reserved opcodes
for group, opcodes in ipairs({ { 3, 4, 5, 6, 7 }, { 11, 12, 13, 14, 15 } }) do
  for i, opcode in ipairs(opcodes) do
    local before = i > 2
    add(("4.%d.%d"):format(group, i), "reserved opcode " .. opcode, {
      send = (before and hello or "") .. frame(opcode, i % 2 == 0 and "x" or "") .. frame(PING),
      chop = i == 5 and 1 or nil, expect = before and { HELLO } or {}, close = 1002,
    })
  end
end

-- 5 fragments
add("5.1", "a fragmented Ping", {
  send = frame(PING, "fragment1", MORE) .. frame(CONTINUATION, "fragment2"), expect = {}, close = 1002,
})
add("5.2", "a fragmented Pong", {
  send = frame(PONG, "fragment1", MORE) .. frame(CONTINUATION, "fragment2"), expect = {}, close = 1002,
})
local two = frame(TEXT, "fragment1", MORE) .. frame(CONTINUATION, "fragment2")
local BOTH = { TEXT, "fragment1fragment2" }
local with_ping = frame(TEXT, "fragment1", MORE) .. frame(PING, "ping") .. frame(CONTINUATION, "fragment2")
for i, chop in ipairs({ false, 15, 1 }) do
  add("5." .. 2 + i, "two fragments", { send = two, chop = chop or nil, expect = { BOTH } })
  add("5." .. 5 + i, "a Ping between two fragments", {
    send = with_ping, chop = chop or nil, expect = { { PONG, "ping" }, BOTH },
  })
end
for i, chop in ipairs({ false, 19, 1 }) do
  for k, fin in ipairs({ true, false }) do
    add("5." .. 8 + i + (k - 1) * 3, "a continuation of nothing" .. (fin and "" or ", not final") .. ", then a message", {
      send = frame(CONTINUATION, "nothing before", { fin = fin }) .. hello, chop = chop or nil, expect = {}, close = 1002,
    })
  end
end
add("5.15", "a message in fragments, then continuations of nothing", {
  send = two .. frame(CONTINUATION, "fragment3", MORE) .. frame(TEXT, "fragment4"), expect = { BOTH }, close = 1002,
})
for k, fin in ipairs({ false, true }) do
  add("5." .. 15 + k, "twice a continuation of nothing and a message", {
    send = (frame(CONTINUATION, "fragment1", { fin = fin }) .. frame(TEXT, "fragment2", MORE)
      .. frame(CONTINUATION, "fragment3")):rep(2),
    expect = {}, close = 1002,
  })
end
add("5.18", "a second message inside the first", {
  send = frame(TEXT, "fragment1", MORE) .. frame(TEXT, "fragment2"), expect = {}, close = 1002,
})
local five = frame(TEXT, "fragment1", MORE) .. frame(CONTINUATION, "fragment2", MORE) .. frame(PING, "pongme 1")
  .. frame(CONTINUATION, "fragment3", MORE) .. frame(CONTINUATION, "fragment4", MORE) .. frame(PING, "pongme 2")
  .. frame(CONTINUATION, "fragment5")
for i, chop in ipairs({ false, 1 }) do
  add("5." .. 18 + i, "five fragments with Pings between", {
    send = five, chop = chop or nil,
    expect = { { PONG, "pongme 1" }, { PONG, "pongme 2" }, { TEXT, "fragment1fragment2fragment3fragment4fragment5" } },
  })
end

-- 6 UTF-8
local KOSME = "\206\186\225\189\185\207\131\206\188\206\181"
local LONG = "Hello-\194\181@\195\159\195\182\195\164\195\188\195\160\195\161-UTF-8!!"
add("6.1.1", "an empty text", { send = frame(TEXT, ""), expect = { { TEXT, "" } } })
add("6.1.2", "a text of empty fragments", {
  send = frame(TEXT, "", MORE) .. frame(CONTINUATION, "", MORE) .. frame(CONTINUATION, ""), expect = { { TEXT, "" } },
})
add("6.1.3", "a text between empty fragments", {
  send = frame(TEXT, "", MORE) .. frame(CONTINUATION, "middle", MORE) .. frame(CONTINUATION, ""),
  expect = { { TEXT, "middle" } },
})
add("6.2.1", "valid text in one frame", { send = frame(TEXT, LONG), expect = { { TEXT, LONG } } })
add("6.2.2", "valid text in two frames", {
  send = fragments(TEXT, LONG, math.ceil(#LONG / 2)), expect = { { TEXT, LONG } },
})
add("6.2.3", "valid text in frames of one byte", { send = fragments(TEXT, LONG, 1), expect = { { TEXT, LONG } } })
add("6.2.4", "valid text of long characters in frames of one byte", {
  send = fragments(TEXT, KOSME .. "\240\144\128\128", 1), expect = { { TEXT, KOSME .. "\240\144\128\128" } },
})
local BROKEN = KOSME .. "\237\160\128edited"
add("6.3.1", "invalid text in one frame", { send = frame(TEXT, BROKEN), expect = {}, close = 1007 })
add("6.3.2", "invalid text in frames of one byte", { send = fragments(TEXT, BROKEN, 1), expect = {}, close = 1007 })
-- Fail fast: the close must come although the message, or its frame, is never finished.
add("6.4.1", "invalid text fails with the frame that breaks it", {
  send = frame(TEXT, KOSME, MORE) .. frame(CONTINUATION, "\244\144\128\128", MORE), then_send = frame(CONTINUATION, "end"),
  expect = {}, close = 1007,
})
add("6.4.2", "invalid text fails with the first byte that cannot be", {
  send = frame(TEXT, KOSME .. "\244", MORE) .. frame(CONTINUATION, "\144", MORE), then_send = frame(CONTINUATION, "\128\128"),
  expect = {}, close = 1007,
})
local half = frame(TEXT, KOSME .. "\244\144\128\128end")
add("6.4.3", "invalid text fails in the middle of its frame", {
  send = half:sub(1, #half - 3), then_send = half:sub(-3), expect = {}, close = 1007,
})
add("6.4.4", "invalid text fails with the byte, in the middle of its frame", {
  send = half:sub(1, 6 + #KOSME + 2), then_send = half:sub(6 + #KOSME + 3), expect = {}, close = 1007,
})

local function utf8(code)
  local b = string.char
  if code < 0x80 then return b(code) end
  if code < 0x800 then return b(0xc0 + math.floor(code / 64), 0x80 + code % 64) end
  if code < 0x10000 then
    return b(0xe0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
  end
  return b(0xf0 + math.floor(code / 262144), 0x80 + math.floor(code / 4096) % 64, 0x80 + math.floor(code / 64) % 64,
    0x80 + code % 64)
end

local function text_cases(group, about, valid, list)
  for i, text in ipairs(list) do
    add(("6.%d.%d"):format(group, i), about, {
      send = frame(TEXT, text), expect = valid and { { TEXT, text } } or {}, close = not valid and 1007 or nil,
    })
  end
end

local function each(codes, make)
  local out = {}
  for i, code in ipairs(codes) do
    out[i] = make(code)
  end
  return out
end

text_cases(5, "valid text", true, { "κόσμε", KOSME })
for length = 1, #KOSME do
  local text, whole = KOSME:sub(1, length), { [2] = true, [5] = true, [7] = true, [9] = true, [11] = true }
  add("6.6." .. length, "a text that ends after byte " .. length, {
    send = frame(TEXT, text), expect = whole[length] and { { TEXT, text } } or {}, close = not whole[length] and 1007 or nil,
  })
end
text_cases(7, "the first character of a length", true, each({ 0, 0x80, 0x800, 0x10000 }, utf8))
text_cases(8, "the first sequence of a length that is no more", false, { "\248\136\128\128\128", "\252\132\128\128\128\128" })
text_cases(9, "the last character of a length", true, each({ 0x7f, 0x7ff, 0xffff, 0x10ffff }, utf8))
text_cases(10, "the last sequence of a length that is no more", false, {
  "\247\191\191\191", "\251\191\191\191\191", "\253\191\191\191\191\191",
})
text_cases(11, "characters at boundaries", true, each({ 0xd7ff, 0xe000, 0xfffd, 0x10ffff }, utf8))
add("6.11.5", "beyond the last character", { send = frame(TEXT, "\244\144\128\128"), expect = {}, close = 1007 })
text_cases(12, "continuation bytes alone", false, {
  "\128", "\191", "\128\191", "\128\191\128", "\128\191\128\191", "\128\191\128\191\128", ("\128\191"):rep(3),
})
text_cases(13, "starts alone", false, {
  "\192 \193 ", "\224 \225 \239 ", "\240 \241 \247 ", "\248 \251 ", "\252 \253 ",
})
text_cases(14, "sequences without their last byte", false, {
  "\192", "\224\128", "\240\128\128", "\248\128\128\128", "\252\128\128\128\128", "\223", "\239\191", "\247\191\191",
  "\251\191\191\191", "\253\191\191\191\191",
})
text_cases(15, "many of them together", false, { "\192\224\128\240\128\128\223\239\191" })
text_cases(16, "bytes that never occur", false, { "\254", "\255", "\254\254\255\255" })
text_cases(17, "overlong slashes", false, {
  "\192\175", "\224\128\175", "\240\128\128\175", "\248\128\128\128\175", "\252\128\128\128\128\175",
})
text_cases(18, "the largest overlong ones", false, {
  "\193\191", "\224\159\191", "\240\143\191\191", "\248\135\191\191\191", "\252\131\191\191\191\191",
})
text_cases(19, "overlong NULs", false, {
  "\192\128", "\224\128\128", "\240\128\128\128", "\248\128\128\128\128", "\252\128\128\128\128\128",
})
text_cases(20, "surrogates", false, each({ 0xd800, 0xdb7f, 0xdb80, 0xdbff, 0xdc00, 0xdf80, 0xdfff }, utf8))
text_cases(21, "pairs of surrogates", false, each({ 0xd800, 0xdb7f, 0xdb80, 0xdbff }, function(code)
  return utf8(code) .. utf8(0xdc00)
end))
text_cases(22, "characters that are none but may travel", true, each({
  0xfffe, 0xffff, 0x1fffe, 0x1ffff, 0x2fffe, 0x8ffff, 0xffffe, 0xfffff, 0x10fffe, 0x10ffff, 0xfdd0, 0xfdef,
}, utf8))
text_cases(23, "the replacement character and its neighbours", true, each({ 0xfff9, 0xfffa, 0xfffb, 0xfffc, 0xfffd }, utf8))

-- 7 closing
local goodbye = frame(CLOSE, close_payload(1000))
add("7.1.1", "a message, then a Close", { send = hello .. goodbye, expect = { HELLO }, we_close = true })
add("7.1.2", "two Closes", { send = goodbye .. goodbye, expect = {}, we_close = true })
add("7.1.3", "a Ping after the Close", { send = goodbye .. frame(PING), expect = {}, we_close = true })
add("7.1.4", "a message after the Close", { send = goodbye .. hello, expect = {}, we_close = true })
add("7.1.5", "a Close inside a message, then its end", {
  send = frame(TEXT, "fragment1", MORE) .. goodbye .. frame(CONTINUATION, "fragment2"), expect = {}, we_close = true,
})
add("7.1.6", "a large message, a Close, a Ping", {
  send = function()
    return frame(TEXT, ("BAsd7&jh23"):rep(26214)) .. goodbye .. frame(PING)
  end,
  expect = { { TEXT, ("BAsd7&jh23"):rep(26214) } }, we_close = true,
})
add("7.3.1", "a Close without a payload", { send = frame(CLOSE), expect = {}, we_close = true, silent = true })
add("7.3.2", "a Close with one byte", { send = frame(CLOSE, "a"), expect = {}, we_close = true, close = 1002 })
add("7.3.3", "a Close with a code", { send = goodbye, expect = {}, we_close = true })
add("7.3.4", "a Close with a reason", {
  send = frame(CLOSE, close_payload(1000, "Hello World!")), expect = {}, we_close = true,
})
add("7.3.5", "a Close with the longest reason", {
  send = frame(CLOSE, close_payload(1000, ("*"):rep(123))), expect = {}, we_close = true,
})
add("7.3.5b", "a Close whose reason is cut anywhere", {
  send = frame(CLOSE, close_payload(1000, ("ä"):rep(61))), chop = 1, expect = {}, we_close = true,
})
add("7.3.6", "a Close with too long a reason", {
  send = frame(CLOSE, close_payload(1000, ("*"):rep(124))), expect = {}, we_close = true, close = 1002,
})
add("7.5.1", "a Close whose reason is not UTF-8", {
  send = frame(CLOSE, close_payload(1000, BROKEN)), expect = {}, we_close = true, close = 1007,
})
for i, code in ipairs({ 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999 }) do
  add("7.7." .. i, "a Close with " .. code, {
    send = frame(CLOSE, close_payload(code)), expect = {}, we_close = true, close = code,
  })
end
for i, code in ipairs({ 0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535 }) do
  add("7.9." .. i, "a Close with " .. code .. ", which none may send", {
    send = frame(CLOSE, close_payload(code)), expect = {}, we_close = true, close = 1002,
  })
end

-- 9 size and speed
local function repeated(length)
  return ("BAsd7&jh"):rep(length / 8)
end
local K, M = 1024, 1024 * 1024
for kind, opcode in ipairs({ TEXT, BINARY }) do
  for i, length in ipairs({ 64 * K, 256 * K, 1 * M, 4 * M, 8 * M, 16 * M }) do
    add(("9.%d.%d"):format(kind, i), ("a message of %d KB"):format(length / K), {
      send = function()
        return frame(opcode, repeated(length))
      end,
      expect = { { opcode, length } },
    })
  end
  for i, size in ipairs({ 64, 256, 1 * K, 4 * K, 64 * K, 4 * M }) do
    add(("9.%d.%d"):format(2 + kind, i), ("4 MB in fragments of %d bytes"):format(size), {
      send = function()
        return fragments(opcode, repeated(4 * M), size)
      end,
      expect = { { opcode, 4 * M } },
    })
  end
  for i, size in ipairs({ 64, 128, 256, 512, 1 * K, 2 * K }) do
    add(("9.%d.%d"):format(4 + kind, i), ("1 MB in segments of %d bytes"):format(size), {
      send = function()
        return frame(opcode, repeated(1 * M))
      end,
      chop = size, expect = { { opcode, 1 * M } },
    })
  end
  for i, size in ipairs({ 0, 16, 64, 256, 1 * K, 4 * K }) do
    add(("9.%d.%d"):format(6 + kind, i), ("1000 messages of %d bytes"):format(size), {
      send = function()
        return frame(opcode, repeated(size)):rep(1000)
      end,
      expect = { { opcode, size, times = 1000 } },
    })
  end
end
add("9.9", "16 MB in fragments of 64 bytes", {
  send = function()
    local piece = repeated(64)
    return frame(BINARY, piece, MORE) .. frame(CONTINUATION, piece, MORE):rep(16 * M / 64 - 2) .. frame(CONTINUATION, piece)
  end,
  expect = { { BINARY, 16 * M } },
})

-- 10 fragments of its own choosing
add("10.1.1", "64 KB in fragments of 1300 bytes", {
  send = fragments(TEXT, ("*"):rep(65536), 1300), expect = { { TEXT, ("*"):rep(65536) } },
})

return cases
