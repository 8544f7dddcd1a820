-- Tells a risk desk of every trade that is large: in lots, or for the account that made it. Only clients whose
-- token has the claim `role` with the value "risk" hear of it.
local lots = option("lots", 10) -- 0: not judged by lots
local margin_percent = option("margin_percent", 50) -- of the equity in margin after the trade; 0: not judged by it
local role = option("role", "risk")

local function why_large(position, account)
  if lots > 0 and position.volume >= lots then return "volume" end
  local used = percent(account.margin, account.equity)
  if margin_percent > 0 and used and used >= margin_percent then return "margin" end
end

local function grew(moment)
  return moment.kind == "position_opened" or (moment.changed.volume and moment.volume > moment.was.volume)
end

rule "large_trade" {
  on = { "position_opened", "position_modified" },
  to = function(client) return client.claims.role == role end,
  detect = function(moment, _, account)
    return grew(moment) and why_large(moment, account)
  end,
  payload = function(moment, _, account, why)
    return {
      why = why,
      position_id = moment.position_id,
      symbol = moment.symbol,
      side = moment.side,
      volume = moment.volume,
      price = moment.price_open,
      login = account.login,
      equity = account.equity,
      margin_percent = round(percent(account.margin, account.equity), 2),
    }
  end,
}

expect "large_trade" {
  moment = { kind = "position_opened", volume = 10, symbol = "XAUUSD", price_open = 2400 },
  gives = {
    why = "volume", position_id = 501, symbol = "XAUUSD", side = "buy", volume = 10, price = 2400, login = "1001",
    equity = 10000, margin_percent = 10,
  },
  client = { claims = { role = "risk" } },
  reaches = true,
}

expect "large_trade" { moment = { kind = "position_opened", volume = 10 }, client = { claims = {} }, reaches = false }
expect "large_trade" { moment = { kind = "position_opened", volume = 9.99 }, gives = nothing }
expect "large_trade" {
  now = { margin = 6000 }, moment = { kind = "position_opened", volume = 1 }, gives = including { why = "margin" },
}
expect "large_trade" { -- a large position that shrinks is no news
  moment = { kind = "position_modified", volume = 20, was = { volume = 30 } }, gives = nothing,
}
expect "large_trade" {
  moment = { kind = "position_modified", volume = 20, was = { volume = 5 } }, gives = including { why = "volume" },
}
