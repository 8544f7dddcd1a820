-- Change to client: how long a balance change takes from the MT5 service to the client that watches.
--
--   luajit tests/bench/latency.lua [clients] [seconds]
--
-- Starts the fake MT5 REST service and the release build of the gateway in processes of their own, connects one client
-- to each of so many accounts, changes balances at random moments, and prints one table: latency, what was lost, what
-- the gateway cost. Half a poll interval (500 ms) of the mean is the polling itself.
package.path = "./tests/?.lua;" .. package.path
local json = require("dkjson")
local jws = require("support.jws")
local loop = require("support.loop")
local process = require("support.process")
local rest = require("support.rest")
local wire = require("support.wire")

local clients_wanted = tonumber(arg[1]) or 300
local seconds = tonumber(arg[2]) or 300
local build = os.getenv("TIDEGATE_BUILD") or "build/release"
local secret = ("bench-secret-"):rep(4)

local service = rest.start()
local path = os.tmpname()
local file = assert(io.open(path, "w"))
file:write(([[return {
  listen = { address = "127.0.0.1", port = 0 }, admin = { address = "127.0.0.1", port = 0 },
  source = { driver = "http", url = "http://127.0.0.1:%d" },
  auth = { keys = { { algorithm = "HS256", secret = %q } }, ownership = { claim = "accounts" } },
  limits = { per_address = 100000, per_subject = 100000, handshakes_per_second = 100000 }, log = { format = "json" },
}]]):format(service.port, secret))
file:close()
local gateway = process.start({ argv = { build .. "/tidegate", "serve", "--config", path } })
local public = assert(gateway:wait_log({ event = "listening", listener = "public" }, 10000))
local admin = assert(gateway:wait_log({ event = "listening", listener = "admin" }, 10000))
assert(gateway:wait_log({ event = "ready" }, 10000))

-- Seconds of CPU and bytes of memory that the gateway has used.
local function cost()
  local stat = io.open("/proc/" .. gateway.pid .. "/stat"):read("*a"):match("%) (.*)")
  local fields = {}
  for field in stat:gmatch("%S+") do
    fields[#fields + 1] = tonumber(field) or 0
  end
  return (fields[12] + fields[13]) / 100, fields[22] * 4096
end

local waiting, latencies, messages, unexpected = {}, {}, 0, 0
local clients = {}
for i = 1, clients_wanted do
  local id = "bench-" .. i
  local token = jws.sign('{"alg":"HS256","typ":"JWT"}',
    ('{"sub":"bench","accounts":"*","exp":%d}'):format(os.time() + seconds + 3600), secret)
  local client = assert(wire.connect({ port = public.port, path = "/ws/account/" .. id .. "?token=" .. token }))
  client.data_frame = function(_, frame)
    messages = messages + 1
    if not frame.payload:find('"account_update"', 1, true) then return end
    local changed = frame.payload:match('"balance":{"old":[%d.]+,"new":([%d.]+)')
    local expected = waiting[id]
    if not changed then return end
    if expected and tonumber(changed) == expected.balance then
      latencies[#latencies + 1] = loop.now() - expected.at
      waiting[id] = nil
    else
      unexpected = unexpected + 1
    end
  end
  clients[i] = client
end
loop.sleep(2500)

local cpu_before = cost()
local begun, next_ping, sent = loop.now(), loop.now() + 30000, 0
while loop.now() - begun < seconds * 1000 do
  local id = "bench-" .. math.random(clients_wanted)
  if not waiting[id] then
    sent = sent + 1
    waiting[id] = { balance = 10000 + sent, at = loop.now() }
    service:control({ op = "account", account = id, set = { balance = 10000 + sent } })
  end
  if loop.now() > next_ping then
    next_ping = loop.now() + 30000
    for _, client in ipairs(clients) do
      client:send_text('{"type":"ping"}')
    end
  end
  loop.sleep(20 + math.random(30))
end
loop.sleep(3000)
local cpu, memory = cost()
local wall = (loop.now() - begun) / 1000

local lost, dropped = 0, 0
for _ in pairs(waiting) do
  lost = lost + 1
end
for _, client in ipairs(clients) do
  if client.close_code or client.violation or client.conn.eof then dropped = dropped + 1 end
end
local metrics = wire.http_get(admin.port, "/metrics").body
table.sort(latencies)
local sum = 0
for _, ms in ipairs(latencies) do
  sum = sum + ms
end
local function at(share)
  return latencies[math.max(1, math.ceil(#latencies * share))] or 0 / 0
end
print(json.encode({
  clients = clients_wanted, seconds = math.floor(wall), changes = sent, arrived = #latencies, lost = lost,
  unexpected = unexpected, connections_dropped = dropped, messages = messages,
  latency_mean_ms = math.floor(sum / #latencies), latency_p50_ms = math.floor(at(0.5)),
  latency_p99_ms = math.floor(at(0.99)), latency_max_ms = math.floor(at(1)),
  cpu_percent_of_one_core = math.floor((cpu - cpu_before) / wall * 1000) / 10, resident_mb = math.floor(memory / 1e5) / 10,
  beats_late = tonumber(metrics:match("tidegate_beats_late_total{[^}]*} (%d+)")),
  polls_skipped = tonumber(metrics:match("tidegate_polls_skipped_total{[^}]*} (%d+)")),
}, { indent = true }))

gateway:stop(30000)
service:stop()
os.remove(path)
os.exit((lost == 0 and dropped == 0 and unexpected == 0) and 0 or 1)
