-- A source that reads the broker and cannot be relied on.
--
-- A poll reads positions and orders first, then the account, then the deals (of the Web API: the deals, always, then the
-- account), and trading goes on in between. Faults
-- do to the answers what servers, bridges and networks do: lose them, cut them, repeat rows, mix their order, serve an
-- old one, or show an account without positions while a terminal logs in.
local Source = {}
Source.__index = Source

-- Kinds of services. What one cannot tell decides what can be known (docs/mt5.md).
local KINDS = {
  { name = "server", clock = true, deals = true, history = true, orders = true, lag = 0 },
  { name = "late", clock = true, deals = true, history = true, orders = true, lag = 25000, late = true },
  { name = "terminal", clock = false, deals = true, history = true, orders = true, lag = 1500, seconds = true },
  { name = "bare", clock = false, deals = false, history = false, orders = false, lag = 0 },
  { name = "web", clock = true, deals = true, history = true, orders = true, lag = 0, account_last = true },
}

local function new(random, broker, kind, intensity, extra)
  return setmetatable({
    random = random, broker = broker, kind = kind, intensity = intensity, count = 0, by_name = {}, spell = 0, extra = extra,
  }, Source)
end

local function copy(row)
  local out = {}
  for key, value in pairs(row) do out[key] = value end
  return out
end

-- A gateway has started anew, or has ended: nothing here remembers one.
function Source.forget() end
function Source.free() end

-- Called before a part of an answer is read, when parts are read one after the other.
function Source.about_to_read(_) end

function Source:fault(name, text)
  self.count = self.count + 1
  self.by_name[name] = (self.by_name[name] or 0) + 1
  if self.log then self.log(text or name) end
end

function Source:read_positions()
  local broker, out = self.broker, {}
  for i, id in ipairs(broker.order) do
    local p = copy(broker.positions[id])
    p.price = broker.prices[p.symbol]
    p.profit = broker.profit_of(p, p.lots, p.price)
    out[i] = p
  end
  return out
end

