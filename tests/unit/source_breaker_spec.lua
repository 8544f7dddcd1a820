local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("source", { "source/breaker.h" })

describe("breaker", function()
  local breaker, policy

  before_each(function()
    breaker = ffi.new("struct tg_breaker")
    policy = ffi.new("struct tg_breaker_policy", {
      failures = 3,
      first_ms = 1000,
      max_ms = 5000,
      probe_ms = 2000,
    })
  end)

  local function note(kind, now)
    return C.tg_breaker_note(breaker, policy, kind, now or 0)
  end

  local function allows(now)
    return C.tg_breaker_allows(breaker, policy, now)
  end

  local function open(now)
    for _ = 1, 3 do
      note("TG_POLL_FAILED", now)
    end
    assert.equal(C.TG_BREAKER_OPEN, breaker.state)
  end

  it("lets everything pass while closed", function()
    for now = 0, 10 do
      assert.is_true(allows(now))
    end
  end)

  it("opens after so many failures in a row, and says so once", function()
    assert.is_false(note("TG_POLL_FAILED"))
    assert.is_false(note("TG_POLL_FAILED"))
    assert.is_true(allows(0))
    assert.is_true(note("TG_POLL_FAILED"))
    assert.is_false(allows(0))
    assert.is_false(note("TG_POLL_FAILED"))
  end)

  it("starts counting again after anything that shows a working upstream", function()
    for _, kind in ipairs({ "TG_POLL_OK", "TG_POLL_STALE", "TG_POLL_UNKNOWN" }) do
      note("TG_POLL_FAILED")
      note("TG_POLL_FAILED")
      assert.is_false(note(kind))
      note("TG_POLL_FAILED")
      note("TG_POLL_FAILED")
      assert.is_true(allows(0))
      note("TG_POLL_OK")
    end
  end)

  it("counts refused credentials against the upstream", function()
    note("TG_POLL_REFUSED")
    note("TG_POLL_REFUSED")
    assert.is_true(note("TG_POLL_REFUSED"))
  end)

  it("takes a busy upstream for neither ill nor well", function()
    note("TG_POLL_FAILED")
    note("TG_POLL_FAILED")
    note("TG_POLL_BUSY")
    assert.is_true(allows(0))
    assert.is_true(note("TG_POLL_FAILED"))
  end)

  it("never opens when switched off", function()
    policy.failures = 0
    for _ = 1, 1000 do
      assert.is_false(note("TG_POLL_FAILED"))
    end
    assert.is_true(allows(0))
  end)

  it("lets a single probe pass when its time is up", function()
    open(0)
    assert.is_false(allows(999))
    assert.is_true(allows(1000))
    assert.equal(C.TG_BREAKER_HALF_OPEN, breaker.state)
    assert.is_false(allows(1000))
    assert.is_false(allows(2999))
  end)

  it("closes when the probe works, and says so", function()
    open(0)
    allows(1000)
    assert.is_true(note("TG_POLL_OK", 1100))
    assert.is_true(allows(1100))
    assert.is_false(note("TG_POLL_FAILED", 1200))
  end)

  it("stays open for twice as long after each failed probe, up to the bound", function()
    open(0)
    local now = 0
    for _, wait in ipairs({ 1000, 2000, 4000, 5000, 5000 }) do
      assert.is_false(allows(now + wait - 1))
      now = now + wait
      assert.is_true(allows(now))
      assert.is_false(note("TG_POLL_FAILED", now))
      assert.equal(C.TG_BREAKER_OPEN, breaker.state)
    end
  end)

  it("opens again when the probe finds the upstream busy or its credentials refused", function()
    for _, kind in ipairs({ "TG_POLL_BUSY", "TG_POLL_REFUSED" }) do
      open(0)
      assert.is_true(allows(1000))
      assert.is_false(note(kind, 1000))
      assert.equal(C.TG_BREAKER_OPEN, breaker.state)
      note("TG_POLL_OK", 1000)
    end
  end)

  it("closes on a late success of a poll that was under way when it opened", function()
    open(0)
    assert.is_true(note("TG_POLL_OK", 10))
    assert.is_true(allows(10))
  end)

  it("is not kept open by late failures of polls that were under way", function()
    open(0)
    for now = 1, 900 do
      note("TG_POLL_FAILED", now)
    end
    assert.is_true(allows(1000))
  end)

  it("lets the next probe pass when one was lost", function()
    open(0)
    assert.is_true(allows(1000))
    assert.is_false(allows(2999))
    assert.is_true(allows(3000))
    assert.is_false(allows(3000))
  end)

  it("starts with the first wait again after it was closed", function()
    open(0)
    allows(1000)
    note("TG_POLL_FAILED", 1000)
    allows(3000)
    note("TG_POLL_OK", 3000)
    open(4000)
    assert.is_false(allows(4999))
    assert.is_true(allows(5000))
  end)
end)
