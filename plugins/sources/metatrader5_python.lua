-- Services that hand on what the MetaTrader5 Python package gives, under its own names: account_info(),
-- positions_get(), orders_get(), history_deals_get() and history_orders_get() as JSON.
--
--   source = { url = "http://bridge:8000", mapping = "metatrader5_python", utc_offset_seconds = 10800 }
--
-- The package's times are the broker's wall clock written as an epoch, so the source needs the broker's offset from UTC
-- (`utc_offset_seconds`) for them to be right.
local python = {}

python.requests = {
  positions = { path = "/positions" },
  orders = { path = "/orders" },
  account = { path = "/account" },
  deals = { path = "/history/deals?from={since}&to={until}" },
  history = { path = "/history/orders?from={since}&to={until}" },
}

-- Milliseconds where the package gives them, seconds where it does not; 0 is no time.
local function time_of(ms, seconds)
  if ms and ms ~= 0 then return ms end
  if seconds and seconds ~= 0 then return seconds end
end

function python.account(row)
  return {
    login = row.login, name = row.name, server = row.server, company = row.company, currency = row.currency,
    currency_digits = row.currency_digits, balance = row.balance, credit = row.credit, equity = row.equity,
    profit = row.profit, margin = row.margin, margin_free = row.margin_free, margin_level = row.margin_level,
    leverage = row.leverage, margin_mode = row.margin_mode, trade_mode = row.trade_mode,
    trade_allowed = row.trade_allowed,
  }
end

function python.position(row)
  return {
    ticket = row.ticket, position_id = row.identifier, symbol = row.symbol, side = row.type, volume = row.volume,
    price_open = row.price_open, price_current = row.price_current, sl = row.sl, tp = row.tp, profit = row.profit,
    swap = row.swap, magic = row.magic, comment = row.comment, external_id = row.external_id, reason = row.reason,
    time_open = time_of(row.time_msc, row.time), time_update = time_of(row.time_update_msc, row.time_update),
  }
end

function python.order(row)
  return {
    ticket = row.ticket, position_id = row.position_id, position_by_id = row.position_by_id, symbol = row.symbol,
    type = row.type, state = row.state, type_time = row.type_time, type_filling = row.type_filling,
    volume_initial = row.volume_initial, volume_current = row.volume_current, price_open = row.price_open,
    price_current = row.price_current, price_stoplimit = row.price_stoplimit, sl = row.sl, tp = row.tp,
    magic = row.magic,
    comment = row.comment, external_id = row.external_id, reason = row.reason,
    time_setup = time_of(row.time_setup_msc, row.time_setup), time_expiration = time_of(row.time_expiration),
    time_done = time_of(row.time_done_msc, row.time_done),
  }
end

function python.deal(row)
  return {
    ticket = row.ticket, order = row.order, position_id = row.position_id, symbol = row.symbol, action = row.type,
    entry = row.entry, volume = row.volume, price = row.price, profit = row.profit, swap = row.swap,
    commission = row.commission, fee = row.fee, magic = row.magic, comment = row.comment, reason = row.reason,
    time = time_of(row.time_msc, row.time),
  }
end

-- A list of rows through one of the functions above; nil stays nil, for what is not known is not empty, and neither is
-- what is no list.
function python.rows(rows, convert)
  if rows == nil then return nil end
  if not is_list(rows) then error("a list of rows was expected") end
  local out = {}
  for i, row in ipairs(rows) do
    out[i] = convert(row)
  end
  return out
end

local kinds = { positions = python.position, orders = python.order, deals = python.deal, history = python.order }

-- A list may stand alone, or in the document under its name; an account likewise.
function python.map(name, document)
  if name == "account" then return { account = python.account(document.account or document) } end
  local rows = document[name]
  if is_list(document) then rows = document end
  return { [name] = python.rows(rows, kinds[name]) }
end

return python
