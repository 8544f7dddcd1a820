-- The whole state, for a client that has just come.
rule "snapshot" {
  on = "snapshot",
  payload = {
    {
      account = {
        "balance", "equity", "profit", "margin", { free_margin = "margin_free" }, "margin_level", "currency",
        "leverage", "credit", "login", "name", "server", "positions_count",
      },
    },
    {
      positions = positions {
        "ticket", "symbol", { type = "side" }, "volume", { price = "price_open" }, { open_price = "price_open" },
        { current_price = "price_current" }, "sl", "tp", "profit", "swap", "commission", "magic", "comment",
        { open_time = "time_open" }, "position_id",
      },
    },
    {
      orders = when("orders_known", orders {
        "ticket", "symbol", "type", "state", "volume_initial", "volume_current", { price = "price_open" },
        "price_stoplimit", "price_current", "sl", "tp", "type_time", { expiration_time = "time_expiration" }, "magic",
        "comment", { setup_time = "time_setup" },
      }),
    },
  },
}

expect "snapshot" {
  now = { balance = 500, positions = { { ticket = 501, profit = 12 }, { ticket = 502, symbol = "GOLD" } } },
  gives = {
    account = including { balance = 500, free_margin = 9000, positions_count = 2 },
    positions = { including { ticket = 501, profit = 12 }, including { ticket = 502, symbol = "GOLD", type = "buy" } },
    orders = {},
  },
}

expect "snapshot" { -- a source that does not tell orders says nothing of them, and not that there are none
  { gives = including { positions = {}, orders = {} } },
  { now = { orders_known = false }, gives = { account = any, positions = {} } },
}
