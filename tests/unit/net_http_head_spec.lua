local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("net", { "net/http_head.h" })

local EAGAIN, EPROTO = -4, -7

describe("HTTP head", function()
  local head

  after_each(function()
    C.tg_http_head_free(head)
    head = nil
  end)

  local function fresh(head_bytes, body_bytes)
    if head ~= nil then C.tg_http_head_free(head) end
    head = C.tg_http_head_new(head_bytes or 8192, body_bytes or 1024)
  end

  -- Feeds in pieces of `size` bytes until the request is complete or refused; the code and what was not used.
  local function feed(text, size)
    local used, at = ffi.new("size_t[1]"), 1
    while at <= #text do
      local piece = text:sub(at, at + size - 1)
      local rc = C.tg_http_head_feed(head, piece, #piece, used)
      at = at + tonumber(used[0])
      if rc ~= EAGAIN then return rc, text:sub(at) end
      assert.equal(#piece, tonumber(used[0]))
    end
    return EAGAIN, ""
  end

  local function header(name)
    local value = C.tg_http_headers_get(C.tg_http_head_headers(head), name)
    return value ~= nil and ffi.string(value) or nil
  end

  local function body()
    local len = ffi.new("size_t[1]")
    local data = C.tg_http_head_body(head, len)
    return ffi.string(data, len[0])
  end

  -- Runs `check(rest)` after the same request came whole, byte by byte and in every other cut.
  local function accepts(text, check, head_bytes, body_bytes)
    for size = 1, #text do
      fresh(head_bytes, body_bytes)
      local rc, rest = feed(text, size)
      if rc ~= 0 and rc ~= EAGAIN then
        error(("refused in pieces of %d: %s"):format(size, ffi.string(C.tg_http_head_reason(head))), 2)
      end
      assert.equal(0, rc)
      check(rest)
    end
  end

  local function refuses(status, text, head_bytes, body_bytes)
    for size = 1, #text do
      fresh(head_bytes, body_bytes)
      local rc = feed(text, size)
      assert.equal(EPROTO, rc, "accepted in pieces of " .. size .. ": " .. text)
      assert.equal(status, C.tg_http_head_status(head), ffi.string(C.tg_http_head_reason(head)) .. ": " .. text)
    end
  end

  local HOST = "Host: a\r\n"

  it("reads a request, however it is cut", function()
    accepts("GET /ws/account/demo-1?token=abc HTTP/1.1\r\nHost: example.org:8080\r\nUser-Agent: x y\r\n\r\n", function(rest)
      assert.equal("GET", ffi.string(C.tg_http_head_method(head)))
      assert.equal("/ws/account/demo-1?token=abc", ffi.string(C.tg_http_head_target(head)))
      assert.equal("example.org:8080", header("host"))
      assert.equal("x y", header("USER-AGENT"))
      assert.is_nil(header("accept"))
      assert.is_true(C.tg_http_head_is_11(head))
      assert.is_true(C.tg_http_head_keep_alive(head))
      assert.equal("", body())
      assert.equal("", rest)
    end)
  end)

  it("leaves alone what follows the request", function()
    accepts("GET / HTTP/1.1\r\n" .. HOST .. "\r\n", function() end)
    fresh()
    local rc, rest = feed("GET / HTTP/1.1\r\n" .. HOST .. "\r\nGET /second HTTP/1.1\r\n", 4096)
    assert.equal(0, rc)
    assert.equal("GET /second HTTP/1.1\r\n", rest)
    C.tg_http_head_reset(head)
    assert.is_false(C.tg_http_head_begun(head))
    assert.equal(0, (feed("GET /second HTTP/1.1\r\n" .. HOST .. "\r\n", 4096)))
    assert.equal("/second", ffi.string(C.tg_http_head_target(head)))
  end)

  it("leaves alone what follows an upgrade", function()
    fresh()
    local rc, rest = feed("GET / HTTP/1.1\r\n" .. HOST .. "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n\129\1x", 4096)
    assert.equal(0, rc)
    assert.equal("\129\1x", rest)
  end)

  it("trims values, keeps empty ones and joins repeated ones (RFC 9110 §5.3)", function()
    accepts("GET / HTTP/1.1\r\nHost:a\r\nX-A: \t one \t\r\nEmpty:\r\nx-a: two\r\nOther: o\r\nX-A:three\r\n\r\n", function()
      assert.equal("one, two, three", header("X-A"))
      assert.equal(3, C.tg_http_headers_times(C.tg_http_head_headers(head), "X-A"))
      assert.equal("", header("empty"))
      assert.equal("o", header("other"))
    end)
  end)

  it("ignores empty lines before the request (RFC 9112 §2.2)", function()
    accepts("\r\n\r\nGET / HTTP/1.1\r\n" .. HOST .. "\r\n", function() end)
  end)

  it("knows who wants the connection kept", function()
    local cases = {
      { "GET / HTTP/1.1\r\n" .. HOST .. "\r\n", true },
      { "GET / HTTP/1.1\r\n" .. HOST .. "Connection: close\r\n\r\n", false },
      { "GET / HTTP/1.0\r\n\r\n", false },
      { "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true },
    }
    for _, case in ipairs(cases) do
      accepts(case[1], function()
        assert.equal(case[2], C.tg_http_head_keep_alive(head))
      end)
    end
  end)

  it("reads a body by its length", function()
    accepts("POST /x HTTP/1.1\r\n" .. HOST .. "Content-Length: 5\r\n\r\nhello", function(rest)
      assert.equal("hello", body())
      assert.equal("", rest)
    end)
  end)

  it("reads a chunked body and drops its trailer (RFC 9112 §7.1)", function()
    accepts(
      "POST /x HTTP/1.1\r\n" .. HOST .. "Transfer-Encoding: chunked\r\n\r\n3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nHost: evil\r\n\r\n",
      function(rest)
        assert.equal("hello", body())
        assert.equal("a", header("host"))
        assert.equal("", rest)
      end
    )
  end)

  it("tells once when the client waits for 100 Continue", function()
    fresh()
    assert.equal(EAGAIN, (feed("POST / HTTP/1.1\r\n" .. HOST .. "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n", 4096)))
    assert.is_true(C.tg_http_head_take_continue(head))
    assert.is_false(C.tg_http_head_take_continue(head))
    assert.equal(0, (feed("ok", 1)))
  end)

  it("refuses another expectation with 417", function()
    refuses(417, "GET / HTTP/1.1\r\n" .. HOST .. "Expect: wonders\r\n\r\n")
  end)

  it("wants exactly one sound Host with HTTP/1.1 (RFC 9112 §3.2)", function()
    refuses(400, "GET / HTTP/1.1\r\n\r\n")
    refuses(400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n")
    refuses(400, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n")
    refuses(400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n")
    refuses(400, "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n")
    refuses(400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
    accepts("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", function() end)
    accepts("GET / HTTP/1.0\r\n\r\n", function() end)
  end)

  it("refuses a head that proxies could read in two ways", function()
    refuses(400, "GET / HTTP/1.1\n" .. HOST .. "\r\n")
    refuses(400, "GET / HTTP/1.1\r\nHost: a\n\r\n")
    refuses(400, "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n")
    refuses(400, "GET / HTTP/1.1\r\n" .. HOST .. "X: a\r\n b\r\n\r\n")
    refuses(400, "GET / HTTP/1.1\r\n" .. HOST .. " X: a\r\n\r\n")
    refuses(400, "GET / HTTP/1.1\r\n" .. HOST .. "X : a\r\n\r\n")
    refuses(400, "GET / HTTP/1.1\r\n" .. HOST .. "X\r\n\r\n")
    refuses(400, "GET / HTTP/1.1\r\n" .. HOST .. ": a\r\n\r\n")
    refuses(400, "GET / HTTP/1.1\r\n" .. HOST .. "X: a\0b\r\n\r\n")
    refuses(400, "GET / HTTP/1.1\r\n" .. HOST .. "X: a\127b\r\n\r\n")
    refuses(400, "GET / HTTP/1.1\r\n" .. HOST .. "X{: a\r\n\r\n")
    refuses(400, "GET  / HTTP/1.1\r\n" .. HOST .. "\r\n")
    refuses(400, "GET /  HTTP/1.1\r\n" .. HOST .. "\r\n")
    refuses(400, "GET /a b HTTP/1.1\r\n" .. HOST .. "\r\n")
    refuses(400, "GET\t/ HTTP/1.1\r\n" .. HOST .. "\r\n")
    refuses(400, " GET / HTTP/1.1\r\n" .. HOST .. "\r\n")
    refuses(400, "GET /\r\n\r\n")
    refuses(400, "\22\3\1\2\0\1\0\1\252\3\3")
  end)

  it("refuses lengths that contradict (RFC 9112 §6.3)", function()
    refuses(400, "POST / HTTP/1.1\r\n" .. HOST .. "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx")
    refuses(400, "POST / HTTP/1.1\r\n" .. HOST .. "Content-Length: 1\r\nContent-Length: 1\r\n\r\nxx")
    refuses(400, "POST / HTTP/1.1\r\n" .. HOST .. "Content-Length: 1, 1\r\n\r\nxx")
    refuses(400, "POST / HTTP/1.1\r\n" .. HOST .. "Content-Length: +1\r\n\r\nxx")
    refuses(400, "POST / HTTP/1.1\r\n" .. HOST .. "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    refuses(400, "POST / HTTP/1.1\r\n" .. HOST .. "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n")
    refuses(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    refuses(400, "POST / HTTP/1.1\r\n" .. HOST .. "Content-Length: 99999999999999999999\r\n\r\n")
    refuses(400, "POST / HTTP/1.1\r\n" .. HOST .. "Transfer-Encoding: chunked\r\n\r\nzz\r\n")
  end)

  it("refuses other transfer codings with 501", function()
    refuses(501, "POST / HTTP/1.1\r\n" .. HOST .. "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")
    refuses(501, "POST / HTTP/1.1\r\n" .. HOST .. "Transfer-Encoding: gzip\r\n\r\n")
    refuses(400, "POST / HTTP/1.1\r\n" .. HOST .. "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
  end)

  it("refuses unknown methods with 501 and other versions with 505", function()
    refuses(501, "BREW / HTTP/1.1\r\n" .. HOST .. "\r\n")
    refuses(501, "get / HTTP/1.1\r\n" .. HOST .. "\r\n")
    refuses(505, "GET / HTTP/2.0\r\n" .. HOST .. "\r\n")
    refuses(505, "GET / HTTP/0.9\r\n" .. HOST .. "\r\n")
    refuses(505, "GET / HTTP/1.2\r\n" .. HOST .. "\r\n")
    refuses(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
  end)

  it("bounds the head exactly", function()
    local text = "GET / HTTP/1.1\r\n" .. HOST .. "\r\n"
    accepts(text, function() end, #text)
    refuses(431, text, #text - 1)
    refuses(431, ("\r\n"):rep(100), 64)
  end)

  it("bounds the number of fields", function()
    local fields = {}
    for i = 2, 100 do
      fields[#fields + 1] = "X" .. i .. ": 1\r\n"
    end
    fresh()
    assert.equal(0, (feed("GET / HTTP/1.1\r\n" .. HOST .. table.concat(fields) .. "\r\n", 4096)))
    fresh()
    assert.equal(EPROTO, (feed("GET / HTTP/1.1\r\n" .. HOST .. table.concat(fields) .. "Y: 1\r\n\r\n", 4096)))
    assert.equal(431, C.tg_http_head_status(head))
  end)

  it("bounds the body before it comes, and as it comes", function()
    accepts("POST / HTTP/1.1\r\n" .. HOST .. "Content-Length: 4\r\n\r\n1234", function() end, nil, 4)
    refuses(413, "POST / HTTP/1.1\r\n" .. HOST .. "Content-Length: 5\r\n\r\n", nil, 4)
    refuses(413, "POST / HTTP/1.1\r\n" .. HOST .. "Transfer-Encoding: chunked\r\n\r\n3\r\n123\r\n2\r\n45\r\n0\r\n\r\n", nil, 4)
  end)

  it("bounds what a chunked body may add around the data", function()
    local chunks = ("1;" .. ("x"):rep(50) .. "\r\nd\r\n"):rep(10)
    refuses(413, "POST / HTTP/1.1\r\n" .. HOST .. "Transfer-Encoding: chunked\r\n\r\n" .. chunks, 200)
  end)

  it("survives any single byte changed in a request", function()
    local text = "POST /a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nX: y\r\n\r\nok"
    for at = 1, #text do
      for byte = 0, 255, 5 do
        fresh()
        feed(text:sub(1, at - 1) .. string.char(byte) .. text:sub(at + 1), 7)
      end
    end
  end)
end)

describe("a list value", function()
  it("gives its elements without blanks and empty ones (RFC 9110 §5.6.1)", function()
    local cursor, len, got = ffi.new("const char *[1]"), ffi.new("size_t[1]"), {}
    local text = " , a,\tb c ,,  d\t"
    cursor[0] = text
    while true do
      local at = C.tg_http_list_next(cursor, len)
      if at == nil then break end
      got[#got + 1] = ffi.string(at, len[0])
    end
    assert.same({ "a", "b c", "d" }, got)
  end)
end)
