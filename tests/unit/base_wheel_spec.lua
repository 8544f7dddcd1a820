local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("base", { "base/wheel.h", "base/rand.h" })

-- C calls back into Lua here.
jit.off(true, true)

local SLOTS = 512

describe("wheel", function()
  local wheel, timers, fired, now, on_fire

  local fire = ffi.cast("void (*)(struct tg_timer *, int64_t)", function(timer, at)
    local name
    for key, t in pairs(timers) do
      if ffi.cast("struct tg_timer *", t) == timer then name = key end
    end
    fired[#fired + 1] = { name = name, at = tonumber(at) }
    if on_fire then on_fire(name, timer, at) end
  end)

  local function timer(name)
    timers[name] = timers[name] or ffi.new("struct tg_timer")
    C.tg_timer_init(timers[name], fire)
    return timers[name]
  end

  local function set(name, due)
    C.tg_wheel_set(wheel, timers[name] or timer(name), due)
  end

  local function start(tick, at)
    now = at
    C.tg_wheel_init(wheel, tick, at)
  end

  local function go(to, stride)
    while now < to do
      now = math.min(to, now + (stride or tonumber(wheel.tick_ms)))
      C.tg_wheel_advance(wheel, now)
    end
  end

  before_each(function()
    wheel, timers, fired, on_fire = ffi.new("struct tg_wheel"), {}, {}, nil
    start(100, 1000000)
  end)

  it("fires once, never early, and at most one tick late", function()
    for i, delay in ipairs({ 1, 99, 100, 101, 150, 999, 1000, 51200, 51201, 90000 }) do
      timers, fired = {}, {}
      set("t", now + delay)
      local due = now + delay
      go(due - 1)
      assert.equal(0, #fired, "early at " .. delay)
      go(due + 100)
      assert.equal(1, #fired, "case " .. i)
      assert.is_true(fired[1].at >= due and fired[1].at <= due + 100)
      go(now + 200000)
      assert.equal(1, #fired)
    end
  end)

  it("keeps a heartbeat of 90 s on virtual time, moved by every sign of life", function()
    set("beat", now + 90000)
    for _ = 1, 20 do
      go(now + 30000)
      set("beat", now + 90000)
    end
    assert.equal(0, #fired)
    local last = now
    go(last + 89900)
    assert.equal(0, #fired)
    go(last + 90100)
    assert.equal(1, #fired)
  end)

  it("fires a deadline of the past at the next advance", function()
    set("late", now - 5000)
    assert.equal(0, #fired)
    go(now + 100)
    assert.equal(1, #fired)
  end)

  it("stops a timer, also twice, also one that never ran", function()
    set("a", now + 500)
    C.tg_wheel_stop(wheel, timers.a)
    C.tg_wheel_stop(wheel, timers.a)
    C.tg_wheel_stop(wheel, timer("b"))
    assert.equal(0, tonumber(wheel.armed))
    go(now + 1000)
    assert.equal(0, #fired)
  end)

  it("counts what is armed", function()
    for i = 1, 50 do
      set(i, now + i * 10)
    end
    set(1, now + 700)
    assert.equal(50, tonumber(wheel.armed))
    go(now + 1000)
    assert.equal(0, tonumber(wheel.armed))
    assert.equal(50, #fired)
  end)

  it("lets a timer set itself again while it fires", function()
    on_fire = function(_, t, at)
      C.tg_wheel_set(wheel, t, at + 1000)
    end
    set("again", now + 1000)
    go(now + 10500)
    assert.equal(10, #fired)
    assert.is_true(C.tg_timer_running(timers.again))
  end)

  it("does not run a timer twice in one advance when it sets itself to the past", function()
    on_fire = function(_, t, at)
      if #fired < 20 then C.tg_wheel_set(wheel, t, at - 1000) end
    end
    set("eager", now + 100)
    go(now + 300)
    assert.equal(3, #fired)
  end)

  it("lets a firing timer stop its neighbour of the same slot", function()
    on_fire = function(name)
      C.tg_wheel_stop(wheel, timers[name == "a" and "b" or "a"])
    end
    set("a", now + 100)
    set("b", now + 100)
    go(now + 60000)
    assert.equal(1, #fired)
    assert.equal(0, tonumber(wheel.armed))
  end)

  it("lets a firing timer move its neighbour of the same slot", function()
    on_fire = function(name, _, at)
      if name == "a" then set("b", at + 500) end
    end
    set("a", now + 100)
    set("b", now + 100)
    local begin = now
    go(now + 1000)
    assert.equal("a", fired[1].name)
    assert.equal("b", fired[2].name)
    assert.equal(begin + 600, fired[2].at)
    assert.equal(2, #fired)
  end)

  it("lets a firing timer free its owner", function()
    on_fire = function(_, t)
      ffi.fill(t, ffi.sizeof("struct tg_timer"), 0xdd)
    end
    set("a", now + 100)
    go(now + 300)
    assert.equal(1, #fired)
  end)

  it("fires a whole slot in the order in which it was set", function()
    for i = 1, 20 do
      set(i, now + 300)
    end
    go(now + 400)
    for i = 1, 20 do
      assert.equal(i, fired[i].name)
    end
  end)

  it("catches up after a pause of minutes: all that is due, each once, nothing else", function()
    for i = 1, 400 do
      set(i, now + i * 1000)
    end
    local begin = now
    now = now + 200000
    C.tg_wheel_advance(wheel, now)
    assert.equal(200, #fired)
    assert.equal(200, tonumber(wheel.armed))
    go(begin + 401000)
    assert.equal(400, #fired)
  end)

  it("catches up after a pause longer than the wheel has slots, each timer once", function()
    for i = 1, SLOTS * 3 do
      set(i, now + (SLOTS * 3 + 1 - i) * 100)
    end
    now = now + SLOTS * 3 * 100
    C.tg_wheel_advance(wheel, now)
    assert.equal(SLOTS * 3, #fired)
    assert.equal(0, tonumber(wheel.armed))
  end)

  it("runs what a callback sets into the pause it is catching up with", function()
    on_fire = function(name, _, at)
      if name == "first" then set("second", at - 100) end
    end
    set("first", now + 100)
    now = now + 60000
    C.tg_wheel_advance(wheel, now)
    assert.equal(2, #fired)
  end)

  it("ignores a clock that stands still or steps back", function()
    set("a", now + 300)
    C.tg_wheel_advance(wheel, now)
    C.tg_wheel_advance(wheel, now - 100000)
    assert.equal(0, #fired)
    go(now + 400)
    assert.equal(1, #fired)
  end)

  it("agrees with a simple list through random sets, stops and pauses", function()
    local rng, due = ffi.new("struct tg_rng", { 7 }), {}
    local function below(n)
      return tonumber(C.tg_rng_below(rng, n))
    end
    on_fire = function(name, _, at)
      assert(due[name] and due[name] <= tonumber(at), "early or unexpected")
      due[name] = nil
    end
    for _ = 1, 3000 do
      local name = below(60)
      local what = below(10)
      if what < 5 then
        due[name] = now + below(120000)
        set(name, due[name])
      elseif what < 7 then
        if timers[name] then C.tg_wheel_stop(wheel, timers[name]) end
        due[name] = nil
      else
        now = now + (below(50) == 0 and below(200000) or below(400))
        C.tg_wheel_advance(wheel, now)
        for n, at in pairs(due) do
          assert(at > now - 100, "late: " .. n)
        end
      end
      local count = 0
      for _ in pairs(due) do
        count = count + 1
      end
      assert(count == tonumber(wheel.armed))
    end
  end)

  it("works from time zero and with a tick of one millisecond", function()
    start(1, 0)
    set("a", 5)
    go(4)
    assert.equal(0, #fired)
    go(5)
    assert.equal(1, #fired)
  end)
end)
