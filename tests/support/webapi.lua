-- Starts and steers the test server of the MetaTrader 5 Web API (tests/webapi), and speaks to it: through the Python
-- client of webapi_client.py, or byte by byte.
--
--   local server = webapi.start({ accounts = 5 })            -- logins 5000001 … 5000005 of the simulation
--   server:control({ op = "account", login = 7 })            -- and one that the spec writes
--   local client = server:client("raw-aes")                  -- rest, rest-post, rest-old, rests, raw, raw-aes
--   client:ask("POSITION_GET_BATCH", { LOGIN = "7" }).answer
--   local socket = server:socket()
--   socket:send("MT5WEBAPI…"); socket:take(9); socket:closed()
--   server:stop()
--
-- Calls block, running the default loop meanwhile.
local uv = require("luv")
local json = require("dkjson")
local loop = require("support.loop")
local process = require("support.process")
local vectors = require("support.webapi_bytes")

local webapi = {}
local Server, Client, Socket = {}, {}, {}
Server.__index, Client.__index, Socket.__index = Server, Client, Socket

local PATIENCE_MS = 10000

local root = os.getenv("TIDEGATE_SOURCE") or uv.cwd()
local build = os.getenv("TIDEGATE_BUILD") or "build"
if build:sub(1, 1) ~= "/" then build = root .. "/" .. build end
webapi.binary = build .. "/webapi_server"

-- A certificate for 127.0.0.1 that signs itself, and its key, in a folder of their own.
function webapi.certificate()
  local folder = assert(uv.fs_mkdtemp("/tmp/tidegate-cert-XXXXXX"))
  local cert, key = folder .. "/cert.pem", folder .. "/key.pem"
  local made = process.start({ argv = {
    "/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
    "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert,
  }, env = { LD_PRELOAD = false } })
  assert(made:wait_exit(PATIENCE_MS) == 0, table.concat(made.stderr, "\n"))
  return { cert = cert, key = key, folder = folder }
end

