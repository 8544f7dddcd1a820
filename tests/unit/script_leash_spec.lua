-- The watchdog over a call that burns processor time: its own, or time in which it cannot be running rules at all.
local ffi = require("ffi")
local cdef = require("support.cdef")

local C = cdef.library("script", {})

ffi.cdef([[
struct tg_leash_report {
    bool rung, pinched;
    uint32_t cursor;
    char where[80];
};
int tg_leash_hold(void);
void tg_leash_release(void);
void tg_leash_begin(void);
void tg_leash_enter(lua_State *L, int budget_ms, bool interpreted);
void tg_leash_leave(struct tg_leash_report *out);
void tg_leash_forget(lua_State *L);
lua_State *luaL_newstate(void);
void lua_close(lua_State *L);
void *mmap(void *at, size_t size, int protection, int flags, int file, int64_t offset);
int munmap(void *at, size_t size);
int clock_gettime(int clock, int64_t *time);
]])

local CLOCK_THREAD_CPUTIME = 3
local time = ffi.new("int64_t[2]")

local function burnt_ms()
  assert(ffi.C.clock_gettime(CLOCK_THREAD_CPUTIME, time) == 0)
  return tonumber(time[0]) * 1000 + tonumber(time[1]) / 1e6
end

describe("a call that overruns", function()
  local BUDGET_MS = 20
  local L

  setup(function()
    assert(C.tg_leash_hold() == 0)
    L = C.luaL_newstate()
  end)

  teardown(function()
    C.tg_leash_forget(L)
    C.lua_close(L)
    C.tg_leash_release()
  end)

  -- Whether a call that does `work` is stopped.
  local function call(work)
    local report = ffi.new("struct tg_leash_report")
    C.tg_leash_enter(L, BUDGET_MS, false)
    C.tg_leash_begin()
    work()
    C.tg_leash_leave(report)
    return report.rung
  end

  local function spin(ms)
    return function()
      local till = burnt_ms() + ms
      repeat until burnt_ms() > till
    end
  end

  -- The kernel's account of this thread goes on and no signal reaches it, as when the host takes the processor away.
  local function held()
    local READ_WRITE, PRIVATE_ANONYMOUS_POPULATE, SIZE = 3, 0x8022, 256 * 1024 * 1024
    local at = ffi.C.mmap(nil, SIZE, READ_WRITE, PRIVATE_ANONYMOUS_POPULATE, -1, 0)
    assert(ffi.cast("intptr_t", at) ~= -1)
    return at, SIZE
  end

  it("in code that runs is found out", function()
    assert.is_true(call(spin(200)))
  end)

  it("within its budget is left alone", function()
    assert.is_false(call(spin(BUDGET_MS / 4)))
  end)

  it("in one stretch in which the processor answers nothing is not blamed", function()
    assert.is_true(call(spin(200))) -- the watchdog is there: to start a thread takes the lock that is held below
    local at, size
    local rung = call(function() at, size = held() end)
    assert(ffi.C.munmap(at, size) == 0)
    assert.is_false(rung)
  end)
end)
