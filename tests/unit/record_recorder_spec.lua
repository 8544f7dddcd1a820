local ffi = require("ffi")
local luv = require("luv")
local tape = require("support.tape")
local C = tape.C

ffi.cdef([[
int uv_loop_close(uv_loop_t *loop);
uv_loop_t *uv_loop_new(void);
int uv_run(uv_loop_t *loop, int mode);
struct tape_limit { unsigned long now, most; };
int setrlimit(int resource, const struct tape_limit *limit);
int getrlimit(int resource, struct tape_limit *limit);
void (*signal(int number, void (*handler)(int)))(int);
]])
local uv = ffi.load("libuv.so.1")
local RLIMIT_FSIZE, SIGXFSZ, SIG_IGN = 1, 25, ffi.cast("void (*)(int)", 1)

local EIO, ELIMIT = -9, -3

local function mode_of(path) return require("bit").band(luv.fs_lstat(path).mode, 511) end

describe("the press", function()
  local folder, err

  before_each(function()
    folder = tape.folder()
    err = ffi.new("struct tg_err")
  end)
  after_each(function() tape.remove(folder) end)

  local block = "F\0\0" .. ("not to be packed well: "):rep(3)

  local function write(press, bytes, fresh)
    local rc = C.tg_press_write(press, bytes, #bytes, fresh, false, tape.START_MS, err)
    return rc, ffi.string(err.text)
  end

  it("makes the folder and the tapes for its own user alone", function()
    local inner = folder .. "/recordings"
    local press = tape.press(inner)
    assert.equal(0, write(press, block, true))
    assert.equal(448, mode_of(inner))
    local files = tape.files(inner)
    assert.equal(1, #files)
    assert.equal(384, mode_of(files[1]))
    assert.matches("/20231114%-221320%-000%-0000000000000007%-000001%.tgr$", files[1])
    tape.remove(inner)
  end)

  it("removes the oldest tapes and nothing else", function()
    tape.spill(folder .. "/00000000-notes.txt", ("x"):rep(100000))
    tape.spill(folder .. "/00000000-000000-000-zzzzzzzzzzzzzzzz-000001.tgr", ("x"):rep(100000))
    luv.fs_symlink("/etc/hostname", folder .. "/00000000-000000-000-0000000000000000-000001.tgr")
    local random = {}
    for i = 1, 20000 do
      random[i] = string.char(math.random(0, 255))
    end
    random = "F\0\0" .. table.concat(random)
    local press = tape.press(folder, { file_bytes = 30000, total_bytes = 100000 })
    for _ = 1, 12 do
      assert.equal(0, write(press, random, true))
      local bytes = 0
      for _, path in ipairs(tape.files(folder)) do
        if path:find("0000000007-", 1, true) then bytes = bytes + luv.fs_lstat(path).size end
      end
      assert.is_true(bytes <= 100000, bytes)
    end
    local files = tape.files(folder)
    assert.equal(3 + 4, #files) -- what is not ours, and as many as leave room for one more
    assert.matches("%-000012%.tgr$", files[#files])
    assert.matches("%-000009%.tgr$", files[4])
    for i = 1, 3 do
      os.remove(files[i])
    end
  end)

  it("stops before the file system is full", function()
    local press = tape.press(folder, { min_free_bytes = 2 ^ 60 })
    local rc, why = write(press, block, true)
    assert.equal(ELIMIT, rc)
    assert.matches("MB are free, and record.min_free_mb is 1099511627776", why, 1, true)
    assert.same({}, tape.files(folder))
  end)

  it("leaves nothing of a block that did not fit on the disk", function()
    local random = { "N\0\0" }
    for i = 1, 40000 do
      random[i + 1] = string.char(math.random(0, 255))
    end
    random = table.concat(random)
    local press = tape.press(folder)
    assert.equal(0, write(press, block, true))
    local path = tape.files(folder)[1]
    local before = tape.slurp(path)
    local limit = ffi.new("struct tape_limit")
    assert.equal(0, ffi.C.getrlimit(RLIMIT_FSIZE, limit))
    local old = ffi.C.signal(SIGXFSZ, SIG_IGN)
    local small = ffi.new("struct tape_limit", { #before + 9000, limit.most })
    assert.equal(0, ffi.C.setrlimit(RLIMIT_FSIZE, small))
    local rc, why = write(press, random, false)
    assert.equal(0, ffi.C.setrlimit(RLIMIT_FSIZE, limit))
    ffi.C.signal(SIGXFSZ, old)
    assert.equal(EIO, rc)
    assert.equal(path .. ": File too large", why)
    assert.equal(before, tape.slurp(path))
    assert.equal(0, write(press, block, true)) -- and goes on with a new tape
    assert.equal(2, #tape.files(folder))
  end)

  it("notices that its tape or its folder was taken away", function()
    local press = tape.press(folder .. "/inner")
    assert.equal(0, write(press, block, true))
    tape.remove(folder .. "/inner")
    local rc, why = write(press, block, false)
    assert.equal(EIO, rc)
    assert.matches("the tape was taken away", why, 1, true)
    assert.equal(0, write(press, block, true)) -- made again
    tape.remove(folder .. "/inner")
    tape.spill(folder .. "/inner", "")
    rc, why = write(press, block, true)
    assert.equal(EIO, rc)
    assert.equal(folder .. "/inner: Not a directory", why)
  end)
end)

describe("the recorder", function()
  local folder, loop, clock, recorder

  before_each(function()
    folder = tape.folder()
    loop = uv.uv_loop_new()
    clock = ffi.new("struct tg_clock_virtual")
    C.tg_clock_virtual_init(clock, 5000, tape.START_MS)
  end)

  local function close()
    C.tg_recorder_close(recorder)
    recorder = nil
    uv.uv_run(loop, 0)
  end

  after_each(function()
    if recorder then close() end
    assert.equal(0, uv.uv_loop_close(loop))
    tape.remove(folder)
  end)

  local function open(options)
    options = options or {}
    local globs = options.accounts or { "*" }
    local list = ffi.new("const char *[?]", #globs, globs)
    local o = ffi.new("struct tg_recorder_options", {
      accounts = list, accounts_count = #globs,
      flush_ms = options.flush_ms or 3600000, buffer_bytes = options.buffer_bytes or 2 ^ 30, retry_ms = 10000,
      press = { folder = options.folder or folder, file_bytes = options.file_bytes or 2 ^ 30, total_bytes = options.total_bytes or 2 ^ 40,
                min_free_bytes = 0,
                facts = { version = "spec", run = 9 } },
    })
    local out, err = ffi.new("struct tg_recorder *[1]"), ffi.new("struct tg_err")
    assert.equal(0, C.tg_recorder_open(loop, clock.clock, o, out, err))
    recorder = out[0]
    assert(list ~= nil) -- it lived until here: the options only point to it
  end

  local function note(what)
    local made, keep = tape.note(what)
    C.tg_recorder_note(recorder, made)
    keep[1] = nil
  end

  local function status()
    local out = ffi.new("struct tg_recorder_status")
    C.tg_recorder_status(recorder, out)
    return { fault = ffi.string(out.fault), polls = tonumber(out.polls), lost = tonumber(out.lost),
             tapes = tonumber(out.tapes), faults = tonumber(out.faults), bytes = tonumber(out.bytes) }
  end

  -- Lets the timer fire until `check` holds.
  local function eventually(check)
    for _ = 1, 1000 do
      uv.uv_run(loop, 1)
      local got = check(status())
      if got then return got end
    end
    error("it never came: " .. status().fault)
  end

  local function kinds()
    local out = {}
    for i, what in ipairs((tape.read(folder))) do
      out[i] = what.kind .. (what.account or "")
    end
    return table.concat(out, " ")
  end

  it("keeps what it was told, in order, when it is closed", function()
    open()
    note({ kind = "turn" }) -- nothing was polled: not taken
    note({ kind = "poll", account = "a", poll = {} })
    assert.is_true(C.tg_recorder_polled(recorder))
    note({ kind = "turn" })
    assert.is_false(C.tg_recorder_polled(recorder))
    note({ kind = "turn" })
    note({ kind = "status", account = "b", text = "live" })
    close()
    assert.equal("polla turn statusb", kinds())
  end)

  it("records only the accounts that are named", function()
    open({ accounts = { "demo-*", "x" } })
    for _, id in ipairs({ "demo-1", "other", "x", "xx" }) do
      note({ kind = "poll", account = id, poll = {} })
    end
    note({ kind = "tick" })
    close()
    assert.equal("polldemo-1 pollx tick", kinds())
  end)

  it("writes a block when its time has come", function()
    open({ flush_ms = 5 })
    note({ kind = "poll", account = "a", poll = {} })
    eventually(function(s) return s.bytes > 0 end)
    assert.equal("polla", kinds())
    note({ kind = "poll", account = "a", poll = {} })
    close()
    assert.equal("polla polla", kinds())
  end)

  it("begins a new tape when one is full, and joins them without a gap", function()
    open({ flush_ms = 2, file_bytes = 1 })
    for i = 1, 4 do
      note({ kind = "poll", account = "a", at = i, poll = { positions = { { profit = i } } } })
      local tapes = status().bytes
      eventually(function(s) return s.bytes > tapes end)
    end
    close()
    assert.is_true(#tape.files(folder) >= 2)
    assert.equal("polla polla polla polla", kinds())
  end)

  it("pauses when the folder cannot be written to, is silent about it after one line, and comes back", function()
    tape.spill(folder .. "/inner", "")
    open({ folder = folder .. "/inner", flush_ms = 2 })
    note({ kind = "poll", account = "a", poll = {} })
    local s = eventually(function(s) return s.fault ~= "" and s end)
    assert.equal(folder .. "/inner: Not a directory", s.fault)
    assert.same({ 1, 1, 1 }, { s.polls, s.lost, s.faults })
    note({ kind = "poll", account = "a", poll = {} })
    assert.equal(2, status().lost)
    os.remove(folder .. "/inner")
    clock.mono = clock.mono + 10000
    note({ kind = "poll", account = "a", at = 3, poll = {} })
    eventually(function(now) return now.fault == "" end)
    close()
    local notes = tape.read(folder .. "/inner")
    assert.equal(1, #notes)
    assert.equal(3, notes[1].at)
    tape.remove(folder .. "/inner")
  end)

  it("pauses when the disk is slower than what is told, and shows the gap", function()
    for i = 1, 3000 do -- old tapes to be removed first: that takes the disk longer than the loop takes for a block
      tape.spill(("%s/20000101-000000-000-0000000000000001-%06d.tgr"):format(folder, i), "old")
    end
    open({ buffer_bytes = 1, total_bytes = 1 })
    local text = ("x"):rep(500)
    for _ = 1, 2000 do
      note({ kind = "connected", account = "a", text = text })
    end
    assert.matches("record.buffer_mb", status().fault, 1, true)
    clock.mono = clock.mono + 10000
    note({ kind = "poll", account = "a", at = 77, poll = {} })
    close()
    local notes, faults = tape.read(folder)
    assert.same({}, faults)
    assert.equal(77, notes[#notes].at)
    local files = tape.files(folder)
    assert.matches("%-000003%.tgr$", files[#files]) -- the 2 that is left out shows that something was lost
  end)
end)
