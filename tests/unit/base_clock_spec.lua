local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("base", { "base/clock.h" })

describe("clock", function()
  local function write(ms)
    local out = ffi.new("char[25]")
    C.tg_iso8601_write(out, ms)
    return ffi.string(out)
  end

  local function read(text)
    local out = ffi.new("int64_t[1]", 12345)
    local rc = C.tg_iso8601_read(text, #text, out)
    if rc ~= 0 then
      assert.equal(-1, rc)
      assert.equal(12345, tonumber(out[0]))
      return nil
    end
    return tonumber(out[0])
  end

  it("has a system clock that moves on", function()
    local clock = C.tg_clock_system()
    local mono, wall = clock.mono_ms(clock), clock.wall_ms(clock)
    assert.is_true(math.abs(tonumber(wall) / 1000 - os.time()) < 5)
    assert.is_true(clock.mono_ms(clock) >= mono)
    assert.is_true(C.tg_mono_us() / 1000 - mono < 1000)
  end)

  it("has a virtual clock that moves only when told", function()
    local clock = ffi.new("struct tg_clock_virtual")
    C.tg_clock_virtual_init(clock, 500, 1700000000000)
    local c = clock.clock
    assert.equal(500, tonumber(c.mono_ms(c)))
    C.tg_clock_virtual_advance(clock, 90000)
    assert.equal(90500, tonumber(c.mono_ms(c)))
    assert.equal(1700000090000, tonumber(c.wall_ms(c)))
  end)

  it("writes times with milliseconds", function()
    assert.equal("1970-01-01T00:00:00.000Z", write(0))
    assert.equal("2023-11-14T22:13:20.007Z", write(1700000000007))
    assert.equal("2024-02-29T00:00:00.000Z", write(1709164800000))
    assert.equal("2000-02-29T23:59:59.999Z", write(951868799999))
    assert.equal("2100-03-01T00:00:00.000Z", write(4107542400000))
    assert.equal("1969-12-31T23:59:59.999Z", write(-1))
    assert.equal("1900-03-01T00:00:00.000Z", write(-2203891200000))
  end)

  it("clamps years that have no four digits", function()
    assert.equal("9999-12-31T23:59:59.999Z", write(253402300799999))
    assert.equal("9999-12-31T23:59:59.999Z", write(253402300800000))
    assert.equal("9999-12-31T23:59:59.999Z", write(9223372036854775807LL))
    assert.equal("0000-01-01T00:00:00.000Z", write(-62167219200000))
    assert.equal("0000-01-01T00:00:00.000Z", write(-62167219200001))
  end)

  it("reads back what it writes, through four centuries of days", function()
    for day = -40000, 120000, 37 do
      local ms = day * 86400000 + (day * 7919 % 86400) * 1000 + day % 1000
      assert(read(write(ms)) == ms, write(ms))
    end
  end)

  it("reads fractions, offsets and the older spellings", function()
    for text, ms in pairs({
      ["1970-01-01T00:00:00Z"] = 0, ["1970-01-01 00:00:00"] = 0, ["1970-01-01t00:00:00z"] = 0,
      ["1970-01-01T00:00:01.5Z"] = 1500, ["1970-01-01T00:00:01.0009Z"] = 1000, ["1970-01-01T00:00:01.123456789Z"] = 1123,
      ["1970-01-01T02:00:00+02:00"] = 0, ["1969-12-31T19:30:00-0430"] = 0, ["1970-01-01T00:00:00+00:00"] = 0,
      ["2026.01.31 23:59:59"] = 1769903999000, ["2024-02-29T12:00:00Z"] = 1709208000000,
      ["2016-12-31T23:59:60Z"] = 1483228800000, ["1970-01-01T23:59:59.999+23:59"] = 59999,
    }) do
      assert.equal(ms, read(text), text)
    end
  end)

  it("knows the leap years", function()
    assert.is_number(read("2000-02-29T00:00:00Z"))
    assert.is_number(read("2400-02-29T00:00:00Z"))
    for _, year in ipairs({ "1900", "2023", "2100", "2200" }) do
      assert.is_nil(read(year .. "-02-29T00:00:00Z"))
    end
  end)

  it("refuses what is no time and leaves the old value", function()
    for _, bad in ipairs({ "", "2026", "2026-01-31", "2026-01-31T", "2026-01-31T23:59", "2026-01-31T23:59:5",
      "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z", "2026-04-31T00:00:00Z",
      "2026-01-31T24:00:00Z", "2026-01-31T23:60:00Z", "2026-01-31T23:59:61Z", "2026-01-31T23:59:59.Z", "2026-01-31T23:59:59ZZ",
      "2026-01-31T23:59:59+2", "2026-01-31T23:59:59+24:00", "2026-01-31T23:59:59+02:60", "2026-01-31T23:59:59+02:00Z",
      " 2026-01-31T23:59:59Z", "2026-01-31T23:59:59Z ", "26-01-31T23:59:59Z", "2026/01/31T23:59:59Z", "2026-01-31X23:59:59Z",
      "-026-01-31T23:59:59Z", "2026-1-31T23:59:59Z", "2026-01-31T23:59:59\0", "2026-01-31T23.59:59Z" }) do
      assert.is_nil(read(bad), bad)
    end
  end)

  it("reads no further than it is told", function()
    local out = ffi.new("int64_t[1]")
    assert.equal(0, C.tg_iso8601_read("1970-01-01T00:00:00Zgarbage", 20, out))
    for len = 0, 18 do
      assert.equal(-1, C.tg_iso8601_read("1970-01-01T00:00:00Z", len, out))
    end
  end)
end)