-- `options`: accounts, seed, events_per_minute, zone_minutes, port, control_port, manager, password, certificate (what
-- webapi.certificate gave).
function webapi.start(options)
  options = options or {}
  local argv = { webapi.binary, "--parent-death", "1" }
  for name, value in pairs(options) do
    if name ~= "certificate" then
      argv[#argv + 1] = "--" .. name:gsub("_", "-")
      argv[#argv + 1] = tostring(value)
    end
  end
  if options.certificate then
    for _, text in ipairs({ "--tls-cert", options.certificate.cert, "--tls-key", options.certificate.key }) do
      argv[#argv + 1] = text
    end
  end
  local self = setmetatable({ certificate = options.certificate, clients = {} }, Server)
  self.process = process.start({ argv = argv, env = { LD_PRELOAD = false, ASAN_OPTIONS = "detect_leaks=1" } })
  local line, why = self.process:wait_line('"port"', PATIENCE_MS)
  if not line then error("the Web API server: " .. why .. table.concat(self.process.stderr, "\n"), 2) end
  local ports = json.decode(line)
  self.port, self.control_port = ports.port, ports.control
  self.login, self.password = options.manager or 1000, options.password or "Password1"
  self.url = (options.certificate and "https" or "http") .. "://127.0.0.1:" .. self.port
  return self
end

---------------------------------------------------------------------------------------------------
-- Bytes.

local function connect(port)
  local self = setmetatable({ text = "", ended = false }, Socket)
  self.tcp = uv.new_tcp()
  local connected
  self.tcp:connect("127.0.0.1", port, function(err)
    connected = err or "yes"
    if err then
      self.ended = err
      return
    end
    self.tcp:read_start(function(why, chunk)
      self.text = self.text .. (chunk or "")
      if not chunk then self.ended = why or "EOF" end
    end)
  end)
  loop.wait(function() return connected end, PATIENCE_MS)
  self.refused = connected ~= "yes" and connected or nil
  return self
end

function Server:socket()
  return connect(self.port)
end

function Socket:send(bytes)
  self.tcp:write(bytes)
  return self
end

-- The next `n` bytes, taken off; nil when they do not come.
function Socket:take(n, timeout_ms)
  loop.wait(function() return #self.text >= n or self.ended end, timeout_ms or PATIENCE_MS)
  if #self.text < n then return nil end
  local bytes = self.text:sub(1, n)
  self.text = self.text:sub(n + 1)
  return bytes
end

-- The next HTTP response: its status, body and head.
function Socket:response(timeout_ms)
  local head
  loop.wait(function()
    head = self.text:match("^(.-\r\n\r\n)")
    return (head and #self.text >= #head + tonumber(head:match("Content%-Length: (%d+)"))) or self.ended
  end, timeout_ms or PATIENCE_MS)
  if not head then return nil end
  self:take(#head)
  local body = self:take(tonumber(head:match("Content%-Length: (%d+)")))
  return tonumber(head:match("^HTTP/1.1 (%d+)")), body, head
end

function Socket:get(path, headers)
  self:send(("GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n"):format(path, headers or ""))
  return self:response()
end

-- The next packet of the raw protocol: its body, serial (a number) and whether more follow.
function Socket:packet(timeout_ms)
  local head = self:take(9, timeout_ms)
  if not head then return nil end
  return self:take(tonumber(head:sub(1, 4), 16)), tonumber(head:sub(5, 8), 16), head:sub(9) == "1"
end

-- Why the server ended the connection ("EOF", "ECONNRESET"), or nil when it did not in time.
function Socket:closed(timeout_ms)
  loop.wait(function() return self.ended end, timeout_ms or PATIENCE_MS)
  return self.ended or nil
end

function Socket:close()
  loop.close(self.tcp)
end

-- Text in ASCII as UTF-16LE, and a packet of the raw protocol with it.
function webapi.wide(text)
  return (text:gsub(".", "%0\0"))
end

function webapi.packet(text, serial, more)
  local body = webapi.wide(text)
  return ("%04x%04x%d"):format(#body, serial, more and 1 or 0) .. body
end

-- A connection that has authenticated over REST with the published challenge.
function Server:rest_session()
  self:control({ op = "random", srv_rand = vectors.SRV_RAND })
  local socket = self:socket()
  assert(socket:get("/api/auth/start?version=484&agent=spec&login=1000&type=manager") == 200)
  assert(socket:get("/api/auth/answer?srv_rand_answer=" .. vectors.SRV_PROOF .. "&cli_rand=" .. vectors.CLI_RAND) == 200)
  return socket
end

-- The same over the raw protocol, with serials 1 and 2; `crypt` is the method, "NONE" when nil.
function Server:raw_session(crypt)
  self:control({ op = "random", srv_rand = vectors.SRV_RAND, crypt_rand = vectors.every })
  local socket = self:socket()
  socket:send("MT5WEBAPI" .. webapi.packet(
    "AUTH_START|VERSION=484|AGENT=spec|LOGIN=1000|TYPE=MANAGER|CRYPT_METHOD=" .. (crypt or "NONE") .. "|\r\n", 1))
  assert(socket:packet())
  socket:send(webapi.packet("AUTH_ANSWER|SRV_RAND_ANSWER=" .. vectors.SRV_PROOF .. "|CLI_RAND=" .. vectors.CLI_RAND .. "|\r\n", 2))
  assert(socket:packet())
  return socket
end

---------------------------------------------------------------------------------------------------
-- Control.

function Server:request(method, body)
  local socket = connect(self.control_port)
  socket:send(("%s / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"):format(method, #body, body))
  local status, answer = socket:response()
  socket:close()
  return status, answer and json.decode(answer)
end

-- Sends one operation, or a list of them, and returns the answer of the last; an error when it is refused.
function Server:control(document)
  local status, answer = self:request("POST", json.encode(document))
  if status ~= 200 then error("the Web API server: " .. (answer and answer.error or "no answer"), 2) end
  return answer
end

-- Makes an account that the spec writes; `options` as the operation takes them.
function Server:account(login, options)
  local doc = { op = "account", login = login }
  for key, value in pairs(options or {}) do
    doc[key] = value
  end
  self:control(doc)
end

-- The sentence with which an operation is refused; nil when it is not.
function Server:refusal(document)
  local _, answer = self:request("POST", json.encode(document))
  return answer.error
end

function Server:fault(fault, rule)
  local document = { op = "fault", fault = fault }
  for key, value in pairs(rule or {}) do
    document[key] = value
  end
  self:control(document)
end

-- Counters, by_command, and the newest requests.
function Server:stats()
  return select(2, self:request("GET", ""))
end

---------------------------------------------------------------------------------------------------
-- The client in Python.

-- Starts one, which authenticates at once; `client.auth` is how that ended.
function Server:client(transport, login, password)
  local client = setmetatable({ seen = 0 }, Client)
  client.process = process.start({
    argv = {
      -- Nothing of this machine's own is loaded: it starts in a quarter of the time.
      "/usr/bin/python3", "-I", "-S", "-B", "-X", "utf8", root .. "/tests/support/webapi_client.py", tostring(self.port), transport,
      tostring(login or self.login), password or self.password,
    },
    env = {
      LD_PRELOAD = false, WEBAPI_CA = self.certificate and self.certificate.cert or false,
    },
    stdin = true,
  })
  self.clients[#self.clients + 1] = client
  client.auth = client:read()
  return client
end

function Client:read(timeout_ms)
  local line, at = self.process:wait_line(".", timeout_ms or PATIENCE_MS, "stdout", self.seen + 1)
  if not line then return { error = "no answer: " .. table.concat(self.process.stderr, "\n") } end
  self.seen = at
  return json.decode(line, 1, nil)
end

-- Whether no answer comes within so long.
function Client:silent(ms)
  return not loop.wait(function() return #self.process.stdout > self.seen end, ms)
end

-- Asks without waiting for the answer. What begins with "!" is a command of the client itself and takes a text.
function Client:say(command, params, body)
  if type(params) ~= "string" then
    local object = setmetatable({}, { __jsontype = "object" })
    for name, value in pairs(params or {}) do
      object[name] = value
    end
    params = object
  end
  self.process:write(json.encode({ command, params, body }) .. "\n")
  return self
end

-- Asks and waits: { retcode, text, fields, answer }, or { error }.
function Client:ask(command, params, body, timeout_ms)
  return self:say(command, params, body):read(timeout_ms)
end

function Client:close()
  self.process:signal("sigkill")
  self.process:wait_exit(PATIENCE_MS)
end

-- Ends the server as its operator does and its clients with it; the exit code.
function Server:stop()
  for _, client in ipairs(self.clients) do
    client:close()
  end
  local code = self.process:stop()
  if code ~= 0 then io.stderr:write(table.concat(self.process.stderr, "\n"):sub(-6000), "\n") end
  return code
end

-- The end of a spec: the server (or nil), whatever it left behind, and nothing that it complained of. Gives nil.
function webapi.finish(server)
  local code = server and server:stop()
  process.stop_all()
  assert(not server or code == 0, "the Web API server ended with " .. tostring(code))
end

return webapi