function Source:read_orders()
  local out = {}
  for _, order in pairs(self.broker.orders) do out[#out + 1] = copy(order) end
  table.sort(out, function(a, b) return a.ticket < b.ticket end)
  return out
end

function Source:read_account()
  local broker, profit = self.broker, 0
  for _, id in ipairs(broker.order) do
    local p = broker.positions[id]
    profit = profit + broker.profit_of(p, p.lots, broker.prices[p.symbol]) + p.swap
  end
  return { login = "5001", balance = broker.balance, credit = broker.credit, profit = profit, netting = broker.netting }
end

local function listed(rows, since, now, time)
  local out = {}
  for i = #rows, 1, -1 do
    local row = rows[i]
    if row[time] >= since and row.listed <= now then table.insert(out, 1, row) end
    if row[time] < since - 60000 then break end
  end
  return out
end

local function ids(list, count, name, field)
  local out = {}
  for i = 1, count do out[i] = { [name] = tonumber(list[i - 1][field]) } end
  return out
end

-- What a poll gives whose answers a driver made into records.
local function answer_of(records)
  return {
    records = records, time = tonumber(records.source_time_ms), account = records.account_known,
    positions = records.positions_known and ids(records.positions, records.positions_count, "id", "_position_id"),
    orders = records.orders_known and ids(records.orders, records.orders_count, "ticket", "_ticket"),
    deals = records.deals_known, history = records.history_known,
  }
end

-- A spell is a fault that lasts for some polls.
function Source:begin_spell()
  local random, kind = self.random, self.kind
  local names = { "lost", "lost", "empty", "cut", "no_deals", "no_positions" }
  if kind.clock and not kind.webapi then names[#names + 1] = "stale" end
  local name = names[1 + random(#names)]
  -- An absence that lasts for as many polls as a suspect is held is decidable only where the deals of everything else are
  -- listed in time.
  local absence = name == "empty" or name == "cut"
  local short = absence and (kind.lag > 0 or not kind.deals)
  local longest = not short and 20 or self.extra and 2 or 1
  if short and not self.was_whole then return end
  if name == "lost" and random(4) == 0 then longest = 100 end
  self.spell_name, self.spell = name, 1 + random(random(3) == 0 and longest or math.min(longest, 3))
  self:fault(name, ("%s for %d polls"):format(name, self.spell))
end

-- Somebody logged in elsewhere: what is there is another account's.
function Source:stranger(answer)
  self:fault("stranger")
  answer.account = { login = "5002", balance = 100 * (1 + self.extra(1000)), credit = 0, profit = 0, netting = self.broker.netting }
  if self.extra(2) == 0 then answer.positions, answer.orders, answer.deals = {}, answer.orders and {}, answer.deals and {} end
  answer.bad, answer.stranger = true, true
end

function Source:read_account_or_not(answer, quiet)
  answer.account = self:read_account()
  if not quiet and self.random.unit() < self.intensity / 2 then
    self:fault("no_account")
    answer.account = nil
  end
end

local function shuffle(random, list)
  for i = #list, 2, -1 do
    local k = 1 + random(i)
    list[i], list[k] = list[k], list[i]
  end
end

-- The fault that this poll has, or nil.
function Source:next_spell(quiet)
  if quiet then
    self.spell = 0
  elseif self.spell == 0 and self.random.unit() < self.intensity then
    self:begin_spell()
  end
  if self.spell == 0 then return nil end
  self.spell = self.spell - 1
  return self.spell_name
end

-- One poll at the broker's time. `wants(positions, orders, account)` says whether deals are asked. Gives the answer
-- { time, positions, orders, account, deals, history }, or nil when it is lost; and the time of its first read.
function Source:poll(rate, since, wants, quiet)
  local random, broker, kind = self.random, self.broker, self.kind
  local fault = self:next_spell(quiet)
  local pause = function() broker:live(broker.now + (quiet and 0 or random(200)), rate) end
  local answer = { time = kind.clock and broker.now or 0, positions = self:read_positions() }
  if kind.orders then answer.orders = self:read_orders() end
  local count, orders_count = #answer.positions, answer.orders and #answer.orders
  if fault == "empty" then answer.positions, answer.orders = {}, answer.orders and {} end
  if fault == "cut" then
    for _ = 1, random(#answer.positions + 1) do answer.positions[#answer.positions] = nil end
    for _ = 1, answer.orders and random(#answer.orders + 1) or 0 do answer.orders[#answer.orders] = nil end
  end
  if not fault then self.was_whole = true elseif fault == "empty" or fault == "cut" then self.was_whole = false end
  answer.whole = count == #answer.positions and (not answer.orders or orders_count == #answer.orders)
  if fault == "no_positions" then answer.positions, answer.orders = nil, nil end
  pause()
  if not kind.account_last then
    self:read_account_or_not(answer, quiet)
    pause()
  end
  if kind.deals and fault ~= "no_deals" and (kind.account_last or wants(answer)) then
    answer.deals = listed(broker.deals, since, broker.now, "time")
    if kind.history then answer.history = listed(broker.history, since, broker.now, "done") end
    if not quiet and random.unit() < self.intensity then
      self:fault("mixed")
      shuffle(random, answer.deals)
    end
    if not quiet and random.unit() < self.intensity then
      self:fault("repeated")
      for i = 1, #answer.deals do
        if random(2) == 0 then answer.deals[#answer.deals + 1] = answer.deals[i] end
      end
    end
  end
  if kind.account_last then
    pause()
    self:read_account_or_not(answer, quiet)
  end
  if not quiet and #(answer.positions or {}) > 0 and random.unit() < self.intensity / 4 then
    self:fault("doubled")
    table.insert(answer.positions, answer.positions[1])
    answer.bad = true
  end
  if self.extra and not quiet and self.extra.unit() < self.intensity / 4 then self:stranger(answer) end
  if self.extra and answer.bad then self.was_whole = false end
  if fault == "lost" then return nil end
  if fault == "stale" and self.kept then return self.kept end
  if not answer.bad and random(3) == 0 then self.kept = setmetatable({ old = true }, { __index = answer }) end
  return answer
end

return { new = new, KINDS = KINDS, Source = Source, listed = listed, answer_of = answer_of, shuffle = shuffle }
