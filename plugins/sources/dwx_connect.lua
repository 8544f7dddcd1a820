-- The file of the DWX Connect expert advisor (DWX_Orders.txt), put on HTTP as it stands: one document with the
-- account and every order under its ticket, open positions and waiting ones alike. It has no deals, so closes are
-- told from what was last seen and marked `estimated`.
--
--   source = { url = "http://terminal:8080", mapping = "dwx_connect", utc_offset_seconds = 10800 }
local dwx = {}

dwx.requests = { snapshot = { path = "/DWX_Orders.txt" } }

-- "2026.03.02 10:00:00" is the broker's wall clock.
local function time_of(text)
  if #text == 19 then return text:sub(1, 4) .. "-" .. text:sub(6, 7) .. "-" .. text:sub(9,
  10) .. "T" .. text:sub(12) end
end

local waiting = {
  buylimit = "buy_limit", selllimit = "sell_limit", buystop = "buy_stop", sellstop = "sell_stop",
  buystoplimit = "buy_stop_limit", sellstoplimit = "sell_stop_limit",
}

function dwx.map(_, document)
  local info, positions, orders = document.account_info, {}, {}
  if is_list(document.orders) then error("orders by their tickets were expected") end
  local margin = info.equity - info.free_margin
  for ticket, row in pairs(document.orders) do
    local order_type = waiting[row.type:lower():gsub("[_ ]", "")]
    local opened = row.open_time and time_of(row.open_time)
    if order_type then
      orders[#orders + 1] = {
        ticket = ticket, symbol = row.symbol, type = order_type, state = "placed", volume_initial = row.lots,
        volume_current = row.lots, price_open = row.open_price, sl = row.SL, tp = row.TP, magic = row.magic,
        comment = row.comment, time_setup = opened,
      }
    else
      positions[#positions + 1] = {
        ticket = ticket, position_id = ticket, symbol = row.symbol, side = row.type, volume = row.lots,
        price_open = row.open_price, sl = row.SL, tp = row.TP, profit = row.pnl, swap = row.swap, magic = row.magic,
        comment = row.comment, time_open = opened,
      }
    end
  end
  return {
    account = {
      login = info.number, name = info.name, currency = info.currency, leverage = info.leverage, balance = info.balance,
      equity = info.equity, profit = info.equity - info.balance, margin = margin, margin_free = info.free_margin,
      margin_level = margin > 0 and info.equity / margin * 100 or 0,
    },
    positions = positions, orders = orders,
  }
end

return dwx
