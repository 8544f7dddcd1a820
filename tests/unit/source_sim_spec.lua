local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("source", { "source/source.h" })

ffi.cdef([[
int uv_loop_close(uv_loop_t *loop);
uv_loop_t *uv_loop_new(void);
int uv_run(uv_loop_t *loop, int mode);
int uv_loop_alive(const uv_loop_t *loop);
]])
local uv = ffi.load("libuv.so.1")
local RUN_DEFAULT, RUN_NOWAIT = 0, 2
local OK, FAILED, UNKNOWN = 0, 1, 5

-- What C calls back into Lua must not run compiled.
jit.off(true, true)

describe("sim source", function()
  local loop, clock, source, polls, ops, done, asked, on_done, wants

  local done_cb = ffi.cast("void (*)(struct tg_poll *)", function(poll)
    done[#done + 1] = poll
    if on_done then on_done(poll) end
  end)
  local wants_cb = ffi.cast("bool (*)(struct tg_poll *)", function(poll)
    asked[#asked + 1] = { account = poll.records.account_known, positions = poll.records.positions_known }
    return wants
  end)

  local function open(options)
    options = options or {}
    local o = ffi.new("struct tg_sim_source_options", { seed = 5, accounts = options.accounts or 100,
      events_per_minute = options.rate or 60, outage_every_s = options.every or 0,
      outage_for_s = options.length or 0, latency_ms = options.latency or 0 })
    local out, err = ffi.new("struct tg_source *[1]"), ffi.new("struct tg_err")
    local rc = C.tg_sim_source_open(loop, clock.clock, o, out, err)
    if rc ~= 0 then return nil, rc, ffi.string(err.text) end
    source = out[0]
    return source
  end

  local function poll(id, since)
    local p = ffi.new("struct tg_poll")
    local name = ffi.new("char[?]", #id + 1, id)
    p.ops, p.account_id, p.deals_since_ms = ops, name, since or 0
    polls[#polls + 1] = { p, name }
    assert.equal(0, source.ops.poll(source, p))
    return p
  end

  local function run(mode)
    uv.uv_run(loop, mode or RUN_DEFAULT)
  end

  local function close()
    if source then source.ops.close(source) end
    source = nil
    run()
  end

  before_each(function()
    loop = uv.uv_loop_new()
    clock = ffi.new("struct tg_clock_virtual")
    C.tg_clock_virtual_init(clock, 77777, 1700000000000)
    polls, done, asked, on_done, wants = {}, {}, {}, nil, true
    ops = ffi.new("struct tg_poll_ops", { done = done_cb, wants_deals = wants_cb })
  end)

  after_each(function()
    close()
    assert.equal(0, uv.uv_loop_alive(loop))
    assert.equal(0, uv.uv_loop_close(loop))
    ffi.C.free(loop)
    for _, p in ipairs(polls) do
      C.tg_records_fini(p[1].records)
    end
  end)

  it("answers a poll later, never from inside it", function()
    open()
    local p = poll("demo-1")
    assert.equal(0, #done)
    run()
    assert.equal(1, #done)
    assert.equal(OK, tonumber(p["end"]))
    assert.is_true(p.driver == nil)
    assert.is_true(p.records.account_known and p.records.positions_known)
    assert.equal("", ffi.string(p.code))
  end)

  it("asks whether deals are wanted when the rest is there, and gives them since the time", function()
    open()
    local first = poll("demo-1")
    run()
    C.tg_clock_virtual_advance(clock, 60000)
    local all, late = poll("demo-1"), poll("demo-1", 1700000000000 + 30000)
    wants = true
    run()
    assert.same({ account = true, positions = true }, asked[1])
    assert.is_true(first.records.deals_known and all.records.deals_known and late.records.deals_known)
    assert.is_true(all.records.deals_count > late.records.deals_count)
    for i = 0, late.records.deals_count - 1 do
      assert.is_true(late.records.deals[i]._time >= 1700000000000 + 30000)
    end
    wants = false
    local without = poll("demo-1")
    run()
    assert.is_false(without.records.deals_known)
    assert.equal(0, without.records.deals_count)
  end)

  it("gives no deals to an owner who cannot be asked", function()
    open()
    ops.wants_deals = nil
    local p = poll("demo-2")
    run()
    assert.equal(OK, tonumber(p["end"]))
    assert.is_false(p.records.deals_known)
  end)

  it("knows demo-1 to demo-N and nobody else", function()
    open({ accounts = 12 })
    local known = { "demo-1", "demo-12" }
    local strangers = { "demo-0", "demo-13", "demo-01", "demo-", "demo", "demo-1x", "demo--1", "Demo-1", "",
      "demo-18446744073709551617", "4f6c2d1e-0000-4000-8000-000000000000" }
    for _, id in ipairs(known) do
      local p = poll(id)
      run()
      assert.equal(OK, tonumber(p["end"]), id)
    end
    for _, id in ipairs(strangers) do
      local p = poll(id)
      run()
      assert.equal(UNKNOWN, tonumber(p["end"]), id)
      assert.equal("UNKNOWN_ACCOUNT", ffi.string(p.code))
      assert.is_false(p.records.account_known)
    end
  end)

  it("tells the same story twice from one seed", function()
    local function story()
      open()
      local out = ffi.new("struct tg_buf")
      for beat = 1, 40 do
        for number = 1, 5 do
          local p = poll("demo-" .. number, 1700000000000 + (beat - 1) * 1000)
          run()
          C.tg_buf_add(out, p.records.account, ffi.sizeof("struct tgl_account"))
          C.tg_buf_add(out, p.records.positions, p.records.positions_count * ffi.sizeof("struct tgl_position"))
          C.tg_buf_add(out, p.records.deals, p.records.deals_count * ffi.sizeof("struct tgl_deal"))
        end
        C.tg_clock_virtual_advance(clock, 1000)
      end
      local text = ffi.string(out.data, out.len)
      C.tg_buf_fini(out)
      close()
      return text
    end
    local first = story()
    C.tg_clock_virtual_init(clock, 5, 1700000000000)
    assert.is_true(first == story())
  end)

  it("is away in its outages, for everybody, and comes back with what happened meanwhile", function()
    open({ every = 30, length = 10 })
    local ends = {}
    for second = 0, 65 do
      local p = poll(second % 2 == 0 and "demo-3" or "nobody")
      run()
      ends[second] = tonumber(p["end"])
      if ends[second] == FAILED then
        assert.equal("CONNECTION_LOST", ffi.string(p.code))
        assert.is_false(p.records.account_known)
        assert.is_false(p.records.positions_known)
        assert.is_false(p.records.deals_known)
      end
      C.tg_clock_virtual_advance(clock, 1000)
    end
    for second = 0, 65 do
      assert.equal(second % 30 >= 20, ends[second] == FAILED, "second " .. second)
    end
    local p = poll("demo-3", 1700000000000 + 50000)
    run()
    assert.equal(OK, tonumber(p["end"]))
    assert.is_true(p.records.deals_known)
  end)

  it("ends a cancelled poll without a word", function()
    open()
    local a, b = poll("demo-1"), poll("demo-2")
    source.ops.cancel(source, a)
    assert.is_true(a.driver == nil)
    source.ops.cancel(source, a)
    run()
    assert.equal(1, #done)
    assert.is_true(done[1] == b)
    source.ops.cancel(source, b)
  end)

  it("lets one poll's end cancel another of the same turn", function()
    open()
    local _, b = poll("demo-1"), poll("demo-2")
    on_done = function()
      source.ops.cancel(source, b)
    end
    run()
    assert.equal(1, #done)
  end)

  it("closes with polls under way, and ends them without a word", function()
    open({ latency = 1000 })
    for number = 1, 50 do
      poll("demo-" .. number)
    end
    close()
    assert.equal(0, #done)
  end)

  it("closes from inside an end", function()
    open()
    for number = 1, 10 do
      poll("demo-" .. number)
    end
    on_done = function()
      source.ops.close(source)
      source = nil
    end
    run()
    assert.equal(1, #done)
  end)

  it("takes a new poll from inside an end, and does not hold the loop with it", function()
    open()
    local left = 5
    on_done = function(p)
      left = left - 1
      if left > 0 then source.ops.poll(source, p) end
    end
    poll("demo-1")
    while #done == 0 do
      run(RUN_NOWAIT)
    end
    assert.equal(1, #done)
    run()
    assert.equal(5, #done)
  end)

  it("answers all that is due in one turn", function()
    open()
    for number = 1, 100 do
      poll("demo-" .. number)
    end
    while #done == 0 do
      run(RUN_NOWAIT)
    end
    assert.equal(100, #done)
  end)

  it("takes its time when it is told to", function()
    open({ latency = 30 })
    run() -- the loop counts from its own time, which is that of its last turn
    local before = C.tg_mono_us()
    poll("demo-1")
    run()
    assert.equal(1, #done)
    assert.is_true(tonumber(C.tg_mono_us() - before) >= 28000)
  end)

  it("refuses options beyond their bounds, by name", function()
    local refused = {
      { { accounts = 0 }, "accounts" }, { { accounts = 1000001 }, "accounts" },
      { { rate = -1 }, "events_per_minute" }, { { rate = 121 }, "events_per_minute" },
      { { rate = 0 / 0 }, "events_per_minute" },
      { { latency = -1 }, "latency_ms" }, { { latency = 60001 }, "latency_ms" },
      { { every = 5, length = 6 }, "outage_for_s" }, { { every = -1 }, "outage_for_s" },
      { { every = 5, length = -1 }, "outage_for_s" },
    }
    for _, case in ipairs(refused) do
      local opened, rc, why = open(case[1])
      assert.is_nil(opened)
      assert.equal(-1, rc)
      assert.is_truthy(why:find(case[2], 1, true), why)
    end
  end)

  it("is away for good when its outages never end", function()
    open({ every = 1, length = 1 })
    for _ = 1, 3 do
      local p = poll("demo-1")
      run()
      assert.equal(FAILED, tonumber(p["end"]))
      C.tg_clock_virtual_advance(clock, 400)
    end
  end)

  it("answers five thousand accounts a second with little work", function()
    open({ accounts = 5000, rate = 6 })
    local all = {}
    for number = 1, 5000 do
      all[number] = poll("demo-" .. number)
    end
    run()
    C.tg_clock_virtual_advance(clock, 1000)
    done_cb:set(function() end)
    ops.wants_deals = nil
    -- Processor time, and the best of a few: others may be at work on this machine.
    local each = math.huge
    for _ = 1, 5 do
      for _, p in ipairs(all) do
        assert(source.ops.poll(source, p) == 0)
      end
      local before = os.clock()
      run()
      each = math.min(each, (os.clock() - before) * 1e6 / 5000)
    end
    done_cb:set(function(p)
      done[#done + 1] = p
      if on_done then on_done(p) end
    end)
    assert.is_true(each < 150, ("%.1f microseconds a poll"):format(each))
  end)
end)
