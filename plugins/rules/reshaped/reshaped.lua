-- Another platform's words: its clients read {"event":"trade.open","sequence":7,"ts":"…","data":{…}}.
envelope { type = "event", seq = "sequence", rev = "revision", timestamp = "ts", payload = "data" }

local instrument = { "symbol", { direction = "side" }, { lots = "volume" } }

return {
  rule "trade_open" {
    on = "position_opened",
    type = "trade.open",
    payload = {
      { id = "position_id" }, { instrument = instrument },
      { entry = { { price = "price_open" }, { time = "time_open" } } },
      { protection = { { stop_loss = "sl" }, { take_profit = "tp" } } }, { account = { { login = "account.login" } } },
    },
  },

  rule "trade_change" {
    on = "position_modified",
    type = "trade.change",
    payload = {
      { id = "position_id" }, { kind = "change" },
      { changes = changes { { stop_loss = "sl" }, { take_profit = "tp" }, { lots = "volume" } } },
    },
  },

  rule "trade_close" {
    on = "position_closed",
    type = "trade.close",
    payload = {
      { id = "position_id" }, { instrument = instrument },
      { exit = { { price = "close_price" }, { time = "time_close" }, { reason = "close_reason" } } },
      { result = { { gross = "profit" }, "swap", { fees = "commission" }, { net = "net_profit" } } },
      { confirmed = when("estimated", const(false)) },
    },
  },

  rule "funds" {
    watch = { "balance", "equity", "margin_free" },
    lane = "latest",
    payload = { { funds = { "balance", "equity", { available = "margin_free" } } }, { currency = "currency" } },
  },

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
  },
}
