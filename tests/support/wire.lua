-- The specs' own HTTP and WebSocket client over raw TCP: it can do what a good client does and what a bad one does.
--
--   local client, refusal = wire.connect({ port = port, path = "/ws/account/demo-1?token=" .. token })
--   client:send_text('{"type":"ping"}')
--   local message = client:next_message(1000)          -- { text = true, data = "…" }, or nil and why
--   local event = client:next_json(1000)               -- decoded
--   client:close(1000)
--   local answer = wire.http_get(port, "/health")      -- { status = 200, headers = {…}, body = "…" }
local uv = require("luv")
local json = require("dkjson")
local frames = require("support.frames")
local loop = require("support.loop")

local wire = { timeout_ms = 5000 }

-- A TCP connection that keeps what it receives ---------------------------------------------------------------------

local raw = {}
raw.__index = raw

-- Connects; nil and the error's name when that fails. `received` is what came so far, `eof`/`error` how it ended.
function wire.raw(port, host)
  local self = setmetatable({ received = "", sent_bytes = 0 }, raw)
  local connected, failed
  self.tcp = uv.new_tcp()
  self.tcp:connect(host or "127.0.0.1", port, function(err)
    connected, failed = true, err
  end)
  if not loop.await(function()
    return connected
  end, wire.timeout_ms) then failed = "ETIMEDOUT" end
  if failed then
    loop.close(self.tcp)
    return nil, failed
  end
  self.tcp:nodelay(true)
  self:resume()
  return self
end

