-- What an account holds of each symbol, whenever that changes: lots bought and sold, and what remains of them.
local function of(account)
  local by, out = {}, list {}
  for position in account:positions() do
    local row = by[position.symbol]
    if not row then
      row = { symbol = position.symbol, buy = 0, sell = 0, positions = 0 }
      by[position.symbol], out[#out + 1] = row, row
    end
    if row[position.side] and position.volume then row[position.side] = row[position.side] + position.volume end
    row.positions = row.positions + 1
  end
  table.sort(out, function(a, b) return a.symbol < b.symbol end)
  for _, row in ipairs(out) do
    row.buy, row.sell = round(row.buy, 8), round(row.sell, 8)
    row.net = round(row.buy - row.sell, 8)
  end
  return out
end

rule "exposure" {
  on = { "position_opened", "position_modified", "position_closed" },
  lane = "latest", -- the newest is what counts
  detect = function(_, memory, account)
    local symbols = of(account)
    local text = json(symbols)
    if text == (memory.told or "[]") then return nil end -- a stop was moved, or a poll's other events told it
    memory.told = text
    return { symbols = symbols }
  end,
}

expect "exposure" {
  {
    now = {
      positions = {
        { symbol = "XAUUSD", side = "sell", volume = 0.1 },
        { symbol = "EURUSD", side = "buy", volume = 0.1 },
        { symbol = "EURUSD", side = "buy", volume = 0.2 },
        { symbol = "EURUSD", side = "sell", volume = 0.5 },
      },
    },
    moment = { kind = "position_opened" },
    gives = {
      symbols = {
        { symbol = "EURUSD", buy = 0.3, sell = 0.5, net = -0.2, positions = 3 },
        { symbol = "XAUUSD", buy = 0, sell = 0.1, net = -0.1, positions = 1 },
      },
    },
  },
  { moment = { kind = "position_modified", sl = 1.08, was = { sl = nothing } }, gives = nothing },
  { now = { positions = {} }, moment = { kind = "position_closed" }, gives = { symbols = {} } },
}
