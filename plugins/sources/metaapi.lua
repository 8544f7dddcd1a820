-- Services in MetaApi's spelling: names in camelCase, MQL5's constants as texts, times in UTC. The token goes into
-- headers, and each account is found by its own id:
--
--   source = { url = "https://…", mapping = "metaapi", headers = { ["auth-token"] = env "METAAPI_TOKEN" } }
local metaapi = {}

local at = "/users/current/accounts/{login}"
metaapi.requests = {
  positions = { path = at .. "/positions" },
  orders = { path = at .. "/orders" },
  account = { path = at .. "/account-information" },
  deals = { path = at .. "/history-deals/time/{since_iso}/{until_iso}" },
}

local function account(row)
  return {
    login = row.login, name = row.name, server = row.server, company = row.broker, currency = row.currency,
    currency_digits = row.currencyDigits, balance = row.balance, credit = row.credit, equity = row.equity,
    profit = row.equity and row.balance and row.equity - row.balance - (row.credit or 0), margin = row.margin,
    margin_free = row.freeMargin, margin_level = row.marginLevel, leverage = row.leverage, margin_mode = row.marginMode,
    trade_mode = row.type, trade_allowed = row.tradeAllowed,
  }
end

local function position(row)
  return {
    ticket = row.id, position_id = row.id, symbol = row.symbol, side = row.type, volume = row.volume,
    price_open = row.openPrice, price_current = row.currentPrice, sl = row.stopLoss, tp = row.takeProfit,
    profit = row.unrealizedProfit or row.profit, swap = row.unrealizedSwap or row.swap, commission = row.commission,
    magic = row.magic, comment = row.comment, reason = row.reason, time_open = row.time, time_update = row.updateTime,
  }
end

local function order(row)
  return {
    ticket = row.id, position_id = row.positionId, symbol = row.symbol, type = row.type, state = row.state,
    type_time = row.expirationType, type_filling = row.fillingMode, volume_initial = row.volume,
    volume_current = row.currentVolume, price_open = row.openPrice, price_current = row.currentPrice,
    price_stoplimit = row.stopLimitPrice, sl = row.stopLoss, tp = row.takeProfit, magic = row.magic,
    comment = row.comment,
    reason = row.reason, time_setup = row.time, time_expiration = row.expirationTime, time_done = row.doneTime,
  }
end

local function deal(row)
  return {
    ticket = row.id, order = row.orderId, position_id = row.positionId, symbol = row.symbol, action = row.type,
    entry = row.entryType, volume = row.volume, price = row.price, profit = row.profit, swap = row.swap,
    commission = row.commission, magic = row.magic, comment = row.comment, reason = row.reason, time = row.time,
  }
end

local kinds = { positions = position, orders = order, deals = deal }

function metaapi.map(name, document)
  if name == "account" then return { account = account(document) } end
  if not is_list(document) then return {} end -- something else than rows says nothing of them
  local rows = {}
  for i, row in ipairs(document) do
    rows[i] = kinds[name](row)
  end
  return { [name] = rows }
end

return metaapi
