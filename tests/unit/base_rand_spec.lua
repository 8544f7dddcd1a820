local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("base", { "base/rand.h" })

describe("rand", function()
  it("repeats from a seed, and gives the published SplitMix64 numbers", function()
    local rng = ffi.new("struct tg_rng", { 1234567 })
    assert.equal("6457827717110365317ULL", tostring(C.tg_rng_next(rng)))
    assert.equal("3203168211198807973ULL", tostring(C.tg_rng_next(rng)))
    assert.equal("9817491932198370423ULL", tostring(C.tg_rng_next(rng)))
  end)

  it("differs between neighbouring seeds", function()
    local seen = {}
    for seed = 0, 999 do
      local rng = ffi.new("struct tg_rng", { seed })
      local first = tostring(C.tg_rng_next(rng))
      assert.is_nil(seen[first])
      seen[first] = true
    end
  end)

  it("stays below its bound and reaches all of it", function()
    local rng, seen = ffi.new("struct tg_rng", { 1 }), {}
    for _ = 1, 2000 do
      local n = tonumber(C.tg_rng_below(rng, 7))
      assert(n >= 0 and n < 7)
      seen[n] = (seen[n] or 0) + 1
    end
    for n = 0, 6 do
      assert.is_true(seen[n] > 200 and seen[n] < 380)
    end
    assert.equal(0, tonumber(C.tg_rng_below(rng, 0)))
    assert.equal(0, tonumber(C.tg_rng_below(rng, 1)))
  end)

  it("spreads over [0, 1) and never reaches 1", function()
    local rng, sum = ffi.new("struct tg_rng", { 9 }), 0
    for _ = 1, 20000 do
      local x = C.tg_rng_unit(rng)
      assert(x >= 0 and x < 1)
      sum = sum + x
    end
    assert.is_true(math.abs(sum / 20000 - 0.5) < 0.01)
  end)

  it("asks the system for bytes, all of them", function()
    local a, b = ffi.new("uint8_t[4096]"), ffi.new("uint8_t[4096]")
    C.tg_random_bytes(a, 4096)
    C.tg_random_bytes(b, 4095)
    assert.is_true(ffi.string(a, 4095) ~= ffi.string(b, 4095))
    assert.equal(0, b[4095])
    local seen, kinds = {}, 0
    for i = 0, 4095 do
      if not seen[a[i]] then
        seen[a[i]] = true
        kinds = kinds + 1
      end
    end
    assert.is_true(kinds > 240)
  end)
end)
