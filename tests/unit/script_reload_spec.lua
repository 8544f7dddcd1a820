local ffi = require("ffi")
local rules = require("support.rules")

describe("a reload", function()
  local folder, engine, account
  local counter = [[return rule "n" { watch = { "balance" }, version = %s, %s detect = function(now, was, memory)
    memory.n = (memory.n or 0) + 1
    return { n = memory.n }
  end }]]

  before_each(function()
    folder = rules.folder({ ["a.lua"] = counter:format(1, "") })
    engine = rules.engine({ folder.path })
    account = rules.account("demo-1")
    assert(engine:load())
  end)

  after_each(function()
    engine:free()
    folder:remove()
  end)

  local function n()
    local events = engine:run(account:poll({ balance = account.c.now._balance + 1 }))
    return events[1] and events[1].payload
  end

  it("swaps the rules and counts the generation", function()
    assert.equal('{"n":1}', n())
    folder:write("a.lua", 'return rule "m" { watch = { "balance" }, payload = { v = const(2) } }')
    assert(engine:load())
    assert.equal('{"v":2}', n())
    local status = engine:status()
    assert.equal(2, status.generation)
    assert.equal(2, tonumber(status.reloads_ok))
    assert.is_nil(engine:rule("n"))
  end)

  it("carries memory over", function()
    n()
    folder:write("b.lua", 'return rule "other" { watch = { "equity" } }')
    assert(engine:load())
    assert.equal('{"n":2}', n())
  end)

  it("drops memory of another version, unless it can be migrated", function()
    n()
    folder:write("a.lua", counter:format(2, ""))
    assert(engine:load())
    assert.equal('{"n":1}', n())
    folder:write("a.lua", counter:format(3, "migrate = function(old) return { n = old.n * 10 } end,"))
    assert(engine:load())
    assert.equal('{"n":11}', n())
  end)

  it("loses only the memory that cannot be carried, and says whose", function()
    folder:write("a.lua", [[return rule "n" { watch = { "balance" }, detect = function(now, was, memory)
      if now.id == "demo-1" then memory.f = function() end end
      memory.n = (memory.n or 0) + 1
      return { n = memory.n }
    end }]])
    assert(engine:load())
    local other = rules.account("demo-2")
    engine:run(account:poll({ balance = 1 }), other:poll({ balance = 1 }))
    local log = rules.logged(function() assert(engine:load()) end)
    assert.truthy(log:find("memory of 1 accounts is not carried over", 1, true), log)
    local events = engine:run(account:poll({ balance = 2 }), other:poll({ balance = 2 }))
    assert.same({ '{"n":1}', '{"n":2}' }, { events[1].payload, events[2].payload })
  end)

  describe("that is bad changes nothing but a sentence:", function()
    local bad = {
      ["a syntax error"] = "return rule (",
      ["an error"] = 'error("no")',
      ["a loop"] = "while true do end",
      ["a loop in pcall"] = "while true do pcall(function() while true do end end) end",
      ["a memory bomb"] = 'local t = {} while true do t[#t + 1] = ("x"):rep(60000) .. #t end',
      ["recursion"] = "local function f() return f() end return f()",
      ["a wrong name"] = 'return rule "x" { watch = { "nope" } }',
      ["a migrate that fails"] = counter:format(2, 'migrate = function(old) error("cannot") end,'),
      ["a migrate that loops"] = counter:format(2, "migrate = function(old) while true do end end,"),
      ["a migrate that returns nothing"] = counter:format(2, "migrate = function(old) end,"),
      ["an empty file"] = "",
      ["bytecode"] = string.dump(function() end),
      ["a big file"] = "-- " .. ("x"):rep(1024 * 1024),
    }
    for name, text in pairs(bad) do
      it(name, function()
        assert.equal('{"n":1}', n())
        local version = ffi.string(engine:status().version)
        folder:write("a.lua", text)
        assert.is_nil((engine:check()))
        local good, why = engine:load()
        assert.is_nil(good)
        assert.truthy(why:find("a.lua", 1, true), why)
        assert.equal('{"n":2}', n())
        local status = engine:status()
        assert.equal(1, status.generation)
        assert.equal(version, ffi.string(status.version))
        assert.equal(1, tonumber(status.reloads_failed))
        assert.equal(why, ffi.string(status.last_error))
        folder:write("a.lua", counter:format(1, ""))
        assert(engine:load())
        assert.equal('{"n":3}', n())
        assert.equal("", ffi.string(engine:status().last_error))
      end)
    end

    it("a folder that is gone", function()
      folder:remove()
      local good, why = engine:load()
      assert.is_nil(good)
      assert.truthy(why:find(folder.path, 1, true))
      assert.equal('{"n":1}', n())
    end)
  end)

  it("is announced by stale when a file is written, added, removed or replaced", function()
    local function stale() return rules.C.tg_script_stale(engine.script) end
    assert.is_false(stale())
    folder:write("a.lua", counter:format(1, "") .. " ")
    assert.is_true(stale())
    assert(engine:load())
    assert.is_false(stale())
    folder:write("b.lua", "broken(")
    assert.is_true(stale())
    assert.is_nil((engine:load()))
    assert.is_false(stale()) -- what was tried and refused is not tried again
    folder:remove("b.lua")
    assert.is_true(stale())
    assert(engine:load())
    folder:write("note.txt", "x")
    assert.is_false(stale())
  end)

  it("has the same version for the same files", function()
    local version = ffi.string(engine:status().version)
    assert(engine:load())
    assert.equal(version, ffi.string(engine:status().version))
    folder:write("a.lua", counter:format(1, "") .. " ")
    assert(engine:load())
    assert.are_not.equal(version, ffi.string(engine:status().version))
  end)

  it("takes single files and folders in the order given", function()
    local second = rules.folder({ ["b.lua"] = 'return rule "b" { watch = { "balance" } }' })
    local both = rules.engine({ second.path, folder.path .. "/a.lua" })
    assert(both:load())
    local events = both:run(account:poll({ balance = 5 }))
    assert.same({ "b", "n" }, { events[1].type, events[2].type })
    both:free()
    second:remove()
  end)

  it("a hundred times leaves nothing behind", function()
    for i = 1, 100 do
      folder:write("a.lua", counter:format(1, "") .. "-- " .. i)
      assert(engine:load())
      assert.equal(('{"n":%d}'):format(i), n())
    end
    assert.is_true(tonumber(engine:status().memory_used) < 2 * 1024 * 1024)
  end)
end)
