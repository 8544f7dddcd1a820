-- An account under test: polls written as tables, moments read back as tables.
local ffi = require("ffi")
local cdef = require("support.cdef")

local model = {}
local C = cdef.library("model", { "model/account.h", "model/field.h" })
model.C = C

model.KINDS = { [0] = "opened", "modified", "closed", "deal", "balance", "placed", "order", "removed" }

local function names_of(entity, field)
  local names, list = {}, C.tg_field_find(entity, field).names
  local i = 0
  while list[i] ~= nil do
    names[ffi.string(list[i])] = i
    names[i] = ffi.string(list[i])
    i = i + 1
  end
  return names
end

local ENUMS = {
  position = { side = names_of(C.tg_position_entity, "side"), reason = names_of(C.tg_position_entity, "reason") },
  deal = {
    action = names_of(C.tg_deal_entity, "action"),
    entry = names_of(C.tg_deal_entity, "entry"),
    reason = names_of(C.tg_deal_entity, "reason"),
  },
  moment = {
    close_reason = names_of(C.tg_moment_entity, "close_reason"),
    change = names_of(C.tg_moment_entity, "change"),
  },
  order = {
    type = names_of(C.tg_order_entity, "type"),
    state = names_of(C.tg_order_entity, "state"),
    reason = names_of(C.tg_order_entity, "reason"),
  },
  account = { margin_mode = names_of(C.tg_account_entity, "margin_mode") },
}

local function fill(name, row, values)
  for key, value in pairs(values) do
    local field = C.tg_field_find(C["tg_" .. name .. "_entity"], key)
    assert(field ~= nil, "no field " .. name .. "." .. key)
    if ENUMS[name][key] then
      row["_" .. key] = assert(ENUMS[name][key][value], value)
    elseif field.kind == 0 then
      local at = ffi.cast("char *", row) + field.offset
      ffi.fill(at, field.size)
      ffi.copy(at, value)
    else
      row["_" .. key] = value
    end
  end
end

-- A field of a record as a Lua value; nil when it is not known.
function model.get(name, row, key)
  local field = C.tg_field_find(C["tg_" .. name .. "_entity"], key)
  assert(field ~= nil, "no field " .. name .. "." .. key)
  if field.kind == 0 then return ffi.string(ffi.cast("const char *", row) + field.offset) end
  local value = row["_" .. key]
  if ENUMS[name][key] then return ENUMS[name][key][value] end
  value = tonumber(value)
  if value ~= value then return nil end
  return value
end

