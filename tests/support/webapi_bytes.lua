-- Bytes of the raw Web API as Lua strings: hex, UTF-16LE of ASCII, packets.
local bytes = {}

function bytes.unhex(text)
  return (text:gsub("%x%x", function(pair)
    return string.char(tonumber(pair, 16))
  end))
end

function bytes.hex(text)
  return (text:gsub(".", function(c)
    return ("%02x"):format(c:byte())
  end))
end

-- All bytes, 00 … ff, in hex: the random ones of the published vectors.
local every = {}
for i = 0, 255 do
  every[i + 1] = string.char(i)
end
bytes.every = bytes.hex(table.concat(every))

-- ASCII as UTF-16LE.
function bytes.wide(text)
  return (text:gsub(".", "%0\0"))
end

-- A packet as the peer writes it.
function bytes.packet(body, serial, more)
  return ("%04x%04x%d"):format(#body, serial, more and 1 or 0) .. body
end

return bytes
