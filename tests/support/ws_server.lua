-- A WebSocket server that does what a spec tells it, for clients under test.
--
--   local server = ws_server.start(function(peer) peer:json({ type = "connected" }) end)
--   local peer = server:accept(2000)          -- after the handshake; peer.head is the request
--   peer:json({ type = "pong" })  peer:close(4001, "token expired")  peer:drop()
--   peer:next_frame(1000)
--   server:stop()
local uv = require("luv")
local ffi = require("ffi")
local json = require("dkjson")
local frames = require("support.frames")
local loop = require("support.loop")

ffi.cdef([[
unsigned char *SHA1(const unsigned char *data, size_t count, unsigned char *md);
int EVP_EncodeBlock(unsigned char *to, const unsigned char *from, int n);
]])
local crypto = ffi.load("libcrypto.so.3")

local ws_server = {}
local Server, Peer = {}, {}
Server.__index, Peer.__index = Server, Peer

-- What a server must answer to a key (RFC 6455 §4.2.2).
function ws_server.accept_of(key)
  local input = key .. "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
  local digest, text = ffi.new("unsigned char[20]"), ffi.new("unsigned char[29]")
  crypto.SHA1(input, #input, digest)
  crypto.EVP_EncodeBlock(text, digest, 20)
  return ffi.string(text)
end

-- Raw bytes; a frame of text; a Close frame; the end without one.
function Peer:write(bytes)
  if not self.tcp:is_closing() then self.tcp:write(bytes) end
end

function Peer:text(text)
  self:write(frames.encode({ opcode = frames.TEXT, payload = text, mask = false }))
end

function Peer:json(value)
  self:text(json.encode(value))
end

function Peer:close(code, reason)
  self:write(frames.encode({ opcode = frames.CLOSE, payload = frames.close_payload(code, reason), mask = false }))
end

function Peer:drop()
  loop.close(self.tcp)
end

-- The client's next frame, unmasked; nil when none comes in time. Pings are answered unless `silent` is set; a Close
-- frame ends the connection.
function Peer:next_frame(timeout_ms)
  return loop.await(function() return table.remove(self.frames, 1) end, timeout_ms)
end

local function unmask(bytes)
  local length, at = bytes:byte(2) - 128, 3
  if length == 126 then
    length, at = bytes:byte(3) * 256 + bytes:byte(4), 5
  end
  assert(length >= 0 and length < 126 or at == 5, "the client does not mask, or sends much")
  if #bytes < at + 3 + length then return nil end
  local key, out = { bytes:byte(at, at + 3) }, {}
  for i = 1, length do
    out[i] = string.char(require("bit").bxor(bytes:byte(at + 3 + i), key[(i - 1) % 4 + 1]))
  end
  return { opcode = bytes:byte(1) % 16, payload = table.concat(out) }, bytes:sub(at + 4 + length)
end

function Peer:take(chunk)
  self.bytes = self.bytes .. chunk
  while #self.bytes >= 6 do
    local frame, rest = unmask(self.bytes)
    if not frame then return end
    self.bytes = rest
    self.frames[#self.frames + 1] = frame
    if frame.opcode == frames.PING and not self.silent then
      self:write(frames.encode({ opcode = frames.PONG, payload = frame.payload, mask = false }))
    end
    if frame.opcode == frames.CLOSE and not self.tcp:is_closing() then
      self.ended = true
      self.tcp:close()
      return
    end
    if frame.opcode == frames.TEXT and self.answer then self.answer(self, frame.payload) end
  end
end

function Peer:shake(server)
  if server.refusal then
    self:write(server.refusal)
    self.tcp:shutdown(function() self.refused = true end)
    return
  end
  self:write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    .. ws_server.accept_of(self.head:match("Sec%-WebSocket%-Key: (%S+)")) .. "\r\n\r\n")
end

-- Starts on a free port. `on_open(peer)` runs after each handshake; `server.refusal`, when set, is written instead of it.
function ws_server.start(on_open)
  local self = setmetatable({ peers = {}, given = 0, tcp = uv.new_tcp() }, Server)
  assert(self.tcp:bind("127.0.0.1", 0))
  self.port = self.tcp:getsockname().port
  self.tcp:listen(16, function()
    local peer = setmetatable({ tcp = uv.new_tcp(), bytes = "", frames = {}, head = "" }, Peer)
    self.tcp:accept(peer.tcp)
    local open = false
    peer.tcp:read_start(function(_, chunk)
      if not chunk then
        peer.ended = true
        if not peer.tcp:is_closing() then peer.tcp:close() end
      elseif open then
        peer:take(chunk)
      else
        peer.head = peer.head .. chunk
        if not peer.head:find("\r\n\r\n", 1, true) then return end
        open = true
        peer:shake(self)
        self.peers[#self.peers + 1] = peer
        if on_open and not self.refusal then on_open(peer) end
      end
    end)
  end)
  return self
end

-- The next connection that has shaken hands; nil when none comes in time.
function Server:accept(timeout_ms)
  local peer = loop.await(function() return self.peers[self.given + 1] end, timeout_ms)
  if peer then self.given = self.given + 1 end
  return peer
end

function Server:stop()
  for _, peer in ipairs(self.peers) do loop.close(peer.tcp) end
  loop.close(self.tcp)
end

return ws_server
