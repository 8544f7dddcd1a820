-- A source that is read through the Web API: the same broker and the same faults, but as bytes of a server, through the
-- core's driver.
local driver_of = require("simulation.webapi")
local rows = require("simulation.webapi_rows")
local server_of = require("simulation.webapi_server")
local source_of = require("simulation.source")

local WebSource = setmetatable({}, { __index = source_of.Source })
WebSource.__index = WebSource

local KINDS = {}
for _, name in ipairs({ "rest", "raw" }) do
  KINDS[name] = { name = name, clock = true, deals = true, history = true, orders = true, lag = 0, webapi = true, raw = name == "raw" }
end

local OUT = { "7 Network error", "9 Timeout", "14 Partial", "16 Cancelled", "10 No connection" }

local function new(random, broker, kind, intensity, extra)
  local self = setmetatable(source_of.new(random, broker, kind, intensity, extra), WebSource)
  self.driver = driver_of.new(random, kind.raw)
  self.server = server_of.new(random, {
    positions = function()
      self.about_to_read("positions")
      return self:read_positions()
    end,
    orders = function()
      self.about_to_read("orders")
      return self:read_orders()
    end,
    history = function(from) return source_of.listed(broker.history, from, broker.now, "done") end,
    deals = function(from) return source_of.listed(broker.deals, from, broker.now, "time") end,
    account = function()
      local floating, swap = self:floats()
      if not self.dormant then return rows.account(broker, floating, swap) end
    end,
    user = function() return rows.user(broker) end,
    group = function() return rows.group(broker) end,
  }, kind.raw)
  return self
end

function WebSource:forget() self.driver:forget() end

function WebSource:free() self.driver:free() end

function WebSource:floats()
  local broker, floating, swap = self.broker, 0, 0
  for _, id in ipairs(broker.order) do
    local p = broker.positions[id]
    floating, swap = floating + broker.profit_of(p, p.lots, broker.prices[p.symbol]), swap + p.swap
  end
  return floating, swap
end

-- What happens to one answer now and then.
local once = {}

function once.strangers_rows(_, list)
  for _ = 1, 3 do
    list[#list + 1] = rows.position({ id = 7, symbol = "EURUSD", lots = 1, price_open = 1, price = 1, sl = 0, tp = 0, profit = 0, swap = 0,
                                      magic = 0, comment = "", time_open = 0, time_update = 0 }, 5002)
  end
end

function once.nobodys_row(self, list)
  list[#list + 1], self.whole = '{"Position" : "7"}', false
end

function once.bad_row(self, list)
  list[#list + 1], self.whole = ('{"Position" : "x", "Login" : "%d"}'):format(rows.LOGIN), false
end

function once.doubled(self, list)
  list[#list + 1] = list[1]
  self.whole = self.whole and not list[1]
end

function once.mixed(self, list)
  source_of.shuffle(self.random, list)
end

local ONCE = {}
for name in pairs(once) do ONCE[#ONCE + 1] = name end
table.sort(ONCE)

-- What a fault makes of a list of rows; a return code instead of it.
function WebSource:change(command, list)
  local random, spell, quiet = self.random, self.now_spell, self.quiet
  if spell == "no_deals" and (command == "DEAL_GET_BATCH" or command == "HISTORY_GET_BATCH") then return OUT[1 + random(#OUT)] end
  if spell == "no_positions" and command == "POSITION_GET_BATCH" then return OUT[1 + random(#OUT)] end
  if command == "POSITION_GET_BATCH" or command == "ORDER_GET_BATCH" then
    local count = #list
    if spell == "empty" then for i = #list, 1, -1 do list[i] = nil end end
    if spell == "cut" then for _ = 1, random(#list + 1) do list[#list] = nil end end
    self.whole = self.whole and #list == count
  end
  if quiet then return end
  if command == "POSITION_GET_BATCH" and random.unit() < self.intensity / 4 then
    local name = ONCE[1 + random(#ONCE)]
    self:fault(name)
    once[name](self, list)
  end
  if command == "DEAL_GET_BATCH" and random.unit() < self.intensity then
    self:fault("repeated")
    for i = 1, #list do if random(2) == 0 then list[#list + 1] = list[i] end end
    once.mixed(self, list)
  end
  if command == "USER_ACCOUNT_GET_BATCH" and random.unit() < self.intensity / 4 then
    self:fault("no_account")
    list[1], self.whole = nil, false
  end
end

-- A document that breaks off in the middle, though what carries it does not.
function WebSource:mangle(body)
  if self.quiet or self.random.unit() >= self.intensity / 8 then return body end
  self:fault("mangled")
  self.whole = false
  return body:sub(1, self.random(#body))
end

-- One poll; as Source:poll, but what comes of it are the records that the driver made.
function WebSource:poll(rate, since, wants, quiet)
  local random, broker = self.random, self.broker
  local fault = self:next_spell(quiet)
  self.now_spell, self.quiet, self.whole = fault, quiet, true
  local breaks = fault == "lost" and random(5) or -1
  if not quiet and random.unit() < self.intensity / 2 and #broker.order == 0 then
    self:fault("dormant")
    self.dormant = true
  end
  if self.dormant and (quiet or #broker.order > 0 or random(8) == 0) then self.dormant = false end
  local asked = 0
  local function serve(request)
    if asked > 0 then broker:live(broker.now + (quiet and 0 or random(200)), rate) end
    if #broker.order > 0 then self.dormant = false end
    local text = self.server:answer(request, function(command, list) return self:change(command, list) end,
      function(body) return self:mangle(body) end)
    asked = asked + 1
    if asked - 1 ~= breaks then return text, true end
    return text:sub(1, random(#text)), false
  end
  local records, code = self.driver:run(broker.now, since, function(got) return wants({ records = got }) end, serve)
  if not records and quiet then error("a poll without a fault failed: " .. code, 0) end
  if not records then return nil end
  local answer = source_of.answer_of(records)
  answer.whole = self.whole and not fault
  return answer
end

for _, kind in pairs(KINDS) do kind.new = new end

return { new = new, KINDS = KINDS }
