-- The scheduler on a virtual clock, over a source that answers when the spec says so.
local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("app", { "app/scheduler.h" })

-- C calls back into Lua here.
jit.off(true, true)

local OK, FAILED, BUSY, REFUSED, STALE, UNKNOWN, DENIED = 0, 1, 2, 3, 4, 5, 6
local INTERVAL, GRACE, START = 1000, 30000, 1000000
local CONNECTING, CONNECTED, RECONNECTING, ERROR, AGED = 0, 1, 2, 3, 4
local ELIMIT

describe("scheduler", function()
  local clock, wheel, store, ops, source, host, options, upstreams, upstream, scheduler
  local running, polls, cancelled, refuse_start, log, answer
  local callbacks

  local function name_of(watch) return ffi.string(watch.account.id) end

  local function callback(type, f)
    local cb = ffi.cast(type, f)
    callbacks[#callbacks + 1] = cb
    return cb
  end

  local function now() return tonumber(clock.mono) end

  before_each(function()
    callbacks, running, polls, cancelled, log, answer, refuse_start = {}, {}, {}, {}, {}, nil, nil
    clock = ffi.new("struct tg_clock_virtual")
    C.tg_clock_virtual_init(clock, START, 1700000000000)
    wheel = ffi.new("struct tg_wheel")
    C.tg_wheel_init(wheel, 10, START)
    store = C.tg_store_new()
    ops = ffi.new("struct tg_source_ops")
    ops.name = "fake"
    ops.poll = callback("int (*)(struct tg_source *, struct tg_poll *)", function(_, poll)
      if refuse_start then return -2 end
      local id = ffi.string(poll.account_id)
      assert(not running[id], "two polls of one account at once")
      running[id] = poll
      polls[#polls + 1] = { id = id, at = now(), subject = ffi.string(poll.subject), since = tonumber(poll.deals_since_ms) }
      return 0
    end)
    ops.cancel = callback("void (*)(struct tg_source *, struct tg_poll *)", function(_, poll)
      local id = ffi.string(poll.account_id)
      assert(running[id] == poll)
      running[id] = nil
      cancelled[#cancelled + 1] = id
    end)
    source = ffi.new("struct tg_source", { ops })
    host = ffi.new("struct tg_scheduler_host")
    host.fresh = callback("void (*)(void *, struct tg_watch *, bool)", function(_, watch, first)
      log[#log + 1] = (first and "first " or "fresh ") .. name_of(watch)
    end)
    host.status = callback("void (*)(void *, struct tg_watch *, const char *, const char *, int64_t)",
      function(_, watch, code, _, retry)
        log[#log + 1] = string.format("%s %s %s %d", ffi.string(C.tg_watch_status(watch)), name_of(watch),
          code ~= nil and ffi.string(code) or "-", tonumber(retry))
      end)
    host.unknown = callback("void (*)(void *, struct tg_watch *)", function(_, watch)
      log[#log + 1] = "unknown " .. name_of(watch)
    end)
    host.ended = callback("void (*)(void *, struct tg_watch *)", function(_, watch)
      log[#log + 1] = "ended " .. name_of(watch)
    end)
    options = ffi.new("struct tg_scheduler_options")
    options.clock, options.wheel, options.store = clock.clock, wheel, store
    options.maximum = 100
    upstreams = ffi.new("struct tg_upstream[2]")
    for i = 0, 1 do
      upstreams[i].name, upstreams[i].source = i == 0 and "main" or "other", source
      upstreams[i].interval_ms, upstreams[i].grace_ms = INTERVAL, GRACE
      upstreams[i].backoff = { 1000, 3, 30000, 60000, 600000 }
      upstreams[i].breaker_policy = { 0, 1000, 30000, 2000 }
      upstreams[i].account.suspect_polls = 3
    end
    upstream = upstreams[0]
    options.upstreams, options.upstreams_count = upstreams, 2
    options.host = host
  end)

  after_each(function()
    if scheduler ~= nil then C.tg_scheduler_free(scheduler) end
    scheduler = nil
    C.tg_store_free(store)
    for _, cb in ipairs(callbacks) do
      cb:free()
    end
  end)

  local function start() scheduler = C.tg_scheduler_new(options) end

  -- Ends the running poll of an account.
  local function finish(id, how, set)
    local poll = assert(running[id], "no poll of " .. id .. " runs")
    running[id] = nil
    how = how or OK
    poll["end"] = how
    if how == OK then
      poll.records.account_known, poll.records.positions_known = true, true
    else
      ffi.copy(poll.code, "CODE")
    end
    if set then set(poll) end
    poll.ops.done(poll)
  end

  -- Fires what is due now; `answer(id)` decides what a poll that runs is answered at once, nil = nothing.
  local function turn()
    C.tg_wheel_advance(wheel, now())
    local ids = {}
    for id in pairs(answer and running or {}) do
      ids[#ids + 1] = id
    end
    for _, id in ipairs(ids) do
      local how = answer(id)
      if how then finish(id, how) end
    end
  end

  local function go(ms)
    local till = now() + ms
    turn()
    while now() < till do
      C.tg_clock_virtual_advance(clock, math.min(10, till - now()))
      turn()
    end
  end

  local function view(id, subject)
    local out = ffi.new("struct tg_watch *[1]")
    local rc = C.tg_scheduler_view(scheduler, id, subject or "alice", out)
    return rc == 0 and out[0] or nil, rc
  end

  local function counters() return upstream.counters end
  local function always(how) return function() return how end end

  local function said(word)
    local out = {}
    for _, line in ipairs(log) do
      if line:find(word, 1, true) then out[#out + 1] = line end
    end
    return out
  end

  describe("polls", function()
    it("the first time at once, as the first viewer", function()
      start()
      local watch = view("a", "alice")
      view("a", "bob")
      go(10)
      assert.equal(1, #polls)
      assert.is_true(polls[1].at <= START + 10)
      assert.equal("alice", polls[1].subject)
      assert.equal(1700000000000 - 60000, polls[1].since - (polls[1].at - START))
      assert.equal("connecting", ffi.string(C.tg_watch_status(watch)))
      assert.equal(-1, tonumber(C.tg_watch_age_ms(watch)))
      finish("a")
      assert.same({ "live a - -1", "first a" }, log)
      assert.equal("live", ffi.string(C.tg_watch_status(watch)))
      assert.equal(0, tonumber(C.tg_watch_age_ms(watch)))
    end)

    it("an account once an interval, however many view it", function()
      start()
      answer = always(OK)
      for _ = 1, 50 do
        view("a")
      end
      go(10000)
      assert.is_true(#polls >= 10 and #polls <= 11, #polls)
      assert.equal(1, counters().watches)
      assert.equal(#polls, tonumber(counters().polls[OK]))
      for i = 3, #polls do
        assert.equal(INTERVAL, polls[i].at - polls[i - 1].at)
      end
    end)

    it("never more than an interval apart, whatever the account's place in it", function()
      start()
      answer = always(OK)
      for i = 1, 40 do
        view("a" .. i)
        go(30)
      end
      go(3000)
      local last = {}
      for _, poll in ipairs(polls) do
        if last[poll.id] then assert.is_true(poll.at - last[poll.id] <= INTERVAL + 20) end
        last[poll.id] = poll.at
      end
    end)

    it("spread over the interval", function()
      start()
      answer = always(OK)
      for i = 1, 100 do
        view("a" .. i)
      end
      go(5000)
      polls = {}
      go(INTERVAL)
      assert.equal(100, #polls)
      local tenths = {}
      for _, poll in ipairs(polls) do
        local tenth = math.floor(poll.at % INTERVAL / 100)
        tenths[tenth] = (tenths[tenth] or 0) + 1
      end
      for tenth = 0, 9 do
        assert.is_true(tenths[tenth] >= 6 and tenths[tenth] <= 14, tenth .. ": " .. tostring(tenths[tenth]))
      end
    end)

    it("not while the poll before still runs, and counts what it skipped", function()
      start()
      view("slow")
      view("quick")
      answer = function(id) return id == "quick" and OK or nil end
      go(5500)
      local slow, quick = 0, 0
      for _, poll in ipairs(polls) do
        if poll.id == "slow" then slow = slow + 1 else quick = quick + 1 end
      end
      assert.equal(1, slow)
      assert.is_true(quick >= 5)
      assert.is_true(counters().skipped >= 4)
      assert.equal(1, counters().in_flight)
      finish("slow")
      assert.equal(0, counters().in_flight)
      go(INTERVAL)
      assert.is_truthy(running.slow)
    end)

    it("and a poll that does not end is not called live for longer than it may take", function()
      upstream.stale_ms = 3000
      start()
      local watch = view("a")
      go(20)
      finish("a")
      go(2500)
      assert.equal("live", ffi.string(C.tg_watch_status(watch)))
      log = {}
      go(2000)
      assert.equal("reconnecting", ffi.string(C.tg_watch_status(watch)))
      assert.equal(1, #log)
      assert.is_truthy(log[1]:find("reconnecting a POLL_OVERDUE 1000", 1, true), log[1])
      finish("a")
      assert.equal("live", ffi.string(C.tg_watch_status(watch)))
    end)

    for _, under_way in ipairs({ true, false }) do
      it("and after the loop stood still has its time to end, once (" .. (under_way and "a poll is" or "no poll is") .. " under way)", function()
        upstream.stale_ms = 3000
        start()
        local watch = view("a")
        go(20)
        finish("a")
        answer = not under_way and always(OK) or nil
        go(1500)
        answer, log = nil, {}
        C.tg_clock_virtual_advance(clock, 60000)
        go(2900)
        assert.same({}, log)
        assert.equal("live", ffi.string(C.tg_watch_status(watch)))
        go(1200)
        assert.equal("reconnecting", ffi.string(C.tg_watch_status(watch)))
        assert.equal(1, #log)
        finish("a")
        assert.equal("live", ffi.string(C.tg_watch_status(watch)))
      end)
    end

    it("is told as overdue when every beat is late, too", function()
      upstream.stale_ms = 3000
      start()
      local watch = view("a")
      go(20)
      finish("a")
      go(1500)
      log = {}
      for _ = 1, 6 do
        C.tg_clock_virtual_advance(clock, 2500)
        go(10)
      end
      assert.equal("reconnecting", ffi.string(C.tg_watch_status(watch)))
    end)

    it("late, when the loop stood still, and counts it", function()
      start()
      answer = always(OK)
      view("a")
      go(3000)
      assert.equal(0, tonumber(counters().late))
      local before = #polls
      C.tg_clock_virtual_advance(clock, 5000)
      go(10)
      assert.equal(1, tonumber(counters().late))
      assert.equal(before + 1, #polls)
      go(5000)
      assert.equal(1, tonumber(counters().late))
    end)

    it("at most so many accounts", function()
      options.maximum = 2
      start()
      view("a")
      view("b")
      local watch, rc = view("c")
      assert.is_nil(watch)
      ELIMIT = rc
      assert.is_true(rc < 0)
      assert.is_truthy((view("a")))
      assert.equal(ELIMIT, C.tg_scheduler_always(scheduler, "d"))
      assert.is_true(C.tg_scheduler_find(scheduler, "c") == nil)
      assert.is_true(C.tg_store_find(store, "c") == nil)
    end)

    it("asks for the deals from a minute before the newest good poll", function()
      start()
      answer = always(OK)
      view("a")
      go(2500)
      answer = always(FAILED)
      go(20000)
      local watch = C.tg_scheduler_find(scheduler, "a")
      assert.equal(tonumber(watch.account.good_wall_ms) - 60000, polls[#polls].since)
    end)
  end)

  describe("a failing account", function()
    it("is retried after 1, 2 and 4 seconds and then probed", function()
      start()
      answer = always(OK)
      local watch = view("a")
      go(1500)
      log, polls = {}, {}
      answer = always(FAILED)
      go(70000)
      assert.same({ "reconnecting a CODE 1000", "reconnecting a CODE 2000", "reconnecting a CODE 4000" },
        said("reconnecting"))
      assert.equal(1, #said("cached a CODE"))
      assert.equal(4, #log)
      assert.equal(1000, polls[2].at - polls[1].at)
      assert.equal(2000, polls[3].at - polls[2].at)
      assert.equal(4000, polls[4].at - polls[3].at)
      local probe = polls[5].at - polls[4].at
      assert.is_true(probe >= 30000 and probe <= 33010)
      assert.equal(ERROR, watch.state)
      assert.equal(1, counters().states[ERROR])
      assert.equal(0, counters().states[CONNECTED])
    end)

    it("ages while it fails, and keeps its last good state", function()
      start()
      answer = always(OK)
      local watch = view("a")
      go(1500)
      local age = tonumber(C.tg_watch_age_ms(watch))
      answer = always(FAILED)
      go(3000)
      assert.is_true(tonumber(C.tg_watch_age_ms(watch)) >= age + 2500)
      assert.is_true(watch.account.known)
      assert.equal(RECONNECTING, watch.state)
    end)

    it("is down when it never was good", function()
      start()
      answer = always(FAILED)
      local watch = view("a")
      go(100)
      assert.equal("reconnecting", ffi.string(C.tg_watch_status(watch)))
      go(9000)
      assert.equal("down", ffi.string(C.tg_watch_status(watch)))
      assert.equal(1, #said("down a"))
    end)

    it("is live again with its first good poll, and back on its beat", function()
      start()
      answer = always(OK)
      view("a")
      go(3500)
      local beat = polls[#polls].at % INTERVAL
      answer = always(FAILED)
      go(2500)
      answer, log = always(OK), {}
      go(5000)
      assert.equal("live a - -1", log[1])
      assert.equal("fresh a", log[2])
      assert.equal(1, #said("live"))
      assert.equal(beat, polls[#polls].at % INTERVAL)
      polls = {}
      go(3000)
      assert.equal(3, #polls)
    end)

    it("delays no other", function()
      start()
      view("ill")
      view("well")
      answer = function(id) return id == "ill" and FAILED or OK end
      go(20000)
      local well = 0
      for _, poll in ipairs(polls) do
        if poll.id == "well" then well = well + 1 end
      end
      assert.is_true(well >= 19)
    end)

    it("whose credentials are refused is not asked again for a minute", function()
      start()
      answer = always(REFUSED)
      local watch = view("a")
      go(59000)
      assert.equal(1, #polls)
      assert.equal(ERROR, watch.state)
      assert.equal(1, #said("down a CODE"))
    end)

    it("is not asked sooner than a busy source allows", function()
      start()
      view("a")
      go(10)
      finish("a", BUSY, function(poll) poll.retry_after_ms = 20000 end)
      go(19900)
      assert.equal(1, #polls)
      go(200)
      assert.equal(2, #polls)
    end)

    it("tells nothing of an answer that contradicts itself, and takes it for stale", function()
      start()
      answer = always(OK)
      local watch = view("a")
      go(1500)
      answer, log = nil, {}
      go(1000)
      finish("a", OK, function(poll)
        for _ = 1, 2 do
          C.tg_records_add_position(poll.records)._position_id = 7
        end
      end)
      assert.same({ "reconnecting a BAD_DOCUMENT 1000" }, log)
      assert.equal(0, watch.account.positions.count)
      assert.equal(1, tonumber(counters().rejected))
    end)

    it("is retried when a poll cannot even be started", function()
      start()
      refuse_start = true
      view("a")
      go(10)
      assert.same({ "reconnecting a NO_MEMORY 1000" }, log)
      assert.equal(0, counters().in_flight)
      refuse_start, answer = nil, always(OK)
      go(1100)
      assert.equal("first a", log[#log])
    end)
  end)

  describe("a source that wants to be asked less often", function()
    -- A server that allows one poll each `least` ms and complains of others; what it was asked.
    local function limited(least)
      local last = -math.huge
      return function()
        local at = now()
        if at - last < least then return BUSY end
        last = at
        return OK
      end
    end

    it("leaves its accounts in one state, which is not live, until full speed has held", function()
      start()
      answer = always(OK)
      local watch = view("a")
      go(1500)
      answer, log = limited(4000), {}
      go(60000)
      local told = said("a")
      local states = {}
      for _, line in ipairs(told) do
        if not line:find("fresh", 1, true) then states[#states + 1] = line end
      end
      assert.equal(1, #states, table.concat(states, "; "))
      assert.is_truthy(states[1]:find("cached a CODE", 1, true) or states[1]:find("cached a SOURCE_BUSY", 1, true), states[1])
      assert.equal(AGED, watch.state)
      answer, log = always(OK), {}
      local since = now()
      while watch.state ~= CONNECTED and now() < since + 120000 do
        go(100)
      end
      assert.is_true(now() - since <= 100000, "it took " .. now() - since)
      local before = #polls
      go(10000)
      assert.is_true(#polls - before >= 9)
      local live = said("live a")
      assert.equal(1, #live)
    end)

    it("is back at full speed, and live, within seconds of a single complaint", function()
      start()
      answer = always(OK)
      local watch = view("a")
      go(1500)
      local complained = false
      answer = function()
        if complained then return OK end
        complained = true
        return BUSY
      end
      go(2000)
      assert.equal(AGED, watch.state)
      assert.equal("cached", ffi.string(C.tg_watch_status(watch)))
      go(14000)
      assert.equal(CONNECTED, watch.state)
      local before = #polls
      go(5000)
      assert.is_true(#polls - before >= 4)
      assert.equal(0, watch.backoff.failures)
    end)

    it("delays no account but those that it complains of, when it keeps no pace", function()
      start()
      answer = function(id) return id == "slow" and BUSY or OK end
      view("slow")
      local watch = view("quick")
      go(20000)
      assert.equal(CONNECTED, watch.state)
      local count = 0
      for _, poll in ipairs(polls) do
        if poll.id == "quick" then count = count + 1 end
      end
      assert.is_true(count >= 19)
      assert.is_true(#polls - count <= 6)
    end)

    it("is down for an account that it never answered for", function()
      start()
      answer = always(BUSY)
      local watch = view("a")
      go(1000)
      assert.equal("down", ffi.string(C.tg_watch_status(watch)))
      answer = always(OK)
      go(4000)
      assert.equal("cached", ffi.string(C.tg_watch_status(watch)))
    end)

    it("sets the beats of its accounts where it keeps a pace, of all alike", function()
      local pace = ffi.new("struct tg_pace")
      C.tg_pace_init(pace, INTERVAL, 8000)
      source.pace = pace
      start()
      answer = always(OK)
      local watch, other = view("a"), view("b")
      go(1500)
      C.tg_pace_busy(pace, now())
      C.tg_pace_busy(pace, now())
      log, polls = {}, {}
      go(20000)
      assert.is_true(#polls <= 2 * 7, #polls)
      assert.equal(AGED, watch.state)
      assert.equal(AGED, other.state)
      assert.equal(1, #said("cached a SOURCE_BUSY"))
      assert.equal(1, #said("cached b SOURCE_BUSY"))
      assert.equal(2, #said("cached"))
      while pace.level > 0 do
        C.tg_clock_virtual_advance(clock, 10)
        C.tg_pace_ok(pace, now())
      end
      go(15000)
      assert.equal(CONNECTED, watch.state)
      assert.equal(1, #said("live a"))
    end)

    it("is told once, when a poll waits for its turn there", function()
      local pace = ffi.new("struct tg_pace")
      C.tg_pace_init(pace, INTERVAL, 8000)
      source.pace = pace
      upstream.stale_ms = 3000
      start()
      local watch = view("a")
      go(20)
      finish("a")
      go(1500)
      C.tg_pace_busy(pace, now())
      log = {}
      go(8000)
      assert.equal(AGED, watch.state)
      assert.equal(1, #log)
      finish("a")
      assert.equal(AGED, watch.state)
      assert.equal(0, #said("live"))
    end)

    it("may say how long, up to the longest refusal", function()
      start()
      view("a")
      go(10)
      finish("a", BUSY, function(poll) poll.retry_after_ms = 86400000 end)
      go(599000)
      assert.equal(1, #polls)
      go(2000)
      assert.equal(2, #polls)
    end)

    it("does not hold up an account that its route takes elsewhere", function()
      options.route = callback("int (*)(void *, const char *, struct tg_routing **, struct tg_err *)", function() return 0 end)
      start()
      local watch = view("a")
      go(10)
      finish("a", BUSY, function(poll) poll.retry_after_ms = 500000 end)
      assert.is_true(watch.state == AGED)
    end)
  end)

  describe("a source whose clock stands still", function()
    before_each(function() upstream.frozen_ms = 5000 end)

    it("is not live after its bound, is polled on, and is live with the first answer that is newer", function()
      local time = 1700000000000
      start()
      local watch = view("a")
      local function poll_at(told)
        while not running.a do go(10) end
        finish("a", OK, function(poll) poll.records.source_time_ms = told end)
      end
      for _ = 1, 3 do
        time = time + 1000
        poll_at(time)
      end
      assert.equal(CONNECTED, watch.state)
      log = {}
      local stopped = now()
      while watch.state == CONNECTED and now() < stopped + 60000 do
        poll_at(time)
      end
      assert.equal(AGED, watch.state)
      assert.is_true(now() - stopped <= 6100, "it took " .. now() - stopped)
      assert.equal(1, #said("cached a SOURCE_STALE -1"))
      for _ = 1, 5 do poll_at(time) end
      assert.equal(1, #said("cached"))
      assert.is_true(tonumber(C.tg_watch_age_ms(watch)) >= 10000)
      poll_at(time + 12000)
      assert.equal(CONNECTED, watch.state)
      assert.equal(0, tonumber(C.tg_watch_age_ms(watch)))
      assert.equal(1, #said("live a"))
    end)

    it("is believed when it tells no time", function()
      start()
      answer = always(OK)
      local watch = view("a")
      go(20000)
      assert.equal(CONNECTED, watch.state)
      assert.is_true(tonumber(C.tg_watch_age_ms(watch)) <= INTERVAL)
    end)
  end)

  describe("a source that withholds an account", function()
    it("is asked each few seconds for it, and it is live at once when it is given", function()
      start()
      answer = always(OK)
      local watch = view("a")
      go(1500)
      for _, how in ipairs({ DENIED, UNKNOWN }) do
        answer, log = always(how), {}
        go(120000)
        assert.equal("cached", ffi.string(C.tg_watch_status(watch)))
        assert.equal(1, #said("cached a CODE"))
        local before = #polls
        go(30000)
        assert.is_true(#polls - before >= 3)
        answer = always(OK)
        go(8900)
        assert.equal(CONNECTED, watch.state)
      end
    end)
  end)

  describe("an account the source does not know", function()
    it("is told as unknown, not as down", function()
      start()
      answer = always(UNKNOWN)
      view("a")
      go(1000)
      assert.same({ "unknown a" }, log)
      go(40000)
      assert.equal(2, #polls)
    end)

    it("but that was known is kept and told as cached", function()
      start()
      answer = always(OK)
      local watch = view("a")
      go(1500)
      answer, log = always(UNKNOWN), {}
      go(1000)
      assert.equal(0, #said("unknown"))
      assert.equal(1, #said("cached a CODE"))
      assert.is_true(watch.account.known)
    end)
  end)

  describe("the circuit", function()
    before_each(function()
      upstream.breaker_policy = { 5, 1000, 30000, 2000 }
      start()
      for i = 1, 20 do
        view("a" .. i)
      end
      answer = always(OK)
      go(2000)
    end)

    it("opens when everything fails, and lets one probe through at a time", function()
      answer, polls = always(FAILED), {}
      go(1000)
      assert.is_true(C.tg_scheduler_upstream(scheduler, 0).breaker.state ~= 0)
      assert.is_true(#polls >= 5 and #polls <= 20)
      assert.is_true(tonumber(counters().held) >= 1)
      polls = {}
      go(60000)
      assert.is_true(#polls <= 10, #polls .. " polls in a minute")
      assert.is_true(#said("CIRCUIT_OPEN") >= 1)
    end)

    it("closes with the first good probe; all are live again within seconds", function()
      answer = always(FAILED)
      go(60000)
      answer, log, polls = always(OK), {}, {}
      local waited = 0
      while C.tg_scheduler_upstream(scheduler, 0).breaker.state ~= 0 and waited < 40 do
        go(1000)
        waited = waited + 1
      end
      assert.is_true(waited < 40)
      go(1500)
      assert.equal(20, counters().states[CONNECTED])
      assert.equal(20, #said("live"))
    end)

    it("stays closed while one account fails among others that work", function()
      answer = function(id) return id == "a1" and FAILED or OK end
      go(60000)
      assert.is_false(C.tg_scheduler_upstream(scheduler, 0).breaker.state ~= 0)
      assert.equal(19, counters().states[CONNECTED])
    end)

    it("is not opened by stale answers or unknown accounts", function()
      answer = always(STALE)
      go(20000)
      assert.is_false(C.tg_scheduler_upstream(scheduler, 0).breaker.state ~= 0)
    end)
  end)

  describe("a watch", function()
    it("ends after the grace when nobody views it", function()
      start()
      answer = always(OK)
      local watch = view("a")
      view("a")
      go(1500)
      C.tg_scheduler_leave(watch)
      go(GRACE + 1000)
      assert.equal(0, #said("ended"))
      C.tg_scheduler_leave(watch)
      go(GRACE - 100)
      assert.equal(0, #said("ended"))
      go(200)
      assert.same({ "ended a" }, said("ended"))
      assert.equal(0, counters().watches)
      assert.equal(0, counters().states[CONNECTED])
      assert.is_true(C.tg_scheduler_find(scheduler, "a") == nil)
      assert.is_true(C.tg_store_find(store, "a") == nil)
      polls = {}
      go(3000)
      assert.equal(0, #polls)
    end)

    it("goes on when a viewer comes back within the grace", function()
      start()
      answer = always(OK)
      local watch = view("a")
      go(1500)
      C.tg_scheduler_leave(watch)
      go(GRACE - 1000)
      assert.is_true((view("a")) == watch)
      go(GRACE * 2)
      assert.equal(0, #said("ended"))
    end)

    it("that ends while a poll runs cancels it", function()
      start()
      local watch = view("a")
      go(10)
      C.tg_scheduler_leave(watch)
      go(GRACE + 100)
      assert.same({ "a" }, cancelled)
      assert.equal(0, counters().in_flight)
    end)

    it("of accounts.always never ends, viewed or not", function()
      start()
      answer = always(OK)
      assert.equal(0, C.tg_scheduler_always(scheduler, "a"))
      go(1500)
      local watch = view("a")
      C.tg_scheduler_leave(watch)
      go(GRACE * 2)
      assert.equal(0, #said("ended"))
      assert.is_true(#polls > 50)
    end)

    it("that becomes one of accounts.always within the grace does not end", function()
      start()
      answer = always(OK)
      C.tg_scheduler_leave((view("a")))
      go(GRACE / 2)
      assert.equal(0, C.tg_scheduler_always(scheduler, "a"))
      go(GRACE * 2)
      assert.equal(0, #said("ended"))
    end)

    it("starts anew after its end", function()
      start()
      answer = always(OK)
      C.tg_scheduler_leave((view("a")))
      go(GRACE + 100)
      log = {}
      local watch = view("a")
      assert.equal(CONNECTING, watch.state)
      go(100)
      assert.same({ "live a - -1", "first a" }, log)
    end)

    it("ends with the scheduler, which cancels what runs", function()
      start()
      view("a")
      view("b")
      go(10)
      C.tg_scheduler_free(scheduler)
      scheduler = nil
      assert.equal(2, #cancelled)
      assert.equal(2, #said("ended"))
      assert.equal(0, C.tg_store_count(store))
    end)

    it("is found, and listed with the others", function()
      start()
      view("a")
      view("b")
      local cursor, n = ffi.new("size_t[1]"), 0
      while C.tg_scheduler_next(scheduler, cursor) ~= nil do
        n = n + 1
      end
      assert.equal(2, n)
      assert.equal("b", name_of(C.tg_scheduler_find(scheduler, "b")))
    end)
  end)

  describe("with several sources", function()
    local routes, replaced

    -- An account's place in `routes`: the index of its upstream, { index, login, url }, "gone" or "error".
    before_each(function()
      routes, replaced = {}, {}
      host.replaced = callback("void (*)(void *, struct tg_watch *)", function(_, watch)
        replaced[#replaced + 1] = name_of(watch)
      end)
      options.route = callback("int (*)(void *, const char *, struct tg_routing **, struct tg_err *)",
        function(_, id, out, err)
          local route = routes[ffi.string(id)]
          if route == "gone" then return -5 end
          if route == "error" then
            if err ~= nil then ffi.copy(err.text, "no such row") end
            return -1
          end
          if route == nil then return 0 end
          local routing = C.tg_routing_new()
          local index, login, url = route, nil, nil
          if type(route) == "table" then index, login, url = route[1], route[2], route[3] end
          C.tg_routing_set(routing, "source", index == 0 and "main" or "other", nil)
          if login then C.tg_routing_set(routing, "login", login, nil) end
          if url then C.tg_routing_set(routing, "url", url, nil) end
          routing.upstream = index
          out[0] = routing
          return 0
        end)
    end)

    it("lets one that fails hold up no account of another", function()
      for i = 0, 1 do upstreams[i].breaker_policy = { 3, 1000, 30000, 2000 } end
      start()
      answer = function(id) return id:sub(1, 1) == "b" and FAILED or OK end
      for i = 1, 5 do
        routes["b" .. i] = 1
        view("a" .. i)
        view("b" .. i)
      end
      go(10000)
      assert.is_true(upstreams[1].breaker.state ~= 0)
      assert.equal(0, tonumber(upstreams[0].breaker.state))
      assert.equal(5, upstreams[0].counters.states[CONNECTED])
      assert.equal(5, upstreams[1].counters.states[ERROR] + upstreams[1].counters.states[RECONNECTING])
      assert.equal(0, tonumber(upstreams[0].counters.held + upstreams[0].counters.skipped + upstreams[0].counters.late))
      local count = 0
      for _, poll in ipairs(polls) do
        if poll.id:sub(1, 1) == "a" then count = count + 1 end
      end
      assert.is_true(count >= 50, count)
    end)

    it("polls each at its own interval", function()
      upstreams[1].interval_ms = 250
      start()
      answer = always(OK)
      routes.b = 1
      view("a")
      view("b")
      go(10000)
      local count = { a = 0, b = 0 }
      for _, poll in ipairs(polls) do count[poll.id] = count[poll.id] + 1 end
      assert.is_true(count.a >= 10 and count.a <= 11, count.a)
      assert.is_true(count.b >= 40 and count.b <= 41, count.b)
    end)

    it("moves an account at its next poll when its route changes, and tells nobody", function()
      start()
      answer = always(OK)
      view("a")
      go(2000)
      log = {}
      routes.a = { 1, nil, "http://b" }
      C.tg_scheduler_reroute(scheduler)
      go(1010)
      assert.equal(1, upstreams[1].counters.watches)
      assert.equal(0, upstreams[0].counters.watches)
      assert.equal(1, upstreams[1].counters.states[CONNECTED])
      for _, line in ipairs(log) do assert.equal("fresh a", line) end
      assert.is_true(#log >= 1)
      assert.same({}, replaced)
    end)

    it("gives up a poll that is under way to where the account no longer is", function()
      start()
      view("a")
      go(10)
      assert.equal(1, #polls)
      routes.a = 1
      C.tg_scheduler_reroute(scheduler)
      go(1010)
      assert.same({ "a" }, cancelled)
      assert.equal(2, #polls)
      assert.equal(0, upstreams[0].counters.in_flight)
      assert.equal(1, upstreams[1].counters.in_flight)
      finish("a")
      assert.same({ "live a - -1", "first a" }, log)
    end)

    it("throws away the answer that comes from the old place", function()
      start()
      view("a")
      go(10)
      routes.a = 1
      C.tg_scheduler_reroute(scheduler)
      finish("a")
      assert.same({}, log)
      go(10)
      assert.equal(2, #polls)
      finish("a")
      assert.same({ "live a - -1", "first a" }, log)
    end)

    it("forgets an account that becomes another login's, and does not compare the two", function()
      start()
      answer = always(OK)
      local watch = view("a")
      go(2000)
      local birth = tonumber(watch.account.birth)
      routes.a = { 0, "777" }
      answer = nil
      C.tg_scheduler_reroute(scheduler)
      go(1010)
      assert.same({ "a" }, replaced)
      assert.is_false(watch.account.known)
      assert.are_not.equal(birth, tonumber(watch.account.birth))
      assert.equal("connecting", ffi.string(C.tg_watch_status(watch)))
      log = {}
      finish("a")
      assert.equal("first a", log[#log])
    end)

    it("refuses the figures of another login than before", function()
      start()
      local login = "1"
      local watch = view("a")
      local function login_of(account) return ffi.cast("char *", account) + 72 end -- behind `id`, see fields.def
      local function tell(poll)
        ffi.copy(login_of(poll.records.account), login)
        poll.records.account_fields = 2
      end
      go(10)
      finish("a", OK, tell)
      assert.equal("1", ffi.string(login_of(watch.account.now)))
      go(1000)
      login = "2"
      finish("a", OK, tell)
      assert.equal("1", ffi.string(login_of(watch.account.now)))
      assert.equal("reconnecting a WRONG_ACCOUNT 1000", log[#log])
      assert.equal(1, tonumber(upstreams[0].counters.rejected))
    end)

    it("ends the clients of an account that leaves the routes, and takes it back at once", function()
      start()
      answer = always(OK)
      local watch = view("a")
      go(2000)
      log = {}
      routes.a = "gone"
      C.tg_scheduler_reroute(scheduler)
      go(1010)
      assert.same({ "unknown a" }, log)
      assert.is_true(watch.gone and watch.unknown)
      local nowhere = C.tg_scheduler_upstream(scheduler, 2)
      assert.equal(1, nowhere.counters.watches)
      assert.equal(1, nowhere.counters.unknown)
      C.tg_scheduler_reroute(scheduler)
      go(100)
      assert.same({ "unknown a" }, log)
      routes.a = 1
      C.tg_scheduler_reroute(scheduler)
      go(20)
      assert.equal("fresh a", log[#log])
      assert.is_false(watch.gone or watch.unknown)
      assert.equal(0, nowhere.counters.watches)
      assert.equal(0, nowhere.counters.unknown)
    end)

    it("fails an account whose route is in error, and never polls it elsewhere", function()
      start()
      answer = always(OK)
      routes.a, routes.b = "error", 1
      view("a")
      view("b")
      go(3000)
      for _, poll in ipairs(polls) do assert.equal("b", poll.id) end
      assert.equal("reconnecting a ROUTE_ERROR 1000", said("ROUTE_ERROR")[1])
      routes.a = nil
      C.tg_scheduler_reroute(scheduler)
      go(20)
      assert.equal("a", polls[#polls].id)
      assert.equal(1, upstreams[0].counters.states[CONNECTED])
    end)

    it("does not open the circuit for an account with a server of its own", function()
      upstreams[0].breaker_policy = { 2, 1000, 30000, 2000 }
      start()
      answer = function(id) return id == "a" and OK or FAILED end
      for i = 1, 4 do
        routes["own" .. i] = { 0, nil, "http://own" .. i }
        view("own" .. i)
      end
      view("a")
      go(5000)
      assert.equal(0, tonumber(upstreams[0].breaker.state))
      assert.equal(1, upstreams[0].counters.states[CONNECTED])
    end)

    it("keeps its sums through a storm of moves", function()
      start()
      math.randomseed(7)
      for i = 1, 30 do view("a" .. i) end
      local hows = { OK, OK, OK, FAILED, STALE, UNKNOWN }
      for _ = 1, 300 do
        for i = 1, 30 do
          local dice = math.random(8)
          if dice == 1 then routes["a" .. i] = 1 end
          if dice == 2 then routes["a" .. i] = nil end
          if dice == 3 then routes["a" .. i] = "gone" end
          if dice == 4 then routes["a" .. i] = "error" end
          if dice == 5 then routes["a" .. i] = { math.random(0, 1), tostring(math.random(3)), "http://x" .. math.random(2) } end
        end
        if math.random(2) == 1 then C.tg_scheduler_reroute(scheduler) end
        answer = function() return math.random(3) > 1 and hows[math.random(#hows)] or nil end
        go(math.random(400))
        local watches, in_flight, states, unknown = 0, 0, 0, 0
        for i = 0, 2 do
          local sums = C.tg_scheduler_upstream(scheduler, i).counters
          watches, in_flight, unknown = watches + sums.watches, in_flight + sums.in_flight, unknown + sums.unknown
          for k = 0, 4 do states = states + sums.states[k] end
        end
        local flying = 0
        for _ in pairs(running) do flying = flying + 1 end
        assert.equal(30, watches)
        assert.equal(30, states)
        assert.equal(flying, in_flight)
        assert.is_true(unknown <= 30)
      end
    end)
  end)
end)
