local ffi = require("ffi")
local rules = require("support.rules")

-- Rules that mean harm, and what must be left standing after each: the other rules, in the same tick, on
-- all accounts, with their events in order.
describe("a hostile rule", function()
  local folder, engine, account, other

  before_each(function()
    folder = rules.folder({ ["z.lua"] = 'return rule "good" { watch = { "balance" } }' })
    engine = rules.engine({ folder.path }, { memory_bytes = 16 * 1024 * 1024 })
    account, other = rules.account("demo-1"), rules.account("demo-2")
  end)

  after_each(function()
    engine:free()
    folder:remove()
  end)

  local function detect(body)
    folder:write("a.lua", 'local n, t, s = 0, {}, "x"\nreturn rule "bad" { watch = { "balance" }, detect = '
      .. "function(now, was, memory)\n" .. body .. "\nend }")
    assert(engine:load())
    local good = {}
    for _, event in ipairs(engine:run(account:poll({ balance = 1 }), other:poll({ balance = 2 }))) do
      if event.type == "good" then good[#good + 1] = event.account .. event.payload end
    end
    assert.same({ 'demo-1{"balance":1.00}', 'demo-2{"balance":2.00}' }, good)
    assert.equal(0, engine:rule("good").faults)
    -- The VM is healthy: it goes on working, and can be replaced.
    assert.is_true(#engine:run(account:poll({ balance = 3 })) >= 1)
    assert(engine:load())
    assert.is_true(#engine:run(account:poll({ balance = 4 })) >= 1)
  end

  describe("that never comes back is stopped and muted:", function()
    local loops = {
      ["an empty loop"] = "while true do end",
      ["a compiled loop"] = "while true do n = n + 1 end",
      ["a loop inside pcall"] = "pcall(function() while true do n = n + 1 end end)",
      ["a loop around pcall"] = "while true do pcall(function() while true do n = n + 1 end end) end",
      ["a loop of pcalls of errors"] = "while true do pcall(error) end",
      ["recursion without end inside pcall"] = "local function f() return f() end pcall(f) return f()",
      ["a loop over fields"] = "while true do n = n + now.equity end",
      ["a loop over texts"] = "while true do s = now.currency .. n % 10 end",
      ["a loop over positions"] = "while true do for p in now:positions() do n = n + p.volume end end",
      ["a sort that compares without end"] = "for i = 1, 1e4 do t[i] = i end table.sort(t, function(a, b) "
        .. "while true do n = n + 1 end end)",
      ["a gsub callback"] = 's:gsub(".", function() while true do n = n + 1 end end)',
      ["a goto"] = "::top:: n = n + 1 goto top",
      ["a repeat that allocates"] = "repeat t = { t and 1 } until false",
    }
    for name, body in pairs(loops) do
      it(name, function()
        detect(body)
        assert.is_true(engine:rule("bad").muted)
        assert.equal(0, engine:rule("bad").events)
      end)
    end

    it("and the log names the line", function()
      folder:write("a.lua", 'return rule "bad" { watch = { "balance" }, detect = function()\nwhile true do\nend\nend }')
      assert(engine:load())
      local log = rules.logged(function() engine:run(account:poll({ balance = 1 })) end)
      assert.truthy(log:find('"event":"rule_muted","rule":"bad"', 1, true), log)
      assert.truthy(log:find('"where":"a.lua:[23]"'), log)
    end)

    it("and it stays muted through a reload until its file changes", function()
      detect("while true do n = n + 1 end")
      assert.is_true(engine:rule("bad").muted)
      folder:write("z.lua", 'return rule "good" { watch = { "balance", "equity" } }')
      assert(engine:load())
      assert.is_true(engine:rule("bad").muted)
      folder:write("a.lua", 'return rule "bad" { watch = { "balance" } }')
      assert(engine:load())
      assert.is_false(engine:rule("bad").muted)
      assert.equal(2, #engine:run(account:poll({ balance = 9 })))
    end)

    it("and what it said before it hung in that call is not sent", function()
      folder:write("a.lua", [[return rule "bad" { watch = { "balance" },
        payload = function() return { said = true } end,
        only = function() return true end, detect = function() while true do end end }]])
      assert(engine:load())
      local events = engine:run(account:poll({ balance = 1 }))
      assert.equal(1, #events)
      assert.equal("good", events[1].type)
    end)
  end)

  it("that is slow but within its budget goes on", function()
    detect("for i = 1, 1e5 do n = n + i end return { n = 1 }")
    assert.is_false(engine:rule("bad").muted)
  end)

  it("that throws is caught, counted, and rests after five faults in a row", function()
    folder:write("a.lua", 'return rule "bad" { watch = { "balance" }, detect = function(now) if now.balance < 100 then\n'
      .. 'error("oh") end return { b = now.balance } end }')
    assert(engine:load())
    local log = rules.logged(function()
      for i = 1, 7 do
        local events = engine:run(account:poll({ balance = i }))
        assert.equal(1, #events)
      end
    end)
    assert.truthy(log:find('"message":"a.lua:2: oh"', 1, true), log)
    assert.equal(5, engine:rule("bad").faults)
    assert.equal(1, #engine:run(account:poll({ balance = 200 })))
    assert.equal(2, #engine:run(other:poll({ balance = 200 }))) -- it rests on that account only
    engine:advance(60001)
    assert.equal(2, #engine:run(account:poll({ balance = 201 })))
  end)

  local throws = {
    ["a table"] = "error({})", ["a table within pcall"] = "pcall(error, {}) error(nil)", ["nothing"] = "error()",
    ["a view"] = "error(now)", ["a function"] = "error(function() end)", ["true"] = "error(true)",
    ["from a stack that is too deep"] = "local function f() return 1 + f() end f()",
    ["an index of nil"] = "local x = nil; return x.y", ["a misspelt field"] = "return now.margin_levle",
  }
  for name, body in pairs(throws) do
    it("that throws " .. name .. " is a fault and no more", function()
      detect(body)
      assert.is_false(engine:rule("bad").muted)
      assert.is_true(engine:rule("bad").faults > 0)
    end)
  end

  it("is told its mistakes in its own words", function()
    folder:write("a.lua", 'return rule "bad" { watch = { "balance" }, detect = function(now)\n'
      .. 'return now.margin_levle end }')
    assert(engine:load())
    local log = rules.logged(function() engine:run(account:poll({ balance = 1 })) end)
    assert.truthy(log:find([["message":"a.lua:2: no field \"margin_levle\"; did you mean \"margin_level\"?"]], 1, true), log)
  end)

  describe("that eats memory", function()
    it("in one call is stopped and muted", function()
      detect("while true do t[#t + 1] = { n } end")
      assert.is_true(engine:rule("bad").muted)
    end)

    it("by one text is stopped", function()
      detect("while true do s = s .. s end")
      assert.is_true(engine:rule("bad").muted)
    end)

    it("and swallows the errors is stopped", function()
      detect("while true do pcall(function() while true do t[#t + 1] = { n } end end) end")
      assert.is_true(engine:rule("bad").muted)
    end)

    it("a little at each poll is found out, and the innocent who asks last is not blamed", function()
      folder:write("a.lua", [[return rule "hog" { watch = { "balance" }, detect = function(now, was, memory)
        for i = 1, 10 do memory[#memory + 1] = ("x"):rep(20000) .. #memory .. now.balance end
      end }]])
      folder:write("b.lua", [[return rule "innocent" { watch = { "balance" }, detect = function(now)
        local t = {}
        for i = 1, 200 do t[i] = { i } end
        return { b = now.balance }
      end }]])
      assert(engine:load())
      for i = 1, 400 do
        engine:run(account:poll({ balance = i }))
        if engine:rule("hog").muted then break end
      end
      assert.is_true(engine:rule("hog").muted)
      assert.is_false(engine:rule("innocent").muted)
      assert.is_true(tonumber(engine:status().memory_used) < 8 * 1024 * 1024)
      assert.equal(2, #engine:run(account:poll({ balance = 1e6 })))
    end)
  end)

  describe("cannot reach", function()
    local names = {
      "io", "os", "ffi", "debug", "require", "package", "jit", "load", "loadstring", "loadfile", "dofile", "_G",
      "getfenv", "setfenv", "getmetatable", "setmetatable", "rawget", "rawset", "rawequal", "rawlen", "newproxy", "xpcall",
      "coroutine", "collectgarbage", "gcinfo", "module", "arg", "native", "work",
    }
    for _, name in ipairs(names) do
      it(name, function()
        folder:write("a.lua", ('return rule "x" { watch = { "balance" }, payload = { b = const(%s == nil) } }'):format(name))
        local good, why = engine:load()
        assert.is_nil(good)
        assert.truthy(why:find(('a.lua:1: no name "%s"'):format(name), 1, true), why)
      end)
    end

    local attempts = {
      ["string.dump"] = "return { it = string.dump == nil }",
      ["the functions of other files"] = "string.upper = nil table.insert = nil return { it = true }",
      ["the methods of texts"] = 'return { it = not pcall(function() ("x").rep = nil; ("x").new = 1 end) }',
      ["chance"] = "return { it = math.random == nil }",
      ["a view's members to write them"] = "return { it = not pcall(function() now._balance = 5 end) "
        .. "and not pcall(function() now.balance = 5 end) and now.balance == 1 or now.balance == 2 }",
      ["what lies behind a view"] = "return { it = not pcall(function() return now[1] end) and "
        .. "not pcall(function() return now + 1 end) and not pcall(function() return #now end) }",
      ["the iterator with a state of its own"] = "local f, v = now:positions() return { it = not pcall(f) and "
        .. "not pcall(f, v, { _index = -9 }) and not pcall(f, v, 3) and not pcall(f, { _stay = 1 }) "
        .. "and not pcall(now.positions, { _stay = 1 }) and f(v) == nil }",
      ["the shared metatable of texts"] = 'return { it = ("x").__index == nil and ("x").dump == nil }',
      ["a view's fields by number or table"] = "return { it = not pcall(function() return now[{}] end) and "
        .. "not pcall(function() return now[0] end) and not pcall(function() return was[2^40] end) }",
    }
    for name, body in pairs(attempts) do
      it(name, function()
        folder:write("a.lua", 'return rule "bad" { watch = { "balance" }, detect = function(now, was)\n' .. body .. "\nend }")
        assert(engine:load())
        local events = engine:run(account:poll({ balance = 1 }))
        assert.equal('{"it":true}', events[1].payload)
        assert.equal('{"balance":1.00}', events[2].payload)
      end)
    end

    it("a neighbour's globals", function()
      folder:write("a.lua", 'secret = 5 string.upper = nil return rule "a" { watch = { "equity" } }')
      folder:write("b.lua", 'return rule "b" { watch = { "equity" }, payload = { u = const(("x"):upper()), '
        .. "up = const(string.upper ~= nil), s = const(pcall(function() return secret end)) } }")
      assert(engine:load())
      assert.equal('{"s":false,"u":"X","up":true}', engine:run(account:poll({ equity = 1 }))[2].payload)
    end)
  end)

  describe("is refused a C function that would not come back:", function()
    local calls = {
      ["a pattern with many quantifiers"] = '(("a"):rep(30)):find(("a?"):rep(30) .. "b")',
      ["a lazy pattern"] = '(("x"):rep(60000)):match(".-.-.-b")',
      ["a hostile gsub"] = '(("x"):rep(60000)):gsub("x*x*y", "")',
      ["a hostile gmatch"] = '(("x"):rep(60000)):gmatch(".-b.-c")',
      ["a hostile %b"] = '(("("):rep(60000)):find("%b()%b()")',
      ["a rep bomb"] = '("x"):rep(1e9)', ["a rep of nothing"] = '#(""):rep(1e15) == 0 and error("fine")',
      ["a rep with a separator"] = '("x"):rep(1e5, "yyyyyyyy")', ["a rep of infinity"] = '("x"):rep(math.huge)',
      ["a sort of a big table"] = "(function() for i = 1, 1e5 do t[i] = -i end table.sort(t) end)()",
      ["a plain find on a long text"] = '(("x"):rep(60000)):find(("x"):rep(30000) .. "y", 1, true)',
    }
    for name, call in pairs(calls) do
      it(name, function()
        detect("return { it = " .. call .. " }")
        assert.is_false(engine:rule("bad").muted)
        assert.is_true(engine:rule("bad").faults > 0)
      end)
    end
  end)

  it("may use the library in ordinary ways", function()
    folder:write("a.lua", [[return rule "bad" { watch = { "balance" }, detect = function(now)
      local t = { 3, 1, 2 }
      table.sort(t, function(a, b) return a > b end)
      return {
        s = table.concat(t, "-"), m = ("GOLD-2026"):match("^(%a+)%-(%d+)$"), g = ("a b"):gsub(" ", "_"),
        f = ("%.2f"):format(1 / 3), b = bit.band(6, 3), u = ("x"):rep(3, ","), p = percent(1, 4), r = round(2.345, 2),
        c = crossed(5, 3, 4), d = crossed(3, 5, 4), n = crossed(5, 5, 4), j = json({ 1, { a = "b" } }), now = now.balance,
        k = pick(now, "currency", "leverage"), t = iso8601(0), w = iso8601(nil),
      }
    end }]])
    assert(engine:load())
    assert.equal('{"b":2,"c":"up","d":"down","f":"0.33","g":"a_b","j":"[1,{\\"a\\":\\"b\\"}]","k":{"currency":"USD",'
      .. '"leverage":100},"m":"GOLD","now":1,"p":25,"r":2.35,"s":"3-2-1","t":"1970-01-01T00:00:00.000Z","u":"x,x,x"}',
      engine:run(account:poll({ balance = 1 }))[1].payload)
  end)

  describe("has its payload dropped, with the path, when it", function()
    local payloads = {
      { "is not a number", "{ a = { b = 0 / 0 } }", "payload.a.b is not a number (NaN)" },
      { "is infinite", "{ list = { 1, 1 / 0 } }", "payload.list[2] is infinite" },
      { "has a function", "{ f = print }", "payload.f is a function" },
      { "has a view", "{ account = now }", "payload.account is a view" },
      { "is a cycle", "(function() local x = {} x.x = x return x end)()", "is nested more than 16 deep, or within itself" },
      { "mixes a list and names", "{ a = { 1, b = 2 } }", "payload.a is neither a list nor a table of names" },
      { "has a hole", "{ a = { 1, nil, nil, 4 } }", "payload.a is neither a list" },
      { "is too big", '(function() local x = {} for i = 1, 2000 do x[i] = ("y"):rep(40) end return { x = x } end)()',
        "over the bound of a payload" },
      { "has a text that is too big", '{ x = ("y"):rep(65536) .. "y" }', "payload.x is over the bound of a payload" },
      { "names what is the gateway's", '{ type = "x" }', "payload.type: that name is the gateway's own" },
      { "is no table", '"text"', "payload is a string, a table is expected" },
      { "is a list", "{ 1, 2 }", "payload is a list" },
      { "has a zero byte in a name", '{ ["a\\0b"] = 1 }', "zero byte" },
    }
    for _, case in ipairs(payloads) do
      it(case[1], function()
        folder:write("a.lua", 'return rule "bad" { watch = { "balance" }, payload = function(now) return ' .. case[2]
          .. " end }")
        assert(engine:load())
        local events
        local log = rules.logged(function() events = engine:run(account:poll({ balance = 1 })) end)
        assert.equal(1, #events)
        assert.truthy(log:find(case[3], 1, true), log)
        assert.truthy(log:find("a.lua:1", 1, true), log)
        assert.equal(1, engine:rule("bad").faults)
      end)
    end
  end)

  it("cannot flood: events per account and poll are bounded and counted", function()
    engine:free()
    engine = rules.engine({ folder.path }, { events_per_tick = 3 })
    assert(engine:load())
    folder:write("a.lua", 'return rule "open" { on = "position_opened" }')
    assert(engine:load())
    local moments = {}
    for i = 1, 5 do
      moments[i] = { kind = "TG_MOMENT_POSITION_OPENED", position = rules.position() }
    end
    local events = engine:run(account:poll({ balance = 1 }, moments), other:poll({ balance = 1 }))
    assert.equal(4, #events)
    assert.equal("demo-2", events[4].account)
    assert.equal(2, engine:rule("open").dropped)
    assert.equal(1, engine:rule("good").dropped)
  end)

  it("has its log lines bounded", function()
    folder:write("a.lua", 'return rule "bad" { watch = { "balance" }, detect = function() for i = 1, 1000 do '
      .. 'log("line", i, nil, {}) end end }')
    assert(engine:load())
    local log = rules.logged(function() engine:run(account:poll({ balance = 1 })) end)
    local _, lines = log:gsub('"event":"note"', "")
    assert.equal(20, lines)
    assert.truthy(log:find('"file":"a.lua","account":"demo-1","message":"line 1 nil table: ', 1, true), log)
  end)

  it("is stopped with the JIT on", function()
    assert.is_true(engine:status().preemption)
  end)

  describe("where the bell cannot be rung is stopped by the interpreter:", function()
    before_each(function() rules.C.tg_leash_muffle(true) end)
    after_each(function() rules.C.tg_leash_muffle(false) end)

    for name, body in pairs({
      ["a loop"] = "while true do n = n + 1 end",
      ["a loop around pcall"] = "while true do pcall(function() while true do n = n + 1 end end) end",
      ["a memory bomb"] = "while true do t[#t + 1] = { n } end",
    }) do
      it(name, function()
        detect(body)
        assert.is_true(engine:rule("bad").muted)
        assert.is_false(engine:status().preemption)
      end)
    end
  end)

  it("is stopped again and again without harm", function()
    folder:write("a.lua", 'return rule "bad" { watch = { "balance" }, detect = function() while true do end end }')
    for i = 1, 10 do
      folder:write("a.lua", ('local n = %d return rule "bad" { watch = { "balance" }, detect = function() while true do '
        .. "n = n + 1 end end }"):format(i))
      assert(engine:load())
      assert.equal(1, #engine:run(account:poll({ balance = i })))
      assert.is_true(engine:rule("bad").muted)
    end
    assert.equal(10, tonumber(ffi.cast("double", engine:status().generation)))
  end)
end)
