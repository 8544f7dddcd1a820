-- Many accounts through the driver "http" on one core, polled each second from an upstream that costs next to nothing.
--
--   luajit tests/bench/http.lua [accounts] [seconds] [rest|bridge] [concurrency]
--
-- `rest` is the MT5 REST service's two documents an account and poll, mapped in C; `bridge` is one snapshot document,
-- mapped by plugins/sources/terminal_bridge.lua. The gateway is pinned to processor 0, the upstream to the next one.
package.path = "./tests/?.lua;" .. package.path
local json = require("dkjson")
local loop = require("support.loop")
local process = require("support.process")
local wire = require("support.wire")

local accounts, seconds, kind = tonumber(arg[1]) or 10000, tonumber(arg[2]) or 60, arg[3] or "rest"
local concurrency = tonumber(arg[4]) or 16
local build = os.getenv("TIDEGATE_BUILD") or "build/release"
local upstream = process.start({ argv = { "taskset", "-c", "1", build .. "/bench_upstream" } })
local port = json.decode(assert(upstream:wait_line('"port"', 5000))).port
local path = os.tmpname()
local file = assert(io.open(path, "w"))
file:write(([[
local always = {}
for i = 1, %d do always[i] = "demo-" .. i end
return {
  listen = { address = "127.0.0.1", port = 0 }, admin = { address = "127.0.0.1", port = 0 },
  source = { url = "http://127.0.0.1:%d", mapping = %s, concurrency = %d }, accounts = { always = always },
  auth = { keys = { { algorithm = "HS256", secret = ("bench-secret-"):rep(4) } }, ownership = { claim = "accounts" } },
  log = { format = "json" },
}]]):format(accounts, port, kind == "bridge" and '"terminal_bridge"' or "nil", concurrency))
file:close()

local gateway = process.start({ argv = { "taskset", "-c", "0", build .. "/tidegate", "serve", "--config", path } })
local admin = assert(gateway:wait_log({ event = "listening", listener = "admin" }, 10000))
assert(gateway:wait_log({ event = "ready" }, 10000))

local function metric(name)
  local body = wire.http_get(admin.port, "/metrics").body
  return tonumber((assert(body:match("\n" .. name .. " ([%d.]+)"), "no metric " .. name)))
end

local function cpu()
  local fields = {}
  for field in io.open("/proc/" .. gateway.pid .. "/stat"):read("*a"):match("%) (.*)"):gmatch("%S+") do
    fields[#fields + 1] = tonumber(field) or 0
  end
  return (fields[12] + fields[13]) / 100
end

-- A poll that fails is retried later and later, so that few skips beside many failures would say nothing.
local OK, LATE, SKIPPED = 'tidegate_polls_total{source="main",end="ok"}', 'tidegate_beats_late_total{source="main"}',
  'tidegate_polls_skipped_total{source="main"}'
loop.sleep(10000)
local used, polls, late, skipped, began = cpu(), metric(OK), metric(LATE), metric(SKIPPED), loop.now()
loop.sleep(seconds * 1000)
local wall = (loop.now() - began) / 1000
print(json.encode({
  accounts = accounts, mapping = kind, concurrency = concurrency, seconds = math.floor(wall),
  polls_per_second = math.floor((metric(OK) - polls) / wall),
  beats_late = metric(LATE) - late, polls_skipped = metric(SKIPPED) - skipped,
  failed = metric('tidegate_polls_total{source="main",end="failed"}'), busy = metric('tidegate_polls_total{source="main",end="busy"}'),
  hook_faults = kind == "bridge" and metric('tidegate_hook_faults_total{hook="map"}') or 0,
  cpu_percent_of_one_core = math.floor((cpu() - used) / wall * 1000) / 10,
  cpu_us_a_poll = math.floor((cpu() - used) / (metric(OK) - polls) * 1e7) / 10,
  resident_mb = math.floor(metric("process_resident_memory_bytes") / 1e5) / 10,
}, { indent = true }))
gateway:stop(30000)
upstream:stop()
os.remove(path)
