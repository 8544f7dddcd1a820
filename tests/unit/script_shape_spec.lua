local rules = require("support.rules")

describe("a shape", function()
  local folder, engine, account

  before_each(function() folder, engine, account = rules.stage() end)
  after_each(function() rules.leave(engine, folder) end)

  -- The payload of a rule with this shape when the balance moves.
  local function written(shape)
    folder:write("a.lua", 'return rule "s" { watch = { "balance" }, payload = ' .. shape .. " }")
    assert(engine:load())
    local events = engine:run(account:poll({ balance = 11 }))
    return events[1] and events[1].payload
  end

  it("keeps the order of a list", function()
    assert.equal('{"equity":10000.00,"b":11.00,"currency":"USD"}', written('{ "equity", { b = "balance" }, "currency" }'))
  end)

  it("sorts the names of a table", function()
    assert.equal('{"a":10000.00,"b":11.00,"c":"USD"}', written('{ c = "currency", b = "balance", a = "equity" }'))
  end)

  it("puts named members behind listed ones", function()
    assert.equal('{"equity":10000.00,"a":11.00}', written('{ "equity", a = "balance" }'))
  end)

  it("nests", function()
    assert.equal('{"x":{"y":{"balance":11.00},"z":100}}', written('{ x = { y = { "balance" }, z = "leverage" } }'))
  end)

  it("has constants of every kind", function()
    assert.equal('{"a":1,"b":"x\\"y","c":false,"d":{"e":[1,2]}}',
      written('{ a = const(1), b = const("x\\"y"), c = const(false), d = const({ e = { 1, 2 } }) }'))
  end)

  it("escapes the names of members", function()
    assert.equal('{"a\\"b":11.00}', written("{ ['a\"b'] = 'balance' }"))
  end)

  it("has a member only while a flag is true", function()
    account:poll({ trade_allowed = 1 })
    local shape = '{ "balance", when "trade_allowed", { may = when("trade_allowed", { lots = const(5) }) }, "leverage" }'
    assert.equal('{"balance":11.00,"trade_allowed":true,"may":{"lots":5},"leverage":100}', written(shape))
    account:poll({ trade_allowed = 0 })
    assert.equal('{"balance":12.00,"leverage":100}', engine:run(account:poll({ balance = 12 }))[1].payload)
    account:poll({ trade_allowed = -1 })
    assert.equal('{"balance":13.00,"leverage":100}', engine:run(account:poll({ balance = 13 }))[1].payload)
  end)

  it("has a member only while a field is known or set", function()
    local shape = '{ when "margin", when("margin_level", { level = "margin_level" }), unless("name", { anonymous = const(true) }) }'
    account:poll({ margin = 5, margin_level = 0 / 0 })
    assert.equal('{"margin":5.00}', written(shape))
    account:poll({ margin = 0 / 0, margin_level = 7, name = "" })
    assert.equal('{"level":7.00,"anonymous":true}', engine:run(account:poll({ balance = 12 }))[1].payload)
  end)

  it("has members by what a name or a flag is", function()
    local shape = [[{
      when({ trade_mode = "demo" }, { demo = const(true), nick = "name" }), when({ trade_mode = { "real", "contest" } }, "login"),
      unless({ trade_mode = "demo" }, { serious = const(true) }), when({ trade_allowed = false }, { locked = const(true) }),
      { both = when({ trade_mode = "real", trade_allowed = false }, when("margin", "margin")) },
    }]]
    account:poll({ trade_mode = "demo", trade_allowed = 1, margin = 3 })
    assert.equal('{"demo":true,"nick":"Ann"}', written(shape))
    account:poll({ trade_mode = "real", trade_allowed = 0 })
    assert.equal('{"login":"5001","serious":true,"locked":true,"both":3.00}', engine:run(account:poll({ balance = 12 }))[1].payload)
    account:poll({ trade_mode = "unknown", trade_allowed = -1 })
    assert.equal('{"serious":true}', engine:run(account:poll({ balance = 13 }))[1].payload)
  end)

  it("has fields at the decimals that are asked for", function()
    account:poll({ margin_level = 123.456, equity = 99.5, margin = 0 / 0 })
    assert.equal('{"margin_level":123.5,"e":100,"m":null,"b":11.0000}',
      written('{ round("margin_level", 1), { e = round("equity") }, { m = round("margin", 3) }, b = round("balance", 4) }'))
    account:poll({ balance = 12 })
    assert.equal('{"o":"x"}', written('{ o = const(round(1.5) == 2 and "x" or "y") }'))
  end)

  it("tells a change only where its decimals show one", function()
    local shape = '{ c = changes { round("equity", 0), "balance" } }'
    assert.equal('{"c":{"balance":{"old":10000.00,"new":11.00,"diff":-9989.00}}}', written(shape))
    local events = engine:run(account:poll({ equity = 10000.4, balance = 12 }))
    assert.equal('{"c":{"balance":{"old":11.00,"new":12.00,"diff":1.00}}}', events[1].payload)
    events = engine:run(account:poll({ equity = 10001.6, balance = 13 }))
    assert.equal('{"c":{"equity":{"old":10000,"new":10002,"diff":2},"balance":{"old":12.00,"new":13.00,"diff":1.00}}}', events[1].payload)
  end)

  it("lists the positions and orders that meet a condition", function()
    account:set_positions({ rules.position({ sl = 0 }), rules.position({ symbol = "GOLD", side = "sell" }) })
    account:set_orders({ rules.order(), rules.order({ type = "sell_stop", ticket = 9 }) })
    assert.equal('{"bought":["EURUSD"],"stopped":[{"symbol":"GOLD"}],"stops":[{"ticket":9}],"none":[]}',
      (written([[{ { bought = positions({ "symbol" }, { side = "buy" }) }, { stopped = positions({ "symbol" }, "sl") },
        { stops = orders({ "ticket" }, { type = { "sell_stop", "buy_stop" } }) },
        { none = positions({ "symbol" }, { side = "buy", reason = "sl" }) } }]]):gsub('{"symbol":"EURUSD"}', '"EURUSD"')))
  end)

  it("lists positions", function()
    account:set_positions({ rules.position(), rules.position({ symbol = "GOLD", sl = 0 }) })
    assert.equal('{"open":[{"symbol":"EURUSD","stop":{"sl":1.08000}},{"symbol":"GOLD","stop":{"sl":null}}]}',
      written('{ open = positions { "symbol", { stop = { "sl" } } } }'))
  end)

  it("reaches the account as it was", function()
    assert.equal('{"now":11.00,"was":10000.00}', written('{ now = "balance", was = "was.balance" }'))
  end)

  it("is not sent when none of its changes changed", function()
    assert.is_nil(written('{ "balance", { changes = changes { "equity" } } }'))
  end)

  it("reaches the position before and the account from a moment", function()
    folder:write("a.lua", 'return rule "s" { on = "position_modified", payload = { sl = "sl", old = "was.sl", '
      .. 'currency = "account.currency", balance = "account.balance" } }')
    assert(engine:load())
    local events = engine:run(account:poll({}, {
      { kind = "TG_MOMENT_POSITION_MODIFIED", position = rules.position({ sl = 2 }), was = { sl = 1 } },
    }))
    assert.equal('{"balance":10000.00,"currency":"USD","old":1.00000,"sl":2.00000}', events[1].payload)
  end)

  it("over the bound is a fault and not an event", function()
    engine:free()
    engine = rules.engine({ folder.path }, { payload_bytes = 200 })
    folder:write("a.lua", 'return rule "s" { watch = { "balance" }, payload = { p = positions { "symbol", "comment" } } }')
    assert(engine:load())
    account:set_positions({ rules.position({ comment = ("x"):rep(60) }) })
    assert.equal(1, #engine:run(account:poll({ balance = 1 })))
    account:set_positions({ rules.position({ comment = ("x"):rep(60) }), rules.position({ comment = ("x"):rep(60) }),
      rules.position({ comment = ("x"):rep(60) }) })
    local log = rules.logged(function() assert.same({}, engine:run(account:poll({ balance = 2 }))) end)
    assert.truthy(log:find("its payload is over the bound", 1, true), log)
    assert.equal(1, engine:rule("s").faults)
  end)

  describe("is refused, in the author's words,", function()
    local watch = 'return rule "s" { watch = { "balance" }, payload = %s }'
    local opened = 'return rule "s" { on = "position_opened", payload = %s }'
    local cases = {
      { watch, '{ "balnce" }', 'payload.balnce: no field "balnce"; did you mean "balance"?' },
      { watch, '{ "free_margin" }', 'payload.free_margin: no field "free_margin"; it is called "margin_free"' },
      { watch, '{ x = { y = "symbol" } }', 'payload.x.y: no field "symbol"; did you mean "login"?', true },
      { watch, '{ x = 5 }', "payload.x: a number is no field; a constant is const(5)" },
      { watch, '{ x = true }', "payload.x: a boolean is no field; a constant is const(true)" },
      { watch, '{ 5 }', "payload: item 1 is neither a field's name nor { name = … }" },
      { watch, '{ "balance", { balance = "equity" } }', 'payload: "balance" is named twice' },
      { watch, '{ [1.5] = "balance" }', "payload: a shape is a list of members or a table of named ones" },
      { watch, '{ seq = "balance" }', "payload.seq: that name is the gateway's own" },
      { watch, '{ when("balance", { seq = "balance" }) }', "payload.seq: that name is the gateway's own" },
      { watch, '{ const(1) }', "payload: item 1 is neither a field's name nor { name = … }" },
      { watch, '{ x = const(print) }', "const is a function" },
      { watch, '{ x = const(0/0) }', "const is not a number (NaN)" },
      { watch, '{ x = changes { } }', "payload.x: changes: no fields" },
      { watch, '{ x = changes { "was.balance" } }', "payload.x.balance: changes: it has no before" },
      { watch, '{ x = changes { { y = const(1) } } }', "payload.x.y: a field is named by a text, not by a table" },
      { watch, '{ x = changes { when "margin" } }', "payload.x.margin: changes: a change has no condition but itself" },
      { opened, '{ x = changes { "sl" } }',
        "payload.x: changes: only what is watched, position_modified and order_modified have a before" },
      { opened, '{ "was.sl" }', "payload.sl: was.sl: only what is watched, position_modified and order_modified have a before" },
      { watch, '{ x = positions { y = positions { "symbol" } } }', "payload.x.y: positions within a list" },
      { watch, '{ x = orders { y = positions { "symbol" } } }', "payload.x.y: positions within a list" },
      { watch, '{ x = positions("symbol") }', "payload.x: a shape is a plain table" },
      { watch, '{ x = positions({ "symbol" }, { side = "by" }) }', 'payload.x: side: no name "by"; did you mean "buy"?' },
      { watch, '{ x = positions({ "symbol" }, { volume = 1 }) }',
        'payload.x: "volume" is not a name or a flag: it can be known or not, when "volume", and no more' },
      { watch, '{ x = positions({ "symbol" }, "sll") }', 'payload.x: no field "sll"; did you mean "sl"?' },
      { watch, '{ x = positions({ "symbol" }, {}) }', "payload.x: a condition is a field's name, or a table such as "
        .. '{ side = "buy" }' },
      { watch, '{ x = positions({ "symbol" }, 5) }', "payload.x: a condition is a field's name, or a table such as "
        .. '{ side = "buy" }' },
      { watch, '{ when("trade_alowed", "balance") }', 'payload: no field "trade_alowed"; did you mean "trade_allowed"?' },
      { watch, '{ x = when({ trade_allowed = "yes" }, "balance") }', 'payload.x: "trade_allowed" is compared with true or false' },
      { watch, '{ x = when({ trade_mode = {} }, "balance") }', 'payload.x: "trade_mode" is compared with a name or a list of names' },
      { watch, '{ x = unless({ trade_mode = "demo", trade_allowed = true }, "balance") }', "payload.x: unless: one condition at a time" },
      { watch, '{ when { trade_mode = "demo" } }', "when: what is to be there? when({ … }, value)" },
      { watch, '{ unless { trade_mode = "demo" } }', "unless: what is to be there? unless({ … }, value)" },
      { watch, '{ round("leverage", 1) }', 'payload.leverage: round: "leverage" has no decimals' },
      { watch, '{ round("equiti", 1) }', 'payload.equiti: no field "equiti"; did you mean "equity"?' },
      { watch, '{ round("equity", 9) }', "round: decimals are a whole number from 0 to 8" },
      { watch, '{ x = { y = {} }, z = nothing }', "payload.z: a shape is a plain table" },
      { watch, '{ x = list { "balance" } }', "payload.x: a shape is a plain table" },
    }
    for _, case in ipairs(cases) do
      it(case[2], function()
        folder:write("a.lua", case[1]:format(case[2]))
        local good, why = engine:load()
        assert.is_nil(good)
        local sentence = case[3]:find("^payload") and ('a.lua:1: rule "s": ' .. case[3]) or ("a.lua:1: " .. case[3])
        if not case[4] then assert.equal(sentence, why) end
        assert.truthy(why:find("^a%.lua:1: "), why)
      end)
    end
  end)

  describe("beside functions", function()
    local both = [[
return {
  rule "shape" { watch = { "balance" }, payload = { "balance" } },
  rule "thought" { watch = { "balance" }, payload = function(now) return { b = now.balance } end },
  rule "opened" { on = "position_opened", payload = { "ticket" } },
  rule "seen" { on = "position_opened", detect = function(moment) return { t = moment.ticket } end },
  rule "always" { on = "tick", payload = { "balance" } },
  rule "link" { on = "source_status" },
  %s
}]]
    local moments = {}
    for i = 1, 3 do
      moments[i] = { kind = "TG_MOMENT_POSITION_OPENED", position = rules.position({ ticket = i }) }
    end

    local function load(more, with)
      engine:free()
      engine = rules.engine({ folder.path }, with)
      folder:write("a.lua", both:format(more or ""))
      assert(engine:load())
    end

    local function types(events)
      local out = {}
      for i, event in ipairs(events) do
        out[i] = event.account .. " " .. event.type
      end
      return out
    end

    it("keeps the order in which things happened, account by account", function()
      load()
      local second = rules.account("demo-2")
      local events = engine:run(account:poll({ balance = 1 }, { moments[1], moments[2] }), second:poll({ balance = 2 }))
      assert.same({
        "demo-1 opened", "demo-1 seen", "demo-1 opened", "demo-1 seen", "demo-1 shape", "demo-1 thought", "demo-1 always",
        "demo-2 shape", "demo-2 thought", "demo-2 always",
      }, types(events))
      assert.equal('{"t":2}', events[4].payload)
      assert.equal('{"status":"stale"}', engine:tell(account, "source_status", "stale")[1].payload)
    end)

    it("shares the bound of an account's events with them", function()
      load(nil, { events_per_tick = 4 })
      local second = rules.account("demo-2")
      local events = engine:run(account:poll({ balance = 1 }, moments), second:poll({ balance = 2 }))
      assert.same({ "demo-1 opened", "demo-1 opened", "demo-1 opened", "demo-1 shape", "demo-2 shape", "demo-2 thought",
        "demo-2 always" }, types(events))
      assert.equal(1, engine:rule("always").dropped)
      assert.equal(3, engine:rule("seen").dropped)
    end)

    it("is told by C alone: Lua is entered for functions and for nothing else", function()
      folder:write("a.lua", both:gsub('  rule "thought".-\n', ""):gsub('  rule "seen".-\n', ""):gsub("%%s", ""))
      assert(engine:load())
      for i = 1, 5 do
        assert.equal(5, #engine:run(account:poll({ balance = i }, moments)))
      end
      engine:tell(account, "source_status", "stale")
      assert.equal(0, tonumber(engine:status().walks))
      assert.same({ 5, 5 }, { engine:rule("shape").calls, engine:rule("shape").events })
      load()
      engine:run(account:poll({ balance = 9 }))
      assert.equal(1, tonumber(engine:status().walks))
    end)

    it("counts a payload over the bound as a fault, and rests after five in a row", function()
      load('rule "big" { watch = { "balance" }, payload = { { p = positions { "comment" } } } }', { payload_bytes = 300 })
      account:set_positions({ rules.position({ comment = ("x"):rep(60) }) })
      assert.truthy(table.concat(types(engine:run(account:poll({ balance = 1 }))), ","):find("big", 1, true))
      local many = {}
      for i = 1, 9 do
        many[i] = rules.position({ comment = ("x"):rep(60) })
      end
      account:set_positions(many)
      for i = 2, 9 do
        engine:run(account:poll({ balance = i }))
      end
      assert.equal(5, engine:rule("big").faults)
    end)

    it("goes on when a function is stopped in between", function()
      load('rule "loop" { watch = { "balance" }, payload = function() while true do end end }')
      local events = engine:run(account:poll({ balance = 1 }))
      assert.same({ "demo-1 shape", "demo-1 thought", "demo-1 always" }, types(events))
      assert.is_true(engine:rule("loop").muted)
    end)
  end)
end)
