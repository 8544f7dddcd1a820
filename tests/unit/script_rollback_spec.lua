-- The way back: to the set that ran before, by hand or by itself while a fresh generation is on probation.
local ffi = require("ffi")
local rules = require("support.rules")

local COUNTER = [[return rule "n" { watch = { "balance" }, version = %d, %s detect = function(now, was, memory)
  memory.n = (memory.n or 0) + 1
  return { v = %d, n = memory.n }
end }]]

local function counter(v, version, extra)
  return COUNTER:format(version or 1, extra or "", v)
end

describe("a rollback", function()
  local folder, engine, account

  before_each(function() folder, engine, account = rules.stage({ ["a.lua"] = counter(1) }) end)
  after_each(function() rules.leave(engine, folder) end)

  local function says()
    local events = engine:run(account:poll({ balance = account.c.now._balance + 1 }))
    return events[1] and events[1].payload
  end

  local function put(text)
    folder:write("a.lua", text)
    assert(engine:load())
  end

  it("needs a set that ran before", function()
    local good, why, rc = engine:rollback()
    assert.is_nil(good)
    assert.equal("no rule set ran before this one", why)
    assert.is_true(rc < 0)
    assert.equal(1, engine:status().generation)
  end)

  it("returns to the texts that ran before, whatever the disk says, with the memory of now", function()
    assert.equal('{"n":1,"v":1}', says())
    local version = ffi.string(engine:status().version)
    put(counter(2))
    assert.equal('{"n":2,"v":2}', says())
    local bad = ffi.string(engine:status().version)
    folder:remove("a.lua")
    assert(engine:rollback("it is wrong"))
    assert.equal('{"n":3,"v":1}', says())
    local status = engine:status()
    assert.equal(3, status.generation)
    assert.equal(version, ffi.string(status.version))
    assert.equal(rules.C.TG_ORIGIN_ROLLBACK, status.origin)
    assert.equal(bad, ffi.string(status.rollback.version))
    assert.equal("it is wrong", ffi.string(status.rollback.reason))
    assert.is_false(status.rollback.automatic)
    assert.equal(1, tonumber(status.rollbacks))
  end)

  it("gives rules whose memory has moved on what they remembered themselves", function()
    says()
    put(counter(2, 2, "migrate = function(old) return { n = old.n + 100 } end,"))
    assert.equal('{"n":102,"v":2}', says())
    assert(engine:rollback())
    assert.equal('{"n":2,"v":1}', says())
  end)

  it("migrates nothing backwards", function()
    put(counter(1, 1, 'migrate = function() error("backwards") end,') .. " ")
    says()
    put(counter(2, 2))
    says()
    assert(engine:rollback())
    assert.equal('{"n":2,"v":1}', says())
  end)

  it("goes back one by one, as far as sets are kept", function()
    for v = 2, 8 do
      put(counter(v))
    end
    assert.equal(4, engine:status().kept)
    for v = 7, 4, -1 do
      assert(engine:rollback())
      assert.matches('"v":' .. v, says(), 1, true)
    end
    assert.is_nil((engine:rollback()))
  end)

  it("is not undone by files that have not changed, or changed only in name", function()
    put(counter(2))
    assert(engine:rollback())
    assert.is_false(rules.C.tg_script_stale(engine.script))
    folder:write("b.lua", "x")
    folder:remove("b.lua")
    folder:write("a.lua", counter(2)) -- written again, the same
    local good, why, rc = engine:follow()
    assert.is_nil(good)
    assert.equal(-rules.C.TG_EAGAIN, rc)
    assert.matches("that was rolled back: asked for", why, 1, true)
    assert.equal(0, tonumber(engine:status().reloads_failed))
    assert.matches('"v":1', says(), 1, true)
    folder:write("a.lua", counter(3))
    assert.equal(0, engine:follow())
    assert.matches('"v":3', says(), 1, true)
    assert.equal(rules.C.TG_ORIGIN_FILES, engine:status().origin)
    assert.equal("", ffi.string(engine:status().rollback.version))
  end)

  it("is undone by an explicit load", function()
    put(counter(2))
    assert(engine:rollback())
    assert(engine:load())
    assert.matches('"v":2', says(), 1, true)
    assert.equal(rules.C.TG_ORIGIN_FILES, engine:status().origin)
  end)

  it("is over when the files are again what runs", function()
    put(counter(2))
    assert(engine:rollback())
    folder:write("a.lua", counter(1))
    assert.equal(1, engine:follow())
    local status = engine:status()
    assert.equal(3, status.generation)
    assert.equal(rules.C.TG_ORIGIN_FILES, status.origin)
  end)

  it("a hundred times leaves nothing behind", function()
    for _ = 1, 50 do
      put(counter(2))
      says()
      assert(engine:rollback())
      says()
    end
    assert.equal(0, engine:status().kept)
    assert.is_true(tonumber(engine:status().memory_used) < 2 * 1024 * 1024)
  end)
end)

