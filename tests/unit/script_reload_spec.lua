local ffi = require("ffi")
local rules = require("support.rules")

describe("a reload", function()
  local folder, engine, account
  local counter = [[return rule "n" { watch = { "balance" }, version = %s, %s detect = function(now, was, memory)
    memory.n = (memory.n or 0) + 1
    return { n = memory.n }
  end }]]

  before_each(function() folder, engine, account = rules.stage({ ["a.lua"] = counter:format(1, "") }) end)
  after_each(function() rules.leave(engine, folder) end)

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
      ["UTF-16"] = "\255\254r\0e\0t\0u\0r\0n\0",
      ["Latin-1"] = 'return rule "n" { watch = { "balance" }, payload = { v = const("f\252r") } }',
      ["a zero byte"] = 'return rule "n" { watch = { "balance" }, payload = { v = const("a\0b") } }',
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

    it("a folder without rules, and files that are none", function()
      for _, case in ipairs({
        { "rm %s/a.lua", "no *.lua files" }, { "mkdir %s/a.lua", "a.lua: not a regular file" },
        { "rmdir %s/a.lua; mkfifo %s/b.lua", "b.lua: not a regular file" },
      }) do
        assert(os.execute((case[1]:gsub("%%s", folder.path))) == 0)
        local good, why = engine:load()
        assert.is_nil(good)
        assert.matches(case[2], why, 1, true)
      end
      assert.equal(1, engine:status().generation)
    end)

    it("says which line is not UTF-8", function()
      folder:write("a.lua", 'return rule "n" {\n  watch = { "balance" }, -- gr\252n\n}')
      local good, why = engine:load()
      assert.is_nil(good)
      assert.matches("a.lua:2: not UTF-8; save the file as UTF-8", why, 1, true)
    end)

    it("more files than a set may hold, more bytes than all of them may have", function()
      for i = 1, 17 do
        folder:write(("big%02d.lua"):format(i), "-- " .. ("x"):rep(1000000))
      end
      local good, why = engine:load()
      assert.is_nil(good)
      assert.matches("big17.lua: with it the files are larger than 16 MiB", why, 1, true)
    end)

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

  it("does not mind the mark that some editors put in front", function()
    folder:write("a.lua", "\239\187\191" .. counter:format(1, ""))
    assert(engine:load())
    assert.equal('{"n":1}', n())
  end)

  it("takes files in the order of their names, and no other files", function()
    folder:remove("a.lua")
    for i, name in ipairs({ "z.lua", "B.lua", "10.lua", "9.lua", "ä.lua" }) do
      folder:write(name, ('return rule "r%d" { watch = { "balance" }, payload = { v = const(%d) } }'):format(i, i))
    end
    folder:write("x.lua~", "broken(")
    folder:write(".#x.lua", "broken(")
    folder:write("x.txt", "broken(")
    assert(engine:load())
    local order = {}
    for i, event in ipairs(engine:run(account:poll({ balance = account.c.now._balance + 1 }))) do
      order[i] = event.type
    end
    assert.same({ "r3", "r4", "r2", "r1", "r5" }, order)
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
