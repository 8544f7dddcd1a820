-- The bill of a rule call, look by look: what a machine was held for is not on it.
local ffi = require("ffi")
local cdef = require("support.cdef")

local C = cdef.library("script", { "script/charge.h" })

describe("the charge of a call", function()
  local charge, burnt

  before_each(function()
    charge, burnt = ffi.new("struct tg_charge"), 5000000
  end)

  -- One look, `ms` of processor time after the one before.
  local function look(serial, ms, answered)
    burnt = burnt + ms * 1000
    return C.tg_charge_look(charge, serial, burnt, 5, answered ~= false)
  end

  local function charged() return tonumber(charge.us) / 1000 end

  it("begins when the call is seen for the first time, and ends with it", function()
    assert.is_false(look(7, 300))
    assert.equal(0, charged())
    assert.is_true(look(7, 5))
    assert.is_true(look(7, 5))
    assert.equal(10, charged())
    assert.is_false(look(8, 5)) -- the same rule may be called again: another call
    assert.equal(0, charged())
    assert.is_false(look(0, 5))
    assert.is_false(look(0, 5))
    assert.is_false(look(8, 5))
    assert.equal(0, charged())
  end)

  it("is what was burnt, when the thread answers", function()
    look(7, 0)
    for _ = 1, 4 do look(7, 5) end
    assert.equal(20, charged())
    look(7, 0.5) -- the thread waits for its turn
    assert.equal(20.5, charged())
  end)

  it("of a machine that was held is two naps, however long it was held", function()
    look(7, 0)
    look(7, 5)
    look(7, 60000)
    assert.equal(15, charged())
  end)

  it("of a processor that was taken from the thread is the first nap, on credit", function()
    look(7, 0)
    assert.is_true(look(7, 5, false)) -- nobody had asked yet
    for _ = 1, 1000 do
      assert.is_true(look(7, 5, false))
    end
    assert.equal(5, charged())
    assert.equal(5000, tonumber(charge.silent_us) / 1000) -- a thread that never answers is still found out
    look(7, 5)
    assert.equal(10, charged())
  end)

  it("is looked at four times a budget, between every millisecond and every five", function()
    for budget, nap in pairs({ [1] = 1, [4] = 1, [12] = 3, [20] = 5, [1000] = 5 }) do
      assert.equal(nap, C.tg_charge_nap_ms(budget))
    end
    assert.equal(1, C.tg_charge_nap_ms(0))
  end)
end)
