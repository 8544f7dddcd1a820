local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("app", { "app/admission.h" })

describe("tally", function()
  local tally

  before_each(function()
    tally = ffi.gc(ffi.new("struct tg_tally"), C.tg_tally_fini)
  end)

  it("counts each name for itself", function()
    for _ = 1, 3 do
      assert.equal(0, C.tg_tally_add(tally, "alice"))
    end
    assert.equal(0, C.tg_tally_add(tally, ""))
    assert.equal(3, C.tg_tally_of(tally, "alice"))
    assert.equal(1, C.tg_tally_of(tally, ""))
    assert.equal(0, C.tg_tally_of(tally, "alic"))
  end)

  it("forgets a name that is down to none", function()
    for _ = 1, 2 do
      C.tg_tally_add(tally, "alice")
    end
    C.tg_tally_remove(tally, "alice")
    assert.equal(1, C.tg_tally_of(tally, "alice"))
    C.tg_tally_remove(tally, "alice")
    assert.equal(0, C.tg_tally_of(tally, "alice"))
    assert.equal(0, tonumber(tally.map.count))
  end)
end)

describe("rate", function()
  local rate

  before_each(function()
    rate = ffi.new("struct tg_rate")
  end)

  -- How many of so many pass at one moment.
  local function pass(n, per_second, at)
    local passed = 0
    for _ = 1, n do
      if C.tg_rate_pass(rate, per_second, at) then passed = passed + 1 end
    end
    return passed
  end

  it("lets a burst of a second's worth through at first, and no more", function()
    assert.equal(5, pass(20, 5, 0))
    assert.equal(0, pass(20, 5, 0))
  end)

  it("fills up with time", function()
    pass(20, 5, 1000)
    assert.equal(0, pass(1, 5, 1199))
    assert.equal(1, pass(20, 5, 1200))
    assert.equal(2, pass(20, 5, 1600))
  end)

  it("holds a second's worth however long it rested", function()
    pass(20, 5, 1000)
    assert.equal(5, pass(20, 5, 86400000))
  end)

  it("never lets more through over time than it may", function()
    local passed = 0
    for ms = 0, 9999 do
      passed = passed + pass(3, 50, ms)
    end
    assert.is_true(passed >= 540 and passed <= 550, passed)
  end)

  it("is no limit when it is 0", function()
    assert.equal(1000, pass(1000, 0, 0))
  end)

  it("goes by a lower limit at once", function()
    assert.equal(1, pass(1, 100, 0))
    assert.equal(2, pass(20, 2, 1))
  end)
end)
