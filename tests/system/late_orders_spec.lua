-- Pending orders that a source could not tell at first: clients were shown the account without them.
local gateway_of = require("support.gateway")
local process = require("support.process")
local webapi = require("support.webapi")

describe("pending orders that are told for the first time", function()
  after_each(function() process.stop_all() end)

  it("reach those who were shown none in another snapshot, and are no events", function()
    local server = webapi.start()
    server:control({ op = "account", login = 5, group = "demo\\x" })
    local order = { Order = "901", Symbol = "EURUSD", Type = "2", PriceOrder = "1.05", VolumeInitialExt = "10000000", VolumeCurrentExt = "10000000" }
    server:control({ op = "order", login = 5, order = order })
    server:control({ op = "fault", command = "ORDER_GET_BATCH", fault = { kind = "retcode", code = 3 } })
    local gateway = gateway_of.start({
      source = { driver = "mt5_webapi", url = "mt5://127.0.0.1:" .. server.port, login = "1000", password = "Password1", interval_ms = 200 },
    })
    local first = assert(gateway:connect("5"))
    local second = assert(gateway:connect("5"))
    for _, client in ipairs({ first, second }) do
      local shown = assert(client:wait_type("snapshot", 8000))
      assert.is_nil(shown.orders) -- unknown is not empty
      assert.is_nil(client:heard_type("snapshot", 500))
    end
    server:control({ op = "clear" })
    for _, client in ipairs({ first, second }) do
      local shown = assert(client:wait_type("snapshot", 8000))
      assert.equal(1, #shown.orders)
      assert.equal(901, shown.orders[1].ticket)
    end
    server:control({ op = "order_done", login = 5, ticket = "901", state = 2 })
    for _, client in ipairs({ first, second }) do
      assert.equal(901, assert(client:wait_type("order_removed", 8000)).ticket)
      assert.is_nil(client:heard_type("order_placed", 100))
      assert.is_nil(client:heard_type("snapshot", 500))
      client:close()
    end
    assert.equal(0, gateway:stop())
    assert.equal(0, server:stop())
  end)
end)
