-- A broker that knows the truth: one MT5 account, its positions, orders, deals and history, driven by a seed.
--
-- Lots are hundredths, money is cents, prices are points of 10^-5, times are UTC milliseconds: all integers, so
-- that what is told can be compared to the last digit. Every change of a position's volume makes a deal, as at MT5,
-- and `steps[id]` writes down what the volume was after it: this is the truth that the judge holds against what
-- clients were told.
local START_MS = 1790000000000
local SYMBOLS = { "EURUSD", "GBPUSD", "XAUUSD.r", "#AAPL" }

local Broker = {}
Broker.__index = Broker

local function new(random, options)
  local self = setmetatable({
    random = random, netting = options.netting, now = START_MS, last_id = 1000,
    balance = 1000000, credit = 0, prices = {}, positions = {}, order = {}, orders = {}, deals = {}, history = {},
    steps = {}, levels = {}, operations = {}, order_life = {}, count = 0, whole_seconds = options.whole_seconds,
    listed = options.listed or function(now) return now end, story = {}, extra = options.extra,
    one_id = options.one_id,
  }, Broker)
  for _, symbol in ipairs(SYMBOLS) do
    self.prices[symbol] = 100000 + random(50000)
  end
  return self
end

function Broker:id()
  self.last_id = self.last_id + 1 + self.random(3)
  return self.last_id
end

