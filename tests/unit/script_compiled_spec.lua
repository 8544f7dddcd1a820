local ffi = require("ffi")
local cdef = require("support.cdef")
local rules = require("support.rules")

cdef.header("script/script_inner.h")
ffi.cdef([[
int luaL_loadstring(lua_State *L, const char *text);
int lua_pcall(lua_State *L, int arguments, int results, int handler);
ptrdiff_t lua_tointeger(lua_State *L, int index);
void lua_settop(lua_State *L, int index);
]])

-- How many traces there are in the VM that runs.
local function traces(engine)
  local L = engine.script.generation.vm.L
  assert(ffi.C.luaL_loadstring(L, [[
    local util, n = require("jit.util"), 0
    for i = 1, 1000 do
      if util.traceinfo(i) then n = n + 1 end
    end
    return n
  ]]) == 0)
  assert(ffi.C.lua_pcall(L, 0, 1, 0) == 0)
  local n = tonumber(ffi.C.lua_tointeger(L, -1))
  ffi.C.lua_settop(L, 0)
  return n
end

-- What the compiler of this LuaJIT gets wrong, and what keeps rules from it (docs/decisions/0013).
describe("compiled rules", function()
  -- While a set is built the variables of the runtime and of its files are on the stack.
  it("are compiled when the set is whole and not before", function()
    local folder, engine, account = rules.stage({ ["a.lua"] = [[
      rule "busy" { watch = { "balance" }, detect = function(now)
        local n = 0
        for i = 1, 1000 do n = n + i % 7 end
        return { n = n }
      end }
      for i = 1, 100 do
        expect "busy" { now = { balance = i }, gives = { n = 3003 } }
      end
    ]] })
    assert.equal(0, traces(engine))
    assert.equal(1, #engine:run(account:poll({ balance = 1 })))
    assert.is_true(traces(engine) > 0)
    for i = 1, 3 do -- with what rules remember carried over
      folder:write("b.lua", 'rule "b" { watch = { "equity" } } -- ' .. i)
      assert(engine:load())
      assert.equal(0, traces(engine))
    end
    rules.leave(engine, folder)
  end)

  -- `put` stores to a variable of the function that made it, becomes hot while that still runs, and is called when
  -- it has returned: compiled, it would store without telling the collector, which takes the value away.
  it("keep what a function stored in a variable of the function that made it", function()
    local folder, engine, account = rules.stage({ ["a.lua"] = [[
      local held, put, read = {}
      for i = 1, 2000 do held[i] = { i } end
      local function make()
        local kept
        local function put(i) kept = { i } end
        local function read() return kept[1] end
        for i = 1, 500 do
          put(i, function() return i end)
        end
        return put, read
      end
      rule "keeps" { watch = { "balance" }, detect = function(now)
        if not put then put, read = make() end
        for i = 1, 100 do
          put(i, function() return i end)
          for k = 1, 100 * (i % 80) do
            held[(i + k) % 2000 + 1] = { tostring(i * k) }
          end
          if read() ~= i then return { stored = i, found = tostring(read()) } end
        end
      end }
    ]] }, { budget_ms = 1000 })
    for i = 1, 3 do
      assert.same({}, engine:run(account:poll({ balance = i })))
      assert.equal(0, engine:rule("keeps").faults)
    end
    rules.leave(engine, folder)
  end)

  -- Whether the loop of a function that stores to `kept` is compiled, by what makes the function.
  local function compiles(maker)
    local folder, engine, account = rules.stage({ ["a.lua"] = maker .. [[
      local detect = make(150)
      rule "made" { watch = { "balance" }, detect = function(now) return detect(now) end }
    ]] })
    engine:run(account:poll({ balance = 1 }))
    assert.equal(0, engine:rule("made").faults)
    local n = traces(engine)
    rules.leave(engine, folder)
    return n > 0
  end

  local BODY = "function(now) for i = 1, 1000 do kept = { i } end return kept[1] == limit end"

  it("are so where nothing can call a function before the one that made it has returned", function()
    assert.is_true(compiles("local kept local function make(limit) return " .. BODY .. " end"))
    assert.is_true(compiles("local function make(limit) local kept = tostring(limit) return " .. BODY .. " end"))
  end)

  it("are not where it may be called before", function()
    for _, maker in ipairs({
      "local function make(limit) local kept local f = " .. BODY .. " tostring(limit) return f end",
      "local function make(limit) local kept, f for i = 1, 2 do f = " .. BODY .. " end return f end",
      "local function make(limit) local kept, f while not f do f = " .. BODY .. " end return f end",
      "local function make(limit) local kept local function inner() return " .. BODY .. " end return inner() end",
      "local function make(limit) local kept local t = { f = " .. BODY .. " } t.g = tostring(limit) return t.f end",
    }) do
      assert.is_false(compiles(maker), maker)
    end
  end)
end)
