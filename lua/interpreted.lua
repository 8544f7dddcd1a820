-- Which functions of a rule file the compiler leaves alone: those that are made by another function of the file and
-- store to a variable outside of themselves.
--
-- Such a variable lives on the stack while the function that declared it runs, and in the heap from then on. This
-- LuaJIT compiles a store to the one and runs it for the other without telling the collector (issue 1085 of
-- LuaJIT), which then frees what was stored while it is in use. Variables of the file itself are in the heap
-- before anything is compiled. Which variable is meant cannot be asked, so any store of such a function counts, but
-- for those of numbers, nil, true and false that stand in the code.
--
-- It costs little: a function that makes functions is not compiled by LuaJIT either.
local util = require("jit.util")
local funcbc, funck, funcinfo = util.funcbc, util.funck, util.funcinfo
local band, rshift, type, off = bit.band, bit.rshift, type, jit.off

local UV, VAR, STR = 5, 3, 10 -- what an operand is (lj_bc.h)

local function stores(f)
  for pc = 1, funcinfo(f).bytecodes - 1 do
    local _, mode = funcbc(f, pc)
    local from = band(rshift(mode, 7), 15)
    if band(mode, 7) == UV and (from == VAR or from == STR) then return true end
  end
  return false
end

-- The reading above is proved on functions whose answer is known: where it fails (a LuaJIT of another make), every
-- function counts.
local outer
local proofs = {
  { false, function() return outer end },
  { false, function(a) a.outer = outer end },
  { false, function() outer = nil end },
  { true, function(a) outer = a end },
  { true, function() outer = "text" end },
  { true, function() for i = 1, 3 do outer = { i } end end },
}
for _, proof in ipairs(proofs) do
  local good, answer = pcall(stores, proof[2])
  if not good or answer ~= proof[1] then stores = function() return true end end
end

-- Marks what is made by functions within `f`, however deep.
local function mark(f, within)
  for i = 1, funcinfo(f).gcconsts do
    local made = funck(f, -i)
    if type(made) == "proto" then
      if within and stores(made) then off(made) end
      mark(made, true)
    end
  end
end

-- Takes the function of a file before it runs.
return function(chunk) mark(chunk, false) end
