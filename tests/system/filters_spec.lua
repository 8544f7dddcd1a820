-- Who may have an event is judged by the token in force, also when it replaced another on a living connection.
local gateway_of = require("support.gateway")

local RULE = [[
return rule "secret" {
  on = "tick",
  detect = function() return true end,
  payload = function() return { word = "hush" } end,
  to = function(client) return client.claims.role == "boss" end,
}
]]

describe("a rule that speaks to a role", function()
  local gateway

  setup(function()
    gateway = gateway_of.start(
      { source = { driver = "sim", interval_ms = 200 }, rules = { path = "rules" } },
      { files = { ["rules/secret.lua"] = RULE } }
    )
  end)

  teardown(function()
    assert.equal(0, gateway:stop())
  end)

  local function renew(client, role)
    client:send_json({ type = "auth", token = gateway:token({ role = role }) })
    assert(client:wait_type("authenticated", 2000))
  end

  it("falls silent for a client whose new token has not the role any more", function()
    local client = assert(gateway:connect("demo-1", { claims = { role = "boss" } }))
    assert(client:wait_type("secret", 3000))
    renew(client, "clerk")
    assert.is_nil((client:heard_type("secret", 900)))
    client:close()
  end)

  it("speaks to a client whose new token has the role", function()
    local client = assert(gateway:connect("demo-2", { claims = { role = "clerk" } }))
    assert(client:wait_type("snapshot", 3000))
    assert.is_nil((client:heard_type("secret", 700)))
    renew(client, "boss")
    assert(client:wait_type("secret", 2000))
    client:close()
  end)
end)
