local rules = require("support.rules")

local set = [[
return {
  rule "figures" { watch = { "equity" }, every = 5, payload = { changes = changes { "equity" } } },
  rule "rich" {
    watch = { "balance" },
    only = function(account) return account.balance > 20000 end,
  },
  rule "jump" {
    watch = { "balance" },
    detect = function(now, was)
      return now.balance > was.balance + 100
    end,
  },
  rule "broken" { watch = { "credit" }, payload = function(now) return { x = now.name .. nil } end },
  rule "opened" {
    on = "position_opened",
    type = "trade.open",
    to = function(client) return client.claims.role == "risk" end,
    payload = { "ticket" },
  },
  rule "source" { on = "source_status" },
}
]]

describe("explain", function()
  local folder, engine, account

  local function start(with)
    with = with or {}
    with.explain_bytes = with.explain_bytes or 1048576
    folder, engine, account = rules.stage({ ["set.lua"] = with.set or set }, with)
  end

  after_each(function() rules.leave(engine, folder) end)

  -- The line about a rule in the newest entry.
  local function line(name, with)
    local answer = assert(engine:explain("demo-1", with))
    for _, rule in ipairs(answer.entries[#answer.entries].rules) do
      if rule.rule == name then return rule end
    end
  end

  it("tells what changed, who woke for it, who spoke and under which number", function()
    start()
    engine:run(account:poll({ equity = 10050 }))
    local answer = engine:explain("demo-1")
    assert.equal("demo-1", answer.account)
    assert.equal(1, #answer.entries)
    local entry = answer.entries[1]
    assert.equal("2026-09-21T14:13:20.000Z", entry.time)
    assert.equal(1, entry.generation)
    assert.same({ equity = { old = 10000, new = 10050 } }, entry.changes)
    assert.same({ rule = "figures", type = "figures", at = "set.lua:2", woken_by = { "equity" }, outcome = "spoke",
      events = { { seq = 1, listeners = 2 } } }, entry.rules[1])
    assert.is_nil(entry.rules[2])
  end)

  it("tells what held a rule back, with the line", function()
    start()
    engine:run(account:poll({ equity = 10050, balance = 10050 }))
    engine:run(account:poll({ equity = 10060, balance = 10060 }))
    assert.equal("held", line("figures").outcome)
    assert.equal("`every` = 5 s holds it back until its time is up", line("figures").because)
    assert.equal("`only` said no at set.lua:5", line("rich").because)
    assert.equal("`detect` had nothing to tell at set.lua:9", line("jump").because)
    engine:advance(5000)
    engine:run(account:poll())
    assert.equal("spoke", line("figures").outcome)
    assert.equal("every", line("figures").woken_by)
  end)

  it("tells an error in the author's words, then that the rule rests", function()
    start()
    for i = 1, 5 do
      engine:run(account:poll({ credit = i }))
    end
    assert.equal("fault", line("broken").outcome)
    assert.truthy(line("broken").because:find("set.lua:13: attempt to concatenate a nil value", 1, true))
    engine:run(account:poll({ credit = 9 }))
    assert.equal("rests", line("broken").outcome)
  end)

  it("tells which client classes a filter let through", function()
    start()
    local C = rules.C
    local risk = C.tg_script_class_join(engine.script, "ann", '{"role":"risk"}', "")
    local other = C.tg_script_class_join(engine.script, "bob", "{}", "")
    engine.on_event = function(event)
      for _, class in ipairs({ risk, other, other, risk }) do
        C.tg_script_permits(engine.script, event, class)
      end
    end
    engine:run(account:poll({}, { { kind = "TG_MOMENT_POSITION_OPENED", position = rules.position() } }))
    local answer = engine:explain("demo-1", { type = "trade.*" })
    local entry = answer.entries[1]
    assert.same({ kind = "position_opened", position_id = 501, ticket = 501 }, entry.moments[1])
    assert.equal(1, #entry.rules)
    assert.equal("position_opened", entry.rules[1].woken_by)
    assert.same({ classes_yes = 1, classes_no = 1, at = "set.lua:17" }, entry.rules[1].events[1].to)
  end)

  it("has a reason for an event that did not come", function()
    start()
    engine:run(account:poll({ margin = 5 })) -- nobody watches it
    assert.equal(0, #engine:explain("demo-1").entries[1].rules)
    assert.equal("asleep", line("jump", { type = "jump" }).outcome)
    assert.equal("none of the fields it watches changed", line("jump", { type = "jump" }).because)
    assert.equal("nothing of what it waits for happened", line("opened", { type = "trade.open" }).because)
    assert.is_nil(line("figures", { type = "jump" }))
  end)

  it("says that a rule was muted, also when it is not any more", function()
    start()
    assert.equal(0, rules.C.tg_script_mute(engine.script, "jump"))
    engine:run(account:poll({ balance = 10500 }))
    engine:run(account:poll({ margin = 5 }))
    assert.equal(0, rules.C.tg_script_unmute(engine.script, "jump"))
    local entries = engine:explain("demo-1", { type = "jump" }).entries
    assert.equal("muted", entries[1].rules[1].outcome)
    assert.equal("it was muted at that time", entries[1].rules[1].because)
    assert.equal("asleep", entries[2].rules[1].outcome)
    assert.equal("none of the fields it watches changed", entries[2].rules[1].because)
    assert.equal(0, rules.C.tg_script_mute(engine.script, "source"))
    engine:tell(account, "source_status", "reconnecting")
    assert.equal("muted", line("source", { type = "source" }).outcome)
    engine:tell(account, "client_connected", "ann")
    assert.equal("it is not about this", line("source", { type = "source" }).because)
  end)

  it("does not take a rule for every poll as muted where `every` alone was due", function()
    start({ set = [[return {
      rule "held" { watch = { "equity" }, every = 5 },
      rule "beat" { on = "tick", detect = function() return false end },
    }]] })
    for i = 1, 2 do
      engine:run(account:poll({ equity = i }))
    end
    assert.equal(0, rules.C.tg_script_mute(engine.script, "beat"))
    engine:run(account:poll({ equity = 3 }))
    assert.equal("muted", line("beat", { type = "beat" }).outcome)
    engine:advance(5000)
    engine:run(account:poll())
    assert.equal("asleep", line("beat", { type = "beat" }).outcome)
  end)

  it("names orders and deals by their tickets", function()
    start()
    engine:run(account:poll({}, {
      { kind = "TG_MOMENT_ORDER_MODIFIED", order = rules.order({ sl = 1.05 }), order_was = { sl = 1.04 } },
      { kind = "TG_MOMENT_DEAL", deal = { ticket = 901, position_id = 501 } },
    }))
    assert.same({
      { kind = "order_modified", position_id = 0, ticket = rules.order().ticket, changed = { "sl" } },
      { kind = "deal", position_id = 501, ticket = 901 },
    }, engine:explain("demo-1").entries[1].moments)
  end)

  it("tells the status of the source, heard or not", function()
    start()
    engine:tell(account, "source_status", "reconnecting")
    engine:tell(account, "client_connected", "ann")
    local answer = engine:explain("demo-1")
    assert.equal("reconnecting", answer.entries[1].source_status)
    assert.equal("spoke", answer.entries[1].rules[1].outcome)
    assert.equal("source_status", answer.entries[1].rules[1].woken_by)
    assert.equal("ann", answer.entries[2].client_connected)
  end)

  it("keeps accounts apart, and what other generations did", function()
    start()
    local other = rules.account("demo-2")
    engine:run(account:poll({ equity = 1 }), other:poll({ balance = 90000 }))
    folder:write("set.lua", 'return rule "new" { watch = { "equity" } }')
    assert(engine:load())
    engine:run(account:poll({ equity = 2 }))
    local answer = engine:explain("demo-1")
    assert.equal(2, #answer.entries)
    assert.equal("figures", answer.entries[1].rules[1].rule)
    assert.equal("new", answer.entries[2].rules[1].rule)
    assert.equal(2, answer.entries[2].generation)
    assert.equal("rich", engine:explain("demo-2").entries[1].rules[1].rule)
    assert.equal(0, #engine:explain("demo-3").entries)
  end)

  it("gives the newest entries, and says how many it left out and how far back it looked", function()
    start({ explain_seconds = 60 })
    for i = 1, 10 do
      engine:run(account:poll({ equity = i }))
      engine:advance(1000)
    end
    local answer = engine:explain("demo-1", { limit = 3 })
    assert.equal(3, #answer.entries)
    assert.equal(7, answer.entries_left_out)
    assert.equal(10, answer.entries[3].changes.equity.new)
    engine:advance(55000)
    assert.equal(5, #engine:explain("demo-1").entries)
    assert.equal(2, #engine:explain("demo-1", { since = 1790000008000 }).entries)
  end)

  it("works within its bytes for ever", function()
    start({ explain_bytes = 65536 + 8 * 13 })
    for i = 1, 5000 do
      local moments = {}
      for k = 1, i % 23 do
        moments[k] = { kind = "TG_MOMENT_POSITION_OPENED", position = rules.position({ position_id = k }) }
      end
      engine:run(account:poll({ equity = i, balance = i * 7 % 13, credit = i % 3 }, moments))
    end
    local answer = engine:explain("demo-1", { limit = 100000 })
    assert.is_true(#answer.entries > 20)
    assert.equal(5000, answer.entries[#answer.entries].changes.equity.new)
    for i = 2, #answer.entries do
      local before, entry = answer.entries[i - 1], answer.entries[i]
      assert.equal(before.changes.equity.new, entry.changes.equity.old)
    end
    local longest = 0
    for _, entry in ipairs(answer.entries) do
      longest = math.max(longest, #entry.moments + (entry.moments_more or 0))
    end
    assert.equal(22, longest)
  end)

  it("is off without memory for it", function()
    start({ explain_bytes = -1 })
    assert.is_nil(engine:explain("demo-1"))
  end)
end)
