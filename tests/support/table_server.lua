-- An HTTP server for one document, which does what a spec tells it: a registry that the gateway follows.
--
--   local server = table_server.start('{"a":"main"}')
--   server.body = "{}"          server.status = 503        server.silent = true (takes the request, never answers)
--   server:away()               server:back()              nobody listens, and again on the same port
--   server.requests             server.head (of the newest request)
local uv = require("luv")
local loop = require("support.loop")

local table_server = {}
local Server = {}
Server.__index = Server

local function answer(self, tcp)
  self.requests = self.requests + 1
  if self.silent then return end
  local body = self.body
  tcp:write(("HTTP/1.1 %d Status\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n"):format(
    self.status, #body, self.header or "") .. body)
end

local function accept(self)
  local tcp, text = uv.new_tcp(), ""
  self.listener:accept(tcp)
  self.open[tcp] = true
  tcp:read_start(function(why, chunk)
    if why or not chunk then
      self.open[tcp] = nil
      if not tcp:is_closing() then tcp:close() end
      return
    end
    text = text .. chunk
    local head = text:match("^(.-\r\n\r\n)")
    if not head then return end
    text = text:sub(#head + 1)
    self.head = head
    answer(self, tcp)
  end)
end

function Server:back()
  self.listener = uv.new_tcp()
  assert(self.listener:bind("127.0.0.1", self.port))
  assert(self.listener:listen(16, function() accept(self) end))
  self.port = self.listener:getsockname().port
end

function Server:away()
  if self.listener then loop.close(self.listener) end
  self.listener = nil
  for tcp in pairs(self.open) do
    loop.close(tcp)
  end
  self.open = {}
end

function table_server.start(body)
  local self = setmetatable({ body = body, status = 200, requests = 0, open = {}, port = 0 }, Server)
  self:back()
  self.url = "http://127.0.0.1:" .. self.port .. "/routes"
  return self
end

-- Waits until it was asked `count` times more and the last but one was surely taken in.
function Server:asked(count, timeout_ms)
  local till = self.requests + count
  return loop.await(function() return self.requests >= till end, timeout_ms or 10000)
end

Server.stop = Server.away

return table_server
