local ffi = require("ffi")
local stream = require("support.stream")
local C, member, types = stream.C, stream.member, stream.types
jit.off(true, true)

describe("channel", function()
  local world

  before_each(function() world = stream.world() end)

  after_each(function() assert.equal(0, (world:finish())) end)

  local function seqs(list)
    local result = {}
    for i, text in ipairs(list) do result[i] = member(text, "seq") or "-" end
    return table.concat(result, " ")
  end

  it("composes an event around the payload's own text", function()
    local client = world:opened()
    world:publish({ type = "position_closed", payload = '{"ticket":9223372036854775807,"close_price":1.08650}' })
    world:publish({ type = "account_update", latest = true, payload = '{"changes":{}}' })
    world:publish({ type = "bare" })
    assert.same({
      '{"type":"position_closed","seq":1,"timestamp":"2026-01-31T12:00:00.000Z","ticket":9223372036854775807,'
        .. '"close_price":1.08650}',
      '{"type":"account_update","rev":2,"timestamp":"2026-01-31T12:00:00.000Z","changes":{}}',
      '{"type":"bare","seq":2,"timestamp":"2026-01-31T12:00:00.000Z"}',
    }, client.read())
  end)

  it("uses the names of the rules' envelope, nested or beside", function()
    world:envelope({ type = "event", seq = "sequence", rev = "version", timestamp = "ts", payload = "data" })
    local client = world:connect()
    client.take()
    assert.equal('{"event":"snapshot","sequence":0,"version":1,"ts":"2026-01-31T12:00:00.000Z",'
      .. '"data":{"account":{"balance":100.00},"positions":[]},"cached":false,"cache_age_seconds":0}', client.take())
    world:publish({ type = "deal", payload = '{"ticket":1}' })
    world:publish({ type = "update", latest = true })
    assert.same({
      '{"event":"deal","sequence":1,"ts":"2026-01-31T12:00:00.000Z","data":{"ticket":1}}',
      '{"event":"update","version":2,"ts":"2026-01-31T12:00:00.000Z","data":{}}',
    }, client.read())
  end)

  it("numbers ordered events by exactly one, whether anybody listens or not", function()
    world:publish({ type = "a" })
    world:publish({ type = "u", latest = true })
    local client = world:opened()
    for _ = 1, 3 do
      world:publish({ type = "a" })
      world:publish({ type = "u", latest = true })
    end
    local list = {}
    for _, text in ipairs(client.read()) do
      if member(text, "seq") then list[#list + 1] = text end
    end
    assert.equal("2 3 4", seqs(list))
    assert.equal(4, tonumber(C.tg_channel_seq(world.channel)))
    assert.equal(5, tonumber(C.tg_channel_rev(world.channel)))
  end)

  it("frames once for all who listen", function()
    local clients = {}
    for i = 1, 50 do clients[i] = world:opened() end
    local before = C.tg_blob_bytes_alive()
    world:publish({ type = "deal", payload = '{"x":"' .. ("y"):rep(1000) .. '"}' })
    assert.is_true(C.tg_blob_bytes_alive() - before < 1200)
    assert.equal(50, C.tg_channel_sessions_count(world.channel))
    for i = 1, 50 do assert.equal(1, #clients[i].read()) end
  end)

  it("passes over a session that may not have an event, and tells only those who got it", function()
    local yes, no = world:opened(), world:opened()
    world:publish({ type = "deal", permits = function(client) return client == yes end })
    world:publish({ type = "deal" })
    assert.equal("1 2", seqs(yes.read()))
    assert.equal("2", seqs(no.read()))
    assert.equal(2, yes.outgoing)
    assert.equal(1, no.outgoing)
    assert.equal(2, tonumber(yes.session.sent))
    assert.equal(1, tonumber(no.session.sent))
  end)

  it("does not ask whether a session may have what it does not want", function()
    world:opened({ events = "other" })
    world:publish({ type = "deal", permits = function() error("asked") end })
  end)

  it("closes the slow client 4002 and costs the others nothing", function()
    local slow, quick = world:opened({ queue_bytes = 1000 }), world:opened()
    for i = 1, 20 do
      world:publish({ type = "deal", payload = '{"n":"' .. ("x"):rep(100) .. '"}' })
      assert.equal(tostring(i), seqs(quick.read()))
    end
    assert.equal(1, #slow.closes)
    assert.equal(4002, slow.closes[1].code)
    assert.is_true(slow.closes[1].cut)
    local got = slow.read()
    assert.equal(#got, tonumber(slow.session.sent)) -- what it was counted, it was given
    assert.equal("1 2 3 4 5", seqs(got))
    assert.same({}, quick.closes)
  end)

  it("gives an event to everybody before a host that is told may publish the next", function()
    local first, second = world:opened({ queue_bytes = 500 }), world:opened()
    first.on_close = function() world:publish({ type = "client_left" }) end
    world:publish({ type = "deal", payload = '{"x":"' .. ("y"):rep(1000) .. '"}' })
    assert.equal("1 2", seqs(second.read()))
    assert.equal(4002, first.closes[1].code)
  end)

  it("stands it when hosts free any sessions while they are told", function()
    for victim = 1, 4 do
      local list = {}
      for i = 1, 4 do list[i] = world:opened() end
      list[2].on_outgoing = function()
        list[victim].leave()
        list[math.max(victim - 1, 1)].leave()
      end
      world:publish({ type = "deal" })
      for i = 1, 4 do
        if not list[i].gone then
          assert.equal(1, list[i].outgoing)
          assert.equal(1, #list[i].read())
          list[i].leave()
        end
      end
    end
  end)

  it("stands it when a host connects a client while it is told", function()
    local client, late = world:opened(), nil
    client.on_outgoing = function()
      client.on_outgoing = nil
      late = world:connect()
    end
    world:publish({ type = "deal" })
    assert.equal("connected snapshot", types(late.read()))
    assert.equal("1", seqs(client.read()))
    world:publish({ type = "deal" })
    assert.equal("2", seqs(late.read()))
  end)

  it("changes its epoch and closes everybody 4004 when an event cannot be made", function()
    for _, latest in ipairs({ false, true }) do
      local epoch = ffi.string(C.tg_channel_epoch(world.channel))
      local one, other = world:opened(), world:opened()
      one.on_close = function() world:publish({ type = "client_left" }) end
      assert.equal(-2, world:publish({ type = "deal", latest = latest, broken = true }))
      assert.equal(4004, one.closes[1].code)
      assert.equal(4004, other.closes[1].code)
      assert.same({}, other.read()) -- nothing of the new epoch on the old connection
      assert.not_equal(epoch, ffi.string(C.tg_channel_epoch(world.channel)))
      assert.equal(1, tonumber(C.tg_channel_seq(world.channel)))
      one.leave()
      other.leave()
      world:publish({ type = "deal" })
      assert.equal("2", seqs({ world:connect().take() }))
    end
  end)

  it("has an epoch of its own, 16 letters that need no escaping", function()
    local other = stream.world()
    local a, b = ffi.string(C.tg_channel_epoch(world.channel)), ffi.string(C.tg_channel_epoch(other.channel))
    other:finish()
    assert.truthy(a:match("^[a-z2-7]+$"))
    assert.equal(16, #a)
    assert.not_equal(a, b)
  end)

  it("keeps no frame longer than its log may", function()
    for _ = 1, 100 do world:publish({ type = "deal" }) end
    assert.is_true(C.tg_blob_bytes_alive() > 0)
    world:pass(300100)
    C.tg_channel_tidy(world.channel)
    assert.equal(0, tonumber(C.tg_blob_bytes_alive()))
  end)

  it("is left without a trace by a thousand clients who come and go in the middle of things", function()
    local heap = stream.heap()
    for i = 1, 1000 do
      local client = world:connect({ queue_bytes = 2000, events = i % 3 == 0 and "deal" or nil })
      world:publish({ type = "deal", payload = '{"n":' .. i .. "}" })
      world:publish({ type = "account_update", latest = true, payload = '{"changes":{"a":{"old":1,"new":2}}}' })
      if i % 2 == 0 then client.take() end
      if i % 5 == 0 then client.say("x") end
      if i > 3 then world.clients[i - 3].leave() end
    end
    for _, client in ipairs(world.clients) do client.leave() end
    assert.equal(0, C.tg_channel_sessions_count(world.channel))
    assert.equal(0, tonumber(world.wheel.armed))
    world:pass(300100)
    C.tg_channel_tidy(world.channel)
    assert.equal(0, tonumber(C.tg_blob_bytes_alive()))
    local grown = stream.heap() - heap
    assert.is_true(grown < 20000, grown .. " bytes of a thousand clients are left") -- 20 bytes each would show
  end)
end)
