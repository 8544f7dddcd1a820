local ffi = require("ffi")
local stream = require("support.stream")
local C, member, types = stream.C, stream.member, stream.types
jit.off(true, true)

describe("messages from a client", function()
  local world

  before_each(function() world = stream.world() end)

  after_each(function() assert.equal(0, (world:finish())) end)

  describe("ping", function()
    it("is answered with where the account and this connection are", function()
      local client = world:opened()
      world:publish({ type = "deal" })
      world:publish({ type = "other", permits = function() return false end })
      client.read()
      client.say('{"type":"ping"}')
      assert.same({ '{"type":"pong","seq":2,"sent":1,"age_ms":430,"status":"live"}' }, client.read())
    end)

    it("says null for an age that is not known", function()
      world.age_ms = -1
      local client = world:opened()
      client.say('{"type":"ping"}')
      assert.equal("null", member(client.take(), "age_ms"))
    end)

    it("echoes any id byte for byte", function()
      for _, id in ipairs({ "1", "-1.50e+02", '"a\\u0041\\"b"', "null", "true", '[1, {"a": "b"}]', '""',
                            '"' .. ("x"):rep(254) .. '"', "18446744073709551617" }) do
        local client = world:opened()
        client.say('{"id":' .. id .. ' , "type":"ping"}')
        assert.equal('{"type":"pong","id":' .. id .. ',"seq":0,"sent":0,"age_ms":430,"status":"live"}', client.take())
      end
    end)

    it("is refused with an id over 256 bytes", function()
      local client = world:opened()
      client.say('{"type":"ping","id":"' .. ("x"):rep(255) .. '"}')
      assert.equal('"INVALID_MESSAGE"', member(client.take(), "error_code"))
    end)

    it("is answered behind everything that was queued before it", function()
      local client = world:opened()
      world:publish({ type = "a" })
      world:publish({ type = "account_update", latest = true })
      world:publish({ type = "b" })
      client.say('{"type":"ping"}')
      world:publish({ type = "c" })
      assert.equal("a account_update b pong c", types(client.read()))
    end)
  end)

  describe("snapshot", function()
    it("is answered with a fresh one, whose rev has risen", function()
      local client = world:opened()
      world:publish({ type = "deal" })
      world.cached, world.age_ms = true, 12999
      client.say('{"type":"snapshot","member":"of a newer client"}')
      local list = client.read()
      assert.equal("deal snapshot", types(list))
      assert.equal("1", member(list[2], "seq"))
      assert.equal("2", member(list[2], "rev"))
      assert.equal("true", member(list[2], "cached"))
      assert.equal("12", member(list[2], "cache_age_seconds"))
    end)

    it("says so when there is no state to show any more", function()
      local client = world:opened()
      world.state = nil
      client.say('{"type":"snapshot"}')
      assert.equal('"SNAPSHOT_UNAVAILABLE"', member(client.take(), "error_code"))
      assert.equal(C.TG_SESSION_OPEN, client.session.state)
    end)
  end)

  describe("events", function()
    it("narrows this connection and no other, and widens again", function()
      local one, other = world:opened(), world:opened()
      one.say('{"type":"events","include":["position_*","deal"]}')
      assert.same({ '{"type":"events","include":["position_*","deal"]}' }, one.read())
      for _, type in ipairs({ "position_opened", "order_placed", "deal", "dealer" }) do
        world:publish({ type = type })
      end
      assert.equal("position_opened deal", types(one.read()))
      assert.equal("position_opened order_placed deal dealer", types(other.read()))
      assert.equal(2, tonumber(one.session.sent))
      one.say('{"type":"events","include":[]}')
      world:publish({ type = "deal" })
      assert.equal("events", types(one.read()))
      one.say('{"type":"events","include":["*"]}')
      world:publish({ type = "deal" })
      assert.equal("events deal", types(one.read()))
    end)

    it("starts from the query's globs and never widens what a filter holds back", function()
      local client = world:opened({ events = "deal,position_*" })
      client.say('{"type":"events","include":["*"]}')
      client.read()
      world:publish({ type = "deal", permits = function() return false end })
      assert.same({}, client.read())
      local narrow = world:opened({ events = "order_*" })
      world:publish({ type = "deal" })
      world:publish({ type = "order_placed", latest = true })
      assert.equal("order_placed", types(narrow.read()))
    end)

    it("takes 32 globs of 64 characters and not one more of either", function()
      local function include(count, len)
        local list = {}
        for i = 1, count do list[i] = '"' .. ("a"):rep(len) .. '"' end
        local client = world:opened()
        client.say('{"type":"events","include":[' .. table.concat(list, ",") .. "]}")
        return types({ client.take() })
      end
      assert.equal("events", include(32, 64))
      assert.equal("error", include(33, 1))
      assert.equal("error", include(1, 65))
      assert.equal("error", include(1, 0))
    end)

    it("is known to the gateway before a connection stands", function()
      for text, valid in pairs({ ["a"] = true, ["a,b*,C-9_.*"] = true, [""] = false, [","] = false, ["a,"] = false,
                                 [",a"] = false, ["a,,b"] = false, ["a b"] = false, ["\195\164"] = false,
                                 [("a,"):rep(31) .. "a"] = true, [("a,"):rep(32) .. "a"] = false,
                                 [("a"):rep(64)] = true, [("a"):rep(65)] = false, ['"'] = false }) do
        assert.equal(valid, C.tg_events_valid(text), text)
      end
    end)
  end)

  describe("that cannot be used", function()
    local bad = {
      "", " ", "null", "1", '"ping"', "[]", '[{"type":"ping"}]', "{}", '{"type":null}', '{"type":1}',
      '{"type":["ping"]}', '{"type":"Ping"}', '{"type":"connected"}', '{"type":"ping"', '{"type":"ping"}}',
      '{"type":"ping"} x', '{"type":"ping",}', "{type:'ping'}", '{"type":"pi\0ng"}', '{"type":"ping","id":01}',
      '{"type":"ping","id":"\255"}', '{"type":"ping","id":"\\ud800"}', '{"type":"ping","id":NaN}',
      '{"type":"ping","id":"\n"}', '\239\187\191{"type":"ping"}', '{"type":"auth"}', '{"type":"auth","token":null}',
      '{"type":"auth","token":""}', '{"type":"auth","token":["x"]}', '{"type":"events"}',
      '{"type":"events","include":"*"}', '{"type":"events","include":[1]}', '{"type":"events","include":["a,b"]}',
      '{"type":"events","include":["a\\u0000"]}', '{"type":"events","include":["\\""]}',
      ("["):rep(3000), '{"type":"ping","id":' .. ("["):rep(100) .. ("]"):rep(100) .. "}",
    }

    it("is answered INVALID_MESSAGE, changes nothing, and is no life", function()
      for _, text in ipairs(bad) do
        local client = world:opened()
        world.on_auth = function() error("a bad message reached the host") end
        client.say(text)
        local list = client.read()
        assert.equal("error", types(list), text)
        assert.equal('"INVALID_MESSAGE"', member(list[1], "error_code"), text)
        assert.equal(C.TG_SESSION_OPEN, client.session.state)
        assert.is_true(C.tg_session_wants(client.session, "deal"))
        client.leave()
      end
    end)

    it("is never quoted in the answer", function()
      local client = world:opened()
      client.say('{"type":"secret-token","token":"secret-token"}')
      client.say('{"type":"auth","token":["secret-token"]}')
      client.say('secret-token')
      assert.is_nil(table.concat(client.read()):find("secret", 1, true))
    end)

    it("is any binary message", function()
      local client = world:opened()
      C.tg_session_message(client.session, false, '{"type":"ping"}', 15)
      assert.equal('"INVALID_MESSAGE"', member(client.take(), "error_code"))
    end)

    it("closes 4505 behind the answer to the last one that is allowed", function()
      local client = world:opened({ bad_messages = 3 })
      for _ = 1, 2 do client.say("x") end
      client.say('{"type":"ping"}')
      assert.same({}, client.closes)
      client.say("x")
      assert.equal(4505, client.closes[1].code)
      assert.is_false(client.closes[1].cut)
      client.say("x")
      assert.equal("error error pong error", types(client.read()))
      assert.equal(1, #client.closes)
    end)
  end)

  describe("that come too fast", function()
    it("pass in a burst of twice the rate, then are not read and count as bad", function()
      local client = world:opened({ messages_per_second = 5, bad_messages = 3 })
      for _ = 1, 10 do client.say('{"type":"ping"}') end
      assert.equal(("pong "):rep(9) .. "pong", types(client.read()))
      client.say('{"type":"snapshot"}')
      local list = client.read()
      assert.equal('"RATE_LIMITED"', member(list[1], "error_code"))
      assert.equal(1, client.snapshots) -- the one of the beginning
      world:pass(200)
      client.say('{"type":"ping"}')
      assert.equal("pong", types(client.read()))
      client.say('{"type":"ping"}')
      client.say('{"type":"ping"}')
      assert.equal(4505, client.closes[1].code)
    end)
  end)

  it("passes a token with any byte to the host", function()
    local client = world:opened()
    local seen
    world.on_auth = function(_, token) seen = token end
    client.say('{"type":"auth","token":"a\\u0000b\195\164"}')
    assert.equal("a\0b\195\164", seen)
    assert.equal('"AUTH_FAILED"', member(client.take(), "error_code"))
  end)
end)

describe("limiter", function()
  local function limiter(per_second, burst)
    local l = ffi.new("struct tg_limiter")
    C.tg_limiter_init(l, per_second, burst, 1000)
    return function(now)
      return C.tg_limiter_take(l, now)
    end
  end

  it("lets a burst pass and then the rate, exactly", function()
    local take = limiter(3, 2)
    assert.is_true(take(1000))
    assert.is_true(take(1000))
    assert.is_false(take(1000))
    assert.is_false(take(1333))
    assert.is_true(take(1334))
    local passed = 0
    for now = 1335, 11334 do
      if take(now) then passed = passed + 1 end
    end
    assert.equal(30, passed)
  end)

  it("never holds more than its burst, however long nothing came", function()
    local take = limiter(1000000, 2)
    take(1000)
    assert.is_true(take(9000000000000000LL))
    assert.is_true(take(9000000000000000LL))
    assert.is_false(take(9000000000000000LL))
  end)

  it("gives nothing for a clock that goes back", function()
    local take = limiter(1, 1)
    assert.is_true(take(1000))
    assert.is_false(take(-5000))
    assert.is_false(take(1999))
    assert.is_true(take(2000))
  end)

  it("does not limit without a rate", function()
    local take = limiter(0, 1)
    for _ = 1, 1000 do assert.is_true(take(1000)) end
  end)
end)
