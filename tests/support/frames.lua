-- WebSocket frames (RFC 6455 §5.2) as a test needs them: encoded right or deliberately wrong, and decoded strictly.
local ffi = require("ffi")
local bit = require("bit")

local frames = { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 }

local function mask(payload, key)
  local n = #payload
  local out, k = ffi.new("uint8_t[?]", n), ffi.new("uint8_t[4]", { key:byte(1, 4) })
  ffi.copy(out, payload, n)
  for i = 0, n - 1 do
    out[i] = bit.bxor(out[i], k[bit.band(i, 3)])
  end
  return ffi.string(out, n)
end

local function big_endian(value, bytes)
  local out = {}
  for i = bytes, 1, -1 do
    out[i] = string.char(value % 256)
    value = math.floor(value / 256)
  end
  return table.concat(out)
end

-- The bytes of one frame. `opcode` and `payload`; optional: `fin` (true), `rsv` (0–7), `mask` (true), `key` (four bytes),
-- `length` (what the header claims), `form` (7, 16 or 64: the width of the length, minimal by default).
function frames.encode(frame)
  local payload = frame.payload or ""
  local length = frame.length or #payload
  local form = frame.form or (length < 126 and 7 or length < 65536 and 16 or 64)
  local masked = frame.mask ~= false
  local first = (frame.fin == false and 0 or 128) + (frame.rsv or 0) * 16 + frame.opcode
  local marker = form == 7 and length or form == 16 and 126 or 127
  local head = string.char(first, marker + (masked and 128 or 0))
  if form == 16 then head = head .. big_endian(length, 2) end
  if form == 64 then head = head .. big_endian(length, 8) end
  if not masked then return head .. payload end
  local key = frame.key or string.char(math.random(0, 255), math.random(0, 255), math.random(0, 255), math.random(0, 255))
  return head .. key .. mask(payload, key)
end

-- The payload of a Close frame.
function frames.close_payload(code, reason)
  if not code then return "" end
  return big_endian(code, 2) .. (reason or "")
end

-- Decodes a server's frame that starts at byte `from`: the frame and where the next one starts. When it is not complete:
-- nil, nil and how many bytes are missing at least. When a server must not send it: nil and a message.
function frames.decode(bytes, from)
  local have = #bytes - from + 1
  if have < 2 then return nil, nil, 2 - have end
  local first, second = bytes:byte(from, from + 1)
  local frame = { fin = first >= 128, rsv = bit.band(bit.rshift(first, 4), 7), opcode = first % 16 }
  if second >= 128 then return nil, "a server's frame is masked" end
  local length, head = second, 2
  if second == 126 then
    head = 4
    if have < head then return nil, nil, head - have end
    local a, b = bytes:byte(from + 2, from + 3)
    length = a * 256 + b
    if length < 126 then return nil, "the length is not minimal" end
  elseif second == 127 then
    head, length = 10, 0
    if have < head then return nil, nil, head - have end
    for i = from + 2, from + 9 do
      length = length * 256 + bytes:byte(i)
    end
    if length < 65536 then return nil, "the length is not minimal" end
  end
  if frame.opcode >= 8 and (length > 125 or not frame.fin) then return nil, "a control frame is long or fragmented" end
  if have < head + length then return nil, nil, head + length - have end
  frame.payload = bytes:sub(from + head, from + head + length - 1)
  return frame, from + head + length
end

return frames
