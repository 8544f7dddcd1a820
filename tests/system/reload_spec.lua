-- An operator edits a rule while clients are connected. It is live within a second or refused with a reason; nobody
-- is disconnected either way.
local gateway_of = require("support.gateway")
local loop = require("support.loop")
local rest = require("support.rest")

local LIVE_MS = 1500 -- a second to be live, and the next poll

local function rule_of(word)
  return ([[
return rule "greeting" {
  on = "tick",
  detect = function(_, memory)
    if memory.said ~= %q then memory.said = %q; return true end
  end,
  payload = function() return { word = %q } end,
}
]]):format(word, word, word)
end

-- The client is greeted with this word in time; greetings of rules before it may come first.
local function says(client, word)
  assert(client:next_where(function(told) return told.type == "greeting" and told.word == word end, LIVE_MS),
    word .. " is not live")
end

describe("a rule file", function()
  local service, gateway
  local clients = {}

  setup(function()
    service = rest.start()
    gateway = gateway_of.start({
      source = { driver = "http", url = service.url, interval_ms = 200 },
      rules = { path = "rules" },
      limits = { per_subject = 1000, per_address = 1000 },
    }, { files = { ["rules/greeting.lua"] = rule_of("hello") } })
    for i = 1, 50 do
      clients[i] = assert(gateway:connect("demo-" .. i))
    end
    for _, client in ipairs(clients) do
      assert.equal(1, assert(client:wait_type("snapshot", 4000)).seq)
    end
  end)

  teardown(function()
    for _, client in ipairs(clients) do
      client:close()
    end
    assert.equal(0, gateway:stop())
    service:stop()
  end)

  local function generation()
    return gateway:health().rules.generation
  end

  local function everybody_is_here()
    for _, client in ipairs(clients) do
      assert.is_nil(client.close_code)
      assert.is_nil(client.conn.eof)
    end
    assert.equal(#clients, gateway:health().connections)
  end

  it("that is edited is live for everybody within a second", function()
    local quickest, edits = math.huge, 0
    repeat -- others may be at work on this machine
      edits = edits + 1
      local before, begun, word = generation(), loop.now(), "good morning " .. edits
      gateway:write("rules/greeting.lua", rule_of(word))
      for _, client in ipairs(clients) do
        local told = assert(client:wait_type("greeting", LIVE_MS))
        assert.equal(word, told.word)
        assert.equal(1 + edits, told.seq)
      end
      quickest = math.min(quickest, loop.now() - begun)
      assert.equal(before + 1, generation())
      assert.equal(before + 1, gateway:metric("tidegate_rules_generation"))
      everybody_is_here()
    until quickest < LIVE_MS or edits == 5
    assert.is_true(quickest < LIVE_MS, ("the quickest of %d took %d ms"):format(edits, quickest))
  end)

  it("that is edited in place, byte by byte, is live as well, and only whole", function()
    local text = rule_of("good day")
    local file = assert(io.open(gateway.folder .. "/rules/greeting.lua", "w"))
    for at = 1, #text, 20 do
      file:write(text:sub(at, at + 19))
      file:flush()
      loop.sleep(5)
    end
    file:close()
    says(clients[1], "good day")
    everybody_is_here()
  end)

  it("that is broken changes nothing but the log, a metric and the health page", function()
    local before, failed = generation(), gateway:metric('tidegate_rules_reloads_total{outcome="failed"}')
    local broken = {
      ["'}' expected"] = "return rule 'greeting' { on = 'tick', payload function() end }",
      ["balanse"] = 'return rule "greeting" { watch = { "balanse" } }',
      ["require"] = 'require("os") return rule "greeting" { watch = { "balance" } }',
      ["forever"] = "while true do end -- forever",
    }
    local count = 0
    for word, text in pairs(broken) do
      count = count + 1
      local from = #gateway.process.stderr + 1
      gateway:write("rules/greeting.lua", text)
      local line, why = gateway.process:wait_log({ event = "reload_refused" }, 3000, from)
      assert(line, why)
      assert.matches("greeting.lua", line.reason, 1, true)
      assert.is_true(word == "forever" or line.reason:find(word, 1, true) ~= nil, line.reason)
      local health = gateway:becomes("degraded")
      assert.equal(before, health.rules.generation)
      assert.equal(line.reason, health.rules.last_error)
      assert.equal(line.reason, health.last_error.message)
      assert.equal(failed + count, gateway:metric('tidegate_rules_reloads_total{outcome="failed"}'))
    end
    everybody_is_here()
    gateway:write("rules/greeting.lua", rule_of("good evening"))
    says(clients[1], "good evening")
    gateway:becomes("healthy")
    assert.equal(before + 1, generation())
    everybody_is_here()
  end)

  it("that is new or removed is live or gone, with the others as they were", function()
    gateway:write("rules/second.lua", [[
      return rule "second" { watch = { "balance" }, payload = { balance = "balance" } }
    ]])
    assert(gateway:eventually(function()
      return gateway:metric('tidegate_rule_events_total{rule="second"}') == 0
    end, LIVE_MS))
    service:control({ op = "account", account = "demo-1", set = { balance = 10001 } })
    assert.equal(10001, assert(clients[1]:wait_type("second", 2000)).balance)
    os.remove(gateway.folder .. "/rules/second.lua")
    assert(gateway:eventually(function()
      return gateway:metric('tidegate_rule_events_total{rule="second"}') == nil
    end, LIVE_MS))
    everybody_is_here()
  end)

  it("that fails while it runs harms no other rule and no client", function()
    gateway:write("rules/zfault.lua", [[
      return rule "zfault" { watch = { "balance" }, payload = function(now)
        if now.balance == 10002 then error("on purpose") end
      end }
    ]])
    assert(gateway:eventually(function()
      return gateway:metric('tidegate_rule_faults_total{rule="zfault"}') == 0
    end, LIVE_MS))
    service:control({ op = "account", account = "demo-2", set = { balance = 10002 } })
    assert(gateway:eventually(function()
      return gateway:metric('tidegate_rule_faults_total{rule="zfault"}') == 1
    end, 2000))
    gateway:write("rules/greeting.lua", rule_of("good night"))
    says(clients[2], "good night")
    os.remove(gateway.folder .. "/rules/zfault.lua")
    everybody_is_here()
  end)

  it("is read again at a SIGHUP", function()
    loop.sleep(400)
    local from, before = #gateway.process.stderr + 1, generation()
    gateway.process:signal("sighup")
    assert(gateway.process:wait_log({ event = "reloaded", cause = "SIGHUP" }, 3000, from))
    assert.is_true(generation() > before)
    everybody_is_here()
  end)
end)

describe("a configuration", function()
  it("brings a new key with SIGHUP, which the old one's tokens do not survive at the next connect", function()
    local gateway = gateway_of.start({})
    local client = assert(gateway:connect("demo-1"))
    local old, fresh = gateway:token(), ("n"):rep(64)
    local from = #gateway.process.stderr + 1
    gateway:configure({ auth = { keys = { { algorithm = "HS256", secret = fresh } } } })
    gateway.process:signal("sighup")
    assert(gateway.process:wait_log({ event = "reloaded" }, 3000, from))
    local refused, answer = gateway:connect("demo-1", { token = old })
    assert.is_nil(refused)
    assert.equal("AUTH_FAILED", answer.json.error.code)
    local other = assert(gateway:connect("demo-1", { token = gateway:token(nil, fresh) }))
    other:close()
    client:send_text('{"type":"ping"}')
    assert(client:wait_type("pong", 1000))
    client:close()
    assert.equal(0, gateway:stop())
  end)

  it("that is broken changes nothing at a SIGHUP but the log and the health page", function()
    local gateway = gateway_of.start({})
    local client = assert(gateway:connect("demo-1"))
    local from = #gateway.process.stderr + 1
    gateway:configure({ limits = { connectoins = 7 } })
    gateway.process:signal("sighup")
    local line = assert(gateway.process:wait_log({ event = "reload_refused" }, 3000, from))
    assert.matches("connectoins", line.reason, 1, true)
    assert.equal(line.reason, gateway:health().last_error.message)
    client:send_text('{"type":"ping"}')
    assert(client:wait_type("pong", 1000))
    client:close()
    assert.equal(0, gateway:stop())
  end)
end)
