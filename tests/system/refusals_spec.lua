-- Who is refused is told why, in one shape, before anything is promised.
local json = require("dkjson")
local frames = require("support.frames")
local gateway_of = require("support.gateway")
local loop = require("support.loop")
local rest = require("support.rest")
local wire = require("support.wire")

local gateways, service = {}, nil

local function start(config)
  local gateway = gateway_of.start(config)
  gateways[#gateways + 1] = gateway
  return gateway
end

-- The refusal has this status and code, and its reference is in the log.
local function refused(gateway, answer, status, code, retry)
  assert.equal("table", type(answer), "it was not refused")
  assert.equal(status, answer.status, answer.body)
  assert.is_true(answer.complete)
  assert.equal("no-store", answer.headers["cache-control"])
  assert.matches("^application/json", answer.headers["content-type"])
  local body = json.decode(answer.body, 1, json.null)
  assert.equal(false, body.success)
  assert.equal(code, body.error.code)
  assert.is_true(#body.error.message > 0)
  if retry then
    assert.is_true(body.error.retry_after_seconds >= 1)
    assert.equal(tostring(body.error.retry_after_seconds), answer.headers["retry-after"])
  else
    assert.equal(json.null, body.error.retry_after_seconds)
    assert.is_nil(answer.headers["retry-after"])
  end
  local reference = body.error.support_reference
  local line = gateway.process:wait_log({ event = "refused", reference = reference, code = code }, 1000)
  assert(line, "its reference " .. tostring(reference) .. " is not in the log")
end

describe("a refusal", function()
  local gateway

  setup(function()
    service = rest.start()
    gateway = start({ source = { driver = "http", url = service.url } })
  end)

  teardown(function()
    assert.equal(0, gateway:stop())
    gateways = {}
    service:stop()
  end)

  local function ws(account, options)
    local client, answer = gateway:connect(account, options)
    if client then client:abort() end
    return answer
  end

  it("is 400 for an id that cannot be one", function()
    for _, id in ipairs({ "", "a%20b", "a/b", ("x"):rep(65), "a%2Fb", "*", "%C3%A4" }) do
      refused(gateway, ws(id), 400, "INVALID_ACCOUNT_ID")
    end
    refused(gateway, gateway:get("/api/account/a%20b/snapshot"), 400, "INVALID_ACCOUNT_ID")
  end)

  it("is 400 for a parameter that cannot be read", function()
    refused(gateway, ws("demo", { query = "&events=" .. ("a*,"):rep(600) }), 400, "INVALID_PARAMETERS")
    refused(gateway, ws("demo", { query = "&events=%zz" }), 400, "INVALID_PARAMETERS")
  end)

  it("is 400 for a request that is none", function()
    for _, text in ipairs({
      "GARBAGE\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n",
      "GET /ws/account/%00 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /ws/account/\228 HTTP/1.1\r\nHost: x\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    }) do
      local raw = assert(wire.raw(gateway.port))
      raw:send(text)
      local answer = assert(raw:next_answer(2000))
      assert.equal(400, answer.status, text)
      assert.equal("INVALID_REQUEST", answer.json.error.code)
      assert.is_true(raw:wait_eof(2000))
      raw:abort()
    end
  end)

  it("is 401 without a token", function()
    refused(gateway, ws("demo", { token = false }), 401, "AUTH_REQUIRED")
    refused(gateway, gateway:get("/api/account/demo/snapshot"), 401, "AUTH_REQUIRED")
  end)

  it("is 401 for a token that is not ours", function()
    local good = gateway:token()
    for _, token in ipairs({
      gateway:token(nil, ("k"):rep(64)), good .. "x", good:sub(1, -2), good:gsub("%.[^.]*$", "."), "a.b.c", "nonsense",
      (good:gsub("^[^.]*", "eyJhbGciOiJub25lIn0")),
    }) do
      refused(gateway, ws("demo", { token = token }), 401, "AUTH_FAILED")
    end
  end)

  it("is 401 for a token that has expired, and says so", function()
    refused(gateway, ws("demo", { claims = { exp = os.time() - 100 } }), 401, "TOKEN_EXPIRED")
  end)

  it("is 403 for somebody else's account, and the same for one that does not exist", function()
    local claims = { accounts = { "mine" } }
    refused(gateway, ws("demo", { claims = claims }), 403, "NOT_OWNER")
    service:control({ op = "unknown", account = "ghost" })
    refused(gateway, ws("ghost", { claims = claims }), 403, "NOT_OWNER")
    refused(gateway, ws("demo", { claims = { accounts = false } }), 403, "NOT_OWNER")
  end)

  it("is 404 for an account that the source does not have, where auth.hide_unknown is off", function()
    service:control({ op = "unknown", account = "ghost-2" })
    local open = start({ source = { driver = "http", url = service.url }, auth = { hide_unknown = false } })
    local claims = { accounts = { "ghost-2" } }
    local client = assert(open:connect("ghost-2", { claims = claims }))
    assert.equal(4504, client:wait_closed(3000))
    local again, answer = open:connect("ghost-2", { claims = claims })
    assert.is_nil(again)
    refused(open, answer, 404, "UNKNOWN_ACCOUNT")
    again, answer = open:connect("ghost-2", { claims = { accounts = { "mine" } } })
    assert.is_nil(again)
    refused(open, answer, 403, "NOT_OWNER")
    assert.equal(0, open:stop())
    table.remove(gateways)
  end)

  it("is 404 for a path that is none, also for the admin's pages on the public port", function()
    for _, path in ipairs({ "/", "/ws", "/ws/account", "/metrics", "/admin/", "/api/account/x", "/Health" }) do
      refused(gateway, gateway:get(path), 404, "NOT_FOUND")
    end
  end)

  it("is 405 for another method, and tells the one that is allowed", function()
    for _, path in ipairs({ "/health", "/api/account/demo/snapshot", "/ws/account/demo" }) do
      local answer = wire.http({ port = gateway.port, path = path, method = "POST", body = "{}" })
      refused(gateway, answer, 405, "METHOD_NOT_ALLOWED")
      assert.equal(path:find("^/ws") and "GET" or "GET, HEAD", answer.headers.allow)
    end
  end)

  it("is 426 for a GET that is no handshake", function()
    local answer = gateway:get("/ws/account/demo?token=" .. gateway:token())
    refused(gateway, answer, 426, "UPGRADE_REQUIRED")
    assert.equal("websocket", answer.headers.upgrade)
  end)

  it("is 426 for another version of the protocol, and tells ours", function()
    local answer = ws("demo", { headers = { ["Sec-WebSocket-Version"] = "8" } })
    assert.equal(426, answer.status)
    assert.equal("13", answer.headers["sec-websocket-version"])
  end)

  it("is 413 for a body that is too large, and 431 for a head", function()
    local answer = wire.http({ port = gateway.port, path = "/health", method = "POST", body = ("x"):rep(5000) })
    assert.equal(413, answer.status)
    assert.equal("TOO_LARGE", answer.json.error.code)
    answer = gateway:get("/health", { ["X-Long"] = ("x"):rep(9000) })
    assert.equal(431, answer.status)
    assert.equal("TOO_LARGE", answer.json.error.code)
  end)

  it("closes 4504 when the first poll says that there is no such account, and refuses the next client", function()
    service:control({ op = "unknown", account = "nobody" })
    local client = assert(gateway:connect("nobody"))
    assert.equal(4504, client:wait_closed(3000))
    refused(gateway, ws("nobody"), 403, "NOT_OWNER")
  end)

  it("is counted by its code", function()
    local before = gateway:metric('tidegate_refused_total{code="NOT_OWNER"}')
    ws("demo", { claims = { accounts = "mine" } })
    assert.equal(before + 1, gateway:metric('tidegate_refused_total{code="NOT_OWNER"}'))
  end)
end)

describe("a bound", function()
  after_each(function()
    for _, gateway in ipairs(gateways) do
      assert.equal(0, gateway:stop())
    end
    gateways = {}
  end)

  local function bounded(limits, more)
    local config = { limits = limits }
    for section, values in pairs(more or {}) do
      config[section] = values
    end
    return start(config)
  end

  -- Thirty at once, of which some are let in; the answer of one that is not.
  local function one_refused(gateway, request, let_in)
    local crowd, seen, welcome = {}, nil, 0
    for i = 1, 30 do
      crowd[i] = assert(wire.raw(gateway.port))
    end
    for _, raw in ipairs(crowd) do
      raw:send(request)
    end
    for _, raw in ipairs(crowd) do
      local answer = assert(raw:next_answer(5000))
      if answer.status == let_in then welcome = welcome + 1 else seen = answer end
      raw:abort()
    end
    assert.is_true(welcome >= 3, welcome .. " were let in")
    return seen
  end

  it("per subject, per account and per address refuses one more with 429, and the next when one has gone", function()
    for _, name in ipairs({ "per_subject", "per_account", "per_address" }) do
      local gateway = bounded({ [name] = 2 })
      local first = assert(gateway:connect("demo-1"))
      local second = assert(gateway:connect("demo-1"))
      local third, answer = gateway:connect("demo-1")
      assert.is_nil(third)
      refused(gateway, answer, 429, "TOO_MANY_CONNECTIONS", true)
      first:abort(true)
      assert(gateway:eventually(function()
        local client = gateway:connect("demo-1")
        if client then client:abort() end
        return client
      end, 2000), name)
      second:abort()
    end
  end)

  it("per subject does not hold back others", function()
    local gateway = bounded({ per_subject = 1 })
    local first = assert(gateway:connect("demo-1"))
    local other = assert(gateway:connect("demo-1", { claims = { sub = "bob" } }))
    first:abort()
    other:abort()
  end)

  it("on handshakes a second refuses what comes faster", function()
    local gateway = bounded({ handshakes_per_second = 3 })
    local path = "/ws/account/demo-1?token=" .. gateway:token()
    local seen = one_refused(gateway, wire.handshake({ port = gateway.port, path = path }), 101)
    refused(gateway, seen, 429, "RATE_LIMITED", true)
  end)

  it("on the public health page refuses what comes faster, and never the admin's", function()
    local gateway = bounded({ health_per_second = 3 })
    local seen = one_refused(gateway, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n", 200)
    for _ = 1, 6 do
      assert.equal(200, gateway:admin("/health").status)
    end
    refused(gateway, seen, 429, "RATE_LIMITED", true)
  end)

  it("on connections refuses one more with 503", function()
    local gateway = bounded({ connections = 2 })
    local first, second = assert(gateway:connect("demo-1")), assert(gateway:connect("demo-1"))
    local third, answer = gateway:connect("demo-1")
    assert.is_nil(third)
    assert.equal(503, answer.status)
    assert.equal("SERVICE_OVERLOADED", answer.json.error.code)
    assert(answer.headers["retry-after"])
    for _ = 1, 3 do
      assert.equal(200, gateway:admin("/health").status, "the operator does not get through")
    end
    first:abort()
    second:abort()
  end)

  it("on the admin's connections refuses one more of them with 503, and no client", function()
    local gateway = bounded({}, { admin = { connections = 2 } })
    local held = { assert(wire.raw(gateway.admin_port)), assert(wire.raw(gateway.admin_port)) }
    local one_more
    assert(gateway:eventually(function()
      one_more = gateway:admin("/health")
      return one_more.status == 503
    end))
    assert.equal("SERVICE_OVERLOADED", one_more.json.error.code)
    assert(gateway:connect("demo-1")):abort()
    held[1]:abort()
    held[2]:abort()
    assert(gateway:eventually(function() return gateway:admin("/health").status == 200 end))
  end)

  it("on accounts refuses the client of one more with 503", function()
    local gateway = bounded({}, { accounts = { maximum = 1 } })
    local first = assert(gateway:connect("demo-1"))
    local second, answer = gateway:connect("demo-2")
    assert.is_nil(second)
    refused(gateway, answer, 503, "SERVICE_OVERLOADED", true)
    first:abort()
  end)

  it("on a message's size closes 1009", function()
    local gateway = bounded({ message_bytes = 256 })
    local client = assert(gateway:connect("demo-1"))
    client:send_text(("x"):rep(257))
    assert.equal(1009, client:wait_closed(3000))
  end)

  it("on bad and on too frequent messages closes 4505", function()
    local gateway = bounded({ bad_messages = 3, messages_per_second = 5 })
    local client = assert(gateway:connect("demo-1"))
    for _ = 1, 3 do
      client:send_text("nonsense")
    end
    assert.equal(4505, client:wait_closed(3000))
    client = assert(gateway:connect("demo-1"))
    for _ = 1, 40 do
      client:send_text('{"type":"ping"}')
    end
    assert.equal(4505, client:wait_closed(3000))
  end)

  it("on the time to send a request drops who does not send it", function()
    local gateway = bounded({ handshake_seconds = 1 })
    local raw, begun = assert(wire.raw(gateway.port)), loop.now()
    raw:send("GET /health HTTP/1.1\r\nHost: x\r\n")
    assert.is_true(raw:wait_eof(3000))
    assert.is_true(loop.now() - begun > 800)
    raw:abort()
  end)

  it("on the time without a sign of life closes 4000, and neither traffic nor a Pong is one", function()
    local gateway = bounded({}, { protocol = { ping_seconds = 1, timeout_seconds = 3 } })
    local silent = assert(gateway:connect("demo-1"))
    local alive = assert(gateway:connect("demo-1"))
    local begun = loop.now()
    while not silent.close_code and loop.now() - begun < loop.patience(5000) do
      silent:send_frame({ opcode = frames.PONG, payload = "" })
      silent:send_text('{"type":"snapshot"}')
      alive:ping("")
      loop.sleep(250)
    end
    assert.equal(4000, silent:wait_closed(1000))
    assert.is_true(loop.now() - begun > 2900)
    assert.is_nil(alive.close_code)
    alive:close()
  end)

  it("on a token's life warns, then closes 4001", function()
    local gateway = bounded({}, { auth = { leeway_seconds = 0, expiry_warning_seconds = 2 } })
    local client = assert(gateway:connect("demo-1", { claims = { exp = os.time() + 4 } }))
    assert(client:wait_type("token_expiring", 3000))
    assert.equal(4001, client:wait_closed(4000))
  end)
end)

describe('with reject = "close"', function()
  it("a handshake is accepted and closed with the reason's own code", function()
    local gateway = start({ auth = { reject = "close" } })
    local function code(options)
      local client = assert(gateway:connect("demo-1", options))
      return (client:wait_closed(2000))
    end
    assert.equal(4500, code({ token = false }))
    assert.equal(4500, code({ token = "nonsense" }))
    assert.equal(4500, code({ claims = { exp = os.time() - 100 } }))
    assert.equal(4501, code({ claims = { accounts = "other" } }))
    local client, answer = gateway:connect("not%20an%20id")
    assert.is_nil(client)
    assert.equal(400, answer.status)
    assert.equal(401, gateway:get("/api/account/demo-1/snapshot").status)
    assert.equal(0, gateway:stop())
    gateways = {}
  end)
end)

describe("ownership in a file", function()
  it("is reread when it changes, and who lost an account is closed 4501", function()
    local gateway = gateway_of.start(
      { auth = { ownership = { file = "owners.json" } } },
      { files = { ["owners.json"] = '{"alice":["demo-1"],"bob":["demo-1"]}' } }
    )
    local alice = assert(gateway:connect("demo-1"))
    local bob = assert(gateway:connect("demo-1", { claims = { sub = "bob" } }))
    local _, answer = gateway:connect("demo-2")
    refused(gateway, answer, 403, "NOT_OWNER")
    gateway:write("owners.json", '{"bob":["demo-1"]}')
    assert.equal(4501, alice:wait_closed(4000))
    _, answer = gateway:connect("demo-1")
    refused(gateway, answer, 403, "NOT_OWNER")
    bob:send_text('{"type":"ping"}')
    assert(bob:wait_type("pong", 1000))
    bob:close()
    assert.equal(0, gateway:stop())
  end)
end)
