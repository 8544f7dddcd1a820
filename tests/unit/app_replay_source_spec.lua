local ffi = require("ffi")
local cdef = require("support.cdef")
local tape = require("support.tape")
local C = cdef.library("app", { "app/replay_source.h" })

ffi.cdef([[
int uv_loop_close(uv_loop_t *loop);
uv_loop_t *uv_loop_new(void);
int uv_run(uv_loop_t *loop, int mode);
]])
local uv = ffi.load("libuv.so.1")
local OK, FAILED, UNKNOWN = 0, 1, 5

-- What C calls back into Lua must not run compiled.
jit.off(true, true)

describe("the driver replay", function()
  local folder, loop, clock, source, done
  local ops = ffi.new("struct tg_poll_ops")
  local done_cb = ffi.cast("void (*)(struct tg_poll *)", function(poll) done[#done + 1] = poll end)
  ops.done = done_cb

  before_each(function()
    folder = tape.folder()
    loop = uv.uv_loop_new()
    clock = ffi.new("struct tg_clock_virtual")
    C.tg_clock_virtual_init(clock, 777, 42)
    done = {}
  end)

  local function close()
    if source then source.ops.close(source) end
    source = nil
    uv.uv_run(loop, 0)
  end

  after_each(function()
    close()
    assert.equal(0, uv.uv_loop_close(loop))
    tape.remove(folder)
  end)

  local function open(options)
    options = options or {}
    local paths = ffi.new("const char *[1]", { folder })
    local o = ffi.new("struct tg_replay_source_options", {
      paths = paths, paths_count = 1, speed = options.speed or 1, loop = options.loop or false })
    local out, err = ffi.new("struct tg_source *[1]"), ffi.new("struct tg_err")
    local rc = C.tg_replay_source_open(loop, clock.clock, o, out, err)
    assert(paths ~= nil) -- it lived until here: the options only point to it
    if rc ~= 0 then return nil, ffi.string(err.text) end
    source = out[0]
    return source
  end

  -- Polls at a time (milliseconds after the first poll): how it ended, and the records.
  local function poll(id, at)
    clock.mono = 777 + at
    local p = ffi.new("struct tg_poll")
    local name = ffi.new("char[?]", #id + 1, id)
    p.ops, p.account_id = ops, name
    assert.equal(0, source.ops.poll(source, p))
    assert.equal(0, #done)
    uv.uv_run(loop, 0)
    assert.equal(1, #done)
    done = {}
    return tonumber(p["end"]), ffi.gc(p, function(x) C.tg_records_fini(x.records) end), ffi.string(p.code)
  end

  local function balance(id, at)
    local how, p = poll(id, at)
    assert.equal(OK, how)
    return p.records.account._balance, p
  end

  local function story(positions)
    return { kind = "poll", account = "a", poll = positions }
  end

  local function write(...)
    local notes = { ... }
    for _, note in ipairs(notes) do
      note.account = note.account or "a"
    end
    return tape.write(folder, { notes })
  end

  it("plays the tape from the first poll on, at its speed", function()
    local function state(at, value) return { kind = "poll", at = at, poll = { account = { balance = value } } } end
    write(state(5000, 1), state(6000, 2), state(7000, 3), state(9000, 4))
    open()
    assert.equal(1, balance("a", 0))
    assert.equal(1, balance("a", 999))
    assert.equal(2, balance("a", 1000))
    assert.equal(3, balance("a", 3999))
    assert.equal(4, balance("a", 4000))
    assert.equal(4, balance("a", 999999)) -- the last state stays
    close()
    open({ speed = 4 })
    assert.equal(1, balance("a", 0))
    assert.equal(2, balance("a", 250))
    assert.equal(4, balance("a", 1000))
  end)

  it("begins again at the end, when it is told to", function()
    local function state(at, value) return { kind = "poll", at = at, poll = { account = { balance = value } } } end
    write(state(0, 1), state(1000, 2))
    open({ loop = true })
    local seen = {}
    for at = 0, 4000, 500 do
      seen[#seen + 1] = balance("a", at)
    end
    local rounds = 0
    for i = 2, #seen do
      if seen[i] < seen[i - 1] then rounds = rounds + 1 end
    end
    assert.is_true(rounds >= 2, table.concat(seen, " "))
  end)

  it("gathers what happened since the last poll, each once, and gives it out once", function()
    write(story({ positions = { {} }, deals = { { ticket = 1 } } }),
      { kind = "poll", at = 300, poll = { deals = { { ticket = 1 }, { ticket = 2 } } } },
      { kind = "poll", at = 600, poll = { positions = {}, deals = { { ticket = 3 } } } },
      { kind = "poll", at = 5000, poll = { positions = {} } })
    open()
    local _, p = poll("a", 0)
    assert.equal(1, p.records.deals_count)
    _, p = poll("a", 1000)
    local tickets = {}
    for i = 0, p.records.deals_count - 1 do
      tickets[#tickets + 1] = tonumber(p.records.deals[i]._ticket)
    end
    assert.same({ 1, 2, 3 }, tickets)
    assert.is_true(p.records.positions_known)
    assert.equal(0, p.records.positions_count)
    assert.equal(tape.START_MS + 600, tonumber(p.records.source_time_ms))
    _, p = poll("a", 2000)
    assert.is_false(p.records.deals_known)
    assert.is_true(p.records.positions_known)
  end)

  it("is away while the recorded source was, and knows only its own accounts", function()
    write({ kind = "status", text = "connecting", at = 0 },
      { kind = "poll", account = "b", at = 0, poll = { account = { balance = 5 } } },
      { kind = "poll", at = 100, poll = { account = { balance = 1 } } },
      { kind = "status", text = "reconnecting", at = 1000 },
      { kind = "status", text = "cached", at = 1500 },
      { kind = "poll", at = 2000, poll = { account = { balance = 2 } } })
    open()
    assert.equal(5, balance("b", 0))
    local how, _, code = poll("a", 50)
    assert.same({ FAILED, "NOT_YET" }, { how, code })
    assert.equal(1, balance("a", 100))
    how, _, code = poll("a", 1600)
    assert.same({ FAILED, "CONNECTION_LOST" }, { how, code })
    assert.equal(2, balance("a", 2000))
    how, _, code = poll("c", 2000)
    assert.same({ UNKNOWN, "UNKNOWN_ACCOUNT" }, { how, code })
  end)

  it("skips the time between two recordings", function()
    write({ kind = "poll", at = 0, poll = { account = { balance = 1 } } })
    local first = tape.files(folder)[1]
    assert(os.rename(first, folder .. "/1.tgr"))
    tape.write(folder, { { { kind = "poll", account = "a", at = 86400000, poll = { account = { balance = 2 } } },
                           { kind = "poll", account = "a", at = 86401000, poll = { account = { balance = 3 } } } } }, { run = 8 })
    open()
    local first_state = balance("a", 0)
    assert.is_true(first_state == 1 or first_state == 2)
    assert.equal(2, balance("a", 10))
    assert.equal(3, balance("a", 1100))
  end)

  it("cancels and closes with polls under way", function()
    write({ kind = "poll", at = 0, poll = { account = { balance = 1 } } })
    open()
    local p, q = ffi.new("struct tg_poll"), ffi.new("struct tg_poll")
    local name = ffi.new("char[2]", "a")
    p.ops, p.account_id, q.ops, q.account_id = ops, name, ops, name
    assert.equal(0, source.ops.poll(source, p))
    assert.equal(0, source.ops.poll(source, q))
    source.ops.cancel(source, p)
    assert.is_true(p.driver == nil)
    close()
    assert.is_true(q.driver == nil)
    assert.same({}, done)
  end)

  it("is refused when nothing can be read", function()
    local _, why = open()
    assert.equal(folder .. ": there is no recording (*.tgr) in it", why)
    tape.spill(folder .. "/x.tgr", "nonsense")
    _, why = open()
    assert.equal("no account in the recording", why)
  end)
end)
