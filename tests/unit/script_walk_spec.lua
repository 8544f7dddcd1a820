-- pairs() and next() of rules. How LuaJIT's own go wrong takes tens of thousands of rounds: tests/simulation/walk.lua.
local rules = require("support.rules")

local LOOPS = [[
local inner = { 1, 2, 3, 4, 5 }
local outer = { a = inner, b = inner, c = inner, d = inner, e = inner }
local function away() for _ = 1, 100 do end end
local function copy(row)
  local out = {}
  for key, value in pairs(row) do out[key] = value end
  return out
end

return rule "wrong" {
  watch = { "balance" },
  detect = function(now)
    for _ = 1, 500 do
      away()
      local rows, copies = 0, {}
      for _, list in %s do
        for _ in %s do end
        rows = rows + 1
        copies[#copies + 1] = copy(list)
      end
      if rows ~= 5 or #copies ~= 5 then return { balance = now.balance, rows = rows, copies = #copies } end
    end
  end,
}
]]

describe("a loop over pairs within another", function()
  for name, over in pairs({ pairs = { "pairs(outer)", "pairs(list)" }, next = { "next, outer", "next, list" } }) do
    it("runs once for each row, with " .. name, function()
      local folder = rules.folder({ ["wrong.lua"] = LOOPS:format(over[1], over[2]) })
      local engine = rules.engine({ folder.path }, { budget_ms = 1000 })
      local account = rules.account("demo-1")
      assert(engine:load())
      for balance = 1, 120 do
        for _, event in ipairs(engine:run(account:poll({ balance = balance }))) do
          assert.equal("nothing", event.type .. event.payload)
        end
      end
      assert.equal(0, engine:rule("wrong").faults)
      rules.leave(engine, folder)
    end)
  end

  it("calls no function that LuaJIT makes an instruction of its own", function()
    local folder = rules.folder({ ["a.lua"] = [[
      local step, rows, first = pairs({})
      return rule "a" { watch = { "balance" }, detect = function()
        return { native = step == next, rows = type(rows), first = tostring(first) }
      end }]] })
    local engine = rules.engine({ folder.path })
    local account = rules.account("demo-1")
    assert(engine:load())
    local got = engine:run(account:poll({ balance = 1 }))[1].payload
    assert.truthy(got:find('"native":false', 1, true), got)
    rules.leave(engine, folder)
  end)

  it("says what it cannot walk over, and where", function()
    local folder = rules.folder({ ["a.lua"] = [[return rule "a" { watch = { "balance" }, detect = function()
      local _, first = pcall(function() for _ in pairs(nil) do end end)
      local _, second = pcall(function() local key = next(7) return key end)
      return { empty = next({}) == nil, first = first, second = second }
    end }]] })
    local engine = rules.engine({ folder.path })
    local account = rules.account("demo-1")
    assert(engine:load())
    local got = engine:run(account:poll({ balance = 1 }))[1].payload
    assert.truthy(got:find("a.lua:2: bad argument #1 to 'pairs' (table expected, got nil)", 1, true), got)
    assert.truthy(got:find("a.lua:3: bad argument #1 to 'next' (table expected, got number)", 1, true), got)
    assert.truthy(got:find('"empty":true', 1, true), got)
    rules.leave(engine, folder)
  end)
end)
