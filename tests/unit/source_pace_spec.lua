-- How often a source is asked that wants to be asked less often.
local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("source", { "source/pace.h" })

describe("pace", function()
  local pace

  before_each(function()
    pace = ffi.new("struct tg_pace")
    C.tg_pace_init(pace, 1000, 8000)
  end)

  local function ms() return tonumber(C.tg_pace_ms(pace)) end
  local function busy(at) C.tg_pace_busy(pace, at) end
  local function ok(at) return C.tg_pace_ok(pace, at) end
  local function settled(at) return C.tg_pace_settled(pace, at) end

  -- Good rounds at the pace itself from `from` on, until full speed; when that was.
  local function recover(from)
    local at = from
    while pace.level > 0 do
      at = at + ms()
      ok(at)
      assert.is_true(at < from + 1000000)
    end
    return at
  end

  it("is full speed, and settled, when new", function()
    assert.equal(0, ms())
    assert.is_true(settled(0))
    assert.is_false(ok(5))
  end)

  it("halves with each complaint, down to its slowest", function()
    local seen = {}
    for i = 1, 6 do
      busy(i * 10000)
      seen[i] = ms()
    end
    assert.same({ 2000, 4000, 8000, 8000, 8000, 8000 }, seen)
  end)

  it("is capped at a slowest that is no doubling", function()
    C.tg_pace_init(pace, 1000, 5000)
    for i = 1, 5 do busy(i) end
    assert.equal(5000, ms())
    assert.equal(3, pace.level)
    C.tg_pace_init(pace, 1000, 10)
    busy(1)
    assert.equal(1000, ms())
  end)

  it("doubles after so long without a complaint, and is settled once full speed has held", function()
    busy(0)
    assert.is_false(ok(2000))
    assert.is_false(ok(4000))
    assert.is_true(ok(6000))
    assert.equal(0, ms())
    assert.is_false(settled(6000))
    assert.is_false(settled(10999))
    assert.is_true(settled(11000))
  end)

  it("is at full speed half a minute after the last complaint, from its slowest", function()
    for i = 1, 3 do busy(i) end
    assert.equal(8000, ms())
    local at = recover(3)
    assert.is_true(at <= 23000, "it took " .. at)
  end)

  it("asks a server that never allows full speed ever more rarely for it", function()
    local at, tries = 0, {}
    busy(at)
    for i = 1, 8 do
      local begun = at
      at = recover(at) + 1000
      tries[i] = at - begun
      busy(at)
    end
    for i = 2, 8 do assert.is_true(tries[i] >= tries[i - 1]) end
    assert.is_true(tries[8] >= 60000 and tries[8] <= 64000, tries[8])
  end)

  it("forgets that after a minute of full speed", function()
    busy(0)
    local at = recover(0)
    busy(at + 1000)
    at = recover(at + 1000)
    assert.equal(10000, tonumber(pace.hold_ms))
    ok(at + 59000)
    assert.equal(10000, tonumber(pace.hold_ms))
    ok(at + 60000)
    busy(at + 61000)
    assert.equal(5000, tonumber(pace.hold_ms))
  end)

  it("does not step up before a round at its pace has gone well", function()
    for i = 1, 3 do busy(i) end
    assert.is_false(ok(7000))
    assert.is_true(ok(8003))
  end)
end)
