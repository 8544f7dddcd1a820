-- The whole state, for a client that has just come.
return rule "snapshot" {
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
