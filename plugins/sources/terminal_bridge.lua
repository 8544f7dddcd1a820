-- The terminal bridge of examples/bridge: one document tells everything, and what it could not read is null.
--
--   source = { url = "http://bridge:8228", mapping = "terminal_bridge",
--              headers = { Authorization = "Bearer " .. env "MT5_BRIDGE_TOKEN" } }
local python = mapping "metatrader5_python"
local bridge = {}

bridge.requests = { snapshot = { path = "/snapshot?deals_since={since_ms}" } }

-- Rows with the decimals of their symbols, where the bridge tells them.
local function with_digits(symbols, convert)
  return function(row)
    local out = convert(row)
    local symbol = symbols and symbols[row.symbol]
    out.digits = symbol and symbol.digits
    return out
  end
end

-- Without the broker's offset no time of the broker's is worth anything: better none than one that is hours off.
local function without_times(row)
  row.time_open, row.time_update, row.time_setup, row.time_expiration, row.time_done = nil, nil, nil, nil, nil
  return row
end

function bridge.map(_, document, context)
  local symbols, offset = document.symbols, document.utc_offset_seconds
  local known = offset ~= nil or context.utc_offset_seconds ~= 0
  local function rows(list, convert)
    local sized = with_digits(symbols, convert)
    return python.rows(list, known and sized or function(row) return without_times(sized(row)) end)
  end
  return {
    connected = document.connected, login = document.login, time = document.time_utc_ms, utc_offset_seconds = offset,
    account = document.account and python.account(document.account),
    positions = rows(document.positions, python.position),
    orders = rows(document.orders, python.order),
    history = known and rows(document.history_orders, python.order) or nil,
    deals = known and rows(document.deals, python.deal) or nil,
  }
end

return bridge
