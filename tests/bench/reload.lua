-- A rule edited under connected clients: how long until its events arrive, and whether anybody noticed anything else.
--
--   luajit tests/bench/reload.lua [clients]
package.path = "./tests/?.lua;" .. package.path
local json = require("dkjson")
local jws = require("support.jws")
local loop = require("support.loop")
local process = require("support.process")
local wire = require("support.wire")

local clients_wanted = tonumber(arg[1]) or 300
local build = os.getenv("TIDEGATE_BUILD") or "build/release"
local secret = ("bench-secret-"):rep(4)
local folder = os.tmpname()
os.remove(folder)
assert(os.execute("mkdir " .. folder) == 0 or true)

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function rule(version)
  return ('return rule "beat" { on = "tick", payload = function() return { version = %d } end }\n'):format(version)
end

write(folder .. "/beat.lua", rule(1))
write(folder .. ".lua", ([[return {
  listen = { address = "127.0.0.1", port = 0 }, admin = { address = "127.0.0.1", port = 0 },
  source = { driver = "sim", sim = { accounts = %d } }, rules = { path = %q },
  auth = { keys = { { algorithm = "HS256", secret = %q } }, ownership = { claim = "accounts" } },
  limits = { per_address = 100000, per_subject = 100000, handshakes_per_second = 100000 }, log = { format = "json" },
}]]):format(clients_wanted, folder, secret))

local gateway = process.start({ argv = { build .. "/tidegate", "serve", "--config", folder .. ".lua" } })
local public = assert(gateway:wait_log({ event = "listening", listener = "public" }, 10000))
local admin = assert(gateway:wait_log({ event = "listening", listener = "admin" }, 10000))
assert(gateway:wait_log({ event = "ready" }, 10000))

local newest, clients = {}, {}
for i = 1, clients_wanted do
  local token = jws.sign('{"alg":"HS256","typ":"JWT"}',
    ('{"sub":"bench","accounts":"*","exp":%d}'):format(os.time() + 3600), secret)
  local client = assert(wire.connect({ port = public.port, path = "/ws/account/demo-" .. i .. "?token=" .. token }))
  client.data_frame = function(_, frame)
    newest[i] = tonumber(frame.payload:match('"version":(%d+)}')) or newest[i]
  end
  clients[i] = client
end

-- Waits until `count` clients have seen this version; milliseconds, or nil.
local function seen(version, count, timeout_ms)
  local begun = loop.now()
  local ok = loop.wait(function()
    local n = 0
    for i = 1, clients_wanted do
      if newest[i] == version then n = n + 1 end
    end
    return n >= count
  end, timeout_ms)
  return ok and math.floor(loop.now() - begun)
end

assert(seen(1, clients_wanted, 5000), "the first rules do not speak")
write(folder .. "/beat.lua", rule(2))
local first = seen(2, 1, 5000)
local all = seen(2, clients_wanted, 5000)
write(folder .. "/beat.lua", "return rule 'beat' { on = 'tick', payload = function( end }\n")
loop.sleep(2500)
local metrics = wire.http_get(admin.port, "/metrics").body
local health = wire.http_get(admin.port, "/health").body
local dropped, still = 0, 0
for i, client in ipairs(clients) do
  if client.close_code or client.conn.eof then dropped = dropped + 1 end
  if newest[i] == 2 then still = still + 1 end
end
print(json.encode({
  clients = clients_wanted, first_event_of_the_new_rule_ms = first, then_all_clients_ms = all,
  after_a_broken_edit = {
    still_on_the_last_good_rule = still, disconnected = dropped,
    reloads_failed = tonumber(metrics:match('outcome="failed"} (%d+)')), health = json.decode(health).status,
    last_error = json.decode(health).rules.last_error,
  },
}, { indent = true }))
gateway:stop(30000)
os.execute("rm -rf " .. folder .. " " .. folder .. ".lua")