function Broker:note(text, ...)
  self.count = self.count + 1
  self.story[#self.story + 1] = ("%8d  %s"):format(self.now - START_MS, text:format(...))
end

function Broker:move_prices()
  for _, symbol in ipairs(SYMBOLS) do
    self.prices[symbol] = self.prices[symbol] + self.random(41) - 20
  end
end

-- What a client of the server sees of a time: some servers tell whole seconds.
function Broker:stamp(ms)
  return self.whole_seconds and ms - ms % 1000 or ms
end

function Broker:deal(row)
  row.ticket, row.time = self:id(), self:stamp(self.now)
  row.listed = self.listed(self.now, row.id)
  row.profit, row.swap, row.commission = row.profit or 0, row.swap or 0, row.commission or 0
  self.balance = self.balance + row.profit + row.swap + row.commission
  self.deals[#self.deals + 1] = row
  return row
end

-- The truth: after this deal the position's signed volume is `lots`.
function Broker:step(id, lots, deal, closed)
  local steps = self.steps[id] or { [0] = { lots = 0 } }
  self.steps[id] = steps
  steps[#steps + 1] = { lots = lots, deal = deal, closed = closed or 0, time = self.now }
end

local function signed(position) return position.sell and -position.lots or position.lots end

function Broker:remember_levels(position)
  local known = self.levels[position.id] or {}
  self.levels[position.id] = known
  known[position.sl .. "/" .. position.tp] = true
end

function Broker.profit_of(position, lots, price)
  return (price - position.price_open) * lots * (position.sell and -1 or 1)
end

function Broker:add_position(position)
  self.positions[position.id] = position
  self.order[#self.order + 1] = position.id
  self:remember_levels(position)
end

function Broker:drop_position(id)
  self.positions[id] = nil
  for i, other in ipairs(self.order) do
    if other == id then table.remove(self.order, i) break end
  end
end

-- Opens, or adds to what a netting account holds of the symbol on the same side.
function Broker:open(symbol, sell, lots, order, reason, id)
  local price, ticket = self.prices[symbol], order or self:id()
  local held = self.netting and self:held(symbol)
  if held then
    local total = held.lots + lots
    held.price_open = math.floor((held.price_open * held.lots + price * lots) / total)
    held.lots, held.time_update = total, self.now
    local deal = self:deal({ entry = "in", id = held.id, symbol = symbol, sell = sell, lots = lots, price = price,
                             order = ticket, reason = reason or "manual", commission = -lots })
    self:step(held.id, signed(held), deal)
    self:note("add %d to %d, now %d", lots, held.id, held.lots)
    return held
  end
  local position = {
    id = id or ticket, ticket = ticket, symbol = symbol, sell = sell, lots = lots, price_open = price, sl = 0, tp = 0,
    swap = 0, magic = self.random(3), comment = "", time_open = self.now, time_update = self.now,
  }
  self:add_position(position)
  local deal = self:deal({ entry = "in", id = position.id, symbol = symbol, sell = sell, lots = lots, price = price,
                           order = ticket, reason = reason or "manual", commission = self.random(2) == 0 and -lots or 0 })
  self:step(position.id, signed(position), deal)
  self:note("open %d %s %s %d", position.id, sell and "sell" or "buy", symbol, lots)
  return position
end

function Broker:held(symbol)
  for _, id in ipairs(self.order) do
    if self.positions[id].symbol == symbol then return self.positions[id] end
  end
end

function Broker:close(position, lots, reason, entry, order, price, profit)
  price = price or self.prices[position.symbol]
  local part = lots == position.lots and position.swap or 0
  local deal = self:deal({
    entry = entry or "out", id = position.id, symbol = position.symbol, sell = not position.sell, lots = lots,
    price = price, profit = profit or self.profit_of(position, lots, price), swap = part,
    commission = self.random(3) == 0 and -lots or 0, reason = reason, order = order or self:id(), closes = lots,
  })
  position.lots, position.time_update = position.lots - lots, self.now
  if lots and part ~= 0 then position.swap = 0 end
  self:step(position.id, signed(position), deal, lots)
  self:note("close %d of %d (%s, %s), left %d", lots, position.id, reason, entry or "out", position.lots)
  if position.lots == 0 then self:drop_position(position.id) end
end

-- Netting: an opposite deal that is larger than the position turns it round. Its identifier stays, its ticket
-- becomes the order's.
function Broker:reverse(position, lots)
  local price, ticket, closes = self.prices[position.symbol], self:id(), position.lots
  local deal = self:deal({
    entry = "inout", id = position.id, symbol = position.symbol, sell = not position.sell, lots = closes + lots,
    price = price, profit = self.profit_of(position, closes, price), swap = position.swap, reason = "expert",
    order = ticket, closes = self.random(2) == 0 and closes or nil,
  })
  self:step(position.id, 0, deal, closes)
  position.sell, position.lots, position.price_open = not position.sell, lots, price
  position.swap, position.sl, position.tp = 0, 0, 0
  if not self.one_id then position.ticket = ticket end
  position.time_update, position.time_open = self.now, self.now
  self:step(position.id, signed(position), deal)
  self:remember_levels(position)
  self:note("reverse %d, now %d", position.id, signed(position))
end

-- Hedging: two opposite positions of one symbol close each other; the larger survives. All profit is booked in one
-- of the two deals.
function Broker:close_by(a, b)
  local lots, order = math.min(a.lots, b.lots), self:id()
  local profit = self.profit_of(a, lots, b.price_open)
  self:close(a, lots, "manual", "out_by", order, b.price_open, profit)
  self:close(b, lots, "manual", "out_by", order, a.price_open, 0)
end

function Broker:modify(position)
  local which = self.random(3)
  if which == 0 then
    position.sl = self.random(2) == 0 and 0 or 90000 + self.random(60000)
  elseif which == 1 then
    position.tp = self.random(2) == 0 and 0 or 90000 + self.random(60000)
  else
    position.comment = "c" .. self.random(1000)
  end
  self:remember_levels(position)
  self:note("modify %d: sl %d tp %d %s", position.id, position.sl, position.tp, position.comment)
end

-- Swap is charged by re-opening: the ticket changes, the identifier stays.
function Broker:roll_over()
  for _, id in ipairs(self.order) do
    local position = self.positions[id]
    position.swap = position.swap - position.lots
    if self.random(2) == 0 and not self.one_id then
      position.ticket = self:id()
      self:note("roll %d over to ticket %d", id, position.ticket)
    end
  end
end

local KINDS = { "balance", "credit", "charge", "correction", "bonus", "commission", "interest", "dividend", "tax" }

function Broker:move_money(kind, amount)
  kind = kind or self.random(2) == 0 and "balance" or KINDS[1 + self.random(#KINDS)]
  amount = amount or (self.random(2) == 0 and 1 or -1) * (1 + self.random(50000))
  local deal = self:deal({ entry = "none", action = kind, profit = amount, comment = kind .. " " .. amount })
  if kind == "credit" then self.balance, self.credit = self.balance - amount, self.credit + amount end
  self.operations[deal.ticket] = { kind = kind, amount = amount, time = self.now }
  self:note("%s %d as deal %d", kind, amount, deal.ticket)
end

local TYPES = { "buy_limit", "sell_limit", "buy_stop", "sell_stop" }

function Broker:place()
  local symbol, ticket, lots = SYMBOLS[1 + self.random(#SYMBOLS)], self:id(), 1 + self.random(50)
  local kind = TYPES[1 + self.random(4)]
  self.orders[ticket] = {
    ticket = ticket, symbol = symbol, type = kind, sell = kind:find("sell") ~= nil, initial = lots, lots = lots,
    price = 90000 + self.random(60000), sl = 0, tp = 0, setup = self.now, state = "placed", comment = "",
  }
  self.order_life[ticket] = { placed = self.now }
  self:note("place %s %d as %d", kind, lots, ticket)
end

function Broker:end_order(order, state, position_id)
  order.state, order.done, order.position_id = state, self.now, position_id
  order.listed = self.listed(self.now, order.ticket)
  self.orders[order.ticket] = nil
  self.history[#self.history + 1] = order
  local life = self.order_life[order.ticket]
  life.ended, life.state = self.now, state
  self:note("order %d: %s", order.ticket, state)
end

-- An order trades all or a part of what is left of it. Its first fill opens a position of its own ticket, also when
-- such a position was there and has been closed.
function Broker:fill(order)
  local part = order.lots > 1 and self.random(3) == 0 and 1 + self.random(order.lots - 1) or order.lots
  local position = self.positions[order.ticket]
  local held = self.netting and self:held(order.symbol)
  if held and held.sell ~= order.sell then return end
  if position and not held then
    local total = position.lots + part
    position.price_open = math.floor((position.price_open * position.lots + self.prices[order.symbol] * part) / total)
    position.lots, position.time_update = total, self.now
    local deal = self:deal({ entry = "in", id = position.id, symbol = order.symbol, sell = order.sell, lots = part,
                             price = self.prices[order.symbol], order = order.ticket, reason = "manual" })
    self:step(position.id, signed(position), deal)
    self:note("fill %d of order %d", part, order.ticket)
  else
    position = self:open(order.symbol, order.sell, part, order.ticket, "manual", order.ticket)
  end
  order.lots = order.lots - part
  if order.lots == 0 then self:end_order(order, "filled", position.id) else order.state = "partial" end
end

function Broker:some(list)
  local keys = {}
  for key in pairs(list) do keys[#keys + 1] = key end
  if #keys == 0 then return nil end
  table.sort(keys)
  return list[keys[1 + self.random(#keys)]]
end

-- The opposite of a position, of the same symbol.
function Broker:opposite(position)
  for _, id in ipairs(self.order) do
    local other = self.positions[id]
    if other.symbol == position.symbol and other.sell ~= position.sell then return other end
  end
end

-- The margin is gone: the server closes positions within one second, and what is lost beyond zero is given back.
function Broker:stop_out()
  local many = 1 + self.extra(#self.order)
  self:note("stop out of %d", many)
  for _ = 1, many do
    local position = self.positions[self.order[1 + self.extra(#self.order)]]
    self:close(position, position.lots, "stop_out")
    if self.extra(2) == 0 then self.now = self.now + self.extra(100) end
  end
  if self.extra(2) == 0 then self:move_money("correction", 1 + self.extra(1000)) end
end

local REASONS = { "manual", "expert", "sl", "tp", "stop_out", "mobile", "web", "dealer" }

-- One thing happens.
function Broker:act()
  local random, position = self.random, self:some(self.positions)
  local wish, order = random(100), self:some(self.orders)
  self:move_prices()
  if self.extra and #self.order > 1 and self.extra(60) == 0 then return self:stop_out() end
  if wish < 22 or not position then
    local symbol = SYMBOLS[1 + random(#SYMBOLS)]
    local held = self.netting and self:held(symbol)
    self:open(symbol, held and held.sell or not held and random(2) == 0, 1 + random(60))
  elseif wish < 34 then
    self:modify(position)
  elseif wish < 46 and position.lots > 1 then
    self:close(position, 1 + random(position.lots - 1), "manual")
  elseif wish < 62 then
    self:close(position, position.lots, REASONS[1 + random(#REASONS)])
  elseif wish < 70 then
    if self.netting then
      self:reverse(position, 1 + random(50))
    else
      local other = self:opposite(position)
      if other then self:close_by(position, other) end
    end
  elseif wish < 73 then
    self:roll_over()
  elseif wish < 80 then
    self:move_money()
  elseif wish < 86 or not order then
    self:place()
  elseif wish < 90 then
    order.price, order.sl = 90000 + random(60000), random(2) == 0 and 0 or 90000
    self:note("order %d to %d", order.ticket, order.price)
  elseif wish < 96 then
    self:fill(order)
  else
    local states = { "cancelled", "expired", "rejected" }
    self:end_order(order, order.state == "partial" and "cancelled" or states[1 + random(3)])
  end
end

-- Lives until a time, at so many things a second.
function Broker:live(till, rate)
  while rate > 0 do
    local gap = 1 + math.floor(-math.log(1 - self.random.unit()) * 1000 / rate)
    if self.now + gap > till then break end
    self.now = self.now + gap
    self:act()
  end
  self.now = math.max(self.now, till)
end

return { new = new, START_MS = START_MS, signed = signed }
