-- What monitors read.
local gateway_of = require("support.gateway")
local loop = require("support.loop")
local wire = require("support.wire")

describe("the pages of a running gateway", function()
  local gateway

  setup(function()
    gateway = gateway_of.start({})
  end)

  teardown(function()
    assert.equal(0, gateway:stop())
  end)

  it("/health on both listeners tells the version, the source, the rules and who is connected", function()
    local client = assert(gateway:connect("demo-1"))
    assert(client:wait_type("snapshot", 3000))
    for _, port in ipairs({ gateway.port, gateway.admin_port }) do
      local answer, quickest = nil, math.huge
      for _ = 1, 10 do -- others may be at work on this machine
        local begun = loop.now()
        answer = wire.http_get(port, "/health")
        quickest = math.min(quickest, loop.now() - begun)
        if quickest < 100 then break end
      end
      assert.is_true(quickest < 100, "it took " .. quickest .. " ms")
      assert.equal(200, answer.status)
      assert.matches("^application/json", answer.headers["content-type"])
      assert.equal("no-store", answer.headers["cache-control"])
      local health = answer.json
      assert.equal("healthy", health.status)
      assert.matches("^%d+%.%d+%.%d+$", health.version)
      assert.equal(1, health.connections)
      assert.equal(1, health.accounts)
      assert.equal("sim", health.source.driver)
      assert.equal(1, health.source.connected)
      assert.is_false(health.source.circuit_open)
      assert.equal("default", health.rules.name)
      assert.equal(1, health.rules.generation)
      assert.is_true(health.rules.preemption)
      assert.is_nil(health.last_error)
      assert.is_false(health.draining)
    end
    client:close()
  end)

  it("/ready on both listeners is 200 while it serves", function()
    for _, port in ipairs({ gateway.port, gateway.admin_port }) do
      local answer = wire.http_get(port, "/ready")
      assert.equal(200, answer.status)
      assert.is_true(answer.json.ready)
    end
  end)

  it("answer HEAD with the same head and no body", function()
    local answer = wire.http({ port = gateway.port, path = "/health", method = "HEAD" })
    assert.equal(200, answer.status)
    assert.is_true(tonumber(answer.headers["content-length"]) > 100)
    assert.equal("", answer.body)
  end)

  it("/metrics is well-formed, every family is described once, and no sample is there twice", function()
    local client = assert(gateway:connect("demo-2"))
    assert(client:wait_type("snapshot", 3000))
    client:close()
    local answer = gateway:admin("/metrics")
    assert.equal(200, answer.status)
    assert.matches("^text/plain; version=0.0.4", answer.headers["content-type"])
    assert.equal("\n", answer.body:sub(-1))
    local helped, typed, samples = {}, {}, {}
    for line in answer.body:gmatch("([^\n]*)\n") do
      local help, kind = line:match("^# HELP (%S+) %S"), line:match("^# TYPE (%S+) ")
      if help then
        assert.is_nil(helped[help], line)
        helped[help] = true
      elseif kind then
        assert.is_nil(typed[kind], line)
        typed[kind] = line:match("(%a+)$")
      else
        local sample, value = line:match("^(%S+) (%S+)$")
        assert(sample, "no sample: " .. line)
        assert(tonumber(value), line)
        assert.is_nil(samples[sample], line)
        samples[sample] = tonumber(value)
        local name = sample:match("^[%w_:]+")
        local base = name:gsub("_bucket$", ""):gsub("_sum$", ""):gsub("_count$", "")
        assert(typed[name] or typed[base] == "histogram", "not described: " .. line)
      end
    end
    assert.is_true(samples["tidegate_connections"] ~= nil)
    assert.is_true(samples['tidegate_closes_total{code="1000"}'] >= 1)
    assert.is_true(samples['tidegate_polls_total{source="main",end="ok"}'] > 0)
    assert.equal(1, samples["tidegate_rules_generation"])
    assert.is_true(samples["process_resident_memory_bytes"] > 1e6)
    assert.equal(samples['tidegate_poll_seconds_count{source="main"}'],
      samples['tidegate_poll_seconds_bucket{source="main",le="+Inf"}'])
  end)

  it("are not all on the public listener", function()
    assert.equal(404, gateway:get("/metrics").status)
    assert.equal(404, gateway:admin("/ws/account/demo-1").status)
    assert.equal(404, gateway:admin("/api/account/demo-1/snapshot").status)
  end)

  it("are still answered on one connection, one after the other", function()
    local raw = assert(wire.raw(gateway.port))
    for _ = 1, 5 do
      raw:send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
      assert.equal(200, assert(raw:next_answer(1000)).status)
    end
    raw:abort()
  end)
end)

describe("an admin token", function()
  it("is asked for on the admin listener, and only there", function()
    local secret = "0123456789abcdef"
    local gateway = gateway_of.start({ admin = { token = secret } })
    for _, path in ipairs({ "/health", "/ready", "/metrics" }) do
      assert.equal(401, gateway:admin(path).status)
      assert.equal(401, gateway:admin(path, { Authorization = "Bearer 0123456789abcdeg" }).status)
      assert.equal(200, gateway:admin(path, { Authorization = "Bearer " .. secret }).status)
    end
    assert.equal(200, gateway:get("/health").status)
    assert.is_nil(gateway:log_text():find(secret, 1, true))
    assert.equal(0, gateway:stop())
  end)

  it("is not needed when there is no admin listener", function()
    local gateway = gateway_of.start({ admin = { enabled = false } })
    assert.is_nil(gateway.admin_port)
    assert.equal(200, gateway:get("/ready").status)
    assert.equal(0, gateway:stop())
  end)
end)
