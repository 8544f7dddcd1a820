-- Services in mtapi.io's spelling (mt5rest): /AccountSummary, /OpenedOrders, /OrderHistory, the connection's token in
-- the query as `id`. A route gives it as the account's login:
--
--   source = { url = "http://mt5rest:5000", mapping = "mtapi_io" },
--   route = function(account_id) return { login = tokens[account_id] } end,
--
-- Positions and waiting orders come in one list. Closed orders take the place of deals.
local mtapi = {}

mtapi.requests = {
  positions = { path = "/OpenedOrders?id={login}" },
  account = { path = "/AccountSummary?id={login}" },
  deals = { path = "/OrderHistory?id={login}&from={since_iso}&to={until_iso}" },
}

local waiting = {
  BuyLimit = "buy_limit", SellLimit = "sell_limit", BuyStop = "buy_stop", SellStop = "sell_stop",
  BuyStopLimit = "buy_stop_limit", SellStopLimit = "sell_stop_limit",
}
local opposite = { Buy = "sell", Sell = "buy" }

local function account(row)
  return {
    currency = row.currency, balance = row.balance, credit = row.credit, equity = row.equity, profit = row.profit,
    margin = row.margin, margin_free = row.freeMargin, margin_level = row.marginLevel, leverage = row.leverage,
    trade_mode = row.type, margin_mode = row.method,
    trade_allowed = row.isInvestor ~= nil and not row.isInvestor or nil,
  }
end

local function position(row)
  return {
    ticket = row.ticket, position_id = row.ticket, symbol = row.symbol, side = row.orderType, volume = row.lots,
    price_open = row.openPrice, price_current = row.closePrice, sl = row.stopLoss, tp = row.takeProfit,
    profit = row.profit, swap = row.swap, commission = row.commission, magic = row.expertId, comment = row.comment,
    digits = row.digits, time_open = row.openTimestampUTC,
  }
end

local function order(row)
  return {
    ticket = row.ticket, symbol = row.symbol, type = waiting[row.orderType], state = "placed",
    volume_initial = row.lots,
    volume_current = row.lots, price_open = row.openPrice, price_current = row.closePrice, sl = row.stopLoss,
    tp = row.takeProfit, magic = row.expertId, comment = row.comment, digits = row.digits,
    time_setup = row.openTimestampUTC,
  }
end

-- The deal that closed it: of a buy, a sell.
local function close(row)
  return {
    ticket = row.ticket, position_id = row.ticket, symbol = row.symbol, action = opposite[row.orderType], entry = "out",
    volume = row.closeLots or row.lots, price = row.closePrice, price_position = row.openPrice, profit = row.profit,
    swap = row.swap, commission = row.commission, fee = row.fee, magic = row.expertId, comment = row.comment,
    time = row.closeTimestampUTC, time_open = row.openTimestampUTC,
  }
end

function mtapi.map(name, document)
  if name == "account" then return { account = account(document) } end
  if not is_list(document) then return {} end -- something else than rows says nothing of them
  local out = { positions = {}, orders = {}, deals = {} }
  for _, row in ipairs(document) do
    local list = name == "deals" and "deals" or waiting[row.orderType] and "orders" or "positions"
    local convert = list == "deals" and close or list == "orders" and order or position
    if list ~= "deals" or opposite[row.orderType] then table.insert(out[list], convert(row)) end
  end
  if name == "deals" then return { deals = out.deals } end
  return { positions = out.positions, orders = out.orders }
end

return mtapi
