-- A rule set that was a mistake: taken back by the operator, or by the gateway itself. Clients stay.
local gateway_of = require("support.gateway")
local loop = require("support.loop")

local function hello(word)
  return ('return rule "hello" { on = "tick", payload = { word = const(%q) } }\n'):format(word)
end

-- Well when it is tried, and for some polls after that.
local RUNAWAY = [[return rule "hello" { on = "tick", detect = function(_, memory) memory.n = (memory.n or 0) + 1
  while memory.n > 5 do end
end, payload = {} }]]

describe("a rule set that was a mistake", function()
  local gateway, client

  before_each(function()
    gateway = gateway_of.start({
      source = { driver = "sim", interval_ms = 200 },
      rules = { path = "rules" },
    }, { files = { ["rules/hello.lua"] = hello("one") } })
    client = assert(gateway:connect("demo-1"))
    assert(client:wait_type("hello", 4000))
  end)

  after_each(function()
    assert.is_nil(client.close_code)
    client:close()
    assert.equal(0, gateway:stop())
  end)

  local function says(word)
    repeat
      local told = assert(client:wait_type("hello", 3000), word .. " is not said")
    until told.word == word
  end

  it("is rolled back by an admin call, and does not come back by itself", function()
    assert.equal(409, gateway:call("POST", "/admin/rules/rollback").status)
    gateway:write("rules/hello.lua", hello("two"))
    says("two")
    local bad = gateway:health().rules
    assert.equal("files", bad.origin)
    assert.is_true(bad.probation_seconds > 50)
    assert.equal(1, bad.kept_generations)
    local answer = gateway:call("POST", "/admin/rules/rollback", { reason = "too polite" })
    assert.equal(200, answer.status, answer.body)
    says("one")
    local health = gateway:becomes("degraded")
    assert.equal("rollback", health.rules.origin)
    assert.equal(3, health.rules.generation)
    assert.equal(bad.version, health.rules.rolled_back.version)
    assert.equal("operator", health.rules.rolled_back.by)
    assert.equal("too polite", health.rules.rolled_back.reason)
    assert.equal(1, gateway:metric('tidegate_rules_rollbacks_total{by="operator"}'))
    assert.equal(1, gateway:metric("tidegate_rules_rolled_back"))
    assert(gateway.process:wait_log({ level = "audit", event = "rolled_back", reason = "too polite", by = "operator" }, 1000))

    local from = #gateway.process.stderr + 1
    gateway:write("rules/hello.lua", hello("two"))
    assert(gateway.process:wait_log({ event = "reload_held", cause = "file_change" }, 3000, from))
    from = #gateway.process.stderr + 1
    gateway.process:signal("sighup")
    assert(gateway.process:wait_log({ event = "reload_held", cause = "SIGHUP" }, 3000, from))
    assert.equal(3, gateway:health().rules.generation)
    local late = assert(gateway:connect("demo-2"))
    local told = assert(late:wait_type("connected", 2000))
    assert.equal(3, told.rules.generation)
    assert.equal(health.rules.version, told.rules.version)
    late:close()

    gateway:write("rules/hello.lua", hello("three"))
    says("three")
    health = gateway:becomes("healthy")
    assert.is_nil(health.rules.rolled_back)
    assert.equal(0, gateway:metric("tidegate_rules_rolled_back"))
  end)

  it("comes back when the operator says so", function()
    gateway:write("rules/hello.lua", hello("two"))
    says("two")
    assert.equal(200, gateway:call("POST", "/admin/rules/rollback").status)
    says("one")
    assert.equal(200, gateway:call("POST", "/admin/rules/reload").status)
    says("two")
  end)

  it("rolls back by itself when it runs away soon after it went live", function()
    gateway:write("rules/hello.lua", RUNAWAY)
    assert(gateway:eventually(function() return gateway:health().rules.generation >= 2 end, 3000))
    says("one")
    local health = gateway:becomes("degraded")
    assert.equal("probation", health.rules.rolled_back.by)
    assert.matches('rule "hello" was muted: hello.lua:2: it ran longer than 20 ms', health.rules.rolled_back.reason, 1, true)
    assert.matches("the rules were rolled back: ", health.last_error.message, 1, true)
    assert.equal(1, gateway:metric('tidegate_rules_rollbacks_total{by="probation"}'))
    assert(gateway.process:wait_log({ level = "audit", event = "rolled_back", by = "probation" }, 1000))
    loop.sleep(300)
    assert.equal(3, gateway:health().rules.generation)
  end)
end)
