-- A client connects, proves who it is, and talks.
local json = require("dkjson")
local gateway_of = require("support.gateway")
local loop = require("support.loop")
local rest = require("support.rest")

describe("a client", function()
  local service, gateway, client

  setup(function()
    service = rest.start()
    gateway = gateway_of.start({
      source = { driver = "http", url = service.url },
      limits = { messages_per_second = 100 },
    })
  end)

  teardown(function()
    if gateway then assert.equal(0, gateway:stop()) end
    if service then service:stop() end
  end)

  before_each(function()
    service:control({ op = "reset" })
  end)

  after_each(function()
    if client then client:close() end
    client = nil
  end)

  local serial = 0
  local function fresh()
    serial = serial + 1
    return "account-" .. serial
  end

  it("is told that it is connected, and is sent the snapshot of the first good poll", function()
    local id = fresh()
    service:control({ op = "open", account = id, position = { ticket = "9007199254740993", symbol = "EURUSD" } })
    client = assert(gateway:connect(id))
    local connected = client:next_json(2000)
    assert.equal("connected", connected.type)
    assert.equal(id, connected.account_id)
    assert.equal("1s", connected.monitoring_interval)
    assert.equal(1, connected.protocol)
    assert.equal("string", type(connected.epoch))
    assert.equal(0, connected.seq)
    assert.equal(false, connected.recovered)
    assert.same({ ping_seconds = 30, timeout_seconds = 90 }, connected.heartbeat)
    assert.is_true(connected.token_expires_in_seconds > 3500 and connected.token_expires_in_seconds <= 3630)
    assert.equal("default", connected.rules.name)
    assert.equal(1, connected.rules.generation)
    assert.equal("connecting", connected.status)
    local snapshot, text = client:wait_type("snapshot", 2000)
    assert.equal(0, snapshot.seq)
    assert.is_true(snapshot.rev >= 1)
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$", snapshot.timestamp)
    assert.equal(10000, snapshot.account.balance)
    assert.equal("USD", snapshot.account.currency)
    assert.equal(1, #snapshot.positions)
    assert.equal("EURUSD", snapshot.positions[1].symbol)
    assert.equal("buy", snapshot.positions[1].type)
    assert.equal(false, snapshot.cached)
    assert.equal(0, snapshot.cache_age_seconds)
    assert.matches('"ticket":9007199254740993,', text, 1, true)
    assert.matches('"balance":10000.00,', text, 1, true)
    assert.matches('"sl":null', text, 1, true)
  end)

  it("is sent the snapshot at once when the account is already followed", function()
    local id = fresh()
    local first = assert(gateway:connect(id))
    assert(first:wait_type("snapshot", 2000))
    client = assert(gateway:connect(id))
    assert.equal("live", client:next_json(500).status)
    assert.equal("snapshot", client:next_json(500).type)
    first:close()
  end)

  it("is answered pong with its id, the newest seq, what it was sent, and the age of the state", function()
    local begun = loop.now()
    client = assert(gateway:connect(fresh()))
    assert(client:wait_type("snapshot", 2000))
    client:send_text('{"type":"ping","id":"a-1"}')
    local pong = assert(client:wait_type("pong", 1000))
    assert.equal("a-1", pong.id)
    assert.equal(0, pong.seq)
    assert.equal(0, pong.sent)
    assert.is_true(pong.age_ms >= 0 and pong.age_ms <= loop.now() - begun)
    assert.equal("live", pong.status)
  end)

  it("has its Ping frame answered with a Pong frame of the same bytes", function()
    client = assert(gateway:connect(fresh()))
    client:ping("\0\255tide")
    assert.equal("\0\255tide", client:next_pong(1000))
  end)

  it("asks for a fresh snapshot", function()
    client = assert(gateway:connect(fresh()))
    local first = assert(client:wait_type("snapshot", 2000))
    client:send_text('{"type":"snapshot"}')
    local second = assert(client:wait_type("snapshot", 1000))
    assert.is_true(second.rev > first.rev)
  end)

  it("replaces its token in place", function()
    client = assert(gateway:connect(fresh(), { claims = { exp = os.time() + 600 } }))
    client:send_json({ type = "auth", token = gateway:token({ exp = os.time() + 7200 }) })
    local answer = assert(client:wait_type("authenticated", 1000))
    assert.is_true(answer.token_expires_in_seconds > 7100)
  end)

  it("keeps its token when the new one is bad, of another subject, or not the owner's", function()
    client = assert(gateway:connect(fresh()))
    for _, token in ipairs({
      gateway:token(nil, ("x"):rep(32)), gateway:token({ sub = "mallory" }), gateway:token({ accounts = { "other" } }),
    }) do
      client:send_json({ type = "auth", token = token })
      assert.equal("AUTH_FAILED", assert(client:wait_type("error", 1000)).error_code)
    end
    client:send_text('{"type":"ping"}')
    assert(client:wait_type("pong", 1000))
  end)

  it("narrows what it is sent, at the connect and later", function()
    local id = fresh()
    client = assert(gateway:connect(id, { query = "&events=account_*" }))
    assert(client:wait_type("snapshot", 2000))
    service:control({
      { op = "open", account = id, position = { profit = 3 } },
      { op = "account", account = id, set = { balance = 10010 } },
    })
    assert.equal("account_update", client:next_json(2500).type)
    client:send_text('{"type":"events","include":["position_*"]}')
    assert.same({ type = "events", include = { "position_*" } }, client:next_json(1000))
    service:control({
      { op = "open", account = id, position = { profit = 4 } },
      { op = "account", account = id, set = { balance = 10020 } },
    })
    local opened = client:next_json(2500)
    assert.equal("position_opened", opened.type)
    assert.equal(2, opened.seq)
    client:send_text('{"type":"ping"}')
    local pong = assert(client:next_json(1000))
    assert.equal("pong", pong.type)
    assert.equal(2, pong.seq)
    assert.equal(1, pong.sent)
  end)

  it("is told that a message makes no sense, and stays connected", function()
    client = assert(gateway:connect(fresh()))
    for _, text in ipairs({ "hello", "[]", '{"type":"subscribe"}', '{"type":7}' }) do
      client:send_text(text)
      assert.equal("INVALID_MESSAGE", assert(client:wait_type("error", 1000)).error_code)
    end
    client:send_text('{"type":"ping"}')
    assert(client:wait_type("pong", 1000))
  end)

  it("gives its token in a header, or as a subprotocol, which is answered", function()
    local id, token = fresh(), gateway:token()
    client = assert(gateway:connect(id, { token = false, headers = { Authorization = "Bearer " .. token } }))
    assert.equal("connected", client:next_json(1000).type)
    assert.is_nil(client.handshake.headers["sec-websocket-protocol"])
    client:close()
    client = assert(gateway:connect(id, {
      token = false, headers = { ["Sec-WebSocket-Protocol"] = "tidegate.v1, bearer." .. token },
    }))
    assert.equal("tidegate.v1", client.handshake.headers["sec-websocket-protocol"])
    assert.equal("connected", client:next_json(1000).type)
  end)

  it("asks for events after a point that is not of this epoch: it is told so and sent the snapshot", function()
    client = assert(gateway:connect(fresh(), { query = "&epoch=never&since=3" }))
    assert.is_false(client:next_json(1000).recovered)
    assert(client:wait_type("snapshot", 2000))
  end)

  it("refetches the snapshot over HTTP, never from a cache", function()
    local id = fresh()
    client = assert(gateway:connect(id))
    assert(client:wait_type("snapshot", 2000))
    local path = "/api/account/" .. id .. "/snapshot"
    local answer = assert(gateway:get(path, { Authorization = "Bearer " .. gateway:token() }))
    assert.equal(200, answer.status)
    assert.equal("no-store", answer.headers["cache-control"])
    assert.equal("snapshot", answer.json.type)
    assert.equal(10000, answer.json.account.balance)
    assert.equal(401, gateway:get(path).status)
    assert.equal(403, gateway:get(path .. "?token=" .. gateway:token({ accounts = { "other" } })).status)
  end)

  it("gets the HTTP snapshot of an account that nobody followed at its second try", function()
    local path = "/api/account/" .. fresh() .. "/snapshot?token=" .. gateway:token()
    local answer = gateway:get(path)
    assert.equal(503, answer.status)
    assert.equal("1", answer.headers["retry-after"])
    assert(gateway:eventually(function()
      return gateway:get(path).status == 200
    end, 2000))
  end)

  it("never finds its token in the log, the metrics, the health page or at the source", function()
    local id, token = fresh(), gateway:token({ sub = "carol" })
    client = assert(gateway:connect(id, { token = token }))
    assert(client:wait_type("snapshot", 2000))
    gateway:get("/nowhere?token=" .. token)
    gateway:get("/ws/account/" .. id .. "?token=" .. token .. "x")
    local signature = token:match("[^.]+$")
    for _, text in ipairs({
      gateway:log_text(), gateway:admin("/metrics").body, gateway:admin("/health").body, json.encode(service:stats()),
    }) do
      assert.is_nil(text:find(signature, 1, true))
    end
  end)
end)
