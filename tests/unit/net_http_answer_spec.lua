local ffi = require("ffi")
local json = require("dkjson")
local cdef = require("support.cdef")
local C = cdef.library("net", { "net/http_answer.h" })

describe("an HTTP answer", function()
  local function write(answer, manner)
    local out = ffi.new("struct tg_buf")
    local body = answer.body or ""
    answer.body, answer.len = body, #body
    C.tg_answer_write(out, ffi.new("struct tg_answer", answer), ffi.new("struct tg_answer_manner", manner or {}))
    local text = ffi.string(out.data, out.len)
    C.tg_buf_fini(out)
    return text
  end

  local function has(text, line)
    return text:find("\r\n" .. line .. "\r\n", 1, true) ~= nil
  end

  it("has a status line, a type, a length and the body", function()
    local text = write({ status = 200, body = "{}" })
    assert.equal(1, text:find("HTTP/1.1 200 OK\r\n", 1, true))
    assert.is_true(has(text, "Content-Type: application/json"))
    assert.is_true(has(text, "Content-Length: 2"))
    assert.equal("{}", text:match("\r\n\r\n(.*)$"))
    assert.is_nil(text:find("Connection", 1, true))
  end)

  it("to HEAD tells the length and keeps the body", function()
    local text = write({ status = 200, body = "{}" }, { head_only = true })
    assert.is_true(has(text, "Content-Length: 2"))
    assert.equal("", text:match("\r\n\r\n(.*)$"))
  end)

  it("without content has neither length nor body", function()
    local text = write({ status = 204 })
    assert.is_nil(text:find("Content-Length", 1, true))
    assert.equal("", text:match("\r\n\r\n(.*)$"))
  end)

  it("says what was asked for and nothing else", function()
    local text = write({ status = 429, retry_after_s = 7, no_store = true, content_type = "text/plain" }, { close = true })
    assert.is_true(has(text, "Retry-After: 7"))
    assert.is_true(has(text, "Cache-Control: no-store"))
    assert.is_true(has(text, "Content-Type: text/plain"))
    assert.is_true(has(text, "Connection: close"))
    text = write({ status = 405, allow = "GET, HEAD" }, { say_alive = true })
    assert.is_true(has(text, "Allow: GET, HEAD"))
    assert.is_true(has(text, "Connection: keep-alive"))
    assert.is_nil(text:find("Retry-After", 1, true))
    assert.is_nil(text:find("Cache-Control", 1, true))
  end)

  it("401 names the scheme, 426 the protocol and its version", function()
    assert.is_true(has(write({ status = 401 }), "WWW-Authenticate: Bearer"))
    local text = write({ status = 426 }, { close = true })
    assert.is_true(has(text, "Upgrade: websocket"))
    assert.is_true(has(text, "Sec-WebSocket-Version: 13"))
    assert.is_true(has(text, "Connection: upgrade, close"))
  end)

  it("has a known phrase for every status the protocol uses", function()
    for _, status in ipairs({ 200, 400, 401, 403, 404, 405, 408, 413, 417, 426, 429, 431, 500, 501, 503, 505 }) do
      assert.is_nil(write({ status = status }):find("Status\r\n", 1, true))
    end
  end)

  it("carries errors in the protocol's shape", function()
    local out = ffi.new("struct tg_buf")
    C.tg_answer_error(out, "RATE_LIMITED", 'say "when"', 3, "17")
    assert.same({
      success = false,
      error = { code = "RATE_LIMITED", message = 'say "when"', retry_after_seconds = 3, support_reference = "17" },
    }, json.decode(ffi.string(out.data, out.len)))
    C.tg_buf_clear(out)
    C.tg_answer_error(out, "NOT_OWNER", "no", 0, "18")
    assert.is_truthy(ffi.string(out.data):find('"retry_after_seconds":null', 1, true))
    C.tg_buf_fini(out)
  end)
end)
