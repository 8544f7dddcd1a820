-- A client: it applies messages and knows nothing but them. Whatever contradicts what it holds is an error.
local client = {}
client.__index = client

-- JSON as the gateway writes it, without blanks: numbers keep their text, null is nil.
local find, sub, byte = string.find, string.sub, string.byte
local value_at

local function string_at(text, at)
  local stop = find(text, '"', at + 1, true)
  while byte(text, stop - 1) == 92 do stop = find(text, '"', stop + 1, true) end
  return sub(text, at + 1, stop - 1), stop + 1
end

value_at = function(text, at)
  local c = byte(text, at)
  if c == 34 then return string_at(text, at) end
  if c == 123 then
    local out = {}
    at = at + 1
    if byte(text, at) == 125 then return out, at + 1 end
    while true do
      local key, value
      key, at = string_at(text, at)
      value, at = value_at(text, at + 1)
      out[key] = value
      if byte(text, at) == 125 then return out, at + 1 end
      at = at + 1
    end
  end
  if c == 91 then
    local out = {}
    at = at + 1
    if byte(text, at) == 93 then return out, at + 1 end
    while true do
      out[#out + 1], at = value_at(text, at)
      if byte(text, at) == 93 then return out, at + 1 end
      at = at + 1
    end
  end
  local _, stop = find(text, "^[%w.+-]+", at)
  local word = sub(text, at, stop)
  if word == "true" then return true, stop + 1 end
  if word == "false" then return false, stop + 1 end
  if word == "null" then return nil, stop + 1 end
  return tonumber(word), stop + 1
end

function client.decode(text)
  local value, stop = value_at(text, 1)
  assert(stop == #text + 1, text)
  return value
end

function client.new()
  return setmetatable({ positions = {}, orders = nil, account = {}, told = {}, messages = 0 }, client)
end

local function same(a, b)
  return a == b or type(a) == "number" and type(b) == "number" and math.abs(a - b) < 1e-9
end

-- What a message says was there must be what this client holds.
local function expect(what, held, old)
  if not same(held, old) then
    error(("%s: the message says it was %s, and this client was told %s"):format(what, tostring(old), tostring(held)), 0)
  end
end

function client:snapshot(m)
  local before = self.seq and { positions = self.positions, orders = self.orders }
  self.positions, self.account = {}, m.account
  for _, p in ipairs(m.positions) do self.positions[p.position_id] = p end
  self.orders = m.orders and {}
  for _, o in ipairs(m.orders or {}) do self.orders[o.ticket] = o end
  if before then
    if self.seq ~= m.seq then error(("snapshot has seq %d after %d"):format(m.seq, self.seq), 0) end
    for id, p in pairs(self.positions) do
      local held = before.positions[id]
      if not held then error("snapshot shows " .. id .. " which was never told", 0) end
      for _, key in ipairs({ "volume", "type", "sl", "tp", "ticket", "comment", "open_price" }) do
        expect("snapshot " .. id .. "." .. key, held[key], p[key])
      end
    end
    for id in pairs(before.positions) do
      if not self.positions[id] then error("snapshot lacks " .. id .. " which was not told as closed", 0) end
    end
    for ticket in pairs(self.orders or {}) do
      if before.orders and not before.orders[ticket] then error("snapshot shows order " .. ticket, 0) end
    end
  end
  self.seq, self.rev = m.seq, m.rev
end

local function take_changes(row, what, changes)
  for key, value in pairs(changes) do
    expect(what .. "." .. key, row[key], value.old)
    row[key] = value.new
    if key == "open_price" then row.price = value.new end
  end
end

local function copy(row)
  local out = {}
  for key, value in pairs(row) do out[key] = value end
  return out
end

local on = {}

function on.position_opened(self, m)
  local id = m.position.position_id
  if self.positions[id] then error("opened " .. id .. " twice", 0) end
  self.positions[id] = copy(m.position)
  return id
end

function on.position_modified(self, m)
  local row = self.positions[m.position_id] or error("modified " .. m.position_id .. " which is not there", 0)
  take_changes(row, "position " .. m.position_id, m.changes)
  return m.position_id
end

function on.position_closed(self, m)
  local row = self.positions[m.position_id] or error("closed " .. m.position_id .. " which is not there", 0)
  if not m.synthetic then expect("closed " .. m.position_id .. ".volume", row.volume, m.volume) end
  self.positions[m.position_id] = nil
  return m.position_id
end

function on.order_placed(self, m)
  self.orders = self.orders or {}
  if self.orders[m.order.ticket] then error("placed " .. m.order.ticket .. " twice", 0) end
  self.orders[m.order.ticket] = copy(m.order)
end

function on.order_modified(self, m)
  local row = self.orders[m.ticket] or error("order " .. m.ticket .. " modified, which is not there", 0)
  take_changes(row, "order " .. m.ticket, m.changes)
end

function on.order_removed(self, m)
  if not self.orders[m.ticket] then error("order " .. m.ticket .. " removed, which is not there", 0) end
  self.orders[m.ticket] = nil
end

function on.account_update(self, m)
  for key, change in pairs(m.changes) do
    expect("account." .. key, self.account[key], change.old)
    self.account[key] = change.new
  end
end

function client:take(text)
  local m = client.decode(text)
  self.messages = self.messages + 1
  if m.type == "connected" then
    self.epoch = m.epoch
    return m
  elseif m.type == "snapshot" then
    self:snapshot(m)
    return m
  end
  if m.seq then
    if m.seq ~= self.seq + 1 then error(("seq %d after %d"):format(m.seq, self.seq), 0) end
    self.seq = m.seq
  elseif m.rev then
    if m.rev <= self.rev then error(("rev %d after %d"):format(m.rev, self.rev), 0) end
    self.rev = m.rev
  end
  if on[m.type] then on[m.type](self, m) end
  if m.seq then self.told[#self.told + 1] = m end
  return m
end

return client
