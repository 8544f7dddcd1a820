local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("base", { "base/decimal.h" })

local MAX = 9223372036854775807LL

describe("decimal", function()
  local function written(value, digits)
    local out = ffi.new("char[32]")
    return ffi.string(out, C.tg_decimal_write(out, C.tg_scaled(value, digits), digits))
  end

  it("scales without binary noise", function()
    for _, case in ipairs({
      { 0.1 + 0.2, 2, 30 }, { 10050.10, 2, 1005010 }, { 1.085, 5, 108500 }, { 1.08499999999999996, 5, 108500 },
      { 0.29 * 100, 2, 2900 }, { 4.35, 2, 435 }, { 1234567.89, 2, 123456789 }, { 151.4, 3, 151400 }, { 7, 0, 7 },
    }) do
      assert.equal(case[3], tonumber(C.tg_scaled(case[1], case[2])))
    end
  end)

  it("rounds halves away from zero, on both sides", function()
    for _, case in ipairs({ { 0.5, 0, 1 }, { -0.5, 0, -1 }, { 2.5, 0, 3 }, { -2.5, 0, -3 }, { 0.125, 2, 13 },
      { -0.125, 2, -13 }, { 0.49999999999999994, 0, 0 }, { -0.4, 0, 0 } }) do
      assert.equal(case[3], tonumber(C.tg_scaled(case[1], case[2])))
    end
  end)

  it("saturates instead of overflowing, and calls NaN nothing", function()
    assert.equal(MAX, C.tg_scaled(1e300, 2))
    assert.equal(-MAX, C.tg_scaled(-1e300, 2))
    assert.equal(MAX, C.tg_scaled(1 / 0, 8))
    assert.equal(-MAX, C.tg_scaled(-1 / 0, 0))
    assert.equal(MAX, C.tg_scaled(2 ^ 63, 0))
    assert.equal(0, tonumber(C.tg_scaled(0 / 0, 2)))
    assert.is_true(C.tg_scalable(9e18, 0))
    assert.is_false(C.tg_scalable(9.3e18, 0))
    assert.is_false(C.tg_scalable(1e17, 2))
    assert.is_false(C.tg_scalable(0 / 0, 2))
    assert.is_false(C.tg_scalable(-1 / 0, 2))
  end)

  it("takes digits beyond its range as the nearest it has", function()
    assert.equal(2, tonumber(C.tg_scaled(1.6, -3)))
    assert.equal(160000000, tonumber(C.tg_scaled(1.6, 99)))
  end)

  it("compares at the decimals that count", function()
    assert.is_true(C.tg_same(0.1 + 0.2, 0.3, 2))
    assert.is_true(C.tg_same(1.0850001, 1.085, 5))
    assert.is_false(C.tg_same(1.08501, 1.085, 5))
    assert.is_true(C.tg_same(0.004, -0.004, 2))
    assert.is_false(C.tg_same(100, 100.01, 2))
    assert.is_true(C.tg_same(100.4, 100.3, 0))
  end)

  it("knows not known: NaN equals only NaN", function()
    assert.is_true(C.tg_same(0 / 0, 0 / 0, 2))
    assert.is_false(C.tg_same(0 / 0, 0, 2))
    assert.is_false(C.tg_same(0, 0 / 0, 2))
  end)

  it("tells numbers apart that are too large to be scaled", function()
    assert.is_false(C.tg_same(1e20, 2e20, 2))
    assert.is_true(C.tg_same(1e20, 1e20, 2))
    assert.is_false(C.tg_same(1e20, 1, 2))
    assert.is_false(C.tg_same(1 / 0, -1 / 0, 2))
    assert.is_true(C.tg_same(1 / 0, 1 / 0, 2))
  end)

  it("rounds", function()
    assert.equal(0.3, C.tg_round(0.1 + 0.2, 2))
    assert.equal(-1.13, C.tg_round(-1.125, 2))
    assert.equal(1, C.tg_round(0.5, 0))
    assert.equal(1 / 0, C.tg_round(1 / 0, 2))
    assert.is_true(C.tg_round(0 / 0, 2) ~= C.tg_round(0 / 0, 2))
  end)

  it("leaves numbers alone that have no decimals left to round", function()
    for _, big in ipairs({ 1e11, 123456789012.25, 2 ^ 52, 1e15 + 0.5, 1e300, -1e12 }) do
      assert.equal(big, C.tg_round(big, 8))
    end
    assert.equal(1e16, C.tg_round(1e16, 2))
  end)

  it("writes decimals as people do", function()
    for _, case in ipairs({
      { 0.3, 2, "0.30" }, { -0.05, 2, "-0.05" }, { 0, 2, "0.00" }, { -0.001, 2, "0.00" }, { 12, 0, "12" }, { -7, 0, "-7" },
      { 1.085, 5, "1.08500" }, { 1e9, 2, "1000000000.00" }, { 0.00000001, 8, "0.00000001" }, { 100, 3, "100.000" },
    }) do
      assert.equal(case[3], written(case[1], case[2]))
    end
  end)

  it("writes the largest numbers without losing a digit", function()
    local out = ffi.new("char[32]")
    assert.equal("92233720368.54775807", ffi.string(out, C.tg_decimal_write(out, MAX, 8)))
    assert.equal("-9223372036854775807", ffi.string(out, C.tg_decimal_write(out, -MAX, 0)))
    assert.equal("-9223372036854775808", ffi.string(out, C.tg_decimal_write(out, -MAX - 1, 0)))
    assert.equal("-92233720368.54775808", ffi.string(out, C.tg_decimal_write(out, -MAX - 1, 8)))
  end)

  it("counts the decimals that a text shows", function()
    for text, decimals in pairs({ ["1.0850"] = 4, ["1"] = 0, ["1e-5"] = 5, ["1.25e-3"] = 5, ["1.5e1"] = 0, ["125.5e3"] = 0,
      ["-0.10"] = 2, ["1.123456789012"] = 8, ["1E-400"] = 8, ["1e99999999999"] = 0, [""] = 0, ["1."] = 0, ["1e"] = 0 }) do
      assert.equal(decimals, C.tg_decimals_of(text, #text), text)
    end
  end)
end)
