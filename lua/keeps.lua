-- Whether a function may keep an argument beyond its call: asked of the rules' functions at load, so that
-- those that only read an account are lent one (lua/view.lua) and no copy is made of it.
--
-- The answer comes from the function's bytecode and errs on the safe side: an argument is not kept when it is
-- only indexed by names, compared, tested, or handed to functions that do not keep it either. Whatever else
-- is done with it (stored, returned, assigned, captured) counts as keeping. And were the answer ever wrong, a
-- lent account that outlives its call refuses to be read: the price is an error, never another's figures.
local util = require("jit.util")
local funcbc, funck, funcinfo = util.funcbc, util.funck, util.funcinfo
local getupvalue, getfenv, type = debug.getupvalue, debug.getfenv, type
local band, rshift = bit.band, bit.rshift

-- What an operand is, and the metamethods that matter (lj_bc.h).
local NONE, DST, BASE, VAR, RBASE, UV, LIT, STR, FUNC, JUMP = 0, 1, 2, 3, 4, 5, 6, 10, 12, 13
local INDEX, EQ, LT, LE, CALL = 0, 4, 6, 7, 9
local FRAME = 2 -- slots between a call's base and its first argument

-- The instructions of a function, decoded.
local function decoded(f)
  local out = {}
  for pc = 1, funcinfo(f).bytecodes - 1 do
    local ins, mode = funcbc(f, pc)
    local b = band(rshift(mode, 3), 15)
    out[pc] = {
      a = band(rshift(ins, 8), 255), b = b ~= NONE and rshift(ins, 24) or nil,
      c = b ~= NONE and band(rshift(ins, 16), 255) or rshift(ins, 16),
      is_a = band(mode, 7), is_b = b, is_c = band(rshift(mode, 7), 15), event = rshift(mode, 11),
    }
  end
  return out
end

return function(harmless, methods)
  local known -- during a question: function → argument → whether it keeps it
  local keeps

  local function reads(ins, slot)
    return ins.is_a == VAR and ins.a == slot or ins.is_b == VAR and ins.b == slot or ins.is_c == VAR and ins.c == slot
  end

  -- Whether some jump lands behind `first` and not behind `last`.
  local function is_joined(code, first, last)
    for i, ins in ipairs(code) do
      local target = i + 1 + ins.c - 0x8000
      if ins.is_c == JUMP and target > first and target <= last then return true end
    end
    return false
  end

  -- The function that the call at `pc` calls, or nil; true for a method that is harmless.
  local function callee(f, code, pc, from)
    for i = pc - 1, 1, -1 do
      local ins = code[i]
      if ins.is_a == DST and ins.a == code[pc].a then
        if is_joined(code, i, pc) then return nil end -- one of several
        if ins.is_c == UV then return (select(2, getupvalue(f, ins.c + 1))) end
        if ins.is_c ~= STR or ins.event ~= INDEX then return nil end
        local name = funck(f, -ins.c - 1)
        if ins.is_b == NONE then return rawget(getfenv(f), name) end
        return ins.is_b == VAR and ins.b == from and methods[name] or nil
      end
    end
  end

  -- Whether what was copied to `slot` at `pc` goes anywhere but into a call that does not keep it.
  local function copy_keeps(f, code, pc, slot, from)
    for i = pc + 1, #code do
      local ins = code[i]
      if ins.is_a == BASE and ins.event == CALL and ins.a + FRAME <= slot then
        local argument = slot - ins.a - FRAME
        if argument >= ins.c then return true end
        local called = callee(f, code, i, from)
        if called == true or harmless[called] then return false end
        return type(called) ~= "function" or keeps(called, argument)
      end
      if reads(ins, slot) then return true end
    end
    return true
  end

  local function instruction_keeps(f, code, pc, slot)
    local ins = code[pc]
    local compares = ins.event == EQ or ins.event == LT or ins.event == LE
    if ins.is_c == FUNC then return true end
    if ins.is_a == DST and ins.a == slot then return true end
    if ins.is_a == RBASE and ins.is_c == LIT then return ins.a <= slot and slot < ins.a + ins.c - 1 end
    if ins.is_a == RBASE and ins.a == slot then return true end
    if ins.is_a == BASE and ins.is_c == BASE and ins.a <= slot and slot <= ins.c then return true end
    if ins.is_a == VAR and ins.a == slot and not compares then return true end
    if ins.is_b == VAR and ins.b == slot and ins.event ~= INDEX then return true end
    if ins.is_c ~= VAR or ins.c ~= slot then return false end
    if ins.is_b ~= NONE then return true end
    if ins.is_a == NONE or compares then return false end
    return ins.is_a ~= DST or copy_keeps(f, code, pc, ins.a, slot)
  end

  -- Whether a function may keep its argument of that index (from 0).
  function keeps(f, argument)
    if harmless[f] then return false end
    local info = funcinfo(f)
    if not info.bytecodes or info.isvararg then return true end
    if argument >= info.params then return false end
    local of = known[f] or {}
    known[f] = of
    if of[argument] ~= nil then return of[argument] end
    of[argument] = false -- for functions that call themselves
    local code = decoded(f)
    for pc = 1, #code do
      if instruction_keeps(f, code, pc, argument) then
        of[argument] = true
        break
      end
    end
    return of[argument]
  end

  -- The reading above is proved on functions whose answer is known: where it fails (a LuaJIT of another
  -- make), every function keeps.
  local store = {}
  local function only(a) return a.x == 1 and a.y end
  local proofs = {
    { false, function(a) return a.balance > 5 and a.x end },
    { false, function(a, b) return only(b) or only(a) end },
    { false, function(a) if a then return 1 end end },
    { true, function(a) store.a = a end },
    { true, function(a) store[1] = a end },
    { true, function(a) store = a end },
    { true, function(a) return a end },
    { true, function(a) local b = a return b.x end },
    { true, function(a) return { a } end },
    { true, function(a) return 1, a end },
    { true, function(a) return function() return a end end },
    { true, function(a) return pcall(only, a) end },
    { true, function(a) return a.other(a) end },
    { true, function(a, b) return (b and only or only)(a) end },
    { true, function(a) a = nil return a end }, -- luacheck: ignore
    { true, function(a) return (a or store).x end },
    { true, function(...) return ... end },
  }
  -- Nothing is remembered from question to question: what holds a rule's functions holds all that they hold.
  local function ask(f, argument)
    known = {}
    local answer = keeps(f, argument)
    known = nil
    return answer
  end

  for _, proof in ipairs(proofs) do
    local good, answer = pcall(ask, proof[2], 0)
    if not good or answer ~= proof[1] then return function() return true end end
  end
  return ask
end
