local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("source", { "source/rest_error.h" })

describe("rest_error", function()
  local verdict, json

  before_each(function()
    verdict = ffi.new("struct tg_rest_verdict")
    json = ffi.new("struct tg_json")
  end)

  after_each(function()
    C.tg_json_fini(json)
  end)

  local function parse(text)
    assert.equal(0, C.tg_json_parse(json, text, #text, nil))
    return json
  end

  -- Judges a status and a body (nil: not JSON) and tells the end, the code and the wait.
  local function judge(status, text, retry_after)
    C.tg_rest_error_read(verdict, status, text and parse(text) or nil, retry_after or 0)
    return tonumber(verdict["end"]), ffi.string(verdict.code), tonumber(verdict.retry_after_ms)
  end

  local function message()
    return ffi.string(verdict.message)
  end

  it("reads the nested shape", function()
    local kind, code, wait = judge(
      502,
      '{"success":false,"error":{"code":"TERMINAL_DOWN","message":"no terminal","retry_after_seconds":5}}'
    )
    assert.equal(C.TG_POLL_FAILED, kind)
    assert.equal("TERMINAL_DOWN", code)
    assert.equal("no terminal", message())
    assert.equal(5000, wait)
  end)

  it("reads the flat shape", function()
    local kind, code =
      judge(500, '{"success":false,"error_code":"MT5_ERROR","error_message":"broken pipe"}')
    assert.equal(C.TG_POLL_FAILED, kind)
    assert.equal("MT5_ERROR", code)
    assert.equal("broken pipe", message())
  end)

  it("reads a bare word", function()
    local _, code = judge(400, '{"error":"bad thing","message":"why"}')
    assert.equal("BAD_THING", code)
    assert.equal("why", message())
  end)

  it("names the status when nothing else is told", function()
    for _, body in ipairs({ "{}", "[]", '{"detail":"Not Found"}', '{"error":{}}', '{"error":{"code":7.5e3}}' }) do
      local kind, code = judge(502, body)
      assert.equal(C.TG_POLL_FAILED, kind)
      assert.is_truthy(code == "HTTP_502" or code == "7_5E3")
    end
    local _, code = judge(302, nil)
    assert.equal("HTTP_302", code)
    assert.is_truthy(message():find("302", 1, true))
  end)

  it("has a code for an error told with status 200", function()
    local kind, code = judge(200, '{"success":false}')
    assert.equal(C.TG_POLL_FAILED, kind)
    assert.equal("SOURCE_ERROR", code)
  end)

  it("calls refused credentials that, by status or by code", function()
    local refused = '{"success":false,"error":{"code":"%s"}}'
    assert.equal(C.TG_POLL_REFUSED, (judge(401, nil)))
    assert.equal(C.TG_POLL_REFUSED, (judge(403, "{}")))
    for _, code in ipairs({ "UNAUTHORIZED", "INVALID_API_KEY", "mt5_login_failed", "INVALID_CREDENTIALS" }) do
      assert.equal(C.TG_POLL_REFUSED, (judge(200, refused:format(code))))
      assert.equal(C.TG_POLL_REFUSED, (judge(400, refused:format(code))))
      assert.equal(C.TG_POLL_FAILED, (judge(500, refused:format(code))))
    end
  end)

  it("calls a busy source that, by status or by code", function()
    assert.equal(C.TG_POLL_BUSY, (judge(429, nil)))
    assert.equal(C.TG_POLL_BUSY, (judge(503, nil, 3000)))
    assert.equal(C.TG_POLL_BUSY, (judge(503, '{"error":{"code":"X","retry_after_seconds":2}}')))
    assert.equal(C.TG_POLL_BUSY, (judge(200, '{"success":false,"error_code":"TOO_MANY_REQUESTS"}')))
    assert.equal(C.TG_POLL_BUSY, (judge(500, '{"success":false,"error_code":"SERVER_BUSY"}')))
  end)

  it("takes a 503 that names no time for a failure", function()
    assert.equal(C.TG_POLL_FAILED, (judge(503, '{"success":false,"error_code":"NOT_CONNECTED"}')))
  end)

  it("calls an account unknown only when the code says just that", function()
    local shape = '{"success":false,"error":{"code":"%s","message":"%s"}}'
    local function ending(status, code, text)
      return (judge(status, shape:format(code, text or "")))
    end
    assert.equal(C.TG_POLL_UNKNOWN, ending(404, "ACCOUNT_NOT_FOUND"))
    assert.equal(C.TG_POLL_UNKNOWN, ending(200, "account_not_found"))
    assert.equal(C.TG_POLL_UNKNOWN, ending(404, "UNKNOWN_ACCOUNT"))
    assert.equal(C.TG_POLL_UNKNOWN, ending(404, "NOT_FOUND", "Account demo-9 not found"))
    assert.equal(C.TG_POLL_FAILED, ending(404, "NOT_FOUND", "no such route"))
    assert.equal(C.TG_POLL_FAILED, ending(404, "ACCOUNT_SESSION_NOT_FOUND"))
    assert.equal(C.TG_POLL_FAILED, ending(400, "ACCOUNT_UNKNOWN_ERROR"))
    assert.equal(C.TG_POLL_FAILED, ending(500, "ACCOUNT_NOT_FOUND"))
    assert.equal(C.TG_POLL_FAILED, ending(404, "", "account not found"))
  end)

  it("does not take the 404 of a wrong base URL for an unknown account", function()
    for _, body in ipairs({ '{"detail":"Not Found"}', "{}", '"x"', '{"message":"account not found"}' }) do
      local kind, code = judge(404, body)
      assert.equal(C.TG_POLL_FAILED, kind)
      assert.equal("HTTP_404", code)
    end
    local kind, code = judge(404, nil)
    assert.equal(C.TG_POLL_FAILED, kind)
    assert.equal("HTTP_404", code)
  end)

  it("takes the longest of the waits that are told", function()
    local body = '{"error":{"code":"X","retry_after_seconds":%s}}'
    assert.equal(9000, select(3, judge(429, body:format("9"), 4000)))
    assert.equal(4000, select(3, judge(429, body:format("2.5"), 4000)))
    assert.equal(2500, select(3, judge(429, body:format('"2.5"'))))
    assert.equal(7000, select(3, judge(429, '{"error_code":"X","retry_after_seconds":7}')))
    assert.equal(7000, select(3, judge(429, '{"error":{"code":"X"},"retry_after_seconds":7}')))
  end)

  it("does not believe absurd waits", function()
    local body = '{"error":{"code":"X","retry_after_seconds":%s}}'
    assert.equal(86400000, select(3, judge(429, body:format("1e300"))))
    assert.equal(86400000, select(3, judge(429, nil, 9e15)))
    for _, wait in ipairs({ "-5", "0", "null", '"soon"', "[]", "1e999" }) do
      assert.equal(0, (select(3, judge(429, body:format(wait)))))
    end
    assert.equal(0, (select(3, judge(429, nil, -1))))
  end)

  it("makes codes fit for a label and messages fit for a line", function()
    local long = ("a b-"):rep(40)
    local _, code = judge(500, '{"error":{"code":"' .. long .. '","message":"a\\nb\\u0000c\\u001b[31m"}}')
    assert.equal(("A_B_"):rep(40):sub(1, 47), code)
    assert.equal("a b c [31m", message())
    judge(500, '{"error":{"code":"X","message":"' .. ("m"):rep(999) .. '"}}')
    assert.equal(("m"):rep(199), message())
  end)

  it("knows a document that reports an error, whatever its status", function()
    for _, text in ipairs({
      '{"success":false}',
      '{"success":true,"error":{"code":"X"}}',
      '{"success":true,"error":"x"}',
      '{"success":true,"error_code":"X"}',
      '{"success":true,"error_code":10005}',
    }) do
      assert.is_true(C.tg_rest_reports_error(parse(text)), text)
    end
    for _, text in ipairs({
      '{"success":true}',
      '{"success":true,"error":null,"error_code":null}',
      '{"success":true,"error":"","error_code":""}',
      '{"success":true,"error":false}',
      "{}",
    }) do
      assert.is_false(C.tg_rest_reports_error(parse(text)), text)
    end
  end)
end)
