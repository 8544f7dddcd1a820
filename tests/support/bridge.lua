-- A bridge as a program of its own, for specs of requests and maps: it answers each path with what it was told to.
--
--   luajit tests/support/bridge.lua --port 0
--
-- It prints {"port":N}. POST /control takes {op="answer", path, status, body} (a path without its query; "*" stands for
-- all others) and {op="reset"}; GET /control/stats tells the requests: [{method, target, headers, body}, …].
local uv = require("luv")
local json = require("dkjson")

local answers, requests = {}, {}
local control = {}

function control.answer(doc) answers[doc.path] = doc end
function control.reset() answers, requests = {}, {} end

local function reply(method, target, headers, body)
  local path = target:match("^[^?]*")
  if path == "/control/stats" then return 200, json.encode({ requests = requests }) end
  if path == "/control" then
    local doc = json.decode(body)
    for _, one in ipairs(doc[1] and doc or { doc }) do control[one.op](one) end
    return 200, "{}"
  end
  requests[#requests + 1] = { method = method, target = target, headers = headers, body = body }
  local answer = answers[path] or answers["*"]
  if not answer then return 404, '{"error":"no such path"}' end
  return answer.status or 200, answer.body
end

local function serve(client)
  local text = ""
  client:read_start(function(err, chunk)
    if err or not chunk then
      if not client:is_closing() then client:close() end
      return
    end
    text = text .. chunk
    while true do
      local head, rest = text:match("^(.-\r\n)\r\n(.*)$")
      if not head then return end
      local headers = {}
      for name, value in head:gmatch("\r\n([^:\r\n]+): *([^\r\n]*)") do headers[name:lower()] = value end
      local length = tonumber(headers["content-length"] or 0)
      if #rest < length then return end
      local method, target = head:match("^(%S+) (%S+)")
      text = rest:sub(length + 1)
      local status, body = reply(method, target, headers, rest:sub(1, length))
      client:write(("HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"):format(status, #body, body))
    end
  end)
end

local server = uv.new_tcp()
assert(server:bind("127.0.0.1", 0))
assert(server:listen(128, function()
  local client = uv.new_tcp()
  server:accept(client)
  serve(client)
end))
io.stdout:write(json.encode({ port = server:getsockname().port }), "\n")
io.stdout:flush()

-- Ends with its parent.
local parent = uv.os_getppid()
local watch = uv.new_timer()
watch:start(500, 500, function() if uv.os_getppid() ~= parent then os.exit(0) end end)
uv.run()
