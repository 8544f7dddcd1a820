-- What a broker knows, as the documents of services: rows of the MetaTrader5 Python package, as the terminal bridge
-- gives them, and rows of the MT5 REST service.
local documents = {}

local OFFSET_S = 10800 -- the broker's clock is ahead of UTC, and the package tells nothing else
documents.OFFSET_S = OFFSET_S

local TYPE = { buy_limit = 2, sell_limit = 3, buy_stop = 4, sell_stop = 5 }
local STATE = { placed = 1, cancelled = 2, partial = 3, filled = 4, rejected = 5, expired = 6 }
local ACTION = { balance = 2, credit = 3, charge = 4, correction = 5, bonus = 6, commission = 7, interest = 12, dividend = 15, tax = 17 }
local ENTRY = { ["in"] = 0, out = 1, inout = 2, out_by = 3, none = 0 }
local REASON = { manual = 0, mobile = 1, web = 2, expert = 3, sl = 4, tp = 5, stop_out = 6 }

local function integer(n) return ("%d"):format(n) end
local function price(points) return ("%.5f"):format(points / 1e5) end
local function money(cents) return ("%.2f"):format(cents / 100) end
local function text(s) return '"' .. s .. '"' end

-- Members in the order given: names and values that are JSON already.
local function object(list)
  local out = {}
  for i = 1, #list, 2 do out[#out + 1] = ('"%s":%s'):format(list[i], list[i + 1]) end
  return "{" .. table.concat(out, ",") .. "}"
end
documents.object = object

function documents.list(rows) return rows and "[" .. table.concat(rows, ",") .. "]" or "null" end

-- Seconds and milliseconds of the broker's clock; 0 is no time.
local function times(list, name, ms)
  local own = ms == 0 and 0 or ms + OFFSET_S * 1000
  for _, item in ipairs({ name, integer(math.floor(own / 1000)), name .. "_msc", integer(own) }) do list[#list + 1] = item end
  return list
end

local python = {}
documents.python = python

function python.position(p)
  local list = {
    "ticket", integer(p.ticket), "type", p.sell and "1" or "0", "magic", integer(p.magic), "identifier", integer(p.id), "reason", "0",
    "volume", money(p.lots), "price_open", price(p.price_open), "sl", price(p.sl), "tp", price(p.tp), "price_current", price(p.price),
    "swap", money(p.swap), "profit", money(p.profit), "symbol", text(p.symbol), "comment", text(p.comment), "external_id", text(""),
  }
  return object(times(times(list, "time", p.time_open), "time_update", p.time_update))
end

function python.order(o)
  local list = {
    "ticket", integer(o.ticket), "type", integer(TYPE[o.type]), "type_time", "0", "type_filling", "2", "state", integer(STATE[o.state]),
    "magic", "0", "reason", "0", "position_id", integer(o.position_id or 0), "position_by_id", "0", "volume_initial", money(o.initial),
    "volume_current", money(o.lots), "price_open", price(o.price), "sl", price(o.sl), "tp", price(o.tp), "price_current", price(o.price),
    "price_stoplimit", "0.0", "symbol", text(o.symbol), "comment", text(o.comment), "external_id", text(""), "time_expiration", "0",
  }
  return object(times(times(list, "time_setup", o.setup), "time_done", o.done or 0))
end

function python.deal(d)
  return object(times({
    "ticket", integer(d.ticket), "order", integer(d.order or 0), "type", integer(d.action and ACTION[d.action] or d.sell and 1 or 0),
    "entry", integer(ENTRY[d.entry]), "magic", "0", "position_id", integer(d.id or 0), "reason", integer(REASON[d.reason or "manual"] or 0),
    "volume", money(d.lots or 0), "price", price(d.price or 0), "commission", money(d.commission), "swap", money(d.swap),
    "profit", money(d.profit), "fee", "0.0", "symbol", text(d.symbol or ""), "comment", text(d.comment or ""), "external_id", text(""),
  }, "time", d.time))
end

function python.account(a)
  return object({
    "login", a.login, "trade_mode", "2", "leverage", "100", "trade_allowed", "true", "margin_mode", a.netting and "0" or "2",
    "currency_digits", "2", "balance", money(a.balance), "credit", money(a.credit), "profit", money(a.profit),
    "equity", money(a.balance + a.credit + a.profit), "margin", "0.0", "margin_free", "0.0", "margin_level", "0.0",
    "name", text("A Trader"), "server", text("Broker-Live"), "currency", text("EUR"), "company", text("A Broker"),
  })
end

local service = {}
documents.service = service

local function iso(ms) return ('"%s.%03dZ"'):format(os.date("!%Y-%m-%dT%H:%M:%S", math.floor(ms / 1000)), ms % 1000) end
service.time = iso

function service.position(p)
  return object({
    "ticket", integer(p.ticket), "position_id", integer(p.id), "symbol", text(p.symbol), "type", text(p.sell and "sell" or "buy"),
    "volume", money(p.lots), "open_price", price(p.price_open), "current_price", price(p.price),
    "sl", p.sl ~= 0 and price(p.sl) or "null", "tp", p.tp ~= 0 and price(p.tp) or "null", "profit", money(p.profit),
    "swap", money(p.swap), "commission", "0.0", "magic", integer(p.magic), "comment", text(p.comment), "open_time", iso(p.time_open),
    "update_time", iso(p.time_update),
  })
end

-- MetaTrader's deals, as the service puts them through.
function service.deal(d)
  local list = {
    "ticket", integer(d.ticket), "type", text(d.action or d.sell and "sell" or "buy"), "profit", money(d.profit), "swap", money(d.swap),
    "commission", money(d.commission), "time", iso(d.time), "comment", text(d.comment or ""),
  }
  if d.id then
    for _, item in ipairs({ "entry", text(d.entry), "order", integer(d.order), "position_id", integer(d.id), "symbol", text(d.symbol),
                            "volume", money(d.lots), "price", price(d.price), "reason", text(d.reason or "manual") }) do
      list[#list + 1] = item
    end
  end
  return object(list)
end

function service.account(a, count)
  local list = {
    "login", a.login, "balance", money(a.balance), "equity", money(a.balance + a.credit + a.profit), "margin", "0.0", "free_margin", "0.0",
    "margin_level", "0.0", "currency", text("EUR"), "leverage", "100", "profit", money(a.profit), "credit", money(a.credit),
    "margin_mode", text(a.netting and "netting" or "hedging"),
  }
  if count then list[#list + 1], list[#list + 2] = "positions_count", integer(count) end
  return object(list)
end

return documents
