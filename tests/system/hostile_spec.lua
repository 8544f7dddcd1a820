-- A hostile rule in the rules folder of a gateway that serves clients: nobody is dropped, the events of the other rules
-- come with the same poll, the operator is told which rule it was and where, and a repaired file is all it takes.
local gateway_of = require("support.gateway")
local rest = require("support.rest")

local CLIENTS = 6
local LIVE_MS = 3000 -- a poll, the harm, and room for a busy machine

-- Speaks at each poll; `balance` proves which one.
local BEAT = 'return rule "beat" { on = "tick", payload = { balance = "balance" } }'

-- Each waits for its account to have this balance: a file that does harm at once is refused when it is tried.
local function hostile(body, balance)
  return ([[
local kept = {}
return rule "bad" {
  watch = { "balance" },
  detect = function(now)
    if now.balance < %d then return end
    %s
  end,
}
]]):format(balance, body)
end

local harm = {
  { name = "an endless loop", body = "while true do kept[1] = now.balance end", why = "it ran longer than 20 ms" },
  { name = "an endless loop that swallows errors", body = "while true do pcall(function() while true do end end) end",
    why = "it ran longer than 20 ms" },
  -- 1 MB, then 15 MB at once: the cap is reached long before the time is up, on any machine.
  { name = "a memory bomb", body = 'local s = ("x"):rep(60000) while true do s = s' .. (" .. s"):rep(15) .. " kept[#kept + 1] = s end",
    why = "the rules' memory was used up" },
  { name = "a slow C function, over and over", body = 'local s = ("a"):rep(600) while true do s:find("a-b") end',
    why = "it ran longer than 20 ms" },
}

for _, jit in ipairs({ true, false }) do
  describe("with rules.jit = " .. tostring(jit) .. ", a rule that turns out to be", function()
    local service, gateway
    local clients, balance = {}, 20000

    setup(function()
      service = rest.start()
      gateway = gateway_of.start({
        source = { driver = "http", url = service.url, interval_ms = 200 },
        rules = { path = "rules", jit = jit, memory_mb = 16, probation_seconds = 0 },
      }, { files = { ["rules/beat.lua"] = BEAT } })
      for i = 1, CLIENTS do
        clients[i] = assert(gateway:connect("demo-" .. i))
        assert(clients[i]:wait_type("beat", 4000))
      end
    end)

    teardown(function()
      for _, client in ipairs(clients) do
        client:close()
      end
      assert.equal(0, gateway:stop())
      service:stop()
    end)

    local function load(text)
      local before = gateway:health().rules.generation
      gateway:write("rules/bad.lua", text)
      assert(gateway:eventually(function() return gateway:health().rules.generation > before end, LIVE_MS))
    end

    -- All accounts get a new balance; every client hears of it from the rule that means well. How many heard of it from
    -- the other one, whose file comes first.
    local function change()
      local from_bad = 0
      balance = balance + 1
      local documents = {}
      for i = 1, CLIENTS do
        documents[i] = { op = "account", account = "demo-" .. i, set = { balance = ("%d.00"):format(balance) } }
      end
      service:control(documents)
      for _, client in ipairs(clients) do
        local told
        repeat
          told = assert(client:next_json(LIVE_MS))
          if told.type == "bad" then from_bad = from_bad + 1 end
        until told.type == "beat" and told.balance == balance
      end
      return from_bad
    end

    local function everybody_is_here()
      for _, client in ipairs(clients) do
        assert.is_nil(client.close_code)
        assert.is_nil(client.conn.eof)
      end
      assert.equal(CLIENTS, gateway:health().connections)
    end

    it("nothing of the kind leaves the gateway healthy, and says how it is held", function()
      local health = gateway:becomes("healthy")
      assert.equal(jit, health.rules.preemption)
      assert.same({}, health.rules.stopped)
    end)

    for _, case in ipairs(harm) do
      it(case.name .. " is stopped, named, and forgiven when it is repaired", function()
        load(hostile(case.body, balance + 1))
        local from = #gateway.process.stderr + 1
        assert.equal(0, change())
        everybody_is_here()

        local line = assert(gateway.process:wait_log({ event = "rule_muted" }, LIVE_MS, from))
        assert.equal("bad", line.rule)
        assert.matches("rules/bad.lua", line.file, 1, true)
        assert.matches(case.why, line.reason, 1, true)
        local health = gateway:becomes("degraded")
        assert.equal(1, #health.rules.stopped)
        assert.equal("bad", health.rules.stopped[1].rule)
        assert.matches(case.why, health.rules.stopped[1].why, 1, true)
        if case.why:find("20 ms") then
          assert.matches("^bad.lua:%d+$", line.where)
          assert.equal(line.where, health.rules.stopped[1].where)
        end
        assert.equal(1, gateway:metric('tidegate_rule_muted{rule="bad"}'))
        assert.is_true(gateway:metric('tidegate_rule_faults_total{rule="bad"}') > 0)
        assert.equal(0, gateway:metric('tidegate_rule_faults_total{rule="beat"}'))
        change()

        load('return rule "bad" { watch = { "balance" } }')
        gateway:becomes("healthy")
        assert.equal(0, gateway:metric('tidegate_rule_muted{rule="bad"}'))
        assert.equal(CLIENTS, change())
        everybody_is_here()
      end)
    end

    it("wrong is a fault with file and line, and nobody else's", function()
      load(hostile("return now.nothing", balance + 1))
      local from = #gateway.process.stderr + 1
      change()
      local line = assert(gateway.process:wait_log({ event = "fault" }, LIVE_MS, from))
      assert.equal("bad", line.rule)
      assert.matches("^bad.lua:6: no field \"nothing\"", line.message)
      assert.is_true(gateway:metric('tidegate_rule_faults_total{rule="bad"}') > 0)
      assert.equal(0, gateway:metric('tidegate_rule_muted{rule="bad"}'))
      change()
      everybody_is_here()
    end)
  end)
end
