-- Thousands come and go, politely and not. Afterwards nothing of them is left: every counter and the heap are where
-- they began.
local gateway_of = require("support.gateway")
local frames = require("support.frames")
local loop = require("support.loop")
local rest = require("support.rest")
local wire = require("support.wire")

local WARM, ROUNDS, CLIENTS, ACCOUNTS = 20, 80, 50, 97

describe("five thousand clients", function()
  local service, gateway, token

  setup(function()
    service = rest.start()
    gateway = gateway_of.start({
      source = { driver = "http", url = service.url, interval_ms = 100, grace_ms = 200 },
      limits = { per_subject = 10000, per_address = 10000, handshake_seconds = 2, drain_seconds = 2, close_seconds = 1 },
      protocol = { ping_seconds = 1, timeout_seconds = 2 },
    })
    token = gateway:token()
  end)

  teardown(function()
    assert.equal(0, gateway:stop())
    service:stop()
  end)

  -- How a client can leave.
  local leave = {
    function(client) client:close() end,
    function(client) client:abort(true) end,
    function(client) client:abort() end,
    function(client)
      client:send_bytes(frames.encode({ opcode = frames.TEXT, payload = "half a message" }):sub(1, 9))
      client:abort(true)
    end,
    function(client)
      client:send_frame({ opcode = frames.TEXT, fin = false, payload = ("x"):rep(3000) })
      client:abort()
    end,
    function(client)
      client:send_frame({ opcode = 3, payload = "reserved" })
      client:abort()
    end,
    function(client)
      client:pause()
      client:send_text('{"type":"snapshot"}')
      loop.sleep(1)
      client:abort(true)
    end,
    function(client)
      client:send_close(1001)
      client:abort()
    end,
  }

  -- Requests that never become clients.
  local function stray(i)
    if i % 3 == 0 then
      local _, answer = gateway:connect("demo-1", { token = "bad" })
      assert.equal(401, answer.status)
    else
      local raw = assert(wire.raw(gateway.port))
      raw:send(wire.handshake({ port = gateway.port, path = "/ws/account/x?token=" .. token }):sub(1, 40 + i))
      raw:abort(i % 2 == 0)
    end
  end

  -- Every account's money moves and a position comes or goes, so that clients leave amid events.
  local function market(number)
    local documents = { { op = "reset" } }
    for i = 1, ACCOUNTS do
      local id = "demo-" .. i
      documents[#documents + 1] = { op = "account", account = id, set = { balance = 10000 + number } }
      documents[#documents + 1] = { op = "open", account = id, position = { ticket = number } }
    end
    service:control(documents)
  end

  local function round(number)
    local clients = {}
    for i = 1, CLIENTS do
      clients[i] = assert(gateway:connect("demo-" .. (number * 7 + i) % ACCOUNTS + 1, { token = token, keep = false }))
    end
    market(number)
    loop.sleep(60)
    for i, client in ipairs(clients) do
      leave[(number + i) % #leave + 1](client)
    end
    stray(number)
  end

  local function quiet()
    assert(gateway:eventually(function()
      return gateway:metric("tidegate_connections") == 0 and gateway:metric("tidegate_accounts") == 0
    end, 6000), "clients or accounts are left")
    assert(gateway:eventually(function()
      return gateway:metric("tidegate_frame_bytes") == 0
    end, 2000), "frames are left")
  end

  -- The heap without the Lua VM, whose garbage comes and goes and is bounded by itself.
  local function used()
    return gateway:metric("tidegate_heap_bytes") - gateway:metric("tidegate_rules_memory_bytes")
  end

  it("leave no connection, no account, no frame and no memory", function()
    market(0)
    for number = 1, WARM do -- what is kept on purpose grows to its size: caches, tables, the Lua heap
      round(number)
    end
    quiet()
    local heap, resident = used(), gateway:metric("process_resident_memory_bytes")
    for number = WARM + 1, WARM + ROUNDS do
      round(number)
    end
    quiet()
    assert.equal(0, gateway:metric("tidegate_queue_bytes"))
    assert.equal(0, gateway:metric("tidegate_polls_in_flight"))
    for _, state in ipairs({ "connecting", "connected", "reconnecting", "error" }) do
      assert.equal(0, gateway:metric(('tidegate_source_state{state="%s"}'):format(state)))
    end
    assert.is_true(gateway:metric("tidegate_events_ordered_total") > 2000)
    assert.equal(0, gateway:metric("tidegate_events_lost_total"))
    gateway:becomes("healthy")
    if gateway_of.sanitized then return end -- its allocator is not the one that the metric asks
    local grown = used() - heap
    -- Pools still find their size; a single object of a client that stayed would be 128 bytes and more for each.
    assert.is_true(grown < ROUNDS * CLIENTS * 128, ("the heap has grown by %d bytes"):format(grown))
    local more = gateway:metric("process_resident_memory_bytes") - resident
    assert.is_true(more < 4 * 1024 * 1024, ("the process has grown by %d bytes"):format(more))
  end)
end)
