local ffi = require("ffi")
local rules = require("support.rules")

describe("a rule", function()
  local folder, engine, account

  before_each(function() folder, engine, account = rules.stage() end)
  after_each(function() rules.leave(engine, folder) end)

  local function load(text, name)
    folder:write(name or "a.lua", text)
    assert(engine:load())
  end

  local function refused(text)
    folder:write("a.lua", text)
    local good, why = engine:load()
    assert.is_nil(good)
    return why
  end

  it("says the watched fields when it is as short as it can be", function()
    load('return rule "equity" { watch = { "equity" } }')
    assert.same({}, engine:run(account:poll({ balance = 1 })))
    local events = engine:run(account:poll({ equity = 9000 }))
    assert.equal("equity", events[1].type)
    assert.equal('{"equity":9000.00}', events[1].payload)
    assert.equal(0, events[1].lane)
  end)

  it("runs detect and payload with now, was and memory", function()
    load([[return rule "seen" {
      watch = { "balance" }, lane = "latest", type = "seen.it",
      detect = function(now, was, memory)
        memory.n = (memory.n or 0) + 1
        if memory.n >= 2 then return memory.n end
      end,
      payload = function(now, was, n) return { n = n, now = now.balance, was = was.balance } end,
    }]])
    assert.same({}, engine:run(account:poll({ balance = 1 })))
    local events = engine:run(account:poll({ balance = 2.5 }))
    assert.equal("seen.it", events[1].type)
    assert.equal(1, events[1].lane)
    assert.equal('{"n":2,"now":2.5,"was":1}', events[1].payload)
    assert.same({}, engine:run(rules.account("demo-2"):poll({ balance = 3 })))
  end)

  it("says the table that detect returned when it has no payload", function()
    load('return rule "x" { watch = { "balance" }, detect = function(now) return { b = now.balance } end }')
    assert.equal('{"b":5}', engine:run(account:poll({ balance = 5 }))[1].payload)
  end)

  it("stays silent when only says no, or payload says nothing", function()
    load([[return {
      rule "a" { watch = { "balance" }, only = function(account) return account.leverage > 100 end },
      rule "b" { watch = { "balance" }, payload = function() end },
    }]])
    assert.same({}, engine:run(account:poll({ balance = 5 })))
  end)

  it("forgets an account that is gone, and a slot's next account starts anew", function()
    load([[return rule "n" { watch = { "balance" }, detect = function(now, was, memory)
      memory.n = (memory.n or 0) + 1
      return { n = memory.n }
    end }]])
    engine:run(account:poll({ balance = 1 }))
    assert.equal('{"n":2}', engine:run(account:poll({ balance = 2 }))[1].payload)
    rules.C.tg_script_forget(engine.script, account.c)
    assert.equal('{"n":1}', engine:run(account:poll({ balance = 3 }))[1].payload)
    account.c.birth = account.c.birth + 1
    assert.equal('{"n":1}', engine:run(account:poll({ balance = 4 }))[1].payload)
  end)

  it("sees positions, as they are and as they were", function()
    load([[return rule "p" { watch = { "balance" }, detect = function(now, was)
      local out = { now = list(), was = list() }
      for p in now:positions() do out.now[#out.now + 1] = p.symbol .. " " .. p.volume end
      for p in was:positions() do out.was[#out.was + 1] = p.ticket end
      return out
    end }]])
    account:set_positions({ rules.position(), rules.position({ symbol = "GOLD", volume = 0.25 }) },
      { rules.position({ ticket = 9 }) })
    assert.equal('{"now":["EURUSD 1","GOLD 0.25"],"was":[9]}', engine:run(account:poll({ balance = 1 }))[1].payload)
    account:set_positions({})
    assert.equal('{"now":[],"was":[]}', engine:run(account:poll({ balance = 2 }))[1].payload)
  end)

  it("sees every kind of field as Lua would have it", function()
    load([[return rule "p" { watch = { "balance" }, detect = function(now)
      local out = list()
      for p in now:positions() do
        out[1], out[2], out[3] = p.side, p.sl == nil, p.tp
        out[4], out[5], out[6] = p.ticket, p.position_id, p.magic
        out[7], out[8], out[9] = p.time_open, p.time_update == nil, p.digits
      end
      return { p = out, allowed = now.trade_allowed, none = now.trade_allowed == nil, unknown = now.margin == nil }
    end }]])
    account:set_positions({ rules.position({
      sl = 0, tp = 1.1, ticket = 9007199254740993LL, position_id = 9007199254740991LL, magic = -5,
    }) })
    local values = { balance = 1, trade_allowed = 0, margin = 0 / 0 }
    assert.equal('{"allowed":false,"none":false,"p":["buy",true,1.1,"9007199254740993",9007199254740991,-5,'
      .. '1790000000000,true,5],"unknown":true}', engine:run(account:poll(values))[1].payload)
    assert.truthy(engine:run(account:poll({ balance = 2, trade_allowed = -1 }))[1].payload:find('"none":true', 1, true))
  end)

  it("keeps views as they were, and positions() to the call it was asked in", function()
    load([[return rule "k" { watch = { "balance" }, detect = function(now, was, memory)
      local before = memory.view and memory.view.balance
      local good, why = true, ""
      if memory.view then good, why = pcall(function() return memory.view:positions()() end) end
      if memory.view then good, why = pcall(function() for _ in memory.view:positions() do end end) end
      memory.view = now
      return { before = before, good = good, why = why }
    end }]])
    engine:run(account:poll({ balance = 1 }))
    engine:run(rules.account("demo-2"):poll({ balance = 77 }))
    local text = engine:run(account:poll({ balance = 2 }))[1].payload
    assert.truthy(text:find('"before":1,"good":false', 1, true))
    assert.truthy(text:find("keep the positions, not the account", 1, true))
  end)

  describe("about a moment", function()
    local function moment(kind, with)
      with = with or {}
      with.kind = kind
      return engine:run(account:poll({}, { with }))
    end

    it("sees the moment's fields, its position, what changed and what was", function()
      load([[return rule "m" { on = { "position_modified", "position_closed" },
        payload = function(moment, memory, account)
          memory.n = (memory.n or 0) + 1
          return {
            kind = moment.kind, symbol = moment.symbol, sl = moment.sl, was = moment.was and moment.was.sl,
            changed = moment.changed, n = memory.n, balance = account.balance, estimated = moment.estimated,
          }
        end,
      }]])
      local events = moment("TG_MOMENT_POSITION_MODIFIED", {
        position = rules.position({ sl = 1.09, currency_digits = 3 }), was = { sl = 1.08, currency_digits = 2 },
      })
      assert.equal('{"balance":10000,"changed":{"currency_digits":true,"sl":true},"estimated":false,'
        .. '"kind":"position_modified","n":1,"sl":1.09,"symbol":"EURUSD","was":1.08}', events[1].payload)
      events = moment("TG_MOMENT_POSITION_CLOSED", { position = rules.position(), about = { estimated = 1 } })
      assert.truthy(events[1].payload:find('"changed":{},"estimated":true,"kind":"position_closed","n":2', 1, true))
    end)

    it("sees the deal of a deal and of a balance operation", function()
      load([[return rule "d" { on = { "deal", "balance_operation" }, detect = function(moment)
        return { kind = moment.kind, action = moment.action, profit = moment.profit, ticket = moment.ticket }
      end }]])
      local events = moment("TG_MOMENT_BALANCE_OPERATION", { deal = { action = "balance", profit = 50, ticket = 3 } })
      assert.equal('{"action":"balance","kind":"balance_operation","profit":50,"ticket":3}', events[1].payload)
    end)

    it("has a default of its own", function()
      load('return { rule "o" { on = "position_opened" }, rule "d" { on = "deal" } }')
      assert.equal('{"ticket":501,"position_id":501,"symbol":"EURUSD","side":"buy","volume":1.00,"price_open":1.08500,'
        .. '"profit":10.00}', moment("TG_MOMENT_POSITION_OPENED", { position = rules.position() })[1].payload)
      assert.truthy(moment("TG_MOMENT_DEAL", { deal = { action = "buy" } })[1].payload:find('"action":"buy"', 1, true))
    end)

    it("runs at every poll for a tick", function()
      load('return rule "t" { on = "tick", detect = function(m, memory, account) return { b = account.balance } end }')
      assert.equal('{"b":10000}', engine:run(account:poll())[1].payload)
    end)

    it("is told of the source and of clients", function()
      load([[return {
        rule "s" { on = "source_status" },
        rule "c" { on = "client_connected", detect = function(moment) return { who = moment.subject } end },
      }]])
      assert.equal('{"status":"reconnecting"}', engine:tell(account, "source_status", "reconnecting")[1].payload)
      assert.equal('{"who":"alice"}', engine:tell(account, "client_connected", "alice")[1].payload)
      assert.same({}, engine:tell(account, "client_disconnected", "alice"))
      assert.same({}, engine:run(account:poll()))
    end)

    it("makes the snapshot by a function, and the built-in one is sent when it fails", function()
      load([[return rule "s" { on = "snapshot", payload = function(moment, memory, account)
        if account.balance == 0 then error("no") end
        return { account = { b = moment.account.balance }, positions = list(), n = #moment.positions }
      end }]])
      account:set_positions({ rules.position() })
      local text, rc = engine:snapshot(account)
      assert.equal('{"account":{"b":10000},"n":1,"positions":[]}', text)
      assert.equal(0, rc)
      account:poll({ balance = 0 })
      text, rc = engine:snapshot(account)
      assert.truthy(text:find('{"account":{"balance":0.00,', 1, true))
      assert.equal(-1, rc)
    end)

    it("has the built-in snapshot in a set that makes none", function()
      load('return rule "x" { watch = { "equity" } }')
      assert.truthy((engine:snapshot(account)):find('{"account":{"balance":10000.00,', 1, true))
    end)
  end)

  describe("is refused", function()
    local cases = {
      { 'return rule "x" { watch = { "margin_levle" } }', 'a.lua:1: rule "x": watch: no field "margin_levle"; did you '
        .. 'mean "margin_level"?' },
      { 'return rule "x" { watch = { "free_margin" } }', 'it is called "margin_free"' },
      { 'return rule "x" { wach = { "equity" } }', 'no key "wach"; did you mean "watch"?' },
      { 'return rule "x" { on = "position_opend" }', 'no moment "position_opend"; did you mean "position_opened"?' },
      { 'return rule "x" { }', "it needs `watch` or `on`, and not both" },
      { 'return rule "x" { watch = {} }', "watch is a list of field names" },
      { 'return rule "x" { watch = { "equity", n = 1 } }', "watch is a list of field names" },
      { 'return rule "x" { watch = { "equity" }, lane = "fast" }', 'lane is "ordered" or "latest"' },
      { 'return rule "x" { watch = { "equity" }, every = -1 }', "every is a number of seconds" },
      { 'return rule "x" { watch = { "equity" }, detect = 5 }', "detect must be a function, not a number" },
      { 'return rule "x" { watch = { "equity" }, payload = 5 }', "payload is a function or a shape, not a number" },
      { 'return rule "x y" { watch = { "equity" } }', "rule: its name is" },
      { 'return rule "x" { on = "snapshot" }', "a snapshot needs a payload" },
      { 'return rule "x" { watch = { "equity" }, payload = { seq = "equity" } }', "payload.seq: that name is the "
        .. "gateway's own" },
      { 'return rule "x" { watch = { "equity" }, payload = { a = { b = "equty" } } }', 'payload.a.b: no field "equty"; '
        .. 'did you mean "equity"?' },
      { 'return rule "x" { watch = { "equity" }, payload = { a = 5 } }', "a constant is const(5)" },
      { 'return rule "x" { watch = { "equity" }, payload = { "equity", { equity = "equity" } } }', "is named twice" },
      { 'return rule "x" { on = "position_opened", payload = { changes = changes { "sl" } } }', "order_modified have a before" },
      { 'local t = {} t.t = t return rule "x" { watch = { "equity" }, payload = t }', "nested more than 16 deep" },
      { 'rule "x" { watch = { "equity" } } return rule "y" { watch = { "equity" } }',
        'a.lua:1: rule "x" is declared but not returned' },
      { "return 5", "the file must return a rule" },
      { "return {}", "the file must return a rule" },
      { "x = ", "a.lua:2: unexpected symbol" },
      { 'error("own words")', "a.lua:1: own words" },
      { 'return rouns(1)', 'a.lua:1: no name "rouns"; did you mean "round"?' },
      { "while true do end", "a.lua:1: still running after its quota of instructions" },
      { "while true do pcall(function() while true do end end) end", "still running after its quota" },
      { "\27LJ\2", "compiled Lua is not accepted" },
      { 'envelope { typ = "x" } return {}', 'envelope: no member "typ"; did you mean "type"?' },
      { 'envelope { type = "seq" } return {}', 'envelope: two members are called "seq"' },
      { 'envelope { seq = "n" } return rule "x" { watch = { "equity" }, payload = { n = "equity" } }',
        "payload.n: that name is the gateway's own" },
      { 'return option("a", {})', 'option "a": its default is a number, a text, true or false' },
    }
    for _, case in ipairs(cases) do
      it("when it says " .. case[1]:gsub("%c", "?"), function()
        local why = refused(case[1])
        assert.truthy(why:find(case[2], 1, true), why)
      end)
    end

    it("when another file has its name, naming both", function()
      folder:write("b.lua", 'return rule "x" { watch = { "equity" } }')
      local why = refused('return rule "x" { watch = { "equity" } }')
      assert.truthy(why:find('b.lua:1: rule "x" is also declared at a.lua:1', 1, true), why)
    end)

    it("when two rules make the snapshot", function()
      local snapshot = 'return rule "%s" { on = "snapshot", payload = { "balance" } }'
      folder:write("b.lua", snapshot:format("b"))
      local why = refused(snapshot:format("a"))
      assert.truthy(why:find("makes the snapshot already", 1, true), why)
    end)

    it("when a setting names no option", function()
      engine:free()
      engine = rules.engine({ folder.path }, { settings = '{"a":{"warm":1}}' })
      local why = refused('local w = option("warn", 5) return rule "x" { watch = { "equity" } }')
      assert.truthy(why:find('settings: no option "a.warm"; did you mean "a.warn"?', 1, true), why)
    end)

    it("when a setting is of another kind", function()
      engine:free()
      engine = rules.engine({ folder.path }, { settings = '{"a":{"warn":"x"}}' })
      local why = refused('local w = option("warn", 5) return rule "x" { watch = { "equity" } }')
      assert.truthy(why:find('a.lua:1: option "warn": the configuration gives a string, a number is expected', 1, true), why)
    end)

    it("when there is no file, and the sentence names the folder", function()
      local good, why = engine:load()
      assert.is_nil(good)
      assert.equal(folder.path .. ": no *.lua files", why)
    end)
  end)

  it("takes an envelope that names a payload, and then any name is free", function()
    load('envelope { payload = "data" } return rule "x" { watch = { "equity" }, payload = { seq = "equity" } }')
    assert.equal("data", ffi.string(rules.C.tg_script_envelope(engine.script).payload))
    assert.equal('{"seq":1.00}', engine:run(account:poll({ equity = 1 }))[1].payload)
  end)

  it("need not be returned: a file that returns nothing has all that it declares, in order", function()
    load('rule "b" { watch = { "equity" } } rule "a" { watch = { "equity" } }')
    local events = engine:run(account:poll({ equity = 1 }))
    assert.same({ "b", "a" }, { events[1].type, events[2].type })
  end)

  it("may be a file of an envelope alone", function()
    folder:write("z.lua", 'envelope { type = "event" }')
    load('return rule "x" { watch = { "equity" } }')
    assert.equal("event", ffi.string(rules.C.tg_script_envelope(engine.script).type))
  end)
end)