-- Reads (again); pause() is how a slow client behaves.
function raw:resume()
  self.tcp:read_start(function(err, chunk)
    if chunk then
      self.pieces = self.pieces or {}
      self.pieces[#self.pieces + 1] = chunk
      if self.on_bytes then self:on_bytes() end
    else
      self.eof, self.error = true, err
      self.tcp:read_stop()
    end
  end)
end

function raw:pause()
  self.tcp:read_stop()
end

-- Everything received and not consumed.
function raw:bytes()
  if self.pieces then
    self.received = self.received .. table.concat(self.pieces)
    self.pieces = nil
  end
  return self.received
end

function raw:consume(n)
  self.received = self:bytes():sub(n + 1)
end

function raw:send(bytes)
  if self.tcp:is_closing() then return end
  self.tcp:write(bytes, function(err)
    if err then
      self.write_error = err
    else
      self.sent_bytes = self.sent_bytes + #bytes
    end
  end)
end

-- Sends in pieces of `size` bytes, each in a segment of its own as far as the kernel allows.
function raw:send_split(bytes, size)
  for at = 1, #bytes, size do
    self:send(bytes:sub(at, at + size - 1))
    uv.run("nowait")
  end
end

-- All that waits is patient, as for what surely comes (support.loop), but client:heard and client:heard_type.

-- Waits until the received bytes contain a Lua pattern; the bytes, or nil.
function raw:wait_for(pattern, timeout_ms)
  local found = loop.await(function()
    return self:bytes():find(pattern) and true or self.eof and "eof"
  end, timeout_ms or wire.timeout_ms)
  if found == true or (found and self:bytes():find(pattern)) then return self:bytes() end
  return nil, found or "timeout"
end

function raw:wait_eof(timeout_ms)
  return loop.await(function()
    return self.eof
  end, timeout_ms or wire.timeout_ms)
end

-- Ends our half: no more bytes follow.
function raw:shutdown()
  self.tcp:shutdown()
end

-- Ends at once: with a reset, as a crashing client does, or (default) quietly.
function raw:abort(reset)
  if self.tcp:is_closing() then return end
  if reset then self.tcp:close_reset() end
  loop.close(self.tcp)
end

-- HTTP ---------------------------------------------------------------------------------------------------------------

local function read_head(text)
  local head, rest = text:match("^(.-\r\n)\r\n()")
  if not head then return nil end
  local answer = { headers = {}, head = head }
  answer.version, answer.status, answer.reason = head:match("^(HTTP/%d%.%d) (%d%d%d) ([^\r\n]*)\r\n")
  answer.status = tonumber(answer.status)
  for name, value in head:gmatch("\r\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
    name = name:lower()
    answer.headers[name] = answer.headers[name] and answer.headers[name] .. ", " .. value or value
  end
  return answer, rest
end

-- Takes the next answer off a raw connection; nil and why when none came. `head_only` for answers to HEAD.
function raw:next_answer(timeout_ms, head_only)
  local answer, at
  loop.await(function()
    if not answer then
      answer, at = read_head(self:bytes())
    end
    if not answer then return self.eof end
    answer.length = tonumber(answer.headers["content-length"])
    if head_only or answer.status == 101 or answer.status == 204 then answer.length = 0 end
    if answer.length then return #self:bytes() >= at - 1 + answer.length end
    return self.eof
  end, timeout_ms or wire.timeout_ms)
  if not answer then return nil, self.eof and "closed" or "timeout" end
  local stop = answer.length and at - 1 + answer.length or #self:bytes()
  answer.body = self:bytes():sub(at, stop)
  answer.complete = not answer.length or #answer.body == answer.length
  self:consume(stop)
  local decoded = json.decode(answer.body)
  answer.json = decoded
  return answer
end

local function request_text(options)
  local headers = { Host = (options.host or "127.0.0.1") .. ":" .. (options.port or 80) }
  for name, value in pairs(options.headers or {}) do
    headers[name] = value
  end
  local lines = { (options.method or "GET") .. " " .. options.path .. " HTTP/1.1" }
  for name, value in pairs(headers) do
    if value then lines[#lines + 1] = name .. ": " .. value end
  end
  if options.body then lines[#lines + 1] = "Content-Length: " .. #options.body end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. (options.body or "")
end

-- One request on a connection of its own: `port`, `path`; optional `host`, `method`, `headers` (false removes one), `body`,
-- `timeout_ms`. The answer, or nil and why.
function wire.http(options)
  local conn, err = wire.raw(options.port, options.host)
  if not conn then return nil, err end
  conn:send(request_text(options))
  local answer, why = conn:next_answer(options.timeout_ms, options.method == "HEAD")
  conn:abort()
  return answer, why
end

function wire.http_get(port, path, headers)
  return wire.http({ port = port, path = path, headers = headers })
end

-- WebSocket ----------------------------------------------------------------------------------------------------------

local client = {}
client.__index = client

local HANDSHAKE = {
  Upgrade = "websocket",
  Connection = "Upgrade",
  ["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ==",
  ["Sec-WebSocket-Version"] = "13",
}

-- The accept value that belongs to the key above (RFC 6455 §1.3).
wire.ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

-- The text of a handshake request, for tests that send it their own way.
function wire.handshake(options)
  local headers = {}
  for name, value in pairs(HANDSHAKE) do
    headers[name] = value
  end
  for name, value in pairs(options.headers or {}) do
    headers[name] = value
  end
  return request_text({ port = options.port, host = options.host, path = options.path or "/", headers = headers })
end

-- Opens a WebSocket: `port`, `path`; optional `host`, `headers`, `timeout_ms`, `auto` (false: Pings and Close frames are not
-- answered), `record` (true: every frame is also kept in `frames`), `keep` (false: data messages are counted, not kept).
-- The client, or nil, the HTTP answer (or why there is none).
function wire.connect(options)
  local conn, err = wire.raw(options.port, options.host)
  if not conn then return nil, err end
  conn:send(wire.handshake(options))
  local answer, why = conn:next_answer(options.timeout_ms)
  if not answer or answer.status ~= 101 then
    conn:abort()
    return nil, answer or why
  end
  local self = setmetatable({
    conn = conn, handshake = answer, messages = {}, first = 1, count = 0, pongs = {}, pings = {}, waiting_for = 0,
    auto = options.auto ~= false, keep = options.keep ~= false, frames = options.record and {} or nil,
  }, client)
  conn.on_bytes = function()
    self:digest()
  end
  self:digest()
  return self
end

local function fail(self, why)
  self.violation = self.violation or why
end

function client:data_frame(frame)
  if frame.opcode ~= frames.CONTINUATION then
    if self.partial then return fail(self, "a new message inside a fragmented one") end
    self.partial = { text = frame.opcode == frames.TEXT, pieces = {} }
  elseif not self.partial then
    return fail(self, "a continuation of nothing")
  end
  local pieces = self.partial.pieces
  pieces[#pieces + 1] = frame.payload
  if not frame.fin then return end
  local message = { text = self.partial.text, data = table.concat(pieces) }
  self.partial = nil
  self.count = self.count + 1
  if self.keep then self.messages[#self.messages + 1] = message end
end

function client:control_frame(frame)
  if frame.opcode == frames.PING then
    self.pings[#self.pings + 1] = frame.payload
    if self.auto then self:send_frame({ opcode = frames.PONG, payload = frame.payload }) end
  elseif frame.opcode == frames.PONG then
    self.pongs[#self.pongs + 1] = frame.payload
  elseif frame.opcode == frames.CLOSE then
    local a, b = frame.payload:byte(1, 2)
    self.close_code = b and a * 256 + b or 1005
    self.close_reason = frame.payload:sub(3)
    if self.auto and not self.close_sent then self:send_close(b and self.close_code or nil) end
  else
    fail(self, "a reserved opcode")
  end
end

-- Decodes what came. A large frame is looked at again only when all of it can be there.
function client:digest()
  local pieces = self.conn.pieces
  if pieces and self.waiting_for > 0 then
    self.waiting_for = self.waiting_for - #pieces[#pieces]
    if self.waiting_for > 0 then return end
  end
  local bytes, at = self.conn:bytes(), 1
  while not self.violation do
    local frame, next_at, missing = frames.decode(bytes, at)
    if not frame then
      if next_at then fail(self, next_at) end
      self.waiting_for = missing or 0
      break
    end
    if self.close_code then fail(self, "a frame after the Close frame") end
    if frame.rsv ~= 0 then fail(self, "a reserved bit") end
    if self.frames then self.frames[#self.frames + 1] = frame end
    at = next_at
    if frame.opcode >= 8 then self:control_frame(frame) else self:data_frame(frame) end
  end
  self.conn.received = bytes:sub(at)
end

-- A frame of our making (see support.frames for what can be made wrong), raw bytes, a whole message.
function client:send_frame(frame)
  self.conn:send(frames.encode(frame))
end

function client:send_bytes(bytes)
  self.conn:send(bytes)
end

function client:send_text(text)
  self:send_frame({ opcode = frames.TEXT, payload = text })
end

function client:send_binary(bytes)
  self:send_frame({ opcode = frames.BINARY, payload = bytes })
end

function client:send_json(value)
  self:send_text(json.encode(value))
end

function client:ping(payload)
  self:send_frame({ opcode = frames.PING, payload = payload or "" })
end

function client:send_close(code, reason)
  self.close_sent = true
  self:send_frame({ opcode = frames.CLOSE, payload = frames.close_payload(code, reason) })
end

local function message_by(self, deadline)
  local ready = loop.wait(function()
    return self.first <= #self.messages or self.violation or self.close_code or self.conn.eof
  end, math.max(0, deadline - loop.now()))
  local message = self.messages[self.first]
  if not message then return nil, self.violation or (ready and "closed" or "timeout") end
  self.messages[self.first] = false
  self.first = self.first + 1
  if self.first > 64 and self.first > #self.messages then
    self.messages, self.first = {}, 1
  end
  return message
end

local function json_by(self, deadline)
  local message, why = message_by(self, deadline)
  if not message then return nil, why end
  local object, _, bad = json.decode(message.data)
  if object == nil then return nil, "not JSON: " .. tostring(bad) end
  return object, message.data
end

-- The first message from now on that `fits`; the ones before it are given to `skipped`, which may raise an error.
local function first_by(self, deadline, fits, skipped)
  repeat
    local object, text = json_by(self, deadline)
    if not object or fits(object, text) then return object, text end
    if skipped then skipped(object, text) end
  until false
end

local function until_when(timeout_ms)
  return loop.now() + loop.patience(timeout_ms or wire.timeout_ms)
end

-- The next data message { text, data }, or nil and "timeout", "closed" or what the server did wrong.
function client:next_message(timeout_ms)
  return message_by(self, until_when(timeout_ms))
end

-- The next data message as JSON; the raw text comes second (it has the exact digits).
function client:next_json(timeout_ms)
  return json_by(self, until_when(timeout_ms))
end

-- The next message for which `fits(object, text)` is true; those before it are given to `skipped` (optional).
function client:next_where(fits, timeout_ms, skipped)
  return first_by(self, until_when(timeout_ms), fits, skipped)
end

-- The next message whose `type` is this; the ones before it are skipped.
function client:wait_type(kind, timeout_ms)
  return self:next_where(function(object) return object.type == kind end, timeout_ms)
end

-- Listens for so long and no longer: the next message, or nil and why when all was quiet.
function client:heard(ms)
  return json_by(self, loop.now() + ms)
end

-- The same for messages whose `type` is this.
function client:heard_type(kind, ms)
  return first_by(self, loop.now() + ms, function(object) return object.type == kind end)
end

-- The payload of the next Pong, or nil.
function client:next_pong(timeout_ms)
  if not loop.await(function()
    return #self.pongs > 0 or self.close_code or self.conn.eof
  end, timeout_ms or wire.timeout_ms) then return nil, "timeout" end
  return table.remove(self.pongs, 1)
end

-- Waits for the end of the connection: the server's close code (1006 when it sent none), or nil on timeout.
function client:wait_closed(timeout_ms)
  local ended = loop.await(function()
    return self.conn.eof
  end, timeout_ms or wire.timeout_ms)
  if not ended then return nil, "timeout" end
  self.conn:abort()
  return self.close_code or 1006, self.close_reason
end

-- Says goodbye and waits for the server to end the connection; its close code.
function client:close(code, reason, timeout_ms)
  if not self.close_sent then self:send_close(code or 1000, reason) end
  local got, why = self:wait_closed(timeout_ms)
  self.conn:abort()
  return got, why
end

-- Ends without a word, with a reset when `reset`.
function client:abort(reset)
  self.conn:abort(reset)
end

function client:pause()
  self.conn:pause()
end

function client:resume()
  self.conn:resume()
end

return wire
