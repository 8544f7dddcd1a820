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

-- Rows keep the wall clock that they were written by when summer time begins. The gateway reads every time by the
-- offset of now, so those of before a shift are told as the clock of now would have had them.
local function by_clock_of_now(shifts, offset)
  local function steady(time)
    if not time then return nil end
    local unit = time >= 1e11 and 1000 or 1
    local held = offset
    for i = #shifts, 1, -1 do
      if time >= shifts[i].before * unit then break end
      held = shifts[i].utc_offset_seconds
    end
    return time + (offset - held) * unit
  end
  return function(row)
    row.time_open, row.time_update, row.time = steady(row.time_open), steady(row.time_update), steady(row.time)
    row.time_setup, row.time_expiration = steady(row.time_setup), steady(row.time_expiration)
    row.time_done = steady(row.time_done)
    return row
  end
end

function bridge.map(_, document, context)
  local symbols, offset = document.symbols, document.utc_offset_seconds
  local known = offset ~= nil or context.utc_offset_seconds ~= 0
  local shifts = offset and document.utc_offset_shifts or {}
  local timed = not known and without_times or shifts[1] and by_clock_of_now(shifts, offset)
  local function rows(list, convert)
    local sized = with_digits(symbols, convert)
    return python.rows(list, timed and function(row) return timed(sized(row)) end or sized)
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
