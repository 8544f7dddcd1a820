-- The gateway as its operator and its clients see it: the real binary with a configuration and a key of its own,
-- on free ports of the loopback.
--
--   local gateway = gateway_of.start({ source = { driver = "http", url = service.url } })
--   local client = gateway:connect("demo-1")
--   gateway:metric('tidegate_refused_total{code="NOT_OWNER"}')
--   assert.equal(0, gateway:stop())
local ffi = require("ffi")
local uv = require("luv")
local json = require("dkjson")
local jws = require("support.jws")
local loop = require("support.loop")
local process = require("support.process")
local wire = require("support.wire")

ffi.cdef("int kill(int pid, int signal);")

local gateway_of = {}
local Gateway = {}
Gateway.__index = Gateway

local START_MS = 15000
local guards = {}

local root = os.getenv("TIDEGATE_SOURCE") or uv.cwd()
local build = os.getenv("TIDEGATE_BUILD") or "build"
if build:sub(1, 1) ~= "/" then build = root .. "/" .. build end
gateway_of.binary = build .. "/tidegate"

-- Whether the binary is one that watches its own memory.
local function sanitized()
  local cache = io.open(build .. "/CMakeCache.txt")
  local text = cache and cache:read("*a") or ""
  if cache then cache:close() end
  return text:find("TIDEGATE_SANITIZE:BOOL=ON", 1, true) ~= nil
end
gateway_of.sanitized = sanitized()

function gateway_of.folder()
  return assert(uv.fs_mkdtemp("/tmp/tidegate-spec-XXXXXX"))
end

-- Writes a file in one step, as a careful editor does: no reader ever sees half of it.
function gateway_of.write(path, text)
  local file = assert(io.open(path .. ".new~", "w"))
  file:write(text)
  file:close()
  assert(os.rename(path .. ".new~", path))
end

local function remove(folder)
  for name, kind in
    function(scan) return uv.fs_scandir_next(scan) end, uv.fs_scandir(folder)
  do
    local path = folder .. "/" .. name
    if kind == "directory" then remove(path) else os.remove(path) end
  end
  os.remove(folder)
end

