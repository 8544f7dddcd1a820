-- The dry run: a candidate meets the accounts that are live before it may be live itself.
local ffi = require("ffi")
local rules = require("support.rules")

describe("a dry run", function()
  local folder, engine, account, flat

  local GOOD = 'return rule "level" { watch = { "margin" }, payload = { v = const(1) } }'

  before_each(function()
    folder = rules.folder({ ["a.lua"] = GOOD })
    engine = rules.engine({ folder.path }, { trial_accounts = 100 })
    account = rules.account("demo-1", { margin = 100 })
    account:set_positions({ { position_id = 7, ticket = 7, symbol = "EURUSD", volume = 1, price_current = 1.1,
      price_open = 1.2, profit = 1 } })
    flat = rules.account("flat-2", { margin = 0 })
    engine.live = { account, flat }
    assert(engine:load())
  end)

  after_each(function() rules.leave(engine, folder) end)

  local function refused(text, ...)
    local log = rules.logged(function()
      folder:write("a.lua", text)
      local good, why = engine:load()
      assert.is_nil(good, "it was taken")
      for _, part in ipairs({ "dry run: ", "a.lua:" }) do
        assert.matches(part, why, 1, true)
      end
      engine.why = why
    end)
    for _, part in ipairs({ ... }) do
      assert.matches(part, engine.why, 1, true)
    end
    assert.is_nil(log:find('"event":"fault"', 1, true), log)
    assert.is_nil(log:find("rule_muted", 1, true), log)
    assert.equal(1, engine:status().generation)
    assert.equal('{"v":1}', engine:run(account:poll({ margin = account.c.now._margin + 1 }))[1].payload)
  end

  local function taken(text)
    folder:write("a.lua", text)
    assert(engine:load())
  end

  it("refuses a rule that fails on a real account, and names it", function()
    refused([[return rule "level" { watch = { "margin" }, detect = function(now)
      if now.margin == 0 then error("nothing to divide by") end
    end }]], 'rule "level" fails on account flat-2: a.lua:2: nothing to divide by')
  end)

  it("refuses what runs away or eats the memory", function()
    refused('return rule "level" { watch = { "equity" }, detect = function() while true do end end }',
      "it ran longer than 20 ms")
    refused([[return rule "level" { watch = { "equity" }, detect = function(now, was, memory)
      for i = 1, 1e7 do memory[i] = tostring(i) end
    end }]], 'rule "level" fails on account ')
  end)

  it("meets moments, snapshots, ticks, told moments and what `every` held back", function()
    for on, body in pairs({
      position_opened = 'payload = function(m) error("at " .. m.symbol) end',
      position_modified = 'payload = function(m) error("at " .. m.symbol) end',
      position_closed = 'payload = function(m) error("at " .. m.symbol .. m.close_price) end',
      tick = 'payload = function(m, memory, account) error("at " .. account.id) end',
      source_status = 'payload = function(m) error("at " .. m.status) end',
      snapshot = 'payload = function(m) error("at snapshot") end',
    }) do
      refused(('return rule "level" { on = %q, %s }'):format(on, body), "a.lua:1: at ")
    end
  end)

  it("asks filters", function()
    local class = rules.C.tg_script_class_join(engine.script, "alice", '{"desk":"x"}', "")
    refused([[return rule "level" { watch = { "margin" }, payload = { v = const(2) },
      to = function(client) return client.claims.desk.name.first == "x" end }]], 'rule "level" fails on account ')
    rules.C.tg_script_class_leave(engine.script, class)
  end)

  it("throws away what is said and what is remembered", function()
    local said = 0
    engine.on_event = function() said = said + 1 end
    taken([[
      local seen = 0
      return rule "level" { watch = { "margin" }, detect = function(now, was, memory)
        memory.n, seen = (memory.n or 0) + 1, seen + 1
        return { n = memory.n, seen = seen }
      end }]])
    assert.equal(0, said)
    assert.equal(0, account.c.wake_wall_ms)
    assert.equal('{"n":1,"seen":1}', engine:run(account:poll({ margin = 101 }))[1].payload)
    assert.equal(1, engine:rule("level").calls)
  end)

  it("runs with what the rules remember", function()
    taken([[return rule "level" { watch = { "margin" }, detect = function(now, was, memory)
      memory.n = (memory.n or 0) + 1
    end }]])
    engine:run(account:poll({ margin = 101 }))
    folder:write("a.lua", [[return rule "level" { watch = { "margin" }, detect = function(now, was, memory)
      if memory.n == 1 then error("it remembers") end
      memory.n = (memory.n or 0) + 1
    end }]])
    local good, why = engine:load()
    assert.is_nil(good)
    assert.matches("account demo-1: a.lua:2: it remembers", why, 1, true)
  end)

  it("does not hold against a set what fails already", function()
    engine.live = {}
    local broken = 'return rule "broken" { watch = { "margin" }, detect = function() error("as ever") end }'
    folder:write("b.lua", broken)
    assert(engine:load())
    engine.live = { account, flat }
    taken('return rule "level" { watch = { "margin" }, payload = { v = const(2) } }')
    assert.equal(3, engine:status().generation)
    folder:write("c.lua", 'return rule "new" { watch = { "margin" }, detect = function() error("new") end }')
    local good, why = engine:load()
    assert.is_nil(good)
    assert.matches('rule "new" fails', why, 1, true)
  end)

  it("is bounded by the number of accounts", function()
    local few = rules.engine({ folder.path }, { trial_accounts = 1 })
    few.live = { account, flat }
    assert(few:load())
    folder:write("a.lua", [[return rule "level" { watch = { "margin" }, detect = function(now)
      if now.margin == 0 then error("never met") end
    end }]])
    assert(few:load())
    few:free()
  end)

  it("meets some accounts however little time there is", function()
    local quick = rules.engine({ folder.path }, { trial_accounts = 100, trial_ms = 0 })
    quick.live = { account, flat }
    assert(quick:load())
    folder:write("a.lua", 'return rule "level" { watch = { "margin" }, detect = function() error("at once") end }')
    local good, why = quick:load()
    assert.is_nil(good)
    assert.matches("at once", why, 1, true)
    quick:free()
  end)

  it("is bounded by its time", function()
    local quick = rules.engine({ folder.path }, { trial_accounts = 100, trial_ms = 1 })
    quick.live = {}
    for i = 1, 100 do
      quick.live[i] = rules.account("slow-" .. i, { margin = i })
    end
    assert(quick:load())
    folder:write("a.lua", [[return rule "level" { watch = { "margin" }, detect = function(now)
      local x = 0
      for i = 1, 20000 do x = x + i end
      if now.id == "slow-100" then error("never met") end
    end }]])
    assert(quick:load())
    quick:free()
  end)

  it("leaves the live rules' compiled code and their bell alone", function()
    local log = rules.logged(function()
      for i = 1, 20 do
        taken(GOOD .. "-- " .. i)
      end
    end)
    assert.is_nil(log:find("muted", 1, true), log)
    assert.is_true(ffi.string(engine:status().last_error) == "")
  end)
end)
