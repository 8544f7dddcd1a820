local ffi = require("ffi")
local stream = require("support.stream")
local C, member, types = stream.C, stream.member, stream.types
jit.off(true, true)

describe("session", function()
  local world

  before_each(function() world = stream.world() end)

  after_each(function()
    local bytes, timers = world:finish()
    assert.equal(0, bytes)
    assert.equal(0, timers)
  end)

  describe("that begins", function()
    it("is greeted with everything the protocol promises, in its order", function()
      local client = world:connect({ connection_id = "c7" })
      local epoch = ffi.string(C.tg_channel_epoch(world.channel))
      local greeting, snapshot = client.take(), client.take()
      assert.equal('{"type":"connected","account_id":"demo-1","connection_id":"c7","monitoring_interval":"1s",'
        .. '"protocol":1,"epoch":"' .. epoch .. '","seq":0,"recovered":false,'
        .. '"heartbeat":{"ping_seconds":30,"timeout_seconds":90},"token_expires_in_seconds":3600,'
        .. '"rules":{"name":"default","generation":7,"version":"abc"},"status":"live"}', greeting)
      assert.equal('{"type":"snapshot","seq":0,"rev":1,"timestamp":"2026-01-31T12:00:00.000Z",'
        .. '"account":{"balance":100.00},"positions":[],"cached":false,"cache_age_seconds":0}', snapshot)
      assert.is_nil(client.take())
      assert.equal(C.TG_SESSION_OPEN, client.session.state)
      assert.equal(0, client.outgoing) -- the owner does not have the session yet
    end)

    it("leaves connection_id out when there is none, and writes intervals with their unit", function()
      for ms, text in pairs({ [500] = '"500ms"', [1500] = '"1.5s"', [60000] = '"60s"', [1250] = '"1.25s"' }) do
        local greeting = world:connect({ interval_ms = ms }).take()
        assert.equal(text, member(greeting, "monitoring_interval"))
        assert.is_nil(greeting:find("connection_id", 1, true))
      end
    end)

    it("gets S+1 behind a snapshot of S", function()
      for _ = 1, 5 do world:publish({ type = "deal" }) end
      local client = world:connect()
      world:publish({ type = "deal" })
      local list = client.read()
      assert.equal("connected snapshot deal", types(list))
      assert.equal("5", member(list[1], "seq"))
      assert.equal("5", member(list[2], "seq"))
      assert.equal("6", member(list[3], "seq"))
    end)

    it("before the first poll waits for its snapshot and is sent no event until then", function()
      local state = world.state
      world.state, world.status, world.age_ms = nil, "connecting", -1
      local client = world:connect()
      assert.equal('"connecting"', member(client.read()[1], "status"))
      assert.is_true(client.session.awaits_snapshot)
      world:publish({ type = "deal" })
      world:publish({ type = "account_update", latest = true })
      C.tg_session_snapshot_ready(client.session)
      assert.same({}, client.read())
      world.state = state
      C.tg_session_snapshot_ready(client.session)
      C.tg_session_snapshot_ready(client.session)
      world:publish({ type = "deal" })
      local list = client.read()
      assert.equal("snapshot deal", types(list))
      assert.equal("1", member(list[1], "seq"))
      assert.equal("2", member(list[2], "seq"))
      assert.equal(1, tonumber(client.session.sent))
      assert.is_false(client.session.awaits_snapshot)
    end)

    it("answers a snapshot request that comes too early with the snapshot that was coming anyway", function()
      local state = world.state
      world.state = nil
      local client = world:opened()
      client.say('{"type":"snapshot"}')
      assert.same({}, client.read())
      world.state = state
      client.say('{"type":"snapshot"}')
      C.tg_session_snapshot_ready(client.session)
      assert.equal("snapshot", types(client.read()))
    end)

    it("is sent another snapshot when the account has more to show, and only when it has had one", function()
      local client = world:opened()
      world:publish({ type = "deal" })
      C.tg_session_snapshot_again(client.session)
      world:publish({ type = "deal" })
      local list = client.read()
      assert.equal("deal snapshot deal", types(list))
      assert.equal("1", member(list[2], "seq"))
      C.tg_session_close(client.session, 1000, "", false)
      C.tg_session_snapshot_again(client.session)
      assert.same({}, client.read())
      world.state = nil
      client = world:opened()
      C.tg_session_snapshot_again(client.session)
      assert.same({}, client.read())
      assert.is_true(client.session.awaits_snapshot)
    end)

    it("is not made when its greeting does not fit the queue", function()
      assert.is_nil(world:connect({ queue_bytes = 100 }))
    end)
  end)

  describe("heartbeat", function()
    it("closes 4000 after 90 seconds without life, not earlier", function()
      local client = world:opened()
      world:pass(89900)
      assert.same({}, client.closes)
      world:pass(200)
      assert.same({ { code = 4000, reason = "heartbeat timeout", cut = true } }, client.closes)
      assert.equal(C.TG_SESSION_CLOSING, client.session.state)
    end)

    it("counts a ping message and a Ping frame as life", function()
      local client = world:opened()
      world:pass(60000)
      client.say('{"type":"ping"}')
      world:pass(60000)
      C.tg_session_ping(client.session)
      world:pass(89900)
      assert.same({}, client.closes)
      world:pass(200)
      assert.equal(4000, client.closes[1].code)
    end)

    it("counts no other message as life", function()
      local client = world:opened()
      for _ = 1, 9 do
        world:pass(10000)
        client.say('{"type":"snapshot"}')
        client.say('{"type":"pinng"}')
      end
      world:pass(100)
      assert.equal(4000, client.closes[1].code)
    end)
  end)

  describe("token", function()
    it("is warned about once and ends the session when it ends", function()
      local client = world:opened({ token_ms = 100000, timeout_seconds = 0 })
      world:pass(39900)
      assert.same({}, client.read())
      world:pass(200)
      assert.same({ '{"type":"token_expiring","in_seconds":60}' }, client.read())
      world:pass(59700)
      assert.same({}, client.read())
      assert.same({}, client.closes)
      world:pass(300)
      assert.same({ { code = 4001, reason = "token expired", cut = false } }, client.closes)
    end)

    it("that is short already is warned about at once", function()
      local client = world:opened({ token_ms = 29500 })
      world:pass(100)
      assert.same({ '{"type":"token_expiring","in_seconds":30}' }, client.read())
      world:pass(29500)
      assert.equal(4001, client.closes[1].code)
    end)

    it("that is over already ends the session at the first tick", function()
      local client = world:opened({ token_ms = -5 })
      world:pass(100)
      assert.equal(4001, client.closes[1].code)
      assert.same({}, client.read())
    end)

    it("ends on the wall clock, a minute late at worst when that is set forward", function()
      local client = world:opened({ token_ms = 3600000, timeout_seconds = 0 })
      world.clock.wall = world.clock.wall + 7200000
      world:pass(60100)
      assert.equal(4001, client.closes[1].code)
    end)

    it("does not end early when the wall clock is set back", function()
      local client = world:opened({ token_ms = 100000, timeout_seconds = 0 })
      world.clock.wall = world.clock.wall - 50000
      world:pass(149000)
      assert.same({}, client.closes)
      world:pass(2000)
      assert.equal(4001, client.closes[1].code)
    end)

    it("is replaced in place, and the new one is warned about afresh", function()
      local client = world:opened({ token_ms = 100000, timeout_seconds = 0 })
      world:pass(50000)
      client.read()
      local seen
      world.on_auth = function(_, token, answer)
        seen = token
        answer.ok, answer.expires_ms = true, world.clock.wall + 200000
      end
      client.say('{"type":"auth","token":"a.b\\u002ec"}')
      assert.equal("a.b.c", seen)
      assert.same({ '{"type":"authenticated","token_expires_in_seconds":200}' }, client.read())
      world:pass(139900)
      assert.same({}, client.read())
      world:pass(200)
      assert.equal("token_expiring", types(client.read()))
      world:pass(60000)
      assert.equal(4001, client.closes[1].code)
    end)

    it("stays in force when the new one is refused", function()
      local client = world:opened({ token_ms = 100000, timeout_seconds = 0 })
      local why = ffi.new("char[32]", "signature")
      world.on_auth = function(_, _, answer) answer.message = why end
      client.say('{"type":"auth","token":"x"}')
      assert.same({ '{"type":"error","error_code":"AUTH_FAILED","message":"signature"}' }, client.read())
      world:pass(99000)
      assert.same({}, client.closes)
      world:pass(1100)
      assert.equal(4001, client.closes[1].code)
    end)
  end)

  describe("ownership", function()
    it("is checked again at its interval and ends the session when it is lost", function()
      local client = world:opened({ timeout_seconds = 0 })
      world:pass(299900)
      assert.equal(0, client.rechecks)
      world:pass(200)
      assert.equal(1, client.rechecks)
      client.owner = false
      world:pass(300100)
      assert.equal(2, client.rechecks)
      assert.same({ { code = 4501, reason = "not the owner any more", cut = true } }, client.closes)
      world:pass(600000)
      assert.equal(2, client.rechecks)
    end)
  end)

  describe("that closes", function()
    it("does so once, and then neither takes nor gives anything", function()
      local client = world:opened()
      C.tg_session_close(client.session, 4003, "draining", false)
      C.tg_session_close(client.session, 4503, "revoked", true)
      client.say('{"type":"ping"}')
      client.say("nonsense")
      C.tg_session_send(client.session, "{}", 2)
      C.tg_session_going_away(client.session, 5)
      C.tg_session_snapshot_ready(client.session)
      world:publish({ type = "deal" })
      world:pass(4000000)
      assert.same({ { code = 4003, reason = "draining", cut = false } }, client.closes)
      assert.same({}, client.read())
      assert.equal(0, client.outgoing)
    end)

    it("leaves no timer running while its connection drains", function()
      local client = world:opened()
      C.tg_session_close(client.session, 4003, "draining", false)
      assert.equal(0, tonumber(world.wheel.armed))
    end)

    it("may be freed by its host while it is being told", function()
      for _, hurt in ipairs({
        function(client) client.say("nonsense") end,
        function() world:pass(90100) end,
        function() world:publish({ type = "big", payload = '{"x":"' .. ("y"):rep(2000) .. '"}' }) end,
      }) do
        local client = world:opened({ bad_messages = 1, queue_bytes = 1000 })
        client.on_close = function() client.leave() end
        hurt(client)
        assert.equal(1, #client.closes)
        assert.is_true(client.gone)
      end
    end)

    it("announces the gateway's end first", function()
      local client = world:opened()
      C.tg_session_going_away(client.session, 1234)
      assert.same({ '{"type":"going_away","reconnect_after_ms":1234}' }, client.read())
      assert.same({}, client.closes)
    end)
  end)

  it("tells its host once for each control message, and sends it as it is", function()
    local client = world:opened()
    local text = '{"type":"status","status":"down"}'
    C.tg_session_send(client.session, text, #text)
    assert.equal(1, client.outgoing)
    assert.same({ text }, client.read())
  end)

  it("costs less than a kilobyte while it is idle", function()
    local clients = {}
    local before = stream.heap()
    for i = 1, 200 do
      clients[i] = world:connect()
      for frame in clients[i].take do assert.is_string(frame) end
      world:publish({ type = "account_update", latest = true })
    end
    for i = 1, 200 do clients[i].read() end
    local each = (stream.heap() - before) / 200
    assert.is_true(each < 1024, "a session costs " .. each .. " bytes")
  end)

  it("writes the source's errors and states as the protocol says", function()
    local function text(write, ...)
      local out = ffi.new("struct tg_buf")
      write(out, ...)
      local result = ffi.string(out.data, out.len)
      C.tg_buf_fini(out)
      return result
    end
    assert.equal('{"type":"error","error_code":"CONNECTION_LOST","message":"MT5 connection lost","retry_in_seconds":5}',
      text(C.tg_message_error, "CONNECTION_LOST", "MT5 connection lost", 5))
    assert.equal('{"type":"status","status":"down","since":"2026-01-31T12:00:00.000Z","age_ms":1200}',
      text(C.tg_message_status, "down", 1769860800000LL, 1200))
    assert.equal('{"type":"status","status":"connecting","since":"2026-01-31T12:00:00.000Z","age_ms":null}',
      text(C.tg_message_status, "connecting", 1769860800000LL, -1))
  end)
end)