describe("files that were changed and changed back", function()
  it("are no new generation, and end the complaint about what was between", function()
    local folder = rules.folder({ ["a.lua"] = counter(1) })
    local engine = rules.engine({ folder.path })
    assert(engine:load())
    folder:write("a.lua", "broken(")
    assert.is_nil((engine:follow()))
    assert.truthy(#ffi.string(engine:status().last_error) > 0)
    folder:write("a.lua", counter(1))
    assert.equal(1, engine:follow())
    assert.equal(1, engine:status().generation)
    assert.equal("", ffi.string(engine:status().last_error))
    engine:free()
    folder:remove()
  end)
end)

describe("a generation on probation", function()
  local folder, engine, account

  local GOOD = 'return rule "n" { watch = { "balance" }, payload = { v = const(%d) } }'

  before_each(function()
    folder = rules.folder({ ["a.lua"] = GOOD:format(1) })
    engine = rules.engine({ folder.path }, {
      budget_ms = 500, -- nothing here runs away, and the machine may be busy
      probation_seconds = 60, rollback_faults = 3, rollback_events_factor = 10, rollback_events_minimum = 20,
    })
    account = rules.account("demo-1")
    engine.live = { account }
    assert(engine:load())
  end)

  after_each(function()
    engine:free()
    folder:remove()
  end)

  local function poll() return engine:run(account:poll({ balance = account.c.now._balance + 1 })) end

  local function put(text)
    folder:write("a.lua", text)
    assert.equal(0, engine:follow())
  end

  it("is told, and over after its time", function()
    assert.equal(0, tonumber(engine:status().probation_ms))
    put(GOOD:format(2))
    assert.equal(60000, tonumber(engine:status().probation_ms))
    for _ = 1, 59 do
      assert.is_nil(engine:tick())
      poll()
    end
    assert.equal(1000, tonumber(engine:status().probation_ms))
    assert.is_nil(engine:tick())
    assert.equal(0, tonumber(engine:status().probation_ms))
    assert.equal(2, engine:status().generation)
  end)

  it("is rolled back when one of its rules is muted", function()
    put('return rule "n" { watch = { "balance" }, detect = function() while true do end end }')
    poll()
    local why = engine:tick()
    assert.matches('rule "n" was muted: a.lua:1: it ran longer than 500 ms', why, 1, true)
    local status = engine:status()
    assert.equal(3, status.generation)
    assert.is_true(status.rollback.automatic)
    assert.equal(why, ffi.string(status.rollback.reason))
    assert.equal(1, tonumber(status.rollbacks_automatic))
    assert.equal('{"v":1}', poll()[1].payload)
    assert.is_nil(engine:tick())
  end)

  it("is rolled back when a rule faults again and again that did not before", function()
    put('return rule "n" { watch = { "balance" }, detect = function(now) return now.nope end }')
    poll()
    poll()
    assert.is_nil(engine:tick())
    poll()
    assert.matches('rule "n" faulted 3 times: a.lua:1: ', engine:tick(), 1, true)
    assert.equal('{"v":1}', poll()[1].payload)
  end)

  it("is not rolled back for faults that the rule had before", function()
    put('return rule "n" { watch = { "balance" }, detect = function(now) return now.nope end }')
    poll()
    for _ = 1, 60 do
      assert.is_nil(engine:tick())
    end
    put('return rule "n" { watch = { "balance" }, detect = function(now) return now.nope end } -- again')
    for _ = 1, 4 do
      poll()
    end
    assert.is_nil(engine:tick())
  end)

  it("is rolled back for faults that are far more than before", function()
    put([[return rule "n" { watch = { "balance" }, detect = function(now, was, memory)
      memory.n = (memory.n or 0) + 1
      if memory.n == 5 then error("once") end
    end }]])
    for _ = 1, 60 do
      poll()
      assert.is_nil(engine:tick())
    end
    assert.equal(1, engine:rule("n").faults)
    put('return rule "n" { watch = { "balance" }, detect = function() error("always") end }')
    for _ = 1, 3 do
      poll()
    end
    assert.matches("faulted 3 times", engine:tick(), 1, true)
  end)

  it("is not rolled back for what happens after its time", function()
    put('return rule "n" { watch = { "balance" }, detect = function(now) return now.nope end }')
    for _ = 1, 60 do
      assert.is_nil(engine:tick())
    end
    for _ = 1, 4 do
      poll()
    end
    assert.is_nil(engine:tick())
    assert.equal(2, engine:status().generation)
  end)

  local LOUD = [[
    local list = {}
    for i = 1, %d do
      list[i] = rule("n" .. i) { watch = { "balance" }, payload = { v = const(i) } }
    end
    return list
  ]]

  it("is rolled back when it speaks far more than the one before", function()
    for _ = 1, 20 do
      poll()
      assert.is_nil(engine:tick())
    end
    put(LOUD:format(40)) -- 40 a second against 1: after 1 s, 20 + 1 + 10 are allowed
    poll()
    local why = engine:tick()
    assert.matches("40 events in 1000 ms, 31 are allowed: before, there were 1.0 a second", why, 1, true)
    assert.equal('{"v":1}', poll()[1].payload)
  end)

  it("is judged by the rate before, not by what was rolled back", function()
    for _ = 1, 20 do
      poll()
      assert.is_nil(engine:tick())
    end
    put(LOUD:format(200))
    poll()
    assert.truthy(engine:tick())
    put(LOUD:format(41))
    poll()
    assert.matches("before, there were 1.0 a second", engine:tick(), 1, true)
  end)

  it("may speak as much as before, and more within the bounds", function()
    for _ = 1, 20 do
      poll()
      assert.is_nil(engine:tick())
    end
    put(LOUD:format(9))
    for _ = 1, 60 do
      poll()
      assert.is_nil(engine:tick())
    end
  end)

  it("is not judged by its rate when nothing is known of the one before", function()
    for _ = 1, 5 do
      assert.is_nil(engine:tick())
    end
    put(LOUD:format(200))
    poll()
    assert.is_nil(engine:tick())
    assert.equal(2, engine:status().generation)
  end)

  it("is not on probation when it is the same files again", function()
    assert(engine:load())
    assert.equal(0, tonumber(engine:status().probation_ms))
  end)
end)
