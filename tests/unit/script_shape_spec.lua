local rules = require("support.rules")

describe("a shape", function()
  local folder, engine, account

  before_each(function()
    folder = rules.folder()
    engine = rules.engine({ folder.path })
    account = rules.account("demo-1")
  end)

  after_each(function()
    engine:free()
    folder:remove()
  end)

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
end)
