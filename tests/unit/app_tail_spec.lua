local ffi = require("ffi")
local bit = require("bit")
local cdef = require("support.cdef")
local C = cdef.library("app", {
  "app/tail_url.h", "app/tail_handshake.h", "app/tail_ledger.h", "app/tail_line.h", "app/tail_safe.h",
  "app/tail_retry.h", "base/json.h",
})

ffi.cdef("unsigned char *SHA1(const unsigned char *data, size_t count, unsigned char *md);")
local crypto = ffi.load("libcrypto.so.3")

local function with_buf(fill)
  local buf = ffi.new("struct tg_buf")
  fill(buf)
  local text = buf.data ~= nil and ffi.string(buf.data, buf.len) or ""
  C.tg_buf_fini(buf)
  return text
end

local function with_json(text, use)
  local json, err = ffi.new("struct tg_json"), ffi.new("struct tg_err")
  assert(C.tg_json_parse(json, text, #text, err) == 0, ffi.string(err.text))
  local result = use(json)
  C.tg_json_fini(json)
  return result
end

describe("the address of a gateway", function()
  local err

  local function read(text)
    local url = ffi.new("struct tg_tail_url")
    err = ffi.new("struct tg_err")
    if C.tg_tail_url_read(text, url, err) ~= 0 then return nil, ffi.string(err.text) end
    return { ffi.string(url.host), ffi.string(url.port), ffi.string(url.authority), ffi.string(url.prefix) }
  end

  it("is taken apart", function()
    assert.same({ "127.0.0.1", "8080", "127.0.0.1:8080", "" }, read("ws://127.0.0.1:8080"))
    assert.same({ "example.org", "80", "example.org:80", "" }, read("ws://example.org/"))
    assert.same({ "::1", "9000", "[::1]:9000", "/gate/way" }, read("ws://[::1]:9000/gate/way/"))
  end)

  it("is refused when it is anything else", function()
    for _, text in ipairs({ "", "http://x", "ws://", "ws://:80", "ws://x:0", "ws://x:65536", "ws://x:1y", "ws://a b",
      "ws://x:80/a b", "ws://x/?q=1", "ws://x/#f", "ws://x\r\nA: b", "ws://x/\r\n", "ws://user@x", "ws://[::1", "ws://x:",
      "ws://" .. ("a"):rep(256), "ws://x/" .. ("a"):rep(256) }) do
      local url, why = read(text)
      assert.is_nil(url, text)
      assert.is_truthy(why:find("is no address", 1, true), why)
    end
    local _, why = read("wss://x")
    assert.is_truthy(why:find("not supported in this version", 1, true), why)
  end)
end)

describe("the opening handshake of a client", function()
  local handshake, err, request

  before_each(function()
    handshake, err = ffi.new("struct tg_tail_handshake"), ffi.new("struct tg_err")
  end)

  after_each(function()
    C.tg_tail_handshake_fini(handshake)
  end)

  local function start(fields)
    fields = fields or {}
    C.tg_tail_handshake_fini(handshake)
    local rc
    local asked = ffi.new("struct tg_tail_request", {
      authority = "h:1", prefix = fields.prefix or "", account_id = "demo-1", token = fields.token or "t.o.k",
      epoch = fields.epoch or "", since = fields.since or 0,
    })
    request = with_buf(function(buf)
      rc = C.tg_tail_handshake_start(handshake, asked, buf, err)
    end)
    return rc
  end

  local function accept()
    local digest, input = ffi.new("unsigned char[20]"), request:match("Sec%-WebSocket%-Key: (%S+)") .. "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    crypto.SHA1(input, #input, digest)
    local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    local bits, out = "", {}
    for i = 0, 19 do
      for k = 7, 0, -1 do bits = bits .. bit.band(bit.rshift(digest[i], k), 1) end
    end
    for six in (bits .. "00"):gmatch("......") do
      local n = tonumber(six, 2) + 1
      out[#out + 1] = alphabet:sub(n, n)
    end
    return table.concat(out) .. "="
  end

  local function answer(extra)
    return "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " .. accept()
      .. "\r\n" .. (extra or "") .. "\r\n"
  end

  local function feed(text, ended)
    return C.tg_tail_handshake_feed(handshake, text, #text, ended or false, err)
  end

  it("asks for the account with the token in a header", function()
    assert.equal(0, start({ prefix = "/p" }))
    assert.is_truthy(request:find("^GET /p/ws/account/demo%-1 HTTP/1.1\r\nHost: h:1\r\n"))
    assert.is_truthy(request:find("\r\nAuthorization: Bearer t.o.k\r\n", 1, true))
    assert.is_truthy(request:find("\r\nSec-WebSocket-Version: 13\r\n", 1, true))
    assert.is_truthy(request:find("\r\n\r\n$"))
    local key = request:match("Sec%-WebSocket%-Key: (%S+)")
    assert.equal(24, #key)
    start()
    assert.are_not.equal(key, request:match("Sec%-WebSocket%-Key: (%S+)"))
  end)

  it("asks to resume, and never lets an epoch write headers", function()
    start({ epoch = "e5", since = 12 })
    assert.is_truthy(request:find("GET /ws/account/demo-1?epoch=e5&since=12 HTTP/1.1\r\n", 1, true))
    start({ epoch = "e HTTP/1.1\r\nX: y" })
    assert.is_truthy(request:find("GET /ws/account/demo-1 HTTP/1.1\r\n", 1, true))
  end)

  it("refuses a token that would write headers", function()
    for _, token in ipairs({ "a\r\nX: y", "a b", "a\127", "ü" }) do
      assert.equal(-1, start({ token = token }))
    end
  end)

  it("is done when the answer proves itself, however it is cut, and keeps the bytes behind it", function()
    start()
    local text = answer() .. "\129\1x"
    for cut = 1, #text - 4 do
      start()
      text = answer() .. "\129\1x"
      assert.equal(-4, feed(text:sub(1, cut)))
      assert.equal(0, feed(text:sub(cut + 1)))
      assert.equal("\129\1x", ffi.string(handshake["in"].data, handshake["in"].len))
    end
    start()
    text = answer()
    for i = 1, #text do
      assert.equal(i < #text and -4 or 0, feed(text:sub(i, i)))
    end
  end)

  it("is not done when the answer proves nothing", function()
    for _, spoil in ipairs({
      function(t) return t:gsub("Accept: .", "Accept: !") end,
      function(t) return t:gsub("Sec%-WebSocket%-Accept: %S+\r\n", "") end,
      function(t) return t:gsub("upgrade: WebSocket\r\n", "") end,
      function(t) return t:gsub("Connection: Upgrade\r\n", "Connection: close\r\n") end,
      function(t) return t:gsub("HTTP/1.1", "HTTP/1.0") end,
      function(t) return t:gsub("\r\n\r\n$", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n") end,
    }) do
      start()
      assert.equal(-7, feed((spoil(answer()))))
    end
    start()
    assert.equal(-7, feed("SSH-2.0-x\r\n\r\n"))
    start()
    assert.equal(-7, feed("", true))
    start()
    assert.equal(-7, feed(("x"):rep(16385)))
  end)

  it("tells a refusal in the gateway's words", function()
    local body = '{"success":false,"error":{"code":"NOT_OWNER","message":"not \\u0079ours"}}'
    local text = "HTTP/1.1 403 Forbidden\r\nContent-Length: " .. #body .. "\r\nRetry-After: 7\r\n\r\n" .. body
    start()
    for i = 1, #text do
      assert.equal(i < #text and -4 or -8, feed(text:sub(i, i)))
    end
    assert.equal(403, handshake.status)
    assert.equal(7, tonumber(handshake.retry_after_s))
    assert.equal("HTTP 403 NOT_OWNER: not yours", ffi.string(err.text))
    start()
    assert.equal(-8, feed("HTTP/1.1 502 Bad Gateway\r\n\r\n<html>", true))
    assert.equal("HTTP 502", ffi.string(err.text))
    start()
    assert.equal(-4, feed("HTTP/1.1 502 Bad Gateway\r\n\r\n"))
    assert.equal(-8, feed(("x"):rep(65536)))
  end)
end)

describe("the ledger of a stream", function()
  local ledger

  before_each(function()
    ledger = ffi.new("struct tg_tail_ledger")
  end)

  local function take(text)
    return with_json(text, function(json)
      local note = C.tg_tail_ledger_take(ledger, json, text:match('"type":"([^"]*)"') or "")
      return { lost = tonumber(note.lost), extra = tonumber(note.extra), missed = tonumber(note.missed), reset = note.reset,
        proved = note.proved }
    end)
  end

  local function connected(epoch, seq, more)
    return take(('{"type":"connected","epoch":"%s","seq":%d%s}'):format(epoch, seq, more or ""))
  end

  it("proves by pong that nothing is missing", function()
    connected("e", 118)
    take('{"type":"snapshot","seq":118,"rev":1}')
    take('{"type":"position_opened","seq":119}')
    take('{"type":"account_update","rev":2}')
    take('{"type":"position_closed","seq":125}') -- filters make numbers skip
    local note = take('{"type":"pong","seq":125,"sent":2}')
    assert.is_true(note.proved)
    assert.equal(0, note.lost)
  end)

  it("tells what is missing, once", function()
    connected("e", 0)
    take('{"type":"x","seq":1}')
    assert.equal(2, take('{"type":"pong","sent":3}').lost)
    assert.is_true(take('{"type":"pong","sent":3}').proved)
    take('{"type":"x","seq":5}')
    take('{"type":"x","seq":6}')
    assert.equal(1, take('{"type":"pong","sent":4}').extra)
  end)

  it("counts anew on each connection and tells what happened while it was away", function()
    connected("e", 10)
    take('{"type":"x","seq":11}')
    local note = connected("e", 14)
    assert.equal(3, note.missed)
    assert.is_false(note.reset)
    assert.is_true(take('{"type":"pong","sent":0}').proved)
    note = connected("e", 14)
    assert.equal(0, note.missed)
  end)

  it("takes a recovered stream as whole", function()
    connected("e", 10)
    local note = connected("e", 14, ',"recovered":true')
    assert.equal(0, note.missed)
    assert.equal(10, tonumber(ledger.seq))
    for seq = 11, 14 do take(('{"type":"x","seq":%d}'):format(seq)) end
    assert.is_true(take('{"type":"pong","sent":4}').proved)
    assert.equal(14, tonumber(ledger.seq))
  end)

  it("tells a new epoch", function()
    connected("e", 10)
    assert.is_true(connected("f", 2).reset)
    assert.equal(2, tonumber(ledger.seq))
  end)

  it("says nothing when rules rename what it would count", function()
    connected("e", 0)
    take('{"event":"position_opened","sequence":1}')
    local note = take('{"type":"pong","sent":1}')
    assert.same({ lost = 0, extra = 0, missed = 0, reset = false, proved = false }, note)
    connected("e", 1)
    take('{"type":"x","sequence":2}')
    assert.equal(0, take('{"type":"pong","sent":1}').lost)
  end)

  it("is not upset by values of other types", function()
    take('{"type":"connected","epoch":5,"seq":"x","recovered":1}')
    take('{"type":"x","seq":-1}')
    take('{"type":"pong","sent":"1"}')
    take('{"type":"pong"}')
  end)
end)

describe("a message on a terminal", function()
  local function line(text, colour)
    return with_json(text, function(json)
      return with_buf(function(buf)
        C.tg_tail_line(buf, json, text:match('"type":"([^"]*)"') or "", colour or false, 1700000000123)
      end)
    end)
  end

  it("is told in words, with the digits it came with", function()
    assert.equal("22:13:20.123  account_update     balance 10000.00 → 10050.00 (+50.00)  equity 1.10 → 1.00 (-0.10)",
      line('{"type":"account_update","rev":9,"changes":{"balance":{"old":10000.00,"new":10050.00,"diff":50.00},"equity":'
        .. '{"old":1.10,"new":1.00,"diff":-0.10}}}'))
    assert.equal("22:13:20.123  position_opened    #9223372036854775807 buy 1.00 EURUSD @ 1.08500  sl 1.08000",
      line('{"type":"position_opened","seq":1,"position":{"ticket":9223372036854775807,"symbol":"EURUSD","type":"buy",'
        .. '"volume":1.00,"price":1.08500,"sl":1.08000,"tp":null,"comment":""}}'))
    assert.equal("22:13:20.123  position_modified  #501 EURUSD  sl 1.08000 → 1.08200",
      line('{"type":"position_modified","ticket":501,"symbol":"EURUSD","changes":{"sl":{"old":1.08000,"new":1.08200}}}'))
    assert.equal("22:13:20.123  position_closed    #501 @ 1.08650  profit +150.00  sl  [estimated]",
      line('{"type":"position_closed","ticket":501,"close_price":1.08650,"profit":150.00,"reason":"sl","estimated":true}'))
    assert.equal("22:13:20.123  error              CONNECTION_LOST  MT5 connection lost  retry in seconds 5",
      line('{"type":"error","error_code":"CONNECTION_LOST","message":"MT5 connection lost","retry_in_seconds":5}'))
    assert.equal("22:13:20.123  snapshot           balance 1.00  equity 2.00 EUR  2 positions  cached, age in seconds 7",
      line('{"type":"snapshot","account":{"balance":1.00,"equity":2.00,"currency":"EUR"},"positions":[{},{}],"cached":true,"cache_age_seconds":7}'))
  end)

  it("is shown member by member when its shape is another", function()
    assert.equal('22:13:20.123  margin_zone        zone warn  level 140.5  list [1,2]  deep {"a":1}',
      line('{"type":"margin_zone","seq":5,"timestamp":"t","zone":"warn","level":140.5,"list":[1,2],"deep":{"a":1}}'))
    assert.equal("22:13:20.123  (no type)          event x", line('{"event":"x"}'))
    assert.equal("22:13:20.123  position_opened    what 1", line('{"type":"position_opened","what":1}'))
    for _, text in ipairs({ '{"type":"account_update","changes":5}', '{"type":"position_modified","changes":null}',
      '{"type":"snapshot","account":1,"positions":2}', '{"type":"connected","account_id":[],"rules":1}',
      '{"type":"position_opened","position":"x"}', '{"type":"position_closed","ticket":{},"profit":"x"}' }) do
      assert.is_truthy(line(text):find("^22:13:20.123  "))
    end
  end)

  it("is cut where a value has no end, between characters", function()
    local out = line('{"type":"x","v":"' .. ("é"):rep(200) .. '"}')
    assert.is_truthy(out:find("v " .. ("é"):rep(80) .. "…", 1, true))
    assert.is_nil(out:find(("é"):rep(81), 1, true))
  end)

  it("has colours when asked", function()
    assert.is_truthy(line('{"type":"position_closed","ticket":1,"profit":-5.00}', true):find("\27[31m-5.00\27[0m", 1, true))
    assert.is_nil(line('{"type":"position_closed","ticket":1,"profit":-5.00}'):find("\27", 1, true))
  end)

  it("cannot steer the terminal", function()
    local out = line('{"type":"\\u001b[2J","a\\u0007":"\\u001b]0;title\\u0007","b":"\\u009b31m","c":"\\u202eevil","d":"\\r\\n"}')
    assert.is_nil(out:find("[%z\1-\31\127]"), out)
    assert.is_nil(out:find("\194\155", 1, true))
    assert.is_nil(out:find("\226\128\174", 1, true))
    assert.is_truthy(out:find("]0;title", 1, true))
  end)
end)

describe("text from a server", function()
  local function safe(text)
    return with_buf(function(buf) C.tg_tail_safe(buf, text, #text) end)
  end

  local function safe_json(text)
    return with_buf(function(buf) C.tg_tail_safe_json(buf, text, #text) end)
  end

  it("keeps what is plain", function()
    assert.equal("Zürich → 東京 😀", safe("Zürich → 東京 😀"))
  end)

  it("loses what steers, and what is no UTF-8", function()
    local mark = "\239\191\189"
    assert.equal(mark .. "[31m", safe("\27[31m"))
    assert.equal(mark .. mark, safe("\r\n"))
    assert.equal(mark, safe("\194\155"))
    assert.equal(mark, safe("\127"))
    assert.equal("a" .. mark .. "b", safe("a\226\128\174b"))
    assert.equal(mark .. "a", safe("\255a"))
    assert.equal(mark .. mark, safe("\226\128"))
    assert.equal(mark, safe("\0"))
  end)

  it("stays the same JSON on one line", function()
    assert.equal('{"a":"\\u009b\\u202e\\u007f", "b":1}', safe_json('{"a":"\194\155\226\128\174\127",\n"b":1}'))
    assert.equal('{"a":"é\\n"}', safe_json('{"a":"é\\n"}'))
  end)
end)

describe("coming back", function()
  it("waits longer each time, never longer than the most, never the same for all", function()
    local retry = ffi.new("struct tg_tail_retry")
    retry.rng.state = 5
    local least, seen = { 250, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000 }, {}
    for i = 1, 9 do
      local wait = tonumber(C.tg_tail_retry_wait(retry, 0))
      assert.is_true(wait >= least[i] and wait <= 2 * least[i], i .. ": " .. wait)
      seen[wait] = true
    end
    local n = 0
    for _ in pairs(seen) do n = n + 1 end
    assert.is_true(n > 5)
    retry.failures = 0
    assert.equal(9000, tonumber(C.tg_tail_retry_wait(retry, 9000)))
    retry.failures = 2147483000
    assert.is_true(tonumber(C.tg_tail_retry_wait(retry, 0)) <= 30000)
  end)

  it("is allowed by the class of the code", function()
    for _, code in ipairs({ 1001, 1005, 1006, 1011, 4000, 4001, 4002, 4003, 4004, 4499 }) do
      assert.is_true(C.tg_tail_retry_close(code))
    end
    for _, code in ipairs({ 1000, 4500, 4501, 4505, 4999 }) do
      assert.is_false(C.tg_tail_retry_close(code))
    end
    for _, status in ipairs({ 408, 429, 500, 502, 503 }) do
      assert.is_true(C.tg_tail_retry_status(status))
    end
    for _, status in ipairs({ 200, 301, 400, 401, 403, 404, 426 }) do
      assert.is_false(C.tg_tail_retry_status(status))
    end
  end)
end)
