-- usage: luajit tests/simulation/walk.lua native|own [SEED] [ROUNDS]
-- Copies rows in a loop over pairs() within another, as the simulation's source does, and looks whether each was copied
-- once: with LuaJIT's own pairs(), or with that of lua/walk.lua (docs/decisions/0015).
if arg[1] == "own" then dofile("lua/walk.lua").install() end
require("jit.profile").start("li100000000", function() end) -- as the rules' VM runs (core/script/leash.c)
math.randomseed(tonumber(arg[2]) or 1)

local function copy(row)
  local out = {}
  for key, value in pairs(row) do out[key] = value end
  return out
end

local function read_all(rows)
  local out = {}
  for _, row in pairs(rows) do out[#out + 1] = copy(row) end
  table.sort(out, function(a, b) return a.ticket < b.ticket end)
  return out
end

local function read_listed(rows, tickets)
  local out = {}
  for i, ticket in ipairs(tickets) do
    local row = copy(rows[ticket])
    row.price, row.profit = 1, 2
    out[i] = row
  end
  return out
end

local rows, tickets, last, age = {}, {}, 1000, 0
for round = 1, tonumber(arg[3]) or 60000 do
  age = age + 1
  if age > 100 or math.random() < 0.003 then rows, tickets, last, age = {}, {}, 1000, 0 end
  for _ = 1, math.random(0, 2) do
    last = last + math.random(4)
    rows[last] = { ticket = last, symbol = "x", type = "y", sell = false, initial = 1, lots = 2, price = 3, sl = 0, tp = 0,
                   setup = 1, state = "placed", comment = "" }
    table.insert(tickets, last)
  end
  if #tickets > 0 and math.random() < 0.7 then
    local i = math.random(#tickets)
    rows[tickets[i]] = nil
    table.remove(tickets, i)
  end
  if #tickets > 0 and math.random() < 0.3 then rows[tickets[1]].position_id, rows[tickets[1]].done = 7, 7 end
  local all = read_all(rows)
  read_listed(rows, tickets)
  if #all ~= #tickets then
    print(("wrong in round %d: %d rows, and the loop ran %d times"):format(round, #tickets, #all))
    os.exit(1)
  end
end
print("right")
