local ffi = require("ffi")
local rules = require("support.rules")

local engine, account

local function begin(paths, with)
  engine = rules.engine(paths or {}, with)
  assert(engine:load())
  account = rules.account("demo-1")
end

local function finish() engine:free() end

local function moment(kind, with)
  with.kind = kind
  return engine:run(account:poll({}, { with }))
end

describe("the default rules", function()
  before_each(function() begin() end)
  after_each(finish)

  it("say nothing when nothing changed", function()
    assert.is_false(rules.C.tg_script_wakes(engine.script, account:poll().c))
    assert.same({}, engine:run(account))
  end)

  it("tell the account's changes with old, new and diff, on the latest lane", function()
    local events = engine:run(account:poll({ balance = 10050, equity = 9999.995 }))
    assert.equal(1, #events)
    assert.equal("account_update", events[1].type)
    assert.equal(1, events[1].lane)
    assert.equal("demo-1", events[1].account)
    assert.equal('{"changes":{"balance":{"old":10000.00,"new":10050.00,"diff":50.00}}}', events[1].payload)
  end)

  it("show no binary noise in a difference", function()
    account:poll({ equity = 0.1 })
    local events = engine:run(account:poll({ equity = 0.3 }))
    assert.equal('{"changes":{"equity":{"old":0.10,"new":0.30,"diff":0.20}}}', events[1].payload)
  end)

  it("say null for a figure that is not known, and no diff", function()
    local events = engine:run(account:poll({ margin_level = 0 / 0 }))
    assert.equal('{"changes":{"margin_level":{"old":0.00,"new":null}}}', events[1].payload)
  end)

  it("give no diff for a text", function()
    local events = engine:run(account:poll({ currency = "EUR" }))
    assert.equal('{"changes":{"currency":{"old":"USD","new":"EUR"}}}', events[1].payload)
  end)

  it("are not woken by the number of positions alone", function()
    assert.same({}, engine:run(account:poll({ positions_count = 3 })))
  end)

  it("tell an opened position whole", function()
    local events = moment("TG_MOMENT_POSITION_OPENED", { position = rules.position() })
    assert.equal("position_opened", events[1].type)
    assert.equal(0, events[1].lane)
    assert.equal('{"position":{"ticket":501,"symbol":"EURUSD","type":"buy","volume":1.00,"price":1.08500,'
      .. '"open_price":1.08500,"current_price":1.08510,"sl":1.08000,"tp":null,"profit":10.00,"swap":0.00,'
      .. '"commission":-3.50,"magic":7,"comment":"","open_time":"2026-09-21T14:13:20.000Z","position_id":501}}',
      events[1].payload)
  end)

  it("mark what was rebuilt from deals", function()
    local events = moment("TG_MOMENT_POSITION_OPENED", { position = rules.position(), about = { synthetic = 1 } })
    assert.truthy(events[1].payload:find('},"synthetic":true}', 1, true))
  end)

  it("keep every digit of a 64-bit ticket", function()
    local position = rules.position({ ticket = 9223372036854775807LL, position_id = 9007199254740993LL })
    local events = moment("TG_MOMENT_POSITION_OPENED", { position = position })
    assert.truthy(events[1].payload:find('"ticket":9223372036854775807,', 1, true))
    assert.truthy(events[1].payload:find('"position_id":9007199254740993}', 1, true))
  end)

  it("write ids as texts when told to", function()
    engine:free()
    engine = rules.engine({}, { ids_as_text = true })
    assert(engine:load())
    local events = moment("TG_MOMENT_POSITION_OPENED", { position = rules.position() })
    assert.truthy(events[1].payload:find('"ticket":"501",', 1, true))
  end)

  it("tell only the changed fields of a modified position", function()
    local events = moment("TG_MOMENT_POSITION_MODIFIED", {
      position = rules.position({ sl = 1.082 }), was = { sl = 1.08, profit = 3 }, about = { change = "levels" },
    })
    assert.equal("position_modified", events[1].type)
    assert.equal('{"ticket":501,"position_id":501,"symbol":"EURUSD","change":"levels","changes":{"sl":{"old":1.08000,"new":1.08200}}}',
      events[1].payload)
  end)

  it("tell a part that was closed with its figures", function()
    local events = moment("TG_MOMENT_POSITION_MODIFIED", {
      position = rules.position({ volume = 0.6 }), was = { volume = 1 },
      about = {
        change = "partial_close", volume_closed = 0.4, close_price = 1.09, net_profit = 20, close_reason = "manual",
        time_close = 1790000060000LL, position_by_id = 77, digits = 5, coalesced = 1,
      },
    })
    assert.equal('{"ticket":501,"position_id":501,"symbol":"EURUSD","change":"partial_close",'
      .. '"changes":{"volume":{"old":1.00,"new":0.60}},"volume_closed":0.40,"close_price":1.09000,"net_profit":20.00,'
      .. '"close_time":"2026-09-21T14:14:20.000Z","reason":"manual","closed_by":77,"coalesced":true}', events[1].payload)
  end)

  it("tell money that moved without a trade", function()
    local events = moment("TG_MOMENT_BALANCE_OPERATION", {
      deal = { ticket = 9, action = "credit", profit = -50, time = 1790000060000LL, comment = "bonus out" },
    })
    assert.equal('{"ticket":9,"operation":"credit","amount":-50.00,"time":"2026-09-21T14:14:20.000Z",'
      .. '"comment":"bonus out"}', events[1].payload)
  end)

  it("tell a stop loss that was taken away as null", function()
    local events = moment("TG_MOMENT_POSITION_MODIFIED", { position = rules.position({ sl = 0 }), was = { sl = 1.08 } })
    assert.truthy(events[1].payload:find('"changes":{"sl":{"old":1.08000,"new":null}}', 1, true))
  end)

  it("tell a closed position with its reason", function()
    local events = moment("TG_MOMENT_POSITION_CLOSED", {
      position = rules.position({ profit = 150 }),
      about = {
        close_price = 1.0865, net_profit = 146.5, time_close = 1790000060000LL, close_reason = "sl", digits = 5,
      },
    })
    assert.equal('{"ticket":501,"position_id":501,"symbol":"EURUSD","side":"buy","volume":1.00,"open_price":1.08500,'
      .. '"close_price":1.08650,"profit":150.00,"swap":0.00,"commission":-3.50,"net_profit":146.50,'
      .. '"open_time":"2026-09-21T14:13:20.000Z","close_time":"2026-09-21T14:14:20.000Z","reason":"sl"}',
      events[1].payload)
  end)

  it("say that a close is estimated, and never guess its reason", function()
    local events = moment("TG_MOMENT_POSITION_CLOSED", { position = rules.position(), about = { estimated = 1 } })
    assert.truthy(events[1].payload:find('"close_time":null,"reason":"unknown","estimated":true}', 1, true))
  end)

  it("tell what happened before what moved, in the order of the moments", function()
    local events = engine:run(account:poll({ balance = 1 }, {
      { kind = "TG_MOMENT_POSITION_CLOSED", position = rules.position() },
      { kind = "TG_MOMENT_POSITION_OPENED", position = rules.position() },
    }))
    assert.same({ "position_closed", "position_opened", "account_update" },
      { events[1].type, events[2].type, events[3].type })
  end)

  it("keep two accounts apart", function()
    local other = rules.account("demo-2")
    local events = engine:run(account:poll({ balance = 1 }), other:poll({ balance = 2 }))
    assert.same({ "demo-1", "demo-2" }, { events[1].account, events[2].account })
    assert.truthy(events[1].payload:find('"new":1.00', 1, true))
    assert.truthy(events[2].payload:find('"new":2.00', 1, true))
  end)

  it("make the snapshot", function()
    account:set_positions({ rules.position(), rules.position({ ticket = 502, side = "sell" }) })
    local text, rc = engine:snapshot(account)
    assert.equal(0, rc)
    assert.equal('{"account":{"balance":10000.00,"equity":10000.00,"profit":0.00,"margin":0.00,"free_margin":10000.00,'
      .. '"margin_level":0.00,"currency":"USD","leverage":100,"credit":0.00,"login":"5001","name":"Ann",'
      .. '"server":"Demo","positions_count":0},"positions":[{"ticket":501,', text:sub(1, 258))
    assert.truthy(text:find('},{"ticket":502,"symbol":"EURUSD","type":"sell",', 1, true))
  end)

  it("make a snapshot without positions with an empty list", function()
    assert.truthy((engine:snapshot(account)):find('"positions":[]}', 1, true))
  end)

  it("are called default and have a version", function()
    local status = engine:status()
    assert.equal("default", ffi.string(status.name))
    assert.equal(16, #ffi.string(status.version))
    assert.equal(1, status.generation)
    assert.is_false(rules.C.tg_script_stale(engine.script))
  end)
end)

describe("the shipped rule sets", function()
  after_each(finish)

  it("warn when an account enters a margin zone and when it leaves it", function()
    begin({ "plugins/rules/margin_zones" })
    account:poll({ margin = 100, margin_level = 500 })
    local events = engine:run(account:poll({ margin_level = 140.004, equity = 140.0 }))
    assert.equal('{"before":"safe","equity":140,"level":140,"zone":"warn"}', events[1].payload)
    assert.same({}, engine:run(account:poll({ margin_level = 139 })))
    assert.equal('{"before":"warn","equity":140,"level":90,"zone":"call"}',
      engine:run(account:poll({ margin_level = 90 }))[1].payload)
    assert.equal('{"before":"call","equity":140,"level":0,"zone":"flat"}',
      engine:run(account:poll({ margin = 0, margin_level = 0 }))[1].payload)
  end)

  it("take their thresholds from the settings", function()
    begin({ "plugins/rules/margin_zones" }, { settings = '{"margin_zone":{"warn":200}}' })
    account:poll({ margin = 100, margin_level = 500 })
    assert.equal(1, #engine:run(account:poll({ margin_level = 199 })))
  end)

  it("speak another platform's words", function()
    begin({ "plugins/rules/reshaped" })
    local envelope = rules.C.tg_script_envelope(engine.script)
    assert.same({ "event", "sequence", "revision", "ts", "data" }, {
      ffi.string(envelope.type), ffi.string(envelope.seq), ffi.string(envelope.rev), ffi.string(envelope.timestamp),
      ffi.string(envelope.payload),
    })
    local events = engine:run(account:poll({}, { { kind = "TG_MOMENT_POSITION_OPENED", position = rules.position() } }))
    assert.equal("trade.open", events[1].type)
    assert.equal('{"id":501,"instrument":{"symbol":"EURUSD","direction":"buy","lots":1.00},'
      .. '"entry":{"price":1.08500,"time":"2026-09-21T14:13:20.000Z"},'
      .. '"protection":{"stop_loss":1.08000,"take_profit":null},"account":{"login":"5001"}}', events[1].payload)
    assert.equal('{"funds":{"balance":10000.00,"equity":9000.00,"available":10000.00},"currency":"USD"}',
      engine:run(account:poll({ equity = 9000 }))[1].payload)
    assert.truthy((engine:snapshot(account)):find('{"account":{"login":"5001","funds":{"balance":', 1, true))
  end)

  it("run beside the default set", function()
    begin({ "plugins/rules/default", "plugins/rules/margin_zones" })
    assert.equal("default+margin_zones", ffi.string(engine:status().name))
    assert.equal(10, engine:status().rules)
  end)
end)

describe("the default rules about pending orders", function()
  before_each(function() begin() end)
  after_each(finish)

  it("tell a placed order whole", function()
    local events = moment("TG_MOMENT_ORDER_PLACED", { order = rules.order() })
    assert.equal("order_placed", events[1].type)
    assert.equal(0, events[1].lane)
    assert.equal('{"order":{"ticket":801,"symbol":"EURUSD","type":"buy_limit","state":"placed","volume_initial":1.00,'
      .. '"volume_current":1.00,"price":1.08000,"price_stoplimit":null,"price_current":1.08510,"sl":1.07000,"tp":null,'
      .. '"type_time":"gtc","expiration_time":null,"magic":7,"comment":"","setup_time":"2026-09-21T14:13:20.000Z"}}',
      events[1].payload)
  end)

  it("tell only the changed fields of a modified order", function()
    local events = moment("TG_MOMENT_ORDER_MODIFIED", {
      order = rules.order({ price_open = 1.09 }), order_was = { price_open = 1.08, price_current = 1 },
      about = { change = "levels" },
    })
    assert.equal('{"ticket":801,"symbol":"EURUSD","order_type":"buy_limit","change":"levels",'
      .. '"changes":{"price":{"old":1.08000,"new":1.09000}}}', events[1].payload)
  end)

  it("tell how an order ended, and say when that is not known", function()
    local events = moment("TG_MOMENT_ORDER_REMOVED", {
      order = rules.order({ state = "filled", position_id = 9, volume_current = 0, time_done = 1790000060000LL }),
    })
    assert.equal('{"ticket":801,"symbol":"EURUSD","order_type":"buy_limit","state":"filled","volume_initial":1.00,'
      .. '"volume_current":0.00,"price":1.08000,"position_id":9,"setup_time":"2026-09-21T14:13:20.000Z",'
      .. '"done_time":"2026-09-21T14:14:20.000Z"}', events[1].payload)
    events = moment("TG_MOMENT_ORDER_REMOVED", { order = rules.order({ state = "unknown" }), about = { estimated = 1 } })
    assert.truthy(events[1].payload:find('"state":"unknown"', 1, true))
    assert.truthy(events[1].payload:find('"done_time":null,"estimated":true}', 1, true))
  end)

  it("show pending orders in the snapshot only where the source tells them", function()
    assert.is_nil(engine:snapshot(account):find('"orders"', 1, true))
    account:set_orders({})
    assert.truthy(engine:snapshot(account):find(',"orders":[]}', 1, true))
    account:set_orders({ rules.order() })
    assert.truthy(engine:snapshot(account):find(',"orders":[{"ticket":801,"symbol":"EURUSD","type":"buy_limit",', 1, true))
  end)
end)
