-- What a broker knows, as rows of MetaTrader's Web API: every scalar a text, times on the server's own clock.
local rows = {}

local ZONE_S = 7200 -- the server's clock is ahead of UTC
rows.ZONE_S, rows.LOGIN = ZONE_S, 5001

local ACTION = { balance = 2, credit = 3, charge = 4, correction = 5, bonus = 6, commission = 7, interest = 12, dividend = 15, tax = 17 }
local ENTRY = { ["in"] = 0, out = 1, inout = 2, out_by = 3, none = 0 }
local REASON = { manual = 0, expert = 1, dealer = 2, sl = 3, tp = 4, stop_out = 5, mobile = 16, web = 17 }
local TYPE = { buy_limit = 2, sell_limit = 3, buy_stop = 4, sell_stop = 5 }
local STATE = { placed = 1, cancelled = 2, partial = 3, filled = 4, rejected = 5, expired = 6 }

-- Members in the order given, as the server prints them.
local function row(list)
  local out = {}
  for i = 1, #list, 2 do out[#out + 1] = ('"%s" : "%s"'):format(list[i], list[i + 1]) end
  return "{\r\n" .. table.concat(out, ",\r\n") .. "\r\n}"
end

local function integer(n) return ("%d"):format(n) end
local function price(points) return ("%.5f"):format(points / 1e5) end
local function money(cents) return ("%.2f"):format(cents / 100) end

local function time(list, name, ms)
  local server = ms == 0 and 0 or ms + ZONE_S * 1000
  for _, item in ipairs({ name, integer(math.floor(server / 1000)), name .. "Msc", integer(server) }) do list[#list + 1] = item end
end

-- Hundredths of a lot, in both of the server's units.
local function volume(list, name, lots)
  for _, item in ipairs({ name, integer(lots * 100), name .. "Ext", integer(lots * 1e6) }) do list[#list + 1] = item end
end

function rows.position(p, login)
  local list = {
    "Position", integer(p.id), "Login", login or rows.LOGIN, "Symbol", p.symbol, "Action", p.sell and 1 or 0, "Digits", 5, "DigitsCurrency", 2,
    "Reason", 0, "PriceOpen", price(p.price_open), "PriceCurrent", price(p.price), "PriceSL", price(p.sl), "PriceTP", price(p.tp),
    "Profit", money(p.profit), "Storage", money(p.swap), "ExpertID", p.magic, "Comment", p.comment,
  }
  time(list, "TimeCreate", p.time_open)
  time(list, "TimeUpdate", p.time_update)
  volume(list, "Volume", p.lots)
  return row(list)
end

function rows.order(o, login)
  local list = {
    "Order", integer(o.ticket), "Login", login or rows.LOGIN, "Symbol", o.symbol, "Digits", 5, "DigitsCurrency", 2, "State", STATE[o.state],
    "Reason", 0, "Type", TYPE[o.type], "TypeFill", 0, "TypeTime", 0, "PriceOrder", price(o.price), "PriceTrigger", "0.00000",
    "PriceSL", price(o.sl), "PriceTP", price(o.tp), "PositionID", integer(o.position_id or 0), "Comment", o.comment,
  }
  time(list, "TimeSetup", o.setup)
  time(list, "TimeDone", o.done or 0)
  volume(list, "VolumeInitial", o.initial)
  volume(list, "VolumeCurrent", o.lots)
  return row(list)
end

function rows.deal(d, login)
  local list = {
    "Deal", integer(d.ticket), "Login", login or rows.LOGIN, "Order", integer(d.order or 0), "Action", d.action and ACTION[d.action] or d.sell and 1 or 0,
    "Entry", ENTRY[d.entry], "Reason", REASON[d.reason or "manual"], "Digits", 5, "DigitsCurrency", 2, "Symbol", d.symbol or "",
    "Price", price(d.price or 0), "Profit", money(d.profit), "Storage", money(d.swap), "Commission", money(d.commission), "Fee", "0.00",
    "PositionID", integer(d.id or 0), "Comment", d.comment or "",
  }
  time(list, "Time", d.time)
  volume(list, "Volume", d.lots or 0)
  volume(list, "VolumeClosed", d.closes or 0)
  return row(list)
end

-- `floating` is without swap.
function rows.account(broker, floating, swap)
  return row({
    "Login", rows.LOGIN, "CurrencyDigits", 2, "Balance", money(broker.balance), "Credit", money(broker.credit), "Margin", "0.00",
    "MarginLeverage", 100, "Profit", money(floating), "Storage", money(swap), "Floating", money(floating + swap),
    "Equity", money(broker.balance + broker.credit + floating + swap),
  })
end

function rows.user(broker)
  return row({ "Login", rows.LOGIN, "Group", "real\\\\one", "Rights", 1, "Name", "A Trader", "Leverage", 100,
               "Balance", money(broker.balance), "Credit", money(broker.credit) })
end

function rows.group(broker)
  return row({ "Group", "real\\\\one", "Company", "A Broker", "Currency", "EUR", "CurrencyDigits", 2, "MarginMode", broker.netting and 0 or 2 })
end

return rows
