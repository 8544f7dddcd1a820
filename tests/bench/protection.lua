-- What stopping runaways costs: the default rules over many accounts, each of which speaks at each tick, and two rule
-- sets whose rules think; compiled with the planted checks (as shipped), without them, and interpreted.
--
--   TIDEGATE_BUILD=build/release luajit tests/bench/protection.lua [accounts] [ticks]
package.path = "./tests/?.lua;" .. package.path
local ffi = require("ffi")
local json = require("dkjson")
local rules = require("support.rules")

local C = rules.C
ffi.cdef([[
void tg_leash_bare(bool on);
long labs(long value);
]])

local COUNT, TICKS = tonumber(arg[1]) or 5000, tonumber(arg[2]) or 40
local LEAST_S = 0.05 -- of each measurement: some machines tell processor time in steps of 10 ms
local ROUNDS = 9 -- of each mode, in turn; the best counts

local modes = {
  { name = "planted", jit = true, checks = true },
  { name = "bare", jit = true, checks = false },
  { name = "interpreted", jit = false, checks = true },
}

local function accounts_of()
  local woken, kept = ffi.new("struct tg_account *[?]", COUNT), {}
  for i = 1, COUNT do
    kept[i] = rules.account("demo-" .. i, { balance = 10000, equity = 10000, margin = 50, margin_level = 20000 })
    kept[i]:set_positions({ rules.position(), rules.position({ ticket = 502 }), rules.position({ ticket = 503 }) })
    kept[i]:poll({ equity = 10000 + i, profit = i, margin_free = 9950 + i, margin_level = 20000 + i })
    woken[i - 1] = kept[i].c
  end
  return woken, kept
end

local woken, kept = accounts_of()

-- Nanoseconds for each account and tick.
local function measure(paths, mode)
  C.tg_leash_muffle(not mode.jit)
  C.tg_leash_bare(not mode.checks)
  local engine = rules.engine(paths, { memory_bytes = 512 * 1024 * 1024, budget_ms = 1000, emit = ffi.C.labs })
  assert(engine:load())
  for _ = 1, 5 do
    C.tg_script_run(engine.script, woken, COUNT)
  end
  local begun, ticks = os.clock(), 0
  local took
  repeat
    for _ = 1, TICKS do
      C.tg_script_run(engine.script, woken, COUNT)
    end
    ticks, took = ticks + TICKS, os.clock() - begun
  until took >= LEAST_S
  engine:free()
  C.tg_leash_bare(false)
  C.tg_leash_muffle(false)
  return took * 1e9 / ticks / COUNT
end

local function compare(paths)
  local best = {}
  for _ = 1, ROUNDS do
    for _, mode in ipairs(modes) do
      best[mode.name] = math.min(best[mode.name] or math.huge, measure(paths, mode))
    end
  end
  return {
    ns = best, planted_to_bare = best.planted / best.bare, interpreted_to_bare = best.interpreted / best.bare,
  }
end

print(json.encode({
  accounts = COUNT, ticks_at_least = TICKS, accounts_made = #kept,
  default = compare({}),
  margin_zones = compare({ "plugins/rules/margin_zones" }),
  drawdown = compare({ "plugins/rules/drawdown" }),
}, { indent = true }))
