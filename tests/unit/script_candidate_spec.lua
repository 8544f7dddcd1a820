-- A candidate in the shadow of the live rules: same input, no word of it to clients, every difference told.
local ffi = require("ffi")
local rules = require("support.rules")

describe("a candidate", function()
  local live, nxt, engine, account

  local function start(text, files)
    nxt:write("a.lua", text)
    for name, more in pairs(files or {}) do
      nxt:write(name, more)
    end
    assert(engine:candidate({ nxt.path }))
  end

  local function setup_with(text, options)
    live = rules.folder({ ["a.lua"] = text })
    nxt = rules.folder({})
    engine = rules.engine({ live.path }, options)
    account = rules.account("demo-1")
    engine.live = { account }
    assert(engine:load())
  end

  after_each(function()
    engine:free()
    live:remove()
    nxt:remove()
  end)

  local function move(by) return engine:run(account:poll({ balance = account.c.now._balance + (by or 1) })) end

  local function counts(name)
    local row = engine:report().rules[name]
    return { row.same, row.only_live, row.only_candidate, row.different }
  end

  local PLAIN = 'return rule "b" { watch = { "balance" }, payload = { balance = "balance" } }'

  it("that is the same speaks the same, and nothing of it is sent", function()
    setup_with(PLAIN)
    start(PLAIN)
    for _ = 1, 5 do
      assert.equal(1, #move())
    end
    assert.same({ 5, 0, 0, 0 }, counts("b"))
    local report = engine:report()
    assert.equal(5, report.runs)
    assert.equal(1, report.accounts_followed)
    assert.equal(0, report.accounts_left_out)
    assert.equal(0, report.differences)
    assert.equal(1, engine:status().generation)
    assert.equal(5, engine:rule("b").calls)
  end)

  it("is told what differs, with the input that made the difference", function()
    setup_with(PLAIN)
    start('return rule "b" { watch = { "balance" }, payload = { balance = "balance", equity = "equity" } }')
    move(5)
    assert.same({ 0, 0, 0, 1 }, counts("b"))
    local sample = engine:report().rules.b.samples[1]
    assert.equal("demo-1", sample.account)
    assert.equal("different", sample.kind)
    assert.equal("payload", sample.what)
    assert.same({ balance = 10005 }, sample.live.payload)
    assert.same({ balance = 10005, equity = 10000 }, sample.candidate.payload)
    assert.same({ 10000, 10005 }, sample.input.changed.balance)
    assert.matches("^2026%-", sample.time)
  end)

  it("is told what only one of both says", function()
    setup_with('return rule "gone" { watch = { "balance" }, payload = { v = const(1) } }')
    start('return rule "new" { watch = { "equity" }, payload = { v = const(2) } }')
    move()
    engine:run(account:poll({ equity = 1 }))
    assert.same({ 0, 1, 0, 0 }, counts("gone"))
    assert.same({ 0, 0, 1, 0 }, counts("new"))
    local report = engine:report()
    assert.equal("live", report.rules.gone["in"])
    assert.equal("candidate", report.rules.new["in"])
    assert.equal(2, report.differences)
    assert.equal("only_candidate", report.rules.new.samples[1].kind)
  end)

  it("wakes for what the live rules sleep through", function()
    setup_with(PLAIN)
    start('return rule "e" { watch = { "equity" } }')
    assert.is_true(rules.C.tg_script_wakes(engine.script, account:poll({ equity = 2 }).c))
    rules.C.tg_script_candidate_drop(engine.script)
    assert.is_false(rules.C.tg_script_wakes(engine.script, account.c))
    assert.is_nil(engine:report())
  end)

  it("keeps its newest samples only", function()
    setup_with(PLAIN)
    start('return rule "b" { watch = { "balance" }, payload = { v = const(1) } }')
    for _ = 1, 9 do
      move()
    end
    local samples = engine:report().rules.b.samples
    assert.equal(4, #samples)
    assert.equal(10006, samples[1].live.payload.balance)
    assert.equal(10009, samples[4].live.payload.balance)
  end)

  it("is compared in type, lane and audience, too", function()
    local function of(extra)
      return ('return rule "b" { watch = { "balance" }, payload = { v = const(1) }, %s }'):format(extra)
    end
    setup_with(of('type = "x"'))
    rules.C.tg_script_class_join(engine.script, "alice", "{}", "")
    rules.C.tg_script_class_join(engine.script, "bob", "{}", "")
    for what, extra in pairs({
      type = 'type = "y"', lane = 'type = "x", lane = "latest"',
      audience = 'type = "x", to = function(client) return client.subject == "bob" end',
    }) do
      start(of(extra))
      move()
      assert.same({ 0, 0, 0, 1 }, counts("b"))
      assert.equal(what, engine:report().rules.b.samples[1].what)
    end
    live:write("a.lua", of('type = "x", to = function(client) return client.subject ~= "alice" end'))
    assert(engine:load())
    start(of('type = "x", to = function(client) return client.subject == "bob" end'))
    move()
    assert.same({ 1, 0, 0, 0 }, counts("b"))
  end)

  it("remembers what the live rules remember, and then its own", function()
    local text = [[return rule "n" { watch = { "balance" }, detect = function(now, was, memory)
      memory.n = (memory.n or 0) + 1
      return { n = memory.n }
    end }]]
    setup_with(text)
    move()
    move()
    start(text)
    assert.equal('{"n":3}', move()[1].payload)
    assert.same({ 1, 0, 0, 0 }, counts("n"))
  end)

  it("sees the time of the live run", function()
    local text = 'return rule "t" { watch = { "balance" }, payload = function() return { at = iso8601(now()) } end }'
    setup_with(text)
    start(text)
    for _ = 1, 3 do
      engine:advance(777)
      move()
    end
    assert.same({ 3, 0, 0, 0 }, counts("t"))
  end)

  it("holds back with `every` on its own, also what was held back when it began", function()
    local text = 'return rule "h" { watch = { "balance" }, every = 10, payload = { balance = "balance" } }'
    setup_with(text)
    move()
    move() -- held back
    start(text)
    engine:advance(10001)
    engine:due(account)
    assert.equal(1, #engine.events)
    assert.same({ 1, 0, 0, 0 }, counts("h"))
    nxt:write("a.lua", (text:gsub("every = 10", "every = 2")))
    assert(engine:candidate({ nxt.path }))
    move() -- live holds back until 10 s have passed, the candidate until 2 s have
    local wake = account.c.wake_wall_ms
    engine:advance(2001)
    assert.is_true(rules.C.tg_script_wakes(engine.script, account:poll({}).c))
    engine:run(account)
    assert.same({ 0, 0, 1, 0 }, counts("h"))
    assert.equal(wake, account.c.wake_wall_ms)
  end)

  it("is told moments and makes snapshots", function()
    local text = [[
      return { rule "s" { on = "source_status", payload = function(m) return { status = m.status } end },
        rule "shot" { on = "snapshot", payload = function(m, memory, account) return { account = { v = %d } } end } }]]
    setup_with(text:format(1))
    start(text:format(2))
    engine:tell(account, "source_status", "live")
    assert.same({ 1, 0, 0, 0 }, counts("s"))
    assert.equal('{"account":{"v":1}}', (engine:snapshot(account)))
    assert.same({ 0, 0, 0, 1 }, counts("shot"))
    start(text:format(1))
    engine:snapshot(account)
    assert.same({ 1, 0, 0, 0 }, counts("shot"))
  end)

  it("that faults or runs away is told so, and harms nobody", function()
    setup_with(PLAIN)
    local log = rules.logged(function()
      start('return rule "b" { watch = { "balance" }, detect = function() error("no") end }',
        { ["c.lua"] = 'return rule "c" { watch = { "balance" }, detect = function() while true do end end }' })
      assert.equal('{"balance":10001.00}', move()[1].payload)
      move()
    end)
    local report = engine:report()
    assert.equal(2, report.rules.b.faults)
    assert.matches("a.lua:1: no", report.rules.b.last_fault, 1, true)
    assert.is_true(report.rules.c.muted)
    assert.equal(3, report.faults)
    assert.truthy(log:find("candidate_fault", 1, true))
    assert.truthy(log:find("candidate_muted", 1, true))
    assert.is_nil(log:find('"event":"rule_muted"', 1, true))
    assert.is_false(engine:rule("b").muted)
    assert.equal(0, engine:rule("b").faults)
  end)

  it("that is bad does not begin, and the one that runs stays", function()
    setup_with(PLAIN)
    start(PLAIN)
    nxt:write("a.lua", "broken(")
    local good, why = engine:candidate({ nxt.path })
    assert.is_nil(good)
    assert.matches("a.lua:2:", why, 1, true)
    move()
    assert.same({ 1, 0, 0, 0 }, counts("b"))
    assert.equal(0, tonumber(engine:status().reloads_failed))
  end)

  it("is read again when its files change", function()
    setup_with(PLAIN)
    start(PLAIN)
    local C, err = rules.C, ffi.new("struct tg_err")
    assert.is_false(C.tg_script_candidate_stale(engine.script))
    nxt:write("a.lua", 'return rule "z" { watch = { "balance" }, payload = { v = const(1) } }')
    assert.is_true(C.tg_script_candidate_stale(engine.script))
    assert.equal(0, C.tg_script_candidate_again(engine.script, err))
    assert.truthy(engine:report().rules.z)
    nxt:write("a.lua", "broken(")
    assert.is_true(C.tg_script_candidate_again(engine.script, err) < 0)
    assert.is_false(C.tg_script_candidate_stale(engine.script))
    assert.truthy(engine:report().rules.z)
  end)

  it("leaves out for good the accounts for which there is no time, and tells how many", function()
    setup_with(PLAIN, { candidate_ms_per_second = 1 })
    start([[return rule "b" { watch = { "balance" }, payload = { balance = "balance" }, detect = function()
      local x = 0
      for i = 1, 20000 do x = x + i % 7 end
      return true
    end }]])
    local many = { account }
    for i = 2, 50 do
      many[i] = rules.account("demo-" .. i)
    end
    engine.live = many
    local function all()
      for i, one in ipairs(many) do
        one:poll({ balance = one.c.now._balance + i })
      end
      return engine:run(unpack(many))
    end
    assert.equal(50, #all())
    local report = engine:report()
    assert.equal(50, report.accounts_followed + report.accounts_left_out)
    assert.is_true(report.accounts_followed >= 1 and report.accounts_left_out >= 40, report.accounts_left_out)
    assert.equal(report.accounts_followed, report.runs)
    local followed = report.accounts_followed
    assert.equal(50, #all())
    report = engine:report()
    assert.is_true(report.accounts_followed <= followed)
    assert.is_true(report.rules.b.same >= 1)
    assert.equal(0, report.rules.b.only_live + report.rules.b.only_candidate + report.rules.b.different)
    for _, one in ipairs(many) do
      rules.C.tg_script_forget(engine.script, one.c)
    end
    report = engine:report()
    assert.equal(0, report.accounts_followed + report.accounts_left_out)
  end)

  it("is compared anew when other rules go live", function()
    setup_with(PLAIN)
    start(PLAIN)
    move()
    live:write("a.lua", 'return rule "b" { watch = { "balance" }, payload = { v = const(1) } }')
    assert(engine:load())
    assert.same({ 0, 0, 0, 0 }, counts("b"))
    assert.equal(2, engine:report().live_generation)
    move()
    assert.same({ 0, 0, 0, 1 }, counts("b"))
  end)

  describe("that is promoted", function()
    local V2 = 'return rule "b" { watch = { "balance" }, payload = { v = const(2) } }'

    it("is live, on probation, and can be rolled back; the old files stay aside", function()
      setup_with(PLAIN, { probation_seconds = 60 })
      start(V2)
      nxt:write("a.lua", "broken(") -- what was compared goes live, not what the disk says now
      assert(engine:promote())
      assert.is_nil(engine:report())
      assert.equal('{"v":2}', move()[1].payload)
      local status = engine:status()
      assert.equal(rules.C.TG_ORIGIN_CANDIDATE, status.origin)
      assert.equal(2, status.generation)
      assert.is_true(tonumber(status.probation_ms) > 0)
      assert.is_false(rules.C.tg_script_stale(engine.script))
      assert(engine:rollback())
      assert.equal('{"balance":10002.00}', move()[1].payload)
    end)

    it("begins with what clients were told, not with what the shadow said", function()
      local text = [[return rule "n" { watch = { "balance" }, detect = function(now, was, memory)
        memory.n = (memory.n or 0) + %d
        return { n = memory.n }
      end }]]
      setup_with(text:format(1))
      start(text:format(10))
      move()
      move()
      assert(engine:promote())
      assert.equal('{"n":12}', move()[1].payload)
    end)

    it("is proved on live accounts like any other", function()
      setup_with(PLAIN, { trial_accounts = 10 })
      start('return rule "b" { watch = { "balance" }, detect = function(now) error("always") end }')
      local good, why = engine:promote()
      assert.is_nil(good)
      assert.matches('dry run: rule "b" fails on account demo-1: a.lua:1: always', why, 1, true)
      assert.truthy(engine:report())
      assert.equal(1, engine:status().generation)
    end)

    it("becomes the files' own when they say the same", function()
      setup_with(PLAIN)
      start(V2)
      assert(engine:promote())
      live:write("a.lua", V2)
      assert.equal(1, engine:follow())
      assert.equal(rules.C.TG_ORIGIN_FILES, engine:status().origin)
      assert.equal(2, engine:status().generation)
    end)

    it("must be there", function()
      setup_with(PLAIN)
      local good, why, rc = engine:promote()
      assert.is_nil(good)
      assert.equal("there is no candidate", why)
      assert.equal(-rules.C.TG_ENOTFOUND, rc)
    end)
  end)

  it("that comes and goes a hundred times leaves the live rules as they were", function()
    setup_with(PLAIN)
    for i = 1, 100 do
      start('return rule "b" { watch = { "balance" }, payload = { v = const(' .. i .. ") } }")
      assert.equal(1, #move())
      rules.C.tg_script_candidate_drop(engine.script)
    end
    assert.equal(100, engine:rule("b").events)
    assert.is_true(tonumber(engine:status().memory_used) < 1024 * 1024)
  end)
end)
