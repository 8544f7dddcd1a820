local rules = require("support.rules")

describe("delivery", function()
  local folder, engine, account

  before_each(function() folder, engine, account = rules.stage() end)
  after_each(function() rules.leave(engine, folder) end)

  local function load(text)
    folder:write("a.lua", text)
    assert(engine:load())
  end

  describe("by every", function()
    local update = [[return rule "u" { watch = { "balance", "equity" }, every = 10,
      payload = { changes = changes { "balance", "equity" } } }]]

    it("holds back, and then tells all that the client has not seen", function()
      load(update)
      assert.equal(1, #engine:run(account:poll({ balance = 1 })))
      engine:advance(1000)
      assert.same({}, engine:run(account:poll({ balance = 2 })))
      engine:advance(1000)
      assert.same({}, engine:run(account:poll({ equity = 5 })))
      assert.equal(1790000010000, tonumber(account.c.wake_wall_ms))
      engine:advance(8000)
      local events = engine:run(account:poll())
      assert.equal(1, #events)
      assert.equal('{"changes":{"balance":{"old":1.00,"new":2.00,"diff":1.00},'
        .. '"equity":{"old":10000.00,"new":5.00,"diff":-9995.00}}}', events[1].payload)
      assert.equal(0, tonumber(account.c.wake_wall_ms))
      engine:advance(10000)
      assert.same({}, engine:run(account:poll()))
    end)

    it("says nothing when all went back to what the client knows", function()
      load(update)
      engine:run(account:poll({ balance = 1 }))
      engine:run(account:poll({ balance = 2 }))
      engine:run(account:poll({ balance = 1 }))
      engine:advance(10000)
      assert.same({}, engine:run(account:poll()))
      assert.equal(1, #engine:run(account:poll({ balance = 3 }))) -- nothing was sent, so nothing waits
    end)

    it("tells the newest of what a function made, also without a poll", function()
      load('return rule "u" { watch = { "balance" }, every = 10, payload = function(now) return { b = now.balance } end }')
      assert.equal(1, #engine:run(account:poll({ balance = 1 })))
      assert.same({}, engine:run(account:poll({ balance = 2 })))
      assert.same({}, engine:run(account:poll({ balance = 3 })))
      engine:advance(9999)
      assert.same({}, engine:due(account))
      engine:advance(1)
      assert.equal('{"b":3}', engine:due(account)[1].payload)
      assert.same({}, engine:due(account))
    end)

    it("counts for each account of its own", function()
      load(update)
      local other = rules.account("demo-2")
      assert.equal(2, #engine:run(account:poll({ balance = 1 }), other:poll({ balance = 1 })))
    end)

    it("is carried over a reload, with what was held back", function()
      load(update)
      engine:run(account:poll({ balance = 1 }))
      engine:run(account:poll({ balance = 2 }))
      assert(engine:load())
      assert.same({}, engine:run(account:poll({ balance = 3 })))
      engine:advance(10000)
      assert.equal('{"changes":{"balance":{"old":1.00,"new":3.00,"diff":2.00}}}', engine:run(account:poll())[1].payload)
    end)

    it("is not fooled by a clock that is set back", function()
      load(update)
      engine:run(account:poll({ balance = 1 }))
      engine.clock.wall = engine.clock.wall - 3600000
      assert.equal(1, #engine:run(account:poll({ balance = 2 })))
    end)

    it("holds moments too", function()
      load('return rule "o" { on = "position_opened", every = 5, payload = { "ticket" } }')
      local function open(ticket)
        return engine:run(account:poll({}, {
          { kind = "TG_MOMENT_POSITION_OPENED", position = rules.position({ ticket = ticket }) },
        }))
      end
      assert.equal('{"ticket":1}', open(1)[1].payload)
      assert.same({}, open(2))
      assert.same({}, open(3))
      engine:advance(5000)
      assert.equal('{"ticket":3}', engine:run(account:poll())[1].payload)
    end)
  end)

  describe("by throttle", function()
    it("lets a key through once in so many seconds", function()
      load([[return rule "t" { watch = { "balance" }, detect = function(now, was, memory)
        if throttle(memory, "k", 60) then return { b = now.balance } end
      end }]])
      assert.equal(1, #engine:run(account:poll({ balance = 1 })))
      engine:advance(59999)
      assert.same({}, engine:run(account:poll({ balance = 2 })))
      engine:advance(1)
      assert.equal(1, #engine:run(account:poll({ balance = 3 })))
    end)
  end)

  describe("by to", function()
    local C = rules.C
    local classes

    before_each(function()
      classes = {
        admin = C.tg_script_class_join(engine.script, "root", '{"role":"admin","id":9007199254740993}', ""),
        user = C.tg_script_class_join(engine.script, "alice", '{"role":"user"}', "level=full&x=a%20b+c&x2"),
        bare = C.tg_script_class_join(engine.script, "bob", "", ""),
      }
    end)

    local function ask(text)
      load('local asked = 0 return rule "t" { watch = { "balance" }, payload = { b = "balance" }, to = function(client, '
        .. "event) " .. text .. " end }")
      local got = {}
      engine.on_event = function(event, seen)
        assert.is_true(seen.filtered)
        for name, class in pairs(classes) do
          got[name] = C.tg_script_permits(engine.script, event, class)
          assert.equal(got[name], C.tg_script_permits(engine.script, event, class))
        end
      end
      engine:run(account:poll({ balance = account.c.now._balance + 1 }))
      return got
    end

    it("judges by claims", function()
      assert.same({ admin = true, user = false, bare = false }, ask('return client.claims.role == "admin"'))
    end)

    it("judges by subject and query", function()
      assert.same({ admin = false, user = true, bare = false },
        ask('return client.subject == "alice" and client.query.level == "full" and client.query.x == "a b c" '
          .. 'and client.query.x2 == ""'))
    end)

    it("judges by the event", function()
      assert.same({ admin = true, user = true, bare = true },
        ask('return event.type == "t" and event.account_id == "demo-1" and event.payload.b == 10001'))
    end)

    it("keeps the digits of a claim that no number holds", function()
      assert.same({ admin = true, user = false, bare = false }, ask('return client.claims.id == "9007199254740993"'))
    end)

    it("is asked once for a class and an event", function()
      ask("asked = asked + 1 log(asked) return true")
      local log = rules.logged(function() engine:run(account:poll({ balance = 5 })) end)
      local _, lines = log:gsub('"event":"note"', "")
      assert.equal(3, lines)
    end)

    it("says no when it throws, is undecided, or never comes back", function()
      local nobody = { admin = false, user = false, bare = false }
      assert.same(nobody, ask('error("x")'))
      assert.same(nobody, ask("return nil"))
      assert.same(nobody, ask("return 1"))
      assert.is_false(engine:rule("t").muted)
      assert.same(nobody, ask("while true do end"))
      assert.is_true(engine:rule("t").muted)
    end)

    it("cannot be fooled by what it was told before", function()
      assert.same({ admin = false, user = false, bare = false }, ask([[
        local was = client.claims.role client.claims.role = "admin" client.subject = "root"
        return was == "other" ]]))
    end)

    it("says no to a class that is gone, and to an event outside of emit", function()
      load('return rule "t" { watch = { "balance" }, to = function() return true end }')
      local gone = C.tg_script_class_join(engine.script, "x", "{}", "")
      C.tg_script_class_leave(engine.script, gone)
      local answers = {}
      engine.on_event = function(event)
        answers = { C.tg_script_permits(engine.script, event, gone), C.tg_script_permits(engine.script, event, classes.user) }
      end
      engine:run(account:poll({ balance = 1 }))
      assert.same({ false, true }, answers)
    end)

    it("lets a rule without a filter through to all", function()
      load('return rule "t" { watch = { "balance" } }')
      local answer
      engine.on_event = function(event) answer = C.tg_script_permits(engine.script, event, classes.bare) end
      engine:run(account:poll({ balance = 1 }))
      assert.is_true(answer)
    end)

    it("counts classes by their members", function()
      local script = engine.script
      assert.equal(3, engine:status().classes)
      local again = C.tg_script_class_join(script, "alice", '{"role":"user"}', "level=full&x=a%20b+c&x2")
      assert.equal(classes.user, again)
      C.tg_script_class_leave(script, again)
      assert.equal(3, engine:status().classes)
      C.tg_script_class_leave(script, classes.user)
      assert.equal(2, engine:status().classes)
      assert.equal(classes.user, C.tg_script_class_join(script, "carol", "{}", ""))
      assert.are_not.equal(C.tg_script_class_join(script, "a", "b", ""), C.tg_script_class_join(script, "ab", "", ""))
    end)
  end)

  describe("to a gateway that acts at once", function()
    it("may be told the next moment while it emits", function()
      load([[return {
        rule "a" { watch = { "balance" } }, rule "b" { watch = { "balance" } },
        rule "c" { on = "client_disconnected" },
      }]])
      local order = {}
      engine.on_event = function(_, got)
        order[#order + 1] = got.type
        if got.type == "a" then rules.C.tg_script_tell(engine.script, account.c, "client_disconnected", "bob") end
      end
      engine:run(account:poll({ balance = 1 }))
      assert.same({ "a", "c", "b" }, order)
    end)

    it("may free an account while it emits: the rest of its events are not sent", function()
      load('return { rule "a" { watch = { "balance" } }, rule "b" { watch = { "balance" } } }')
      local other = rules.account("demo-2")
      local seen = {}
      engine.on_event = function(_, got)
        seen[#seen + 1] = got.account .. got.type
        if #seen == 1 then rules.C.tg_script_forget(engine.script, account.c) end
      end
      engine:run(account:poll({ balance = 1 }), other:poll({ balance = 1 }))
      assert.same({ "demo-1a", "demo-2a", "demo-2b" }, seen)
    end)

    it("may ask for a snapshot while it emits", function()
      load('return { rule "a" { watch = { "balance" } }, rule "b" { watch = { "balance" } } }')
      local text
      engine.on_event = function() text = engine:snapshot(account) end
      assert.equal(2, #engine:run(account:poll({ balance = 1 })))
      assert.truthy(text:find('{"account":{"balance":1.00', 1, true))
    end)
  end)

  it("without a generation is silence, and no snapshot", function()
    assert.same({}, engine:run(account:poll({ balance = 1 })))
    local text, rc = engine:snapshot(account)
    assert.equal("", text)
    assert.equal(-5, rc)
    assert.same({}, engine:tell(account, "source_status", "down"))
    assert.equal(0, engine:status().generation)
  end)

  it("does not enter Lua when nothing wakes", function()
    load('return rule "a" { watch = { "equity" } }')
    assert.is_false(rules.C.tg_script_wakes(engine.script, account:poll({ balance = 1 }).c))
    assert.is_true(rules.C.tg_script_wakes(engine.script, account:poll({ equity = 1 }).c))
    assert.is_false(rules.C.tg_script_wakes(engine.script, account:poll({}, { { kind = "TG_MOMENT_DEAL" } }).c))
  end)
end)
