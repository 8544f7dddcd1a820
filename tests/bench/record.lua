-- What recording costs: polls of the simulated market are applied to accounts, with and without the recorder.
--
--   luajit tests/bench/record.lua [accounts] [polls of each]
--
-- In this process, with the library of the release build: the same polls are applied by the model, noted for the
-- recorder (what the loop pays), packed and written (what the recorder's thread pays), and read again. The last lines
-- pack the same blocks with zlib, for comparison.
package.path = "./tests/?.lua;" .. package.path
if not os.getenv("TIDEGATE_BUILD") then
  require("ffi").cdef("int setenv(const char *name, const char *value, int overwrite);")
  require("ffi").C.setenv("TIDEGATE_BUILD", "build/release", 1)
end
local ffi = require("ffi")
local tape = require("support.tape")
local cdef = require("support.cdef")
local R = tape.C
local S = cdef.library("source", { "source/book.h", "source/market.h", "source/trader.h" })
local M = cdef.library("model", { "model/account.h" })

local accounts_wanted = tonumber(arg[1]) or 1000
local rounds = tonumber(arg[2]) or 100
local polls = accounts_wanted * rounds

ffi.cdef([[
typedef struct { long s, ns; } bench_time;
int clock_gettime(int id, bench_time *out);
int compress2(unsigned char *dest, unsigned long *len, const unsigned char *from, unsigned long from_len, int level);
]])
local zlib = ffi.load("libz.so.1")
local spec = ffi.new("bench_time")
local function cpu() -- of this thread, in seconds
  ffi.C.clock_gettime(3, spec)
  return tonumber(spec.s) + tonumber(spec.ns) / 1e9
end

-- A day in seconds: each account polled once a second, six lifecycle events a minute.
local market = S.tg_market_new(7)
local wall = tape.START_MS
S.tg_market_advance(market, 0, wall)
local traders, models, ids, records = {}, {}, {}, {}
for i = 1, accounts_wanted do
  traders[i] = S.tg_trader_new(market, 7, i, 6)
  models[i] = ffi.new("struct tg_account")
  ids[i] = ffi.new("char[32]", "demo-" .. i)
  M.tg_account_init(models[i], ids[i])
  records[i] = ffi.new("struct tg_records")
end
local policy = ffi.new("struct tg_account_policy", { suspect_polls = 3 })
local scribe, note = ffi.new("struct tg_scribe"), ffi.new("struct tg_note")
local blocks = {}
local applied, noted, raw = 0, 0, 0
for round = 1, rounds do
  wall = tape.START_MS + round * 1000
  S.tg_market_advance(market, round * 4, wall)
  for i = 1, accounts_wanted do
    local trader, r = traders[i], records[i]
    S.tg_trader_run(trader)
    R.tg_records_clear(r)
    assert(S.tg_book_write_state(trader.book, trader.step, r) == 0)
    if M.tg_account_wants_deals(models[i], r) then
      assert(S.tg_book_write_deals(trader.book, wall - 61000, r) == 0)
    end
  end
  local before = cpu()
  for i = 1, accounts_wanted do
    M.tg_account_apply(models[i], records[i], policy, round * 1000, wall)
  end
  applied = applied + cpu() - before
  note.kind, note.wall_ms, note.mono_ms, note.suspect_polls, note.interval_ms = 1, wall, round * 1000, 3, 1000
  before = cpu()
  for i = 1, accounts_wanted do
    note.account, note.records = ids[i], records[i]
    assert(R.tg_scribe_add(scribe, note) == 0)
    if scribe.block.len > 262144 then
      local out = ffi.new("struct tg_buf")
      R.tg_scribe_take(scribe, out)
      blocks[#blocks + 1] = out
      raw = raw + tonumber(out.len)
    end
  end
  noted = noted + cpu() - before
end
local out = ffi.new("struct tg_buf")
R.tg_scribe_take(scribe, out)
blocks[#blocks + 1] = out
raw = raw + tonumber(out.len)

local folder = tape.folder()
local press, err = tape.press(folder), ffi.new("struct tg_err")
local before = cpu()
for i, block in ipairs(blocks) do
  assert(R.tg_press_write(press, block.data, block.len, i == 1, false, wall, err) == 0, ffi.string(err.text))
end
local pressed, bytes = cpu() - before, tonumber(R.tg_press_bytes(press))

local reel = ffi.new("struct tg_reel *[1]")
assert(R.tg_reel_open(ffi.new("const char *[1]", { folder }), 1, reel, err) == 0)
before = cpu()
local read = 0
while R.tg_reel_next(reel[0], note, err) == 1 do
  read = read + 1
end
local reading = cpu() - before
assert(read == polls, read)
tape.remove(folder)

local function per(seconds) return ("%8.2f ms"):format(seconds / polls * 1e5 * 1e3) end
print(("%d accounts, %d polls of each; per 100 000 polls, processor time:"):format(accounts_wanted, rounds))
print("  applied by the model              " .. per(applied))
print("  noted (the loop pays)             " .. per(noted) .. ("   %.2f x"):format(noted / applied))
print("  packed and written (the thread)   " .. per(pressed) .. ("   %.2f x"):format(pressed / applied))
print("  read again                        " .. per(reading) .. ("   %.2f x"):format(reading / applied))
print(("  notes %.1f, tape %.1f bytes a poll; %.2f MB an account and hour at one poll a second"):format(
  raw / polls, bytes / polls, bytes / polls * 3600 / 1048576))
for _, level in ipairs({ 1, 6 }) do
  before = cpu()
  local all = 0
  for _, block in ipairs(blocks) do
    local len = ffi.new("unsigned long[1]", tonumber(block.len) * 2 + 1000)
    local dest = ffi.new("unsigned char[?]", len[0])
    assert(zlib.compress2(dest, len, ffi.cast("const unsigned char *", block.data), block.len, level) == 0)
    all = all + tonumber(len[0])
  end
  print(("  zlib level %d instead              "):format(level) .. per(cpu() - before) .. ("   %.1f bytes a poll"):format(all / polls))
end
