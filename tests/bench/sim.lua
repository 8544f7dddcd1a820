-- Many accounts on one core: the simulator polled each second, and whether every beat was on time.
--
--   luajit tests/bench/sim.lua [accounts] [seconds]
--
-- All accounts are polled for ever (accounts.always), so this measures the scheduler, the diff, the rules and the encoding;
-- one client watches one account.
package.path = "./tests/?.lua;" .. package.path
local json = require("dkjson")
local loop = require("support.loop")
local process = require("support.process")
local wire = require("support.wire")

local accounts, seconds = tonumber(arg[1]) or 5000, tonumber(arg[2]) or 60
local build = os.getenv("TIDEGATE_BUILD") or "build/release"
local path = os.tmpname()
local file = assert(io.open(path, "w"))
file:write(([[
local always = {}
for i = 1, %d do always[i] = "demo-" .. i end
return {
  listen = { address = "127.0.0.1", port = 0 }, admin = { address = "127.0.0.1", port = 0 },
  source = { driver = "sim", sim = { accounts = %d } }, accounts = { always = always },
  auth = { keys = { { algorithm = "HS256", secret = ("bench-secret-"):rep(4) } }, ownership = { claim = "accounts" } },
  log = { format = "json" },
}]]):format(accounts, accounts))
file:close()

local gateway = process.start({ argv = { "taskset", "-c", "0", build .. "/tidegate", "serve", "--config", path } })
local admin = assert(gateway:wait_log({ event = "listening", listener = "admin" }, 10000))
assert(gateway:wait_log({ event = "ready" }, 10000))

-- The sum of a metric over its labels; `filter` picks some of them.
local function metric(name, filter)
  local sum = 0
  for labels, value in wire.http_get(admin.port, "/metrics").body:gmatch("\n" .. name .. "({?[^}\n]*}?) ([%d.]+)") do
    if not filter or labels:find(filter, 1, true) then sum = sum + tonumber(value) end
  end
  return sum
end

local function cpu()
  local stat = io.open("/proc/" .. gateway.pid .. "/stat"):read("*a"):match("%) (.*)")
  local fields = {}
  for field in stat:gmatch("%S+") do
    fields[#fields + 1] = tonumber(field) or 0
  end
  return (fields[12] + fields[13]) / 100
end

loop.sleep(5000)
local used, polls, late = cpu(), metric("tidegate_polls_total", 'end="ok"'), metric("tidegate_beats_late_total")
local events = metric("tidegate_events_ordered_total") + metric("tidegate_events_latest_total")
loop.sleep(seconds * 1000)
local result = {
  accounts = accounts, seconds = seconds,
  polls_per_second = math.floor((metric("tidegate_polls_total", 'end="ok"') - polls) / seconds),
  events_per_second = math.floor(
    (metric("tidegate_events_ordered_total") + metric("tidegate_events_latest_total") - events) / seconds),
  beats_late = metric("tidegate_beats_late_total") - late,
  polls_skipped = metric("tidegate_polls_skipped_total"),
  cpu_percent_of_one_core = math.floor((cpu() - used) / seconds * 1000) / 10,
  resident_mb = math.floor(metric("process_resident_memory_bytes") / 1e5) / 10,
}
print(json.encode(result, { indent = true }))
gateway:stop(30000)
os.remove(path)
os.exit(result.beats_late == 0 and 0 or 1)
