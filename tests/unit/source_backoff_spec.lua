local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("source", { "source/backoff.h" })

describe("backoff", function()
  local backoff, policy, rng

  before_each(function()
    backoff = ffi.new("struct tg_backoff")
    rng = ffi.new("struct tg_rng", { 1 })
    policy = ffi.new("struct tg_backoff_policy", {
      first_ms = 1000,
      retries = 3,
      probe_ms = 30000,
      refused_first_ms = 60000,
      refused_max_ms = 900000,
    })
  end)

  -- The wait that a failure at time 0 leads to.
  local function fail(kind, retry_after)
    return tonumber(C.tg_backoff_fail(backoff, policy, rng, kind, retry_after or 0, 0))
  end

  local function up_to_a_tenth_more(wanted, got)
    assert.is_true(got >= wanted and got <= wanted * 1.1, wanted .. " expected, got " .. got)
  end

  it("is clear when new", function()
    assert.equal(C.TG_BACKOFF_CLEAR, backoff.state)
    assert.is_false(C.tg_backoff_ok(backoff))
  end)

  it("retries after 1, 2 and 4 seconds, then probes each 30", function()
    for _, wait in ipairs({ 1000, 2000, 4000 }) do
      assert.equal(wait, fail("TG_POLL_FAILED"))
      assert.equal(C.TG_BACKOFF_RETRYING, backoff.state)
    end
    for _ = 1, 50 do
      up_to_a_tenth_more(30000, fail("TG_POLL_FAILED"))
      assert.equal(C.TG_BACKOFF_PROBING, backoff.state)
    end
  end)

  it("counts from the time of the failure", function()
    assert.equal(6000, tonumber(C.tg_backoff_fail(backoff, policy, rng, "TG_POLL_FAILED", 0, 5000)))
    assert.equal(6000, tonumber(backoff.due_ms))
    assert.equal(1000, tonumber(backoff.wait_ms))
  end)

  it("treats a stale answer like a failure", function()
    assert.equal(1000, fail("TG_POLL_STALE"))
    assert.equal(2000, fail("TG_POLL_FAILED"))
    assert.equal(4000, fail("TG_POLL_STALE"))
  end)

  it("starts over after a good poll, and says that a time of failures is over", function()
    fail("TG_POLL_FAILED")
    fail("TG_POLL_FAILED")
    assert.is_true(C.tg_backoff_ok(backoff))
    assert.equal(C.TG_BACKOFF_CLEAR, backoff.state)
    assert.equal(1000, fail("TG_POLL_FAILED"))
  end)

  it("probes at once when no retries are wanted", function()
    policy.retries = 0
    up_to_a_tenth_more(30000, fail("TG_POLL_FAILED"))
    assert.equal(C.TG_BACKOFF_PROBING, backoff.state)
  end)

  it("probes at once for an account the source does not know", function()
    up_to_a_tenth_more(30000, fail("TG_POLL_UNKNOWN"))
    assert.equal(C.TG_BACKOFF_PROBING, backoff.state)
  end)

  it("asks soon again for what is withheld, and never more than eight first waits apart", function()
    for _, wait in ipairs({ 1000, 2000, 4000, 8000, 8000, 8000 }) do
      up_to_a_tenth_more(wait, fail("TG_POLL_DENIED"))
      assert.equal(C.TG_BACKOFF_PROBING, backoff.state)
    end
    policy.probe_ms = 3000
    up_to_a_tenth_more(3000, fail("TG_POLL_DENIED"))
  end)

  it("waits as long as the source asks, whatever the kind", function()
    assert.equal(7000, fail("TG_POLL_STALE", 7000))
    assert.equal(7000, fail("TG_POLL_FAILED", 7000))
    assert.equal(100000, fail("TG_POLL_REFUSED", 100000))
  end)

  it("is not hurried by a source that asks for less", function()
    assert.equal(1000, fail("TG_POLL_FAILED", 10))
    assert.equal(2000, fail("TG_POLL_FAILED", -5))
  end)

  it("does not let a source silence an account for longer than the longest refusal", function()
    assert.equal(900000, fail("TG_POLL_FAILED", 86400000))
  end)

  it("doubles from one minute to fifteen after refused credentials", function()
    for _, wait in ipairs({ 60000, 120000, 240000, 480000, 900000, 900000 }) do
      up_to_a_tenth_more(wait, fail("TG_POLL_REFUSED"))
      assert.equal(C.TG_BACKOFF_REFUSED, backoff.state)
    end
  end)

  it("does not forget refusals over a failure in between", function()
    fail("TG_POLL_REFUSED")
    assert.equal(1000, fail("TG_POLL_FAILED"))
    up_to_a_tenth_more(120000, fail("TG_POLL_REFUSED"))
    C.tg_backoff_ok(backoff)
    up_to_a_tenth_more(60000, fail("TG_POLL_REFUSED"))
  end)

  it("spreads probes", function()
    policy.retries = 0
    local seen, kinds = {}, 0
    for _ = 1, 100 do
      local wait = fail("TG_POLL_FAILED")
      if not seen[wait] then
        seen[wait], kinds = true, kinds + 1
      end
    end
    assert.is_true(kinds > 80)
  end)

  it("gives the same waits for the same seed", function()
    policy.retries = 0
    local first = fail("TG_POLL_FAILED")
    rng.state = 1
    assert.equal(first, fail("TG_POLL_FAILED"))
  end)

  it("can be hastened, but never delayed", function()
    policy.retries = 0
    fail("TG_POLL_FAILED")
    assert.equal(500, tonumber(C.tg_backoff_hasten(backoff, 500)))
    assert.equal(500, tonumber(C.tg_backoff_hasten(backoff, 9000)))
  end)

  it("is not hastened where credentials were refused", function()
    local due = fail("TG_POLL_REFUSED")
    assert.equal(due, tonumber(C.tg_backoff_hasten(backoff, 500)))
  end)

  it("stands any number of failures and any first wait", function()
    policy.retries = 2147483647
    policy.first_ms = 3
    for _ = 1, 200 do
      local wait = fail("TG_POLL_FAILED")
      assert.is_true(wait > 0)
    end
  end)
end)
