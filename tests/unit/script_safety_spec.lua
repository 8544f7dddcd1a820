local ffi = require("ffi")
local rules = require("support.rules")

ffi.cdef([[
int pthread_sigmask(int how, const void *set, void *old);
void tg_leash_judge(void);
]])

-- What is done about rules that mean harm. (That it is done, whatever they try: script_hostile_spec.)
describe("a hostile rule", function()
  local folder, engine, account, other

  before_each(function()
    folder = rules.folder({ ["z.lua"] = 'return rule "good" { watch = { "balance" } }' })
    engine = rules.engine({ folder.path }, { memory_bytes = 16 * 1024 * 1024 })
    account, other = rules.account("demo-1"), rules.account("demo-2")
  end)

  after_each(function() rules.leave(engine, folder) end)

  local function detect(body)
    folder:write("a.lua", 'local n = 0\nreturn rule "bad" { watch = { "balance" }, detect = '
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

  describe("that never comes back is stopped and muted", function()
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

  it("is told its mistakes in its own words", function()
    folder:write("a.lua", 'return rule "bad" { watch = { "balance" }, detect = function(now)\n'
      .. 'return now.margin_levle end }')
    assert(engine:load())
    local log = rules.logged(function() engine:run(account:poll({ balance = 1 })) end)
    assert.truthy(log:find([["message":"a.lua:2: no field \"margin_levle\"; did you mean \"margin_level\"?"]], 1, true), log)
  end)

  describe("that eats memory", function()
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

  it("cannot flood: the bytes of an account's events in a poll are bounded", function()
    engine:free()
    engine = rules.engine({ folder.path }, { bytes_per_tick = 2500 })
    folder:write("a.lua", [[
      rule "open" { on = "position_opened", payload = function() return { text = ("x"):rep(1000) } end }
      rule "small" { on = "position_opened", payload = function() return { s = 1 } end }
    ]])
    assert(engine:load())
    local moment = { kind = "TG_MOMENT_POSITION_OPENED", position = rules.position() }
    local events
    local log = rules.logged(function() events = engine:run(account:poll({}, { moment, moment, moment })) end)
    local bytes = 0
    for _, event in ipairs(events) do
      bytes = bytes + #event.payload
    end
    assert.equal(5, #events)
    assert.is_true(bytes <= 2500)
    assert.equal(1, engine:rule("open").dropped)
    assert.equal(0, engine:rule("small").dropped)
    assert.truthy(log:find('"bound":"rules.bytes_per_tick"', 1, true), log)
  end)

  it("is asked for all accounts, however many are polled at once", function()
    local all = {}
    for i = 1, 400 do
      all[i] = rules.account("many-" .. i):poll({ balance = i })
    end
    folder:write("a.lua", 'rule "n" { watch = { "balance" }, payload = function(now) return { b = now.balance } end }')
    assert(engine:load())
    local seen = {}
    for _, event in ipairs(engine:run(unpack(all))) do
      if event.type == "n" then seen[event.account] = event.payload end
    end
    for i = 1, 400 do
      assert.equal(('{"b":%d}'):format(i), seen["many-" .. i])
    end
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

  -- The canary is tried again with the bell's signal held back, as on a machine where it does not work.
  it("is held by the interpreter when the canary lives, and the log and the status say so", function()
    local BELL, BLOCK, UNBLOCK = 34 + 5, 0, 1
    local signals = ffi.new("uint64_t[16]")
    signals[0] = bit.lshift(1ULL, BELL - 1)
    assert(ffi.C.pthread_sigmask(BLOCK, signals, nil) == 0)
    local log = rules.logged(rules.C.tg_leash_judge)
    assert(ffi.C.pthread_sigmask(UNBLOCK, signals, nil) == 0)
    assert.truthy(log:find('"level":"error","module":"rules","event":"canary_lived"', 1, true), log)
    assert.is_false(engine:status().preemption)
    local function hang(balance)
      folder:write("a.lua", 'local n = ' .. balance .. ' return rule "bad" { watch = { "balance" }, detect = function() '
        .. "while true do n = n + 1 end end }")
      assert(engine:load())
      assert.equal(1, #engine:run(account:poll({ balance = balance })))
      assert.is_true(engine:rule("bad").muted)
    end
    hang(1)
    assert.equal("", rules.logged(rules.C.tg_leash_judge))
    assert.is_true(engine:status().preemption)
    hang(2)
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
