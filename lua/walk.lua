-- pairs() and next() of the runtime and of rules.
--
-- LuaJIT compiles a loop over its own next() into an instruction of its own (ITERN). In the version that Debian 12
-- has (2.1.0-beta3 of March 2022) such a loop within another goes wrong once the outer one is given up for compiling:
-- its body runs twice for a row, or the loop ends early, from then on (docs/decisions/0015). The instruction is taken
-- only where the function in the loop is LuaJIT's own next, so here it never is: these compile as any other function.
local type, error, native = type, error, next

local walk = {}

local function step(rows, key)
  return native(rows, key)
end

function walk.pairs(rows)
  if type(rows) ~= "table" then error("bad argument #1 to 'pairs' (table expected, got " .. type(rows) .. ")", 2) end
  return step, rows, nil
end

function walk.next(rows, key)
  if type(rows) ~= "table" then error("bad argument #1 to 'next' (table expected, got " .. type(rows) .. ")", 2) end
  return native(rows, key)
end

-- Puts them in the place of LuaJIT's own, for every file that is loaded from now on.
function walk.install()
  pairs, next = walk.pairs, walk.next -- luacheck: ignore 121
end

return walk
