-- An order that is placed and ends between two polls leaves no trace but in the order history.
local uv = require("luv")
local gateway_of = require("support.gateway")
local json = require("dkjson")
local process = require("support.process")
local rest = require("support.rest")
local webapi = require("support.webapi")

local function brief(client)
  local placed = assert(client:wait_type("order_placed", 12000))
  local removed = assert(client:wait_type("order_removed", 5000))
  assert.is_true(placed.synthetic)
  assert.is_true(removed.synthetic)
  return placed, removed
end

describe("an order that was placed and ended between two polls is told", function()
  after_each(function() process.stop_all() end)

  for _, groups in ipairs({ false, "demo\\*" }) do
    it("by the Web API, " .. (groups and "by masks" or "by logins") .. ", and the requests do not grow with the accounts", function()
      local server = webapi.start()
      local always = {}
      for login = 1, 12 do
        server:control({ op = "account", login = login, group = "demo\\x" })
        always[login] = tostring(login)
      end
      local gateway = gateway_of.start({
        source = {
          driver = "mt5_webapi", url = "http://127.0.0.1:" .. server.port, login = "1000", password = "Password1", interval_ms = 1000,
          history_seconds = 1, groups = groups or nil, batch_logins = groups and 2 or 200,
        },
        accounts = { always = always },
      })
      local client = assert(gateway:connect("5"))
      assert(client:wait_type("snapshot", 8000))
      assert.is_truthy(gateway:eventually(function()
        return gateway:metric('tidegate_source_state{source="main",state="connected"}') == 12
      end, 10000))
      server:control({ op = "reset_stats" })
      server:control({
        { op = "order", login = 5, order = { Order = "901", Symbol = "EURUSD", Type = "2", PriceOrder = "1.05", VolumeInitialExt = "10000000" } },
        { op = "order_done", login = 5, ticket = "901", state = 2 },
      })
      local placed, removed = brief(client)
      assert.equal(901, placed.order.ticket)
      assert.equal("cancelled", removed.state or removed.order.state)
      local counts = server:stats().by_command
      assert.is_true(counts.HISTORY_GET_BATCH <= counts.POSITION_GET_BATCH + 1, json.encode(counts))
      assert.is_nil(client:heard_type("order_placed", 2500)) -- the overlap tells nothing twice
      client:close()
      assert.equal(0, gateway:stop())
      assert.equal(0, server:stop())
    end)
  end

  it("by a bridge that has a list of them", function()
    local bridge = rest.start(0, "bridge.lua")
    local function answer(path, body) bridge:control({ op = "answer", path = path, body = body }) end
    answer("/account", '{"login":7,"balance":100.0,"equity":100.0,"currency":"EUR"}')
    answer("/positions", "[]")
    answer("/orders", "[]")
    answer("/history/deals", "[]")
    answer("/history/orders", "[]")
    local gateway = gateway_of.start({
      source = { driver = "http", url = bridge.url, mapping = "metatrader5_python", interval_ms = 200 },
    })
    local client = assert(gateway:connect("7"))
    assert(client:wait_type("snapshot", 5000))
    local seconds, us = uv.gettimeofday() -- after the first poll: an order of the second before it would be none of ours
    local setup_ms = seconds * 1000 + math.floor(us / 1000)
    answer("/history/orders", json.encode({
      {
        ticket = 902, symbol = "EURUSD", type = 2, state = 2, volume_initial = 0.1, volume_current = 0.1, price_open = 1.05,
        time_setup = seconds, time_setup_msc = setup_ms, time_done = math.floor((setup_ms + 300) / 1000),
        time_done_msc = setup_ms + 300,
      },
    }))
    local placed, removed = brief(client)
    assert.equal(902, placed.order.ticket)
    assert.equal("cancelled", removed.state or removed.order.state)
    client:close()
    assert.equal(0, gateway:stop())
    bridge:stop()
  end)
end)
