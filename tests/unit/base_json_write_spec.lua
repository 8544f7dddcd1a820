local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("base", { "base/json.h", "base/rand.h" })

describe("json writer", function()
  local out

  before_each(function()
    out = ffi.new("struct tg_buf")
  end)

  after_each(function()
    C.tg_buf_fini(out)
  end)

  local function text()
    return ffi.string(out.data, out.len)
  end

  local function fresh(write, ...)
    C.tg_buf_clear(out)
    write(out, ...)
    return text()
  end

  local OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY = 123, 125, 91, 93

  it("puts commas where they belong and nowhere else", function()
    C.tg_json_open(out, OPEN_OBJECT)
    C.tg_json_key(out, "a")
    C.tg_json_i64(out, 1)
    C.tg_json_key(out, "b")
    C.tg_json_open(out, OPEN_ARRAY)
    C.tg_json_bool(out, true)
    C.tg_json_text(out, nil)
    C.tg_json_open(out, OPEN_OBJECT)
    C.tg_json_close(out, CLOSE_OBJECT)
    C.tg_json_open(out, OPEN_ARRAY)
    C.tg_json_close(out, CLOSE_ARRAY)
    C.tg_json_text(out, "x")
    C.tg_json_close(out, CLOSE_ARRAY)
    C.tg_json_key(out, "c")
    C.tg_json_raw(out, "{}", 2)
    C.tg_json_key(out, "d")
    C.tg_json_decimal(out, 0.5, 2)
    C.tg_json_close(out, CLOSE_OBJECT)
    assert.equal('{"a":1,"b":[true,null,{},[],"x"],"c":{},"d":0.50}', text())
  end)

  it("is not confused by strings that look like structure", function()
    C.tg_json_open(out, OPEN_ARRAY)
    for _, s in ipairs({ "{", "[", ":", ",", "" }) do
      C.tg_json_text(out, s)
    end
    C.tg_json_close(out, CLOSE_ARRAY)
    assert.equal('["{","[",":",",",""]', text())
  end)

  it("escapes what must be escaped", function()
    local all = {}
    for byte = 0, 0x7f do
      all[#all + 1] = string.char(byte)
    end
    local hostile = table.concat(all)
    local written = fresh(C.tg_json_string, hostile, #hostile)
    assert.is_nil(written:find("[%z\1-\31\127]"))
    local json, token_text = ffi.new("struct tg_json"), ffi.new("struct tg_buf")
    assert.equal(0, C.tg_json_parse(json, written, #written, nil))
    C.tg_json_unescape(token_text, json.tokens[0])
    assert.equal(hostile, ffi.string(token_text.data, token_text.len))
    C.tg_buf_fini(token_text)
    C.tg_json_fini(json)
    assert.equal([["\"\\\n\u0000\u001b"]], fresh(C.tg_json_string, '"\\\n\0\27', 5))
  end)

  it("passes good UTF-8 and replaces each bad byte", function()
    assert.equal('"é€𝄞"', fresh(C.tg_json_text, "é€𝄞"))
    assert.equal('"a\239\191\189b"', fresh(C.tg_json_text, "a\xffb"))
    assert.equal('"\239\191\189\239\191\189"', fresh(C.tg_json_text, "\xc0\x80"))
    assert.equal('"\239\191\189\239\191\189\239\191\189"', fresh(C.tg_json_text, "\xed\xa0\x80"))
    assert.equal('"\239\191\189"', fresh(C.tg_json_text, "\xc3"))
    assert.equal('"\239\191\189x"', fresh(C.tg_json_text, "\xe2x"))
  end)

  it("writes 64-bit integers to the last digit", function()
    assert.equal("9223372036854775807", fresh(C.tg_json_i64, 9223372036854775807LL))
    assert.equal("-9223372036854775808", fresh(C.tg_json_i64, -9223372036854775807LL - 1LL))
    assert.equal("18446744073709551615", fresh(C.tg_json_u64, 18446744073709551615ULL))
    assert.equal("9007199254740993", fresh(C.tg_json_u64, 9007199254740993ULL))
    assert.equal("9223372036854775808", fresh(C.tg_json_u64, 9223372036854775808ULL))
    assert.equal("0", fresh(C.tg_json_u64, 0))
  end)

  it("writes decimals without noise, and null for what is no number", function()
    assert.equal("0.30", fresh(C.tg_json_decimal, 0.1 + 0.2, 2))
    assert.equal("0.00", fresh(C.tg_json_decimal, -0.001, 2))
    assert.equal("-1.50", fresh(C.tg_json_decimal, -1.5, 2))
    for _, none in ipairs({ 0 / 0, 1 / 0, -1 / 0 }) do
      assert.equal("null", fresh(C.tg_json_decimal, none, 2))
      assert.equal("null", fresh(C.tg_json_double, none))
    end
  end)

  it("writes numbers beyond the decimal scale as themselves, never as the bound", function()
    assert.equal("1e+300", fresh(C.tg_json_decimal, 1e300, 2))
    assert.equal("1e+17", fresh(C.tg_json_decimal, 1e17, 2))
    assert.equal("-1e+17", fresh(C.tg_json_decimal, -1e17, 2))
    assert.equal("100000000000", fresh(C.tg_json_decimal, 1e11, 8))
    assert.equal("90000000000.00000000", fresh(C.tg_json_decimal, 9e10, 8))
  end)

  it("writes doubles with the fewest digits that read back the same", function()
    assert.equal("0.1", fresh(C.tg_json_double, 0.1))
    assert.equal("0.30000000000000004", fresh(C.tg_json_double, 0.1 + 0.2))
    assert.equal("0", fresh(C.tg_json_double, -0.0))
    assert.equal("9007199254740991", fresh(C.tg_json_double, 9007199254740991))
    assert.equal("1e+16", fresh(C.tg_json_double, 1e16))
    local rng = ffi.new("struct tg_rng", { 3 })
    local bits = ffi.new("union { uint64_t u; double d; }")
    local json, back = ffi.new("struct tg_json"), ffi.new("double[1]")
    for _ = 1, 3000 do
      bits.u = C.tg_rng_next(rng)
      local value = bits.d
      if value == value and math.abs(value) ~= 1 / 0 then
        local written = fresh(C.tg_json_double, value)
        assert(C.tg_json_parse(json, written, #written, nil) == 0, written)
        assert(C.tg_json_read_double(json.tokens[0], back) == 0, written)
        assert(back[0] == value, written)
      end
    end
    C.tg_json_fini(json)
  end)
end)
