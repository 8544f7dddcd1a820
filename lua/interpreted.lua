-- Which functions of a rule file the compiler leaves alone: those that store to a variable of a function that may
-- still run when they are called.
--
-- Such a variable lives on the stack while the function that declared it runs, and in the heap from then on. This
-- LuaJIT compiles a store to the one and runs it for the other without telling the collector (issue 1085 of
-- LuaJIT), which then frees what was stored while it is in use. Variables of the file itself are in the heap
-- before anything is compiled, and those of a function that makes another one and calls nothing any more are there
-- before the other one is called. Which variable is meant cannot be asked, so any store counts, but for those of
-- numbers, nil, true and false that stand in the code.
local util = require("jit.util")
local funcbc, funck, funcinfo = util.funcbc, util.funck, util.funcinfo
local band, rshift, type, off = bit.band, bit.rshift, type, jit.off

local UV, VAR, STR, FUNC, JUMP, CALL = 5, 3, 10, 12, 13, 9 -- what an operand is, and a metamethod (lj_bc.h)

local function stores(f)
  for pc = 1, funcinfo(f).bytecodes - 1 do
    local _, mode = funcbc(f, pc)
    local from = band(rshift(mode, 7), 15)
    if band(mode, 7) == UV and (from == VAR or from == STR) then return true end
  end
  return false
end

-- The last call of a function; of one that loops, none is the last.
local function last_call(f)
  local last = 0
  for pc = 1, funcinfo(f).bytecodes - 1 do
    local ins, mode = funcbc(f, pc)
    if rshift(mode, 11) == CALL then last = math.max(last, pc) end
    if band(rshift(mode, 7), 15) == JUMP and rshift(ins, 16) < 0x8000 then return math.huge end
  end
  return last
end

-- The functions that a function makes, and where.
local function made_by(f)
  local out = {}
  for pc = 1, funcinfo(f).bytecodes - 1 do
    local ins, mode = funcbc(f, pc)
    if band(rshift(mode, 7), 15) == FUNC then out[#out + 1] = { pc = pc, made = funck(f, -rshift(ins, 16) - 1) } end
  end
  return out
end

-- Marks what is made by functions within `f`, however deep. `called`: it may be called while a function that
-- declared one of its variables runs.
local function mark(f, called, is_file)
  local last = is_file and 0 or last_call(f)
  for _, row in ipairs(made_by(f)) do
    local early = called or row.pc < last
    if early and stores(row.made) then off(row.made) end
    mark(row.made, early, false)
  end
end

-- The reading above is proved on functions whose answer is known: where it fails (a LuaJIT of another make), nothing
-- of a file is compiled.
local outer
local function answers(f, proofs)
  for _, proof in ipairs(proofs) do
    local good, answer = pcall(f, proof[2])
    if not good or answer ~= proof[1] then return false end
  end
  return true
end

local function makes_early(f)
  local rows = made_by(f)
  if #rows ~= 1 or type(rows[1].made) ~= "proto" then return nil end
  return rows[1].pc < last_call(f)
end

local sure = answers(stores, {
  { false, function() return outer end },
  { false, function(a) a.outer = outer end },
  { false, function() outer = nil end },
  { true, function(a) outer = a end },
  { true, function() outer = "text" end },
  { true, function() for i = 1, 3 do outer = { i } end end },
}) and answers(makes_early, {
  { false, function(a) return function() return a end end },
  { false, function(a) local b = tostring(a) return function() return b end end },
  { true, function(a) local f = function() return a end f() return f end },
  { true, function(a) local f = function() return a end return f() end },
  { true, function(a) local f for _ = 1, 2 do if f then a(f) end f = function() return a end end return f end },
  { true, function(a) local f while a do a = a.b f = function() return a end end return f end },
  { true, function(a) for _ in pairs(a) do outer = function() return a end end end },
})

-- Takes the function of a file before it runs.
return function(chunk)
  if sure then mark(chunk, false, true) else off(chunk, false) end
end
