local rules = require("support.rules")

describe("an account that a rule is given", function()
  local folder, engine

  before_each(function() folder, engine = rules.stage() end)
  after_each(function() rules.leave(engine, folder) end)

  -- Two polls of an account with another account's between them: what was kept at the first must still be
  -- the first's at the last, whichever way it was kept.
  local ways = {
    { "in memory", "local old = memory.view memory.view = memory.view or now" },
    { "in memory, deeper", "local old = memory[1] and memory[1].view memory[1] = memory[1] or { view = now }" },
    { "in an upvalue", "local old = kept kept = kept or now" },
    { "in a table of the file", "local old = shelf[now.id] shelf[now.id] = shelf[now.id] or now" },
    { "in a global", "local old = store.view store.view = store.view or now" },
    { "by a helper", "local old = shelf.x put(now)" },
    { "by a helper's helper", "local old = shelf.x through(now)" },
    { "by a helper under pcall", "local old = shelf.x pcall(put, now)" },
    { "by one of two helpers", "local old = shelf.x; (now.balance > 0 and put or look)(now)" },
    { "by a method of a table", "local old = shelf.x shelf.put(now)" },
    { "in a local that is captured", "local mine = now local old = f and f() f = f or function() return mine end" },
    { "in a closure", "local old = f and f() f = f or function() return now end" },
    { "in a list", "local old = list_of[1] table.insert(list_of, now)" },
    { "by table.insert at the front of a table", "local old = shelf.x shelf.x = shelf.x or select(1, now)" },
    { "as a choice", "local old = shelf.x shelf.x = shelf.x or (was.balance == 0 and was or now)" },
    { "through a variable", "local a = now local b = a local old = shelf.x shelf.x = shelf.x or b" },
    { "by an argument that is assigned", "local old = shelf.x was = now shelf.x = shelf.x or was" },
  }
  local text = [[
local kept, f
local shelf, list_of, store = {}, {}, math
local function put(account) shelf.x = shelf.x or account end
local function through(account) return put(account) end
local function look(account) return account.balance end
shelf.put = put
rule "k" { watch = { "balance" },
  detect = function(now, was, memory)
    %s
    return old or pick(now, "balance")
  end,
  payload = function(_, _, old) return { before = old.balance } end,
}]]

  for _, way in ipairs(ways) do
    it("stays as it was when it is kept " .. way[1], function()
      folder:write("a.lua", text:format(way[2]))
      assert(engine:load())
      local one, two = rules.account("demo-1"), rules.account("demo-2")
      engine:run(one:poll({ balance = 111 }))
      engine:run(two:poll({ balance = 222 }))
      local events = engine:run(one:poll({ balance = 333 }))
      assert.equal(0, engine:rule("k").faults)
      assert.equal('{"before":111}', events[1].payload)
    end)
  end

  it("refuses to be read, and shows no other's figures, when it was kept by what changed its mind", function()
    folder:write("a.lua", [[
local shelf = {}
local put = function(account) return account.balance end
local function change() put = function(account) shelf.x = shelf.x or account end end
rule "k" { watch = { "balance" }, detect = function(now)
  local old = shelf.x
  put(now)
  change()
  return { old = old and old.balance }
end }]])
    assert(engine:load())
    local one, two = rules.account("demo-1"), rules.account("demo-2")
    engine:run(one:poll({ balance = 1 }))
    engine:run(one:poll({ balance = 2 }))
    local log = rules.logged(function() assert.same({}, engine:run(two:poll({ balance = 3 }))) end)
    assert.truthy(log:find("this account belongs to the call that it was given to: keep pick(account, …)", 1, true), log)
    assert.truthy(log:find("a.lua:8: ", 1, true), log)
  end)

  it("is read in every way by a rule that only reads", function()
    folder:write("a.lua", [[
local function sum(account)
  local lots, waiting = 0, 0
  for position in account:positions() do lots = lots + position.volume end
  for _ in account:orders() do waiting = waiting + 1 end
  return lots, waiting
end
rule "r" { watch = { "balance" },
  only = function(account) return account.leverage == 100 end,
  detect = function(now, was) return crossed(now.balance, was.balance, 5000) end,
  payload = function(now, was, way)
    local lots, waiting = sum(now)
    return {
      way = way, lots = lots, before = sum(was), waiting = waiting, name = now.name, id = now.id, unknown = now.margin == nil,
      mode = now.trade_mode, allowed = now.trade_allowed, text = tostring(now), kind = type(was),
      picked = pick(now, "balance"), differs = diff(now, was, "balance"),
    }
  end,
}
rule "m" { on = "position_opened", detect = function(moment, memory, account)
  return { login = account.login, n = moment.ticket }
end }
rule "wrong" { watch = { "balance" }, detect = function(now) return now.balanse end }
rule "write" { watch = { "balance" }, detect = function(now) now.balance = 5 end }]])
    assert(engine:load())
    local account = rules.account("demo-1", { trade_mode = "demo", trade_allowed = 1, margin = 0 / 0 })
    account:set_positions({ rules.position({ volume = 2 }), rules.position({ volume = 0.5 }) }, { rules.position({ volume = 1 }) })
    account:set_orders({ rules.order() })
    local events
    local log = rules.logged(function()
      events = engine:run(account:poll({ balance = 100 }, { { kind = "TG_MOMENT_POSITION_OPENED", position = rules.position() } }))
    end)
    assert.equal('{"login":"5001","n":501}', events[1].payload)
    assert.equal('{"allowed":true,"before":1,"differs":{"balance":{"diff":-9900,"new":100,"old":10000}},"id":"demo-1",'
      .. '"kind":"cdata","lots":2.5,"mode":"demo","name":"Ann","picked":{"balance":100},"text":"account demo-1",'
      .. '"unknown":true,"waiting":1,"way":"down"}', events[2].payload)
    assert.equal(2, #events)
    assert.truthy(log:find('a.lua:22: no field \\"balanse\\"; did you mean \\"balance\\"?', 1, true), log)
    assert.equal(1, engine:rule("write").faults)
  end)
end)

describe("whether a function may keep an argument", function()
  local function helper(account) return account.x end
  local function pick() end
  local keeps = dofile((os.getenv("TIDEGATE_SOURCE") or ".") .. "/lua/keeps.lua")({ [pick] = true }, { positions = true })
  local store = {}

  it("is no for what only reads", function()
    local function fact(account, n) return n == 0 and account.x or fact(account, n - 1) end -- luacheck: ignore
    local reading = {
      function(a) return a.balance end,
      function(a) return a.balance > 5 and a.margin or a.equity end,
      function(a) if a then return a.x end end,
      function(a) for p in a:positions() do store[#store + 1] = p end end,
      function(a) local x = a.balance store.x = x end,
      function(a) return helper(a) end,
      function(a) local zone = helper(a) return zone end,
      function(a) return pick(a, "x", helper(a)) end,
      function(_, b) return b.x end,
      function() return 5 end,
      function(a) return a == nil end,
    }
    for i, f in ipairs(reading) do
      assert.is_false(keeps(f, 0), "function " .. i)
    end
  end)

  it("is yes for all else", function()
    local keeping = {
      function(a) return a end,
      function(a) return a.x, a end,
      function(a) store.x = a end,
      function(a) store[a] = true end,
      function(a) store = a end,
      function(a) return { a } end,
      function(a) return { x = a } end,
      function(a) local b = a return b.x end,
      function(a) return function() return a end end,
      function(a) return helper(a, a), store.f(a) end,
      function(a) return (a.x and helper or store.f)(a) end,
      function(a) return unknown_global(a) end, -- luacheck: ignore
      function(a) return a:other() end,
      function(...) return ... end,
      function(a) a = nil return a end, -- luacheck: ignore
      function(a) return a .. "x" end,
      function(a) return (a or store).x end,
      tostring,
    }
    for i, f in ipairs(keeping) do
      assert.is_true(keeps(f, 0), "function " .. i)
    end
  end)
end)
