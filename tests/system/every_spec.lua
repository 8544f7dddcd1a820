-- A rule with `every` holds a change back; when its time is up the change is told, polls or no polls.
local gateway_of = require("support.gateway")
local rest = require("support.rest")

local RULE = [[
return rule "worth" {
  watch = { "balance" },
  every = 2,
  payload = function(now) return { balance = now.balance } end,
}
]]

describe("a change that `every` held back", function()
  local service, gateway, client

  setup(function()
    service = rest.start()
    gateway = gateway_of.start({
      source = { driver = "http", url = service.url, interval_ms = 200, timeout_ms = 60000 },
      rules = { path = "rules" },
    }, { files = { ["rules/worth.lua"] = RULE } })
    client = assert(gateway:connect("demo-1"))
    assert(client:wait_type("snapshot", 3000))
  end)

  teardown(function()
    client:close()
    service:control({ op = "clear" })
    assert.equal(0, gateway:stop())
    service:stop()
  end)

  local function balance(value)
    service:control({ op = "account", account = "demo-1", set = { balance = value } })
  end

  it("is told once while the source is away", function()
    balance(5000)
    assert.equal(5000, assert(client:wait_type("worth", 2000)).balance)
    balance(6000)
    local asked = service:stats().accounts["demo-1"].info
    assert(gateway:eventually(function() -- the first from now on has the balance, and was read when the third was asked
      return service:stats().accounts["demo-1"].info >= asked + 3
    end))
    service:control({ op = "fault", fault = { kind = "hang" } })
    assert.equal(6000, assert(client:wait_type("worth", 5000), "it waits for the source").balance)
    assert.is_nil((client:heard_type("worth", 2500)))
  end)
end)
