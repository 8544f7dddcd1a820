-- A Web API server that is no socket: takes a request's bytes and gives its answer's, over REST or the raw protocol,
-- and does to them what servers and networks do.
local bytes = require("support.webapi_bytes")
local rows = require("simulation.webapi_rows")

local Server = {}
Server.__index = Server

-- `read` reads the broker: { positions(), orders(), history(from_ms), deals(from_ms), account(), user(), group() }, the last three
-- rows, or nil: the server has no such thing.
local function new(random, read, raw) return setmetatable({ random = random, read = read, raw = raw }, Server) end

-- The command and the parameters of a request.
local function parse_raw(text)
  text = text:gsub("^MT5WEBAPI", "")
  local len, serial = tonumber(text:sub(1, 4), 16), tonumber(text:sub(5, 8), 16)
  assert(#text == 9 + len and text:sub(9, 9) == "0", "the request is not one packet")
  local line = text:sub(10):gsub("(.)%z", "%1")
  local params = {}
  for name, value in line:gmatch("|(%u+)=([^|]*)") do params[name:lower()] = value end
  return line:match("^[%u_]+"), params, serial
end

local function parse_rest(text)
  local path, query = text:match("^GET /api/([%l_/]+)%??(%S*) HTTP/1%.1\r\n")
  local params = {}
  for name, value in assert(query, "the request is not a GET"):gmatch("([%l_]+)=([^&]*)") do params[name] = value end
  return (path:gsub("/", "_"):upper()), params
end

-- What the command asks for: a list of rows, or one row, or nil.
function Server:look(command, params)
  assert(command == "GROUP_GET" or params.login == tostring(rows.LOGIN), "another login is asked for")
  local from = params.from and (tonumber(params.from) - rows.ZONE_S) * 1000
  local read, out = self.read, {}
  if command == "POSITION_GET_BATCH" then
    for i, p in ipairs(read.positions()) do out[i] = rows.position(p) end
  elseif command == "ORDER_GET_BATCH" then
    for i, o in ipairs(read.orders()) do out[i] = rows.order(o) end
  elseif command == "HISTORY_GET_BATCH" then
    for i, o in ipairs(read.history(from)) do out[i] = rows.order(o) end
  elseif command == "DEAL_GET_BATCH" then
    for i, d in ipairs(read.deals(from)) do out[i] = rows.deal(d) end
  elseif command == "USER_ACCOUNT_GET_BATCH" then
    out[1] = read.account()
  elseif command == "USER_GET_BATCH" then
    out[1] = read.user()
  elseif command == "USER_ACCOUNT_GET" then
    return read.account()
  elseif command == "USER_GET" then
    return read.user()
  elseif command == "GROUP_GET" then
    return read.group()
  else
    error("nobody asks for " .. command)
  end
  return out
end

local function document(list)
  if type(list) == "string" then return list end
  return "[\r\n" .. table.concat(list, ",\r\n") .. "\r\n]"
end

-- In packets of any size, with others' packets between them.
function Server:packets(text, serial)
  local out, wide = {}, bytes.wide(text)
  repeat
    if self.random(8) == 0 then out[#out + 1] = ("0000%04x0"):format(0x4000 + self.random(0x4000)) end
    if self.random(16) == 0 then out[#out + 1] = bytes.packet(bytes.wide("|\r\n"), 0x8000 + self.random(0x7fff)) end
    local part = wide:sub(1, 1 + self.random(self.random(3) == 0 and 200 or 65535))
    wide = wide:sub(#part + 1)
    out[#out + 1] = bytes.packet(part, serial, wide ~= "")
  until wide == ""
  return table.concat(out)
end

function Server:http(body, status)
  local head = ("HTTP/1.1 %s\r\nSet-Cookie: session=%d; path=/\r\n"):format(status or "200 OK", self.random(100))
  if self.random(2) == 0 then return ("%sContent-Length: %d\r\n\r\n%s"):format(head, #body, body) end
  local out = { head .. "Transfer-Encoding: chunked\r\n\r\n" }
  while body ~= "" do
    local part = body:sub(1, 1 + self.random(self.random(3) == 0 and 20 or 5000))
    body = body:sub(#part + 1)
    out[#out + 1] = ("%x\r\n%s\r\n"):format(#part, part)
  end
  out[#out + 1] = "0\r\n\r\n"
  return table.concat(out)
end

-- Answers a request. `change(command, rows)` may change the rows in place or give a return code instead; `mangle(body)`
-- changes the document.
function Server:answer(request, change, mangle)
  local command, params, serial = (self.raw and parse_raw or parse_rest)(request)
  local list = self:look(command, params)
  local code = not list and "13 Not found" or type(list) == "table" and change(command, list)
  local body = code and "" or mangle(document(list))
  if self.raw then
    if code then return self:packets(("%s|RETCODE=%s|\r\n"):format(command, code), serial) end
    return self:packets(("%s|RETCODE=0 Done|\r\n%s"):format(command, body), serial)
  end
  if code then return self:http(('{"retcode" : "%s"}'):format(code), self.random(2) == 0 and "400 Bad Request" or nil) end
  return self:http(('{"retcode" : "0 Done",\r\n"answer" : %s}'):format(body))
end

return { new = new }
