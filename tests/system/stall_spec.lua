-- A gateway that did not run for longer than its deadlines (SIGSTOP, as a paused machine): what the source answered meanwhile
-- is read before anything is judged, so no poll fails and no client is told of a loss that never was.
local gateway_of = require("support.gateway")
local loop = require("support.loop")
local process = require("support.process")
local webapi = require("support.webapi")

local TIMEOUT_MS = 1500
local SLOW_MS = 700 -- of each answer: time enough to stop the gateway while it waits

local function stop_for(gateway, ms)
  gateway.process:signal("sigstop")
  loop.sleep(ms)
  gateway.process:signal("sigcont")
end

local function polls(gateway, ending)
  return gateway:metric(('tidegate_polls_total{source="main",end="%s"}'):format(ending))
end

-- Stops it some times while a request is under way; then a few good polls more, and none that failed.
local function endures(gateway, client, server)
  local function asked() return server:stats().by_command.POSITION_GET_BATCH end
  for turn = 1, 3 do
    local earlier = asked()
    assert.is_truthy(loop.eventually(function() return asked() > earlier end, 10000))
    stop_for(gateway, 2 * TIMEOUT_MS + 70 * turn)
    local before = polls(gateway, "ok")
    assert.is_truthy(gateway:eventually(function() return polls(gateway, "ok") >= before + 2 end, 20000))
    assert.equal(0, polls(gateway, "failed"), gateway:log_text())
  end
  client:send_text('{"type":"ping"}')
  local pong = assert(client:next_where(function(object) return object.type == "pong" end, 5000, function(object, text)
    assert.is_true(object.type ~= "error" and object.type ~= "status", text)
  end))
  assert.equal("live", pong.status)
  assert.is_nil(gateway:log_text():find("poll_overdue", 1, true))
end

describe("a gateway that stood still for longer than its timeouts", function()
  after_each(function() process.stop_all() end)

  for _, scheme in ipairs({ "http", "mt5" }) do
    it("reads what a Web API server answered meanwhile (" .. scheme .. ")", function()
      local server = webapi.start()
      server:control({ op = "account", login = 5 })
      server:fault({ kind = "delay", ms = SLOW_MS }, { command = "POSITION_GET_BATCH" })
      local gateway = gateway_of.start({
        source = {
          driver = "mt5_webapi", url = scheme .. "://127.0.0.1:" .. server.port, login = "1000", password = "Password1",
          interval_ms = 500, timeout_ms = TIMEOUT_MS, poll_timeout_ms = 2 * TIMEOUT_MS, retry_first_ms = 150,
        },
      })
      local client = assert(gateway:connect("5"))
      assert(client:wait_type("snapshot", 8000))
      endures(gateway, client, server)
      assert.is_truthy(gateway:log_text():find('"event":"stood_still"', 1, true))
      assert.equal(0, gateway:metric('tidegate_session_lost_total{source="main"}'))
      client:close()
      assert.equal(0, gateway:stop())
      assert.equal(0, server:stop())
    end)
  end
end)