-- The names of the fields whose bits are set, sorted and joined.
function model.changed(name, bits)
  local entity, out = C["tg_" .. name .. "_entity"], {}
  for i = 0, entity.count - 1 do
    if require("bit").band(bits, require("bit").lshift(1ULL, i)) ~= 0ULL then
      out[#out + 1] = ffi.string(entity.fields[i].name)
    end
  end
  table.sort(out)
  return table.concat(out, " ")
end

function model.position(values)
  local row = {
    position_id = 1, ticket = values.position_id or 1, symbol = "EURUSD", side = "buy", volume = 1,
    price_open = 1.1, price_current = 1.1, digits = 5, profit = 0, swap = 0,
  }
  for key, value in pairs(values) do
    row[key] = value
  end
  return row
end

-- A pending order; `placed_at` and `done_at` are seconds after the first poll.
function model.order(values)
  local row = {
    ticket = 1, symbol = "EURUSD", type = "buy_limit", state = "placed", volume_initial = 1, volume_current = 1,
    price_open = 1.1, digits = 5,
  }
  for key, value in pairs(values) do
    row[key] = value
  end
  if row.placed_at then row.time_setup = model.START_MS + row.placed_at * 1000 end
  if row.done_at then row.time_done = model.START_MS + row.done_at * 1000 end
  row.placed_at, row.done_at = nil, nil
  return row
end

local Account = {}
Account.__index = Account

model.START_MS = 1700000000000

function model.new(policy)
  local self = setmetatable({}, Account)
  self.account = ffi.gc(ffi.new("struct tg_account"), C.tg_account_fini)
  self.records = ffi.gc(ffi.new("struct tg_records"), C.tg_records_fini)
  self.policy = ffi.new("struct tg_account_policy", policy or { suspect_polls = 3 })
  self.second = -1
  C.tg_account_init(self.account, "demo-1")
  return self
end

-- The next poll, one second later: { account = {…}, positions = {{…}}, deals = {{…}} }; a part left out is not
-- known. A deal's `at` is seconds after the first poll. Gives what tg_account_apply gave.
function Account:prepare(poll)
  local records = self.records
  C.tg_records_clear(records)
  if poll.account then
    records.account_known = true
    fill("account", records.account, poll.account)
    for key in pairs(poll.account) do
      records.account_fields = require("bit").bor(records.account_fields,
        C.tg_field_bit(C.tg_account_entity, C.tg_field_find(C.tg_account_entity, key)))
    end
  end
  if poll.positions then
    records.positions_known = true
    for _, values in ipairs(poll.positions) do
      fill("position", C.tg_records_add_position(records), model.position(values))
    end
  end
  for _, part in ipairs({ "orders", "history" }) do
    if poll[part] then
      records[part .. "_known"] = true
      for _, values in ipairs(poll[part]) do
        local add = part == "orders" and C.tg_records_add_order or C.tg_records_add_history
        fill("order", add(records), model.order(values))
      end
    end
  end
  if poll.deals then
    records.deals_known = true
    for _, values in ipairs(poll.deals) do
      local row = { action = "sell", entry = "out", position_id = 1, volume = 1, symbol = "EURUSD", digits = 5 }
      for key, value in pairs(values) do
        row[key] = value
      end
      if row.at then row.time = model.START_MS + row.at * 1000 end
      if row.opened_at then row.time_open = model.START_MS + row.opened_at * 1000 end
      row.at, row.opened_at = nil, nil
      fill("deal", C.tg_records_add_deal(records), row)
    end
  end
end

function Account:poll(poll)
  self:prepare(poll)
  self.second = self.second + (poll.after or 1)
  local wall = model.START_MS + self.second * 1000
  if poll.source_time ~= false then self.records.source_time_ms = wall end
  return C.tg_account_apply(self.account, self.records, self.policy, 5000 + self.second * 1000, wall)
end

function Account:wants_deals(poll)
  self:prepare(poll)
  return C.tg_account_wants_deals(self.account, self.records)
end

-- The moments of the newest poll in short: "closed 1", "deal 501", …
function Account:told()
  local out = {}
  for i = 0, self.account.moments_count - 1 do
    local m = self.account.moments[i]
    local id = m.position._position_id
    if m.kind >= 5 then id = m.order._ticket elseif m.kind >= 3 then id = m.deal._ticket end
    out[#out + 1] = model.KINDS[m.kind] .. " " .. tostring(tonumber(id))
  end
  return table.concat(out, ", ")
end

-- One moment of the newest poll, 1 for the first: reads like m.about("net_profit"), m.position("volume").
function Account:moment(n)
  assert(n <= self.account.moments_count, "only " .. self.account.moments_count .. " moments")
  local m = self.account.moments[n - 1]
  return {
    kind = model.KINDS[m.kind],
    changed = model.changed(m.kind >= 5 and "order" or "position", m.changed),
    about = function(key) return model.get("moment", m.about, key) end,
    position = function(key) return model.get("position", m.position, key) end,
    was = function(key) return model.get("position", m.was, key) end,
    deal = function(key) return model.get("deal", m.deal, key) end,
    order = function(key) return model.get("order", m.order, key) end,
    order_was = function(key) return model.get("order", m.order_was, key) end,
  }
end

function Account:ids()
  local out = {}
  for i = 0, self.account.positions.count - 1 do
    out[#out + 1] = tonumber(self.account.positions.rows[i]._position_id)
  end
  return table.concat(out, " ")
end

-- The tickets of the pending orders.
function Account:tickets()
  local out = {}
  for i = 0, self.account.orders.count - 1 do
    out[#out + 1] = tonumber(self.account.orders.rows[i]._ticket)
  end
  return table.concat(out, " ")
end

function Account:now(key) return model.get("account", self.account.now, key) end
function Account:was(key) return model.get("account", self.account.was, key) end
function Account:changed() return model.changed("account", self.account.changed) end

return model
