-- What a driver would make of the broker's answers: the records of the core.
local ffi = require("ffi")
local bit = require("bit")

return function(C)
  local records = {}

  local function names_of(entity, field)
    local out, list, i = {}, C.tg_field_find(entity, field).names, 0
    while list[i] ~= nil do
      out[ffi.string(list[i])] = i
      i = i + 1
    end
    return out
  end

  local ACTION, ENTRY = names_of(C.tg_deal_entity, "action"), names_of(C.tg_deal_entity, "entry")
  local REASON, TYPE = names_of(C.tg_deal_entity, "reason"), names_of(C.tg_order_entity, "type")
  local STATE = names_of(C.tg_order_entity, "state")
  local MODE = names_of(C.tg_account_entity, "margin_mode")
  local BUY, SELL = 1, 2

  local function text_writer(entity, field)
    local f = C.tg_field_find(entity, field)
    local offset, size = f.offset, f.size
    return function(row, text)
      local at = ffi.cast("char *", row) + offset
      ffi.copy(at, text, math.min(#text, size - 1))
    end
  end
  local position_symbol = text_writer(C.tg_position_entity, "symbol")
  local position_comment = text_writer(C.tg_position_entity, "comment")
  local order_symbol = text_writer(C.tg_order_entity, "symbol")
  local deal_symbol = text_writer(C.tg_deal_entity, "symbol")
  local deal_comment = text_writer(C.tg_deal_entity, "comment")
  local account_login = text_writer(C.tg_account_entity, "login")

  local account_bits = 0ULL
  for _, name in ipairs({ "login", "balance", "credit", "equity", "profit", "currency_digits", "margin_mode" }) do
    account_bits = bit.bor(account_bits, C.tg_field_bit(C.tg_account_entity, C.tg_field_find(C.tg_account_entity, name)))
  end

  function records.positions(out, list)
    out.positions_known = true
    for _, p in ipairs(list) do
      local row = C.tg_records_add_position(out)
      position_symbol(row, p.symbol)
      position_comment(row, p.comment)
      row._ticket, row._position_id, row._magic = p.ticket, p.id, p.magic
      row._time_open, row._time_update = p.time_open, p.time_update
      row._volume, row._side = p.lots / 100, p.sell and SELL or BUY
      row._price_open, row._price_current = p.price_open / 1e5, p.price / 1e5
      row._sl, row._tp = p.sl / 1e5, p.tp / 1e5
      row._profit, row._swap = p.profit / 100, p.swap / 100
      row._digits = 5
    end
  end

  function records.orders(out, list)
    out.orders_known = true
    for _, o in ipairs(list) do
      records.order(C.tg_records_add_order(out), o)
    end
  end

  function records.order(row, o)
    order_symbol(row, o.symbol)
    row._ticket, row._type, row._state = o.ticket, TYPE[o.type], STATE[o.state]
    row._volume_initial, row._volume_current = o.initial / 100, o.lots / 100
    row._price_open, row._sl, row._tp = o.price / 1e5, o.sl / 1e5, o.tp / 1e5
    row._time_setup, row._time_done = o.setup, o.done or 0
    row._position_id = o.position_id or 0
    row._digits = 5
  end

  function records.history(out, list)
    out.history_known = true
    for _, o in ipairs(list) do
      records.order(C.tg_records_add_history(out), o)
    end
  end

  function records.account(out, a)
    local row = out.account
    out.account_known, out.account_fields = true, account_bits
    account_login(row, a.login)
    row._balance, row._credit, row._profit = a.balance / 100, a.credit / 100, a.profit / 100
    row._equity = (a.balance + a.credit + a.profit) / 100
    row._currency_digits, row._margin_mode = 2, MODE[a.netting and "netting" or "hedging"]
  end

  function records.deals(out, list)
    out.deals_known = true
    for _, d in ipairs(list) do
      local row = C.tg_records_add_deal(out)
      row._ticket, row._time = d.ticket, d.time
      row._profit, row._swap, row._commission, row._fee = d.profit / 100, d.swap / 100, d.commission / 100, 0
      row._action = d.action and ACTION[d.action] or d.sell and ACTION.sell or ACTION.buy
      row._entry = d.entry == "none" and 0 or ENTRY[d.entry]
      row._reason = REASON[d.reason or "unknown"]
      row._digits = 5
      if d.comment then deal_comment(row, d.comment) end
      if d.id then
        deal_symbol(row, d.symbol)
        row._position_id, row._order = d.id, d.order
        row._volume, row._price = d.lots / 100, d.price / 1e5
        if d.closes then row._volume_closed = d.closes / 100 end
      end
    end
  end

  return records
end
