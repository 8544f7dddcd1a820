-- Many accounts on one core through the Web API driver: whether every beat is on time, and what it costs.
--
--   luajit tests/bench/webapi.lua [accounts] [seconds] [transport] [groups or -] [batch_logins]
--
-- transport: rest, rests (TLS), raw (encrypted) or raw-clear; `groups`, such as '*', reads by masks instead of logins. The
-- gateway is pinned to core 0 and the test server of the Web API to core 1. All accounts are polled for ever.
package.path = "./tests/?.lua;" .. package.path
local json = require("dkjson")
local loop = require("support.loop")
local process = require("support.process")
local webapi = require("support.webapi")
local wire = require("support.wire")

local accounts, seconds = tonumber(arg[1]) or 20000, tonumber(arg[2]) or 60
local transport, groups = arg[3] or "rest", arg[4] ~= "-" and arg[4] or nil
local batch = tonumber(arg[5]) or 200
local build = os.getenv("TIDEGATE_BUILD") or "build/release"
webapi.binary = build .. "/webapi_server"

local certificate = transport == "rests" and webapi.certificate() or nil
local server = webapi.start({ accounts = accounts, events_per_minute = 1, certificate = certificate })
process.start({ argv = { "taskset", "-cp", "1", tostring(server.process.pid) } }):wait_exit(5000)
local scheme = ({ rest = "http", rests = "https", raw = "mt5", ["raw-clear"] = "mt5" })[transport]

local path = os.tmpname()
local file = assert(io.open(path, "w"))
file:write(([[
local always = {}
for i = 1, %d do always[i] = ("%%d"):format(5000000 + i) end
return {
  listen = { address = "127.0.0.1", port = 0 }, admin = { address = "127.0.0.1", port = 0 },
  source = { driver = "mt5_webapi", url = "%s://127.0.0.1:%d", login = "%s", password = "%s", crypt = %s,
             groups = %s, ca_file = %s, batch_logins = %d },
  accounts = { always = always },
  auth = { keys = { { algorithm = "HS256", secret = ("bench-secret-"):rep(4) } }, ownership = { claim = "accounts" } },
  log = { format = "json" },
}]]):format(accounts, scheme, server.port, server.login, server.password, tostring(transport ~= "raw-clear"),
  groups and ("%q"):format(groups) or "nil", certificate and ("%q"):format(certificate.cert) or "nil", batch))
file:close()

local gateway = process.start({ argv = { "taskset", "-c", "0", build .. "/tidegate", "serve", "--config", path } })
local admin = assert(gateway:wait_log({ event = "listening", listener = "admin" }, 10000))
assert(gateway:wait_log({ event = "ready" }, 10000))

local page

-- The sum of a metric of the page over its labels; `filter` picks some of them.
local function metric(name, filter)
  local sum = 0
  for labels, value in page:gmatch("\n" .. name .. "({?[^}\n]*}?) ([%d.]+)") do
    if not filter or labels:find(filter, 1, true) then sum = sum + tonumber(value) end
  end
  return sum
end

local function cpu(pid)
  local fields = {}
  for field in io.open("/proc/" .. pid .. "/stat"):read("*a"):match("%) (.*)"):gmatch("%S+") do
    fields[#fields + 1] = tonumber(field) or 0
  end
  return (fields[12] + fields[13]) / 100
end

local function figures()
  page = wire.http_get(admin.port, "/metrics").body
  return {
    gateway = cpu(gateway.pid), server = cpu(server.process.pid), at = loop.now(),
    polls = metric("tidegate_polls_total", 'end="ok"'), failed = metric("tidegate_polls_total") - metric("tidegate_polls_total", 'end="ok"'),
    late = metric("tidegate_beats_late_total"), skipped = metric("tidegate_polls_skipped_total"),
    events = metric("tidegate_events_ordered_total") + metric("tidegate_events_latest_total"),
  }
end

local function session()
  return json.decode(wire.http_get(admin.port, "/health").body).sources.main.session
end

loop.sleep(10000) -- the first reading of every client's record, and the pools finding their size
local before, requests = figures(), session().requests
loop.sleep(seconds * 1000)
local after = figures()
requests = session().requests - requests
local took = (after.at - before.at) / 1000
local function rate(key, scale) return math.floor((after[key] - before[key]) / took * (scale or 1) * 10) / 10 end
local result = {
  accounts = accounts, seconds = math.floor(took), transport = transport, by = groups and "groups" or "logins", batch_logins = batch,
  polls_per_second = rate("polls"), requests_per_second = math.floor(requests / took * 10) / 10, events_per_second = rate("events"),
  beats_late = after.late - before.late, polls_skipped = after.skipped - before.skipped, polls_failed = after.failed - before.failed,
  gateway_cpu_percent = rate("gateway", 100), server_cpu_percent = rate("server", 100),
  resident_mb = math.floor(metric("process_resident_memory_bytes") / 1e5) / 10,
}
print(json.encode(result, { indent = true }))
gateway:stop(30000)
server:stop()
os.remove(path)
os.exit(result.beats_late + result.polls_skipped == 0 and 0 or 1)
