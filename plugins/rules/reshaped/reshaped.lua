-- Another platform's words: its clients read {"event":"trade.open","sequence":7,"ts":"…","data":{…}}.
envelope { type = "event", seq = "sequence", rev = "revision", timestamp = "ts", payload = "data" }

local instrument = { "symbol", { direction = "side" }, { lots = "volume" } }

rule "trade_open" {
  on = "position_opened",
  type = "trade.open",
  payload = {
    { id = "position_id" }, { instrument = instrument },
    { entry = { { price = "price_open" }, { time = "time_open" } } },
    { protection = { { stop_loss = "sl" }, { take_profit = "tp" } } }, { account = { { login = "account.login" } } },
  },
}

rule "trade_change" {
  on = "position_modified",
  type = "trade.change",
  payload = {
    { id = "position_id" }, { kind = "change" },
    { changes = changes { { stop_loss = "sl" }, { take_profit = "tp" }, { lots = "volume" } } },
  },
}

rule "trade_close" {
  on = "position_closed",
  type = "trade.close",
  payload = {
    { id = "position_id" }, { instrument = instrument },
    { exit = { { price = "close_price" }, { time = "time_close" }, { reason = "close_reason" } } },
    { result = { { gross = "profit" }, "swap", { fees = "commission" }, { net = "net_profit" } } },
    { confirmed = when("estimated", const(false)) },
  },
}

rule "funds" {
  watch = { "balance", "equity", "margin_free" },
  lane = "latest",
  payload = { { funds = { "balance", "equity", { available = "margin_free" } } }, { currency = "currency" } },
}

rule "snapshot" {
  on = "snapshot",
  payload = {
    { account = { "login", { funds = { "balance", "equity", { available = "margin_free" } } }, "currency" } },
    {
      positions = positions {
        { id = "position_id" }, { instrument = instrument },
        { entry = { { price = "price_open" }, { time = "time_open" } } },
        { protection = { { stop_loss = "sl" }, { take_profit = "tp" } } }, { profit = "profit" },
      },
    },
  },
}

expect "trade_open" {
  moment = { position_id = 7, side = "sell", volume = 0.5, sl = 1.09 },
  gives = {
    id = 7, instrument = { symbol = "EURUSD", direction = "sell", lots = 0.5 },
    entry = { price = 1.085, time = "2026-01-01T00:00:00.000Z" }, protection = { stop_loss = 1.09 },
    account = { login = "1001" },
  },
}

expect "trade_change" {
  moment = { position_id = 7, change = "partial_close", volume = 0.25, was = { volume = 0.5 } },
  gives = { id = 7, kind = "partial_close", changes = { lots = { old = 0.5, new = 0.25 } } },
}

expect "trade_close" {
  moment = { position_id = 7, profit = -20, commission = -1, net_profit = -21, estimated = true },
  gives = including {
    id = 7, result = { gross = -20, swap = 0, fees = -1, net = -21 }, confirmed = false,
  },
}

expect "funds" {
  now = { balance = 500 },
  gives = { funds = { balance = 500, equity = 10000, available = 9000 }, currency = "USD" },
}

expect "snapshot" {
  now = { positions = { { position_id = 7 } } },
  gives = including { positions = { including { id = 7, profit = 0 } } },
}
