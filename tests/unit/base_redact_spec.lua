local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("base", { "base/redact.h" })

local jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIiwiZXhwIjoxfQ.c2lnbmF0dXJl-_c2lnbmF0dXJl"

local function redact(text)
  local out = ffi.new("struct tg_buf")
  C.tg_redact(out, text, #text)
  local masked = ffi.string(out.data, out.len)
  C.tg_buf_fini(out)
  return masked
end

describe("redact", function()
  it("masks the value of a token parameter and nothing around it", function()
    assert.equal("/ws/account/a?token=[redacted]&since=3", redact("/ws/account/a?token=abc.def%2Eghi&since=3"))
    assert.equal("GET /x?TOKEN=[redacted] HTTP/1.1", redact("GET /x?TOKEN=abc HTTP/1.1"))
    assert.equal("?a=1&access_token=[redacted]", redact("?a=1&access_token=abc"))
    assert.equal('"token=[redacted]"', redact('"token=abc"'))
  end)

  it("masks every one of them", function()
    assert.equal("token=[redacted]&token=[redacted]", redact("token=a&token=b"))
  end)

  it("masks what a client bears", function()
    assert.equal("tidegate.v1, bearer.[redacted]", redact("tidegate.v1, bearer." .. jwt))
    assert.equal("Authorization: Bearer [redacted]", redact("Authorization: Bearer opaque-0123"))
    assert.equal("bearer.[redacted], other", redact("bearer.abc, other"))
  end)

  it("masks anything of a token's shape, wherever it stands", function()
    assert.equal("[redacted]", redact(jwt))
    assert.equal("bad auth=[redacted]!", redact("bad auth=" .. jwt .. "!"))
    assert.equal("x[redacted] y", redact("x" .. jwt .. " y"))
    assert.equal("<[redacted]>", redact("<" .. jwt .. "." .. jwt .. ">"))
  end)

  it("masks a token whose end or signature was cut off", function()
    for n = 22, #jwt do
      local masked = redact(jwt:sub(1, n))
      assert.equal("[redacted]", masked, n)
    end
  end)

  it("masks a token whose header begins with a blank or a line", function()
    local jws = require("support.jws")
    for _, header in ipairs({ ' {"alg":"none"}', '{ "alg":"none"}', '{\n"alg":"none"}', '{\t"alg":"none"}', '{\r\n"alg":"none"}' }) do
      if header:sub(1, 1) == "{" then
        assert.equal("[redacted]", redact(jws.encode(header) .. ".e30.AAAA"), header)
      end
    end
  end)

  it("leaves other text as it is", function()
    for _, text in ipairs({ "", "token", "token=", "bearer.", "tokens are fine", "wss://gate.example.com/ws/account/4f6c-1", "1.2.3",
                            "eyJ.a.b", "e", "ey", "the eyewitness.report", "EURUSD 1.08500", "a\0b" }) do
      assert.equal(text, redact(text))
    end
  end)

  it("masks within a large text in little time", function()
    local text = ("eyJa"):rep(50000)
    local started = os.clock()
    assert.equal(text, redact(text))
    assert.is_true(os.clock() - started < 0.5)
  end)
end)
