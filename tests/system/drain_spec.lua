-- An operator ends the gateway: clients are told when to come back, are closed one after the other, and the process ends.
local uv = require("luv")
local gateway_of = require("support.gateway")
local loop = require("support.loop")
local rest = require("support.rest")
local wire = require("support.wire")

describe("SIGTERM", function()
  local gateway, service

  after_each(function()
    if gateway then gateway:kill() end
    if service then service:stop() end
    gateway, service = nil, nil
  end)

  local function start(config)
    config.limits = config.limits or { drain_seconds = 2, close_seconds = 1 }
    gateway = gateway_of.start(config)
  end

  it("tells every client when to come back, closes them 4003, and ends with 0", function()
    start({})
    local clients, times = {}, {}
    for i = 1, 20 do
      clients[i] = assert(gateway:connect("demo-" .. i % 5 + 1))
      assert(clients[i]:wait_type("snapshot", 3000))
    end
    local begun = loop.now()
    gateway.process:signal("sigterm")
    for _, client in ipairs(clients) do
      local told = assert(client:wait_type("going_away", 2000))
      assert.is_true(told.reconnect_after_ms >= 1000 and told.reconnect_after_ms <= 3000)
      times[told.reconnect_after_ms] = true
    end
    local distinct = 0
    for _ in pairs(times) do
      distinct = distinct + 1
    end
    assert.is_true(distinct > 10, "the times to come back are not spread")
    for _, client in ipairs(clients) do
      assert.equal(4003, client:wait_closed(3000))
      assert.is_nil(client.violation)
    end
    assert.equal(0, (gateway.process:wait_exit(4000)))
    assert.is_true(loop.now() - begun < 10000) -- its bound is 3 s, and the machine may be busy
    local line = assert(gateway.process:wait_log({ event = "draining" }, 100))
    assert.equal(20, line.clients)
    assert.equal("SIGTERM", line.cause)
    assert.is_nil(gateway:log_text():find("handle_left_open", 1, true))
  end)

  it("spreads the closes over half its bound, however many clients there are", function()
    start({ limits = { drain_seconds = 1, close_seconds = 1, per_subject = 1000, per_address = 1000 } })
    local clients = {}
    for i = 1, 600 do
      clients[i] = assert(gateway:connect("demo-" .. i % 5 + 1, { query = "&events=none" }))
    end
    gateway.process:signal("sigterm")
    assert.equal(0, (gateway.process:wait_exit(10000)))
    local count, first, last = 0, nil, nil
    for line in gateway:log_text():gmatch("[^\n]+") do
      if line:find('"event":"closing"', 1, true) and line:find("draining", 1, true) then
        last = tonumber(line:match('"time":"[^"]*:([%d.]+)Z"'))
        first, count = first or last, count + 1
      end
    end
    assert.equal(600, count)
    assert.is_true((last - first) % 60 >= 0.3, "all were closed within " .. (last - first) % 60 .. " s")
    for _, client in ipairs(clients) do
      client:abort()
    end
  end)

  it("with nobody connected ends at once", function()
    start({ limits = { drain_seconds = 30 } })
    local begun = loop.now()
    gateway.process:signal("sigterm")
    assert.equal(0, (gateway.process:wait_exit(5000)))
    assert.is_true(loop.now() - begun < 15000)
  end)

  it("takes nobody new: the listener is gone, and a request that was on its way is refused", function()
    start({ limits = { drain_seconds = 3, close_seconds = 1 } })
    local client = assert(gateway:connect("demo-1", { auto = false }))
    local late = assert(wire.raw(gateway.port))
    late:send("GET /ready HTTP/1.1\r\nHost: x\r\n")
    loop.sleep(100)
    gateway.process:signal("sigterm")
    assert(client:wait_type("going_away", 2000))
    late:send("\r\n")
    local answer = late:next_answer(1000)
    if answer then assert.equal(503, answer.status) end
    late:abort()
    assert.is_nil((wire.raw(gateway.port)))
    client:abort()
    assert.equal(0, (gateway.process:wait_exit(5000)))
  end)

  it("waits for nobody longer than its bound, and says who would not go", function()
    start({ limits = { drain_seconds = 1, close_seconds = 30 } })
    local client = assert(gateway:connect("demo-1", { auto = false }))
    client:pause()
    local begun = loop.now()
    gateway.process:signal("sigterm")
    assert.equal(0, (gateway.process:wait_exit(5000)))
    assert.is_true(loop.now() - begun < 15000)
    assert.matches("drain_cut_short", gateway:log_text(), 1, true)
    client:abort()
  end)

  it("twice ends now", function()
    start({ limits = { drain_seconds = 30, close_seconds = 30 } })
    local client = assert(gateway:connect("demo-1", { auto = false }))
    client:pause()
    gateway.process:signal("sigterm")
    assert(gateway.process:wait_log({ event = "draining" }, 2000))
    gateway.process:signal("sigint")
    assert.equal(0, (gateway.process:wait_exit(3000)))
    client:abort()
  end)

  it("with polls under way, and a source that hangs, ends with 0 as well", function()
    service = rest.start()
    service:control({ op = "fault", fault = { kind = "hang" } })
    start({ source = { driver = "http", url = service.url, timeout_ms = 60000 } })
    local client = assert(gateway:connect("demo-1"))
    assert.equal("connected", client:next_json(1000).type)
    loop.sleep(200)
    gateway.process:signal("sigterm")
    assert.equal(4003, client:wait_closed(3000))
    assert.equal(0, (gateway.process:wait_exit(5000)))
  end)

  it("tells the events of before it, then closes", function()
    service = rest.start()
    start({ source = { driver = "http", url = service.url, interval_ms = 200 } })
    local client = assert(gateway:connect("demo-1"))
    assert(client:wait_type("snapshot", 3000))
    service:control({ op = "open", account = "demo-1" })
    assert(loop.await(function() return client.first <= #client.messages end, 2000))
    gateway.process:signal("sigterm")
    assert.equal(4003, client:wait_closed(4000))
    assert.equal("position_opened", client:next_json(1).type)
  end)
end)

describe("a gateway", function()
  it("that cannot listen says so and ends with 3", function()
    local taken = uv.new_tcp()
    assert(taken:bind("127.0.0.1", 0))
    assert(taken:listen(1, function() end))
    local process = require("support.process")
    local folder = gateway_of.folder()
    gateway_of.write(folder .. "/gateway.lua", ([[return {
      listen = { address = "127.0.0.1", port = %d }, admin = { port = 0 }, source = { driver = "sim" },
      auth = { keys = { { algorithm = "HS256", secret = %q } } }, log = { format = "json" },
    }]]):format(taken:getsockname().port, ("s"):rep(64)))
    local started = process.start({
      argv = { gateway_of.binary, "serve", "--config", folder .. "/gateway.lua" }, env = { LD_PRELOAD = false },
    })
    assert.equal(3, (started:wait_exit(10000)))
    assert.matches("start_failed", table.concat(started.stderr, "\n"), 1, true)
    loop.close(taken)
    os.remove(folder .. "/gateway.lua")
    os.remove(folder)
  end)

  it("whose rules are broken at the start says which line, and ends with 1", function()
    local ok, why = pcall(gateway_of.start, { rules = { path = "rules" } }, { files = {
      ["rules/bad.lua"] = "return rule 'x' {\n watch = { 'balanse' } }",
    } })
    assert.is_false(ok)
    assert.matches("bad.lua", tostring(why), 1, true)
    assert.matches("balanse", tostring(why), 1, true)
  end)
end)
