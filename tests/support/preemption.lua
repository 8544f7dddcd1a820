-- Preemptions in one VM, one after the other: ten rules that never come back, each in its own way, are let loose on an
-- account again and again, and between any two of them others compute what is known beforehand. A VM is bad when one
-- of these is wrong, when a runaway is not stopped, or when memory is missing at the end.
--
--   preemption.run(300)   --> { preemptions = 3000, checks = 3300, bad = 0, mean_ms = …, worst_ms = …, bytes_lost = 0 }
local ffi = require("ffi")
local rules = require("support.rules")

local C = rules.C
ffi.cdef([[
int64_t tg_vm_lost(void);
]])

local preemption = {}
local BUDGET_MS = 12 -- the checks must have room, also behind a long suite and a sanitizer
local BALANCE = 10000

local runaways = {
  "while true do n = n + 1 end",
  "while true do pcall(function() while true do n = n + 1 end end) end",
  "while true do pcall(error) end",
  "while true do s = now.currency .. n % 10 n = n + 1 end",
  "while true do for p in now:positions() do n = n + p.volume end end",
  "for i = 1, 100 do t[i] = -i end table.sort(t, function() while true do n = n + 1 end end)",
  's:gsub(".", function() while true do n = n + 1 end end)',
  "local f, g function f() return g() end function g() n = n + 1 return f() end return f()",
  "local function f(k) if k == 0 then return 1 end return f(k - 1) + f(k - 1) end f(60)",
  "repeat t = { t and 1, tostring(n) } n = n + 1 until false",
}

-- Touches what a preemption may have left by half: tables, texts, numbers, closures, views, the encoder.
local CHECK = [[
  local sum, words, kept = 0, {}, {}
  for i = 1, 100 do
    sum = sum + i * now.leverage
    kept[i] = function() return i end
    words[#words + 1] = ("%d:%s"):format(i, now.currency)
  end
  for i = 1, 100 do sum = sum - kept[i]() * 100 end
  table.sort(words)
  for p in now:positions() do sum = sum + p.ticket end
  memory.calls = (memory.calls or 0) + 1
  return { sum = sum, first = words[1], last = words[100], n = #table.concat(words, ","), calls = memory.calls }
]]
local EXPECTED = '{"calls":%d,"first":"100:USD","last":"9:USD","n":691,"sum":1003}'

local function files()
  local out = { ["0.lua"] = ('return rule "check0" { on = "tick", detect = function(_, memory, now) %s end }'):format(CHECK) }
  for i, body in ipairs(runaways) do
    out[("%02d.lua"):format(i)] = ('local n, t, s = 0, {}, "x" return { rule "run%d" { on = "tick", '
      .. 'detect = function(_, memory, now) %s end }, rule "check%d" { on = "tick", detect = function(_, memory, now) %s end } }')
      :format(i, body, i, CHECK)
  end
  return out
end

function preemption.run(rounds, budget_ms)
  local folder = rules.folder(files())
  local engine = rules.engine({ folder.path }, { budget_ms = budget_ms or BUDGET_MS })
  assert(engine:load())
  local account = rules.account("demo-1", { balance = BALANCE })
    :set_positions({ rules.position(), rules.position({ ticket = 502, position_id = 502 }) })
  local out = { preemptions = 0, checks = 0, bad = 0, mean_ms = 0, worst_ms = 0, rounds = rounds, innocents = {} }
  local log = rules.logged(function()
    for round = 1, rounds do
      for i = 1, #runaways do
        C.tg_script_unmute(engine.script, "run" .. i)
      end
      local begun = os.clock()
      local events = engine:run(account:poll({ balance = BALANCE + round }))
      local took = (os.clock() - begun) * 1000 / #runaways
      out.mean_ms, out.worst_ms = out.mean_ms + took / rounds, math.max(out.worst_ms, took)
      local good = #events == #runaways + 1
      for _, event in ipairs(events) do
        out.checks = out.checks + 1
        good = good and event.payload == EXPECTED:format(round)
      end
      for i = 1, #runaways do
        local stopped = engine:rule("run" .. i).muted
        out.preemptions = out.preemptions + (stopped and 1 or 0)
        local check = engine:rule("check" .. i)
        if check.muted then out.innocents[i] = ("check%d: %s"):format(i, check.why) end
        good = good and stopped and not check.muted
      end
      if not good then out.bad = out.bad + 1 end
    end
  end)
  out.strange = {} -- lines of the log that are not of a runaway that was stopped
  for line in log:gmatch("[^\n]+") do
    if not line:find('"rule_muted","rule":"run') then table.insert(out.strange, line) end
  end
  out.jit = engine:status().preemption
  assert(engine:load())
  engine:free()
  folder:remove()
  out.bytes_lost = tonumber(C.tg_vm_lost())
  return out
end

return preemption