-- A Lua value as the text of a Lua literal.
local function literal(value)
  if type(value) ~= "table" then return type(value) == "string" and ("%q"):format(value) or tostring(value) end
  local out = {}
  for key, item in pairs(value) do
    out[#out + 1] = (type(key) == "number" and "" or ("[%q] = "):format(key)) .. literal(item)
  end
  return "{ " .. table.concat(out, ", ") .. " }"
end

local function merge(into, from)
  for key, value in pairs(from or {}) do
    if type(value) == "table" and type(into[key]) == "table" and #value == 0 then
      merge(into[key], value)
    else
      into[key] = value
    end
  end
  return into
end

-- Writes the configuration again (before a SIGHUP): what it started with, and `changes`; false takes a section away.
-- `self.functions` ("auth.authorize" → Lua text) are put in as they stand.
function Gateway:configure(changes)
  merge(self.config, changes)
  for name, section in pairs(self.config) do
    if section == false then self.config[name] = nil end
  end
  local lines = { "local config = " .. literal(self.config) }
  for path, text in pairs(self.functions) do
    lines[#lines + 1] = ("config.%s = %s"):format(path, text)
  end
  lines[#lines + 1] = "return config\n"
  gateway_of.write(self.folder .. "/gateway.lua", table.concat(lines, "\n"))
end

-- Starts the gateway with the sections of gateway.lua that `config` names; the rest is what a spec needs to be quick.
-- `options.functions` are those of the configuration (path → Lua text); `options.files` are written into its folder
-- first (name → text); relative paths of the configuration start there.
function gateway_of.start(config, options)
  options = options or {}
  local self = setmetatable({ folder = gateway_of.folder(), secret = {}, functions = options.functions or {} }, Gateway)
  for i = 1, 32 do
    self.secret[i] = ("%02x"):format(math.random(0, 255))
  end
  self.secret = table.concat(self.secret)
  self.config = merge({
    listen = { address = "127.0.0.1", port = 0 },
    admin = { address = "127.0.0.1", port = 0 },
    source = { driver = "sim" },
    auth = { keys = { { algorithm = "HS256", secret = self.secret } } },
    limits = { handshakes_per_second = 100000, health_per_second = 10000, drain_seconds = 2, close_seconds = 1 },
    log = { format = "json" },
  }, {})
  for name, text in pairs(options.files or {}) do
    local sub = name:match("^(.*)/")
    if sub then uv.fs_mkdir(self.folder .. "/" .. sub, 448) end
    gateway_of.write(self.folder .. "/" .. name, text)
  end
  self:configure(config)
  self.process = process.start({
    argv = { gateway_of.binary, "serve", "--config", self.folder .. "/gateway.lua" },
    env = {
      LD_PRELOAD = false,
      ASAN_OPTIONS = gateway_of.sanitized and "detect_leaks=1:exitcode=99" or false,
    },
  })
  -- A spec that fails half way leaves no gateway behind: it ends with the interpreter at the latest.
  local guard = newproxy(true)
  guards[#guards + 1] = guard
  getmetatable(guard).__gc = function()
    if self.process:alive() then ffi.C.kill(self.process.pid, 9) end
  end
  local ready, why = self.process:wait_log({ event = "ready" }, START_MS)
  if not ready then
    self:kill()
    error("the gateway did not start: " .. why, 2)
  end
  self.port = self.process:wait_log({ event = "listening", listener = "public" }, 100).port
  local admin = self.process:wait_log({ event = "listening", listener = "admin" }, 100)
  self.admin_port = admin and admin.port
  return self
end

-- A token of this gateway's key. `claims` replaces members; false removes one.
function Gateway:token(claims, secret)
  local payload = { sub = "alice", exp = os.time() + 3600, accounts = { "*" } }
  for name, value in pairs(claims or {}) do
    payload[name] = value
    if value == false then payload[name] = nil end
  end
  return jws.sign('{"alg":"HS256","typ":"JWT"}', json.encode(payload), secret or self.secret)
end

-- Opens a WebSocket on an account with a good token. `options`: claims, token (false: none), query ("&since=…"), and what
-- wire.connect takes.
function Gateway:connect(account, options)
  local asked = {}
  for key, value in pairs(options or {}) do
    asked[key] = value
  end
  local token = asked.token
  if token == nil then token = self:token(asked.claims) end
  asked.port = self.port
  asked.path = "/ws/account/" .. account .. "?" .. (token and "token=" .. token or "") .. (asked.query or "")
  return wire.connect(asked)
end

function Gateway:get(path, headers)
  return wire.http_get(self.port, path, headers)
end

function Gateway:admin(path, headers)
  return wire.http_get(self.admin_port, path, headers)
end

-- An admin call; `body` is JSON text or a table.
function Gateway:call(method, path, body, headers)
  if type(body) == "table" then body = next(body) and json.encode(body) or "{}" end
  return wire.http({ port = self.admin_port, path = path, method = method, body = body, headers = headers })
end

function Gateway:health()
  return self:admin("/health").json
end

-- The value of a metric, named with the labels that are asked for: the sum over its other labels (over all sources,
-- mostly); nil when there is no such sample.
function Gateway:metric(sample)
  local name, labels = sample:match("^([%w_:]+){?(.-)}?$")
  local sum
  for has, value in ("\n" .. self:admin("/metrics").body):gmatch("\n" .. name .. "{?([^ }]*)}? (%S+)") do
    local fits = true
    for label in labels:gmatch('[%w_]+="[^"]*"') do
      fits = fits and ("," .. has .. ","):find("," .. label .. ",", 1, true) ~= nil
    end
    if fits then sum = (sum or 0) + tonumber(value) end
  end
  return sum
end

-- Waits until `check(gateway)` gives something true; that, or nil. With the patience of support.loop.
function Gateway:eventually(check, timeout_ms)
  return loop.eventually(function() return check(self) end, timeout_ms or 5000)
end

-- Waits until /health says that it is well, or ill ("degraded", "unhealthy"): a poll may be late for a moment. The page.
function Gateway:becomes(status)
  local page
  local reached = self:eventually(function()
    page = self:health()
    return page.status == status
  end)
  assert(reached, "it is " .. page.status .. ", not " .. status)
  return page
end

-- Everything it has logged so far.
function Gateway:log_text()
  return table.concat(self.process.stderr, "\n")
end

function Gateway:write(name, text)
  local sub = name:match("^(.*)/")
  if sub then uv.fs_mkdir(self.folder .. "/" .. sub, 448) end
  gateway_of.write(self.folder .. "/" .. name, text)
end

-- Ends it as its operator does; the exit code (nil: it had to be killed).
function Gateway:stop(timeout_ms)
  local code = self.process:stop(timeout_ms or 20000)
  remove(self.folder)
  if code ~= 0 then io.stderr:write(self:log_text():sub(-6000), "\n") end
  return code
end

-- Ends it at once, for the end of a spec that failed.
function Gateway:kill()
  self.process:signal("sigkill")
  self.process:wait_exit(5000)
  remove(self.folder)
end

return gateway_of
