local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("app", { "app/refusal.h" })

local function body(refusal, retry, reference)
  local out = ffi.gc(ffi.new("struct tg_buf"), C.tg_buf_fini)
  C.tg_refusal_body(out, refusal, retry, reference)
  return ffi.string(out.data, out.len)
end

describe("refusal", function()
  it("has a row each: a status, a code of its own, a close code and a sentence", function()
    local seen = {}
    for refusal = 0, tonumber(C.TG_REFUSALS) - 1 do
      local row = C.tg_refusal_row(refusal)
      local code = ffi.string(row.code)
      assert.is_true(row.status >= 400 and row.status < 600, code)
      assert.truthy(code:match("^[A-Z][A-Z_]+$"), code)
      assert.is_nil(seen[code])
      seen[code] = true
      assert.is_true(row.close_code >= 4000 and row.close_code < 5000, code)
      assert.is_true(#ffi.string(row.message) > 10, code)
    end
  end)

  it("asks to come back only with codes that mean it", function()
    for refusal = 0, tonumber(C.TG_REFUSALS) - 1 do
      local row = C.tg_refusal_row(refusal)
      assert.equal(row.status == 503, row.close_code == 4003, ffi.string(row.code))
    end
  end)

  it("is a JSON body with a retry time or null", function()
    assert.equal('{"success":false,"error":{"code":"RATE_LIMITED","message":"too many requests",'
      .. '"retry_after_seconds":7,"support_reference":"r-1"}}', body(C.TG_REFUSE_RATE_LIMITED, 7, "r-1"))
    assert.truthy(body(C.TG_REFUSE_NOT_OWNER, 0, "r-2"):find('"retry_after_seconds":null', 1, true))
  end)
end)
