local rules = require("support.rules")

describe("expect", function()
  local folder, engine

  before_each(function() folder, engine = rules.stage() end)
  after_each(function() rules.leave(engine, folder) end)

  local zone = [[
local warn = option("warn", 150)
rule "zone" {
  watch = { "margin_level" },
  to = function(client) return client.claims.role == "risk" or client.subject == "eve" or client.query.all == "1" end,
  detect = function(now, was, memory)
    local low = now.margin_level ~= nil and now.margin_level < warn
    if low == (memory.low or false) then return nil end
    memory.low = low
    return low and "low" or "safe"
  end,
  payload = function(now, _, zone) return { zone = zone, level = now.margin_level, inner = { list = { 1, 2 } } } end,
}
]]
  local trade = [[
return {
  rule "trade" {
    on = { "position_closed", "position_modified" },
    payload = { "ticket", "symbol", "sl", { reason = "close_reason" }, "net_profit", { was = { now = "account.balance" } } },
  },
  rule "moved" { on = "position_modified", payload = { "ticket", { changes = changes { "sl", "volume" } } } },
  rule "cash" { on = "balance_operation", payload = { "action", "profit", "ticket", { at = "time" } } },
  rule "link" { on = "source_status" },
  rule "who" { on = "client_connected" },
  rule "beat" { on = "tick", detect = function(_, memory)
    memory.n = (memory.n or 0) + 1
    return { n = memory.n, at = now() }
  end },
  rule "slow" { watch = { "equity" }, every = 10, payload = { changes = changes { "equity" } } },
  rule "open" { watch = { "profit" }, payload = { { open = positions { "ticket", "symbol", "volume" } }, "positions_count" } },
  rule "order" { on = { "order_placed", "order_modified" }, payload = { "ticket", { kind = "type" }, { price = "price_open" },
    when "estimated" } },
  rule "waiting" { watch = { "orders_count" }, payload = { { orders = orders { "ticket", "type" } } } },
  rule "all" { on = "snapshot", payload = { "balance", { open = positions { "ticket" } } } },
  rule "text" { watch = { "equity" }, detect = function(now, was) return { now = now.name, was = was.name } end },
  %s
}
]]

  -- Loads the rules with an example behind them; nil, or the sentence.
  local function try(text, example)
    folder:write("a.lua", text:find("%s", 1, true) and text:gsub("%%s", function() return example end) or text .. example)
    local good, why = engine:load()
    return not good and why or nil
  end

  local good = {
    { zone, 'expect "zone" { was = { margin_level = 160 }, now = { margin_level = 140 }, gives = { zone = "low", '
      .. 'level = 140, inner = { list = { 1, 2 } } } }' },
    { zone, 'expect "zone" { was = { margin_level = 160 }, now = { margin_level = 140 }, gives = including { zone = "low" } }' },
    { zone, 'expect "zone" { was = { margin_level = 160 }, now = { margin_level = 155 }, gives = nothing }' },
    { zone, 'expect "zone" { now = { margin_level = nothing }, gives = nothing }' },
    { zone, 'expect "zone" { now = { margin_level = 140 }, gives = any, remembers = { low = true } }' },
    { zone, 'expect "zone" { memory = { low = true, deep = { 1 } }, now = { margin_level = 140 }, gives = nothing }' },
    { zone, 'expect "zone" { options = { warn = 130 }, now = { margin_level = 140 }, gives = nothing }' },
    { zone, 'expect "zone" { now = { margin_level = 140 }, gives = { zone = "low", level = any, inner = including {} } }' },
    { zone, 'expect "zone" { now = { margin_level = 140 }, client = { claims = { role = "risk" } }, reaches = true }' },
    { zone, 'expect "zone" { now = { margin_level = 140 }, client = { query = { all = "1" } }, reaches = true }' },
    { zone, 'expect "zone" { now = { margin_level = 140 }, reaches = false }' },
    { zone, [[expect "zone" {
      was = { margin_level = 160 }, client = { subject = "eve" },
      { now = { margin_level = 140 }, gives = including { zone = "low" }, reaches = true },
      { now = { margin_level = 139 }, gives = nothing },
      { gives = nothing },
      { now = { margin_level = 200 }, client = { subject = "bob" }, gives = including { zone = "safe" }, reaches = false },
    }]] },
    { trade, [[expect "trade" { moment = { kind = "position_closed", ticket = 7, close_reason = "sl", net_profit = -12.5 },
      now = { balance = 5 }, gives = { ticket = 7, symbol = "EURUSD", reason = "sl", net_profit = -12.5, was = { now = 5 } } }]] },
    { trade, 'expect "moved" { moment = { sl = 1.1, was = { sl = 1.2 } }, gives = { ticket = 501, changes = { sl = '
      .. '{ old = 1.2, new = 1.1 } } } }' },
    { trade, 'expect "moved" { moment = { sl = 1.1 }, gives = nothing }' },
    { trade, [[expect "cash" { moment = { profit = 50, ticket = "18446744073709551615", time = "2026-01-31T10:00:00Z" },
      gives = { action = "balance", profit = 50, ticket = "18446744073709551615", at = "2026-01-31T10:00:00.000Z" } }]] },
    { trade, 'expect "link" { moment = { status = "stale" }, gives = { status = "stale" } }' },
    { trade, 'expect "who" { moment = { subject = "eve" }, gives = { subject = "eve" } }' },
    { trade, [[expect "beat" {
      { gives = { n = 1, at = 1767225600000 } },
      { gives = { n = 2, at = 1767225601000 } },
      { at = "2026-03-01T00:00:00Z", gives = { n = 3, at = 1772323200000 } },
      { after = 0.5, gives = including { at = 1772323200500 }, remembers = { n = 4 } },
    }]] },
    { trade, [[expect "slow" {
      { now = { equity = 1 }, gives = { changes = { equity = { old = 10000, new = 1, diff = -9999 } } } },
      { now = { equity = 2 }, gives = nothing },
      { after = 9, gives = { changes = { equity = { old = 1, new = 2, diff = 1 } } } },
    }]] },
    { trade, [[expect "open" { now = { profit = 5, positions = { {}, { ticket = 9, symbol = "GOLD", volume = 0.5 } } },
      gives = { positions_count = 2, open = { { ticket = 501, symbol = "EURUSD", volume = 1 },
        { ticket = 9, symbol = "GOLD", volume = 0.5 } } } }]] },
    { trade, [[expect "open" {
      { was = { positions = { {} } }, now = { profit = 1 }, gives = including { positions_count = 1 } },
      { now = { profit = 2 }, gives = including { positions_count = 1 } },
      { now = { profit = 3, positions = {} }, gives = { open = {}, positions_count = 0 } },
    }]] },
    { trade, [[expect "order" {
      { moment = { kind = "order_placed" }, gives = { ticket = 801, kind = "buy_limit", price = 1.08 } },
      { moment = { kind = "order_modified", ticket = 7, price_open = 1.07, was = { price_open = 1.08 } },
        gives = { ticket = 7, kind = "buy_limit", price = 1.07 } },
    }]] },
    { trade, [[expect "waiting" {
      { now = { orders = { {}, { type = "sell_stop" } } },
        gives = { orders = { { ticket = 801, type = "buy_limit" }, { ticket = 802, type = "sell_stop" } } } },
      { now = { orders = {} }, gives = { orders = {} } },
      { now = { orders_known = false, orders_count = 1 }, gives = { orders = nothing } },
    }]] },
    { trade, 'expect "all" { now = { balance = 3, positions = { {} } }, gives = { balance = 3, open = { { ticket = 501 } } } }' },
    { trade, 'expect "text" { was = { name = "A" }, now = { name = "B", equity = 1 }, gives = { now = "B", was = "A" } }' },
  }
  for i, case in ipairs(good) do
    it("holds: " .. i .. " " .. case[2]:gsub("%s+", " "):sub(1, 100), function()
      assert.is_nil(try(case[1], case[2]))
    end)
  end

  local bad = {
    { zone, 'expect "zone" { now = { margin_level = 140 }, gives = { zone = "call", level = 140 } }',
      'a.lua:13: expect "zone": gives.inner: not expected, got {"list":[1,2]}' },
    { zone, 'expect "zone" { now = { margin_level = 140 }, gives = including { zone = "call" } }',
      'a.lua:13: expect "zone": gives.zone: expected "call", got "low"' },
    { zone, 'expect "zone" { now = { margin_level = 140 }, gives = including { inner = { list = { 1, 3 } } } }',
      'a.lua:13: expect "zone": gives.inner.list[2]: expected 3, got 2' },
    { zone, 'expect "zone" { now = { margin_level = 140 }, gives = including { more = 1 } }',
      'a.lua:13: expect "zone": gives.more: expected 1, got nothing' },
    { zone, 'expect "zone" { now = { margin_level = 140 }, gives = nothing }',
      'a.lua:13: expect "zone": gives: expected nothing, got {"inner":{"list":[1,2]},"level":140,"zone":"low"}' },
    { zone, 'expect "zone" { now = { margin_level = 200 }, gives = any }',
      'a.lua:13: expect "zone": gives: expected any value, got nothing (`detect` returned nothing)' },
    { zone, 'expect "zone" { now = { equity = 200 }, gives = { zone = "low" } }', 'a.lua:13: expect "zone": gives: '
      .. 'expected {"zone":"low"}, got nothing (none of the fields that it watches changed)' },
    { zone, 'expect "zone" {\n { now = { margin_level = 140 } },\n { now = { margin_level = 1 }, gives = any } }',
      'a.lua:13: expect "zone": step 2: gives: expected any value, got nothing (`detect` returned nothing)' },
    { zone, 'expect "zone" { now = { margin_level = 140 }, remembers = { low = false } }',
      'a.lua:13: expect "zone": remembers.low: expected false, got true' },
    { zone, 'expect "zone" { now = { margin_level = 140 }, reaches = true }',
      'a.lua:13: expect "zone": reaches: expected true, got false' },
    { zone, 'expect "zone" { now = { margin_level = 200 }, reaches = true }',
      'a.lua:13: expect "zone": reaches: nothing was said (`detect` returned nothing)' },
    { zone, 'expect "zone" { now = { margin_levle = 140 }, gives = any }',
      'a.lua:13: expect "zone": now: no field "margin_levle"; did you mean "margin_level"?' },
    { zone, 'expect "zone" { now = { free_margin = 140 }, gives = any }',
      'a.lua:13: expect "zone": now: no field "free_margin"; it is called "margin_free"' },
    { zone, 'expect "zone" { nwo = { margin_level = 140 }, gives = any }',
      'a.lua:13: expect "zone": no key "nwo"; did you mean "now"?' },
    { zone, 'expect "zone" { now = 5, gives = any }', 'a.lua:13: expect "zone": now must be a table, not a number' },
    { zone, 'expect "zone" { now = nothing, gives = any }', 'a.lua:13: expect "zone": now must be a table, not `nothing`' },
    { zone, 'expect "zone" { now = { margin_level = "140" }, gives = any }',
      'a.lua:13: expect "zone": now.margin_level: a number is expected, not "140"' },
    { zone, 'expect "zone" { now = { leverage = 1.5 }, gives = any }',
      'a.lua:13: expect "zone": now.leverage: a whole number is expected, not 1.5' },
    { zone, 'expect "zone" { now = { trade_mode = "relay" }, gives = any }',
      'a.lua:13: expect "zone": now.trade_mode: no name "relay"; did you mean "real"?' },
    { zone, 'expect "zone" { now = { trade_mode = "x" }, gives = any }',
      'a.lua:13: expect "zone": now.trade_mode: one of "demo", "contest", "real" is expected, not "x"' },
    { zone, 'expect "zone" { now = { trade_allowed = 1 }, gives = any }',
      'a.lua:13: expect "zone": now.trade_allowed: true or false is expected, not 1' },
    { zone, 'expect "zone" { now = { currency = "' .. ("x"):rep(16) .. '" }, gives = any }',
      'a.lua:13: expect "zone": now.currency: a text of at most 15 bytes is expected' },
    { zone, 'expect "zone" { now = { positions = { { sld = 1 } } }, gives = any }',
      'a.lua:13: expect "zone": now.positions[1]: no field "sld"; did you mean "sl"?' },
    { zone, 'expect "zone" { now = { positions = { { time_open = "soon" } } }, gives = any }', 'a.lua:13: expect "zone": '
      .. 'now.positions[1].time_open: a time is a text such as "2026-01-31T10:00:00Z", or UTC milliseconds' },
    { zone, 'expect "zone" { at = "yesterday", gives = any }', 'a.lua:13: expect "zone": at: a time is a text such as '
      .. '"2026-01-31T10:00:00Z", or UTC milliseconds' },
    { zone, 'expect "zoen" { gives = any }', 'a.lua:13: expect "zoen": no rule "zoen"; did you mean "zone"?' },
    { zone, 'expect "zone" { now = { margin_level = 140 } }',
      'a.lua:13: expect "zone": it expects nothing: say `gives`, `remembers` or `reaches`' },
    { zone, 'expect "zone" { gives = any, { gives = any } }', 'a.lua:13: expect "zone": no key "gives"' },
    { zone, 'expect "zone" { { options = {}, gives = any } }',
      'a.lua:13: expect "zone": step 1: options and memory stand beside the list of steps' },
    { zone, 'expect "zone" { options = { wran = 1 }, gives = any }',
      'a.lua:13: expect "zone": options: no option "wran"; did you mean "warn"?' },
    { zone, 'expect "zone" { options = { warn = "1" }, gives = any }',
      'a.lua:1: option "warn": the example gives a string, a number is expected' },
    { zone, 'expect "zone" { client = { claim = {} }, now = { margin_level = 140 }, reaches = true }',
      'a.lua:13: expect "zone": client: no key "claim"; did you mean "claims"?' },
    { zone, 'expect "zone" (5)', 'a.lua:13: expect "zone": a table is expected' },
    { trade, 'expect "trade" { moment = { ticket = 1 }, gives = any }',
      'a.lua:21: expect "trade": moment: kind: which of the rule\'s moments?' },
    { trade, 'expect "trade" { moment = { kind = "deal" }, gives = any }',
      'a.lua:21: expect "trade": moment: kind: the rule is not on "deal"' },
    { trade, 'expect "trade" { moment = { kind = "position_closed", net_proft = 1 }, gives = any }',
      'a.lua:21: expect "trade": moment: no field "net_proft"; did you mean "net_profit"?' },
    { trade, 'expect "trade" { moment = { kind = "position_closed", was = {} }, gives = any }',
      'a.lua:21: expect "trade": moment: was: only what was modified has a before' },
    { trade, 'expect "link" { moment = { state = "stale" }, gives = any }',
      'a.lua:21: expect "link": moment: no key "state"; did you mean "status"?' },
    { trade, 'expect "link" { reaches = true }', 'a.lua:21: expect "link": reaches: the rule has no `to`' },
    { trade, 'expect "slow" { { now = { equity = 1 } }, { now = { equity = 2 }, gives = any } }',
      'a.lua:21: expect "slow": step 2: gives: expected any value, got nothing (`every` holds it back)' },
    { 'rule "f" { watch = { "equity" }, detect = function(now) return now.nmae end }\n',
      'expect "f" { now = { equity = 1 }, gives = any }',
      'a.lua:2: expect "f": a.lua:1: no field "nmae"; did you mean "name"?' },
    { 'rule "f" { watch = { "equity" }, detect = function() while true do pcall(error) end end }\n',
      'expect "f" { now = { equity = 1 }, gives = any }', "a.lua:1: still running after its quota of instructions" },
    { 'rule "f" { watch = { "equity" }, only = function(a) return a.leverage > 100 end }\n',
      'expect "f" { now = { equity = 1 }, gives = any }',
      'a.lua:2: expect "f": gives: expected any value, got nothing (`only` said no)' },
  }
  for i, case in ipairs(bad) do
    it("refuses: " .. i .. " " .. case[2]:gsub("%s+", " "):sub(1, 100), function()
      local why = try(case[1], case[2])
      assert.truthy(why, "it was accepted")
      assert.equal(case[3], why:sub(1, #case[3]))
    end)
  end

  it("stands in the file of its rule", function()
    folder:write("b.lua", 'rule "other" { watch = { "equity" } }')
    assert.equal('a.lua:13: expect "other": the rule is in b.lua:1: an example stands in the file of its rule',
      try(zone, 'expect "other" { gives = any }'))
  end)

  it("leaves the set that runs as it was when it does not hold", function()
    assert.is_nil(try(zone, 'expect "zone" { now = { margin_level = 140 }, gives = any }'))
    assert.truthy(try(zone, 'expect "zone" { now = { margin_level = 140 }, gives = nothing }'))
    assert.equal(1, engine:status().generation)
    local account = rules.account("demo-1")
    assert.equal(1, #engine:run(account:poll({ margin_level = 140 })))
  end)

  it("leaves nothing behind in the rule that goes live", function()
    folder:write("a.lua", [[
local seen = 0
rule "n" { watch = { "equity" }, detect = function(_, _, memory)
  seen, memory.n = seen + 1, (memory.n or 0) + 1
  return { seen = seen, n = memory.n }
end }
expect "n" { now = { equity = 1 }, gives = { seen = 1, n = 1 } }
expect "n" { { now = { equity = 1 } }, { now = { equity = 2 }, gives = { seen = 2, n = 2 } } }]])
    assert(engine:load())
    local account = rules.account("demo-1")
    account.c.slot, account.c.birth = 0, 0
    assert.equal('{"n":1,"seen":1}', engine:run(account:poll({ equity = 1 }))[1].payload)
    assert.equal(1, engine:rule("n").events)
  end)

  it("knows nothing of what the configuration sets", function()
    engine:free()
    engine = rules.engine({ folder.path }, { settings = '{"a":{"warn":50}}' })
    assert.is_nil(try(zone, 'expect "zone" { now = { margin_level = 140 }, gives = including { zone = "low" } }'))
    assert.same({}, engine:run(rules.account("demo-1"):poll({ margin_level = 140 })))
  end)

  it("holds all examples of a set to rules.load_ms, and says how far it came", function()
    local text = { 'rule "a" { watch = { "equity" } }' }
    for i = 1, 1000 do
      text[i + 1] = 'expect "a" { now = { equity = 1 }, gives = any }'
    end
    folder:write("a.lua", table.concat(text, "\n"))
    local hasty = rules.engine({ folder.path }, { load_ms = 700 })
    local loaded, why = hasty:load()
    hasty:free()
    assert.is_nil(loaded)
    assert.truthy(why:find('^a%.lua:%d+: expect "a": with it, .* takes longer than rules%.load_ms %(700 ms%)$'), why)
  end)

  it("counts what it has tried", function()
    folder:write("a.lua", 'rule "a" { watch = { "equity" } }\n' .. ('expect "a" { now = { equity = 1 }, gives = any }\n'):rep(3))
    folder:write("b.lua", 'rule "b" { watch = { "equity" } }')
    local checked, counts = engine:check()
    assert.is_true(checked)
    assert.same({ rules = 2, examples = 3 }, counts)
  end)

  it("takes ids as texts where clients get them so", function()
    engine:free()
    engine = rules.engine({ folder.path }, { ids_as_text = true })
    assert.is_nil(try(trade, 'expect "all" { now = { positions = { {} } }, gives = including { open = { { ticket = 501 } } } }'))
    assert.is_nil(try(trade, 'expect "all" { now = { positions = { {} } }, gives = including { open = { { ticket = "501" } } } }'))
  end)
end)
