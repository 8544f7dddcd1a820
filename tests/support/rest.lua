-- Starts and steers the fake MT5 REST service (mt5_rest.lua) from a spec.
--
--   local service = rest.start()
--   service:control({ op = "open", account = "demo-1", position = { symbol = "EURUSD" } })
--   service:stats().connections
--   service:stop()
--
-- Calls block, running the default loop meanwhile, so they must not be made from inside its callbacks.
local uv = require("luv")
local json = require("dkjson")
local loop = require("support.loop")
local process = require("support.process")

local rest = {}
local Service = {}
Service.__index = Service

local PATIENCE_MS = 5000

-- Starts the service on a port (0 or nil: a free one); `program` is another of tests/support that is steered alike.
function rest.start(port, program)
  local root = os.getenv("TIDEGATE_SOURCE") or "."
  local service = setmetatable({}, Service)
  service.process = process.start({
    argv = { "luajit", root .. "/tests/support/" .. (program or "mt5_rest.lua"), "--port", tostring(port or 0) },
    -- A sanitizer that is preloaded for the spec has nothing to do in the service.
    env = { LD_PRELOAD = false, ASAN_OPTIONS = false },
  })
  local line, why = service.process:wait_line('"port"', PATIENCE_MS)
  if not line then error("the fake REST service: " .. why .. table.concat(service.process.stderr, "\n"), 2) end
  service.port = json.decode(line).port
  service.url = "http://127.0.0.1:" .. service.port
  return service
end

function Service:request(method, path, body)
  local socket, text, ended = uv.new_tcp(), "", false
  socket:connect("127.0.0.1", self.port, function(err)
    if err then
      text, ended = "connect: " .. err, true
      return
    end
    socket:read_start(function(_, chunk)
      text = text .. (chunk or "")
      local head, rest_of = text:match("^(.-\r\n\r\n)(.*)$")
      local len = head and tonumber(head:match("Content%-Length: (%d+)"))
      ended = not chunk or (len ~= nil and #rest_of >= len)
    end)
    socket:write(("%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"):format(method, path, #body, body))
  end)
  loop.await(function() return ended end, PATIENCE_MS)
  loop.close(socket)
  local status, answer = text:match("^HTTP/1.1 (%d+).-\r\n\r\n(.*)$")
  if status ~= "200" then error("the fake REST service: " .. method .. " " .. path .. ": " .. text, 3) end
  return (json.decode(answer))
end

-- Sends one control document, or a list of them, and returns the answer of the last.
function Service:control(document)
  return self:request("POST", "/control", json.encode(document))
end

-- { connections, open, requests, accounts = { [id] = { info, positions, history } }, paths, headers = { [id] = {…} } };
-- the connection that asks counts as well.
function Service:stats()
  return self:request("GET", "/control/stats", "")
end

-- Freezes the process, so that the kernel accepts connections and nobody answers; and thaws it.
function Service:freeze()
  self.process:signal("sigstop")
end

function Service:thaw()
  self.process:signal("sigcont")
end

-- Ends the process at once, its connections with it.
function Service:stop()
  self.process:signal("sigkill")
  self.process:wait_exit(PATIENCE_MS)
end

return rest
