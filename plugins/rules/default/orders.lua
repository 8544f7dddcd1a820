-- A pending order's life: placed, modified, removed. Only sources that list pending orders tell it.
rule "order_placed" {
  on = "order_placed",
  payload = {
    {
      order = {
        "ticket", "symbol", "type", "state", "volume_initial", "volume_current", { price = "price_open" },
        "price_stoplimit", "price_current", "sl", "tp", "type_time", { expiration_time = "time_expiration" },
        "magic", "comment", { setup_time = "time_setup" },
      },
    },
    when "synthetic", -- rebuilt from the history: it was placed and had ended between two polls
  },
}

rule "order_modified" {
  on = "order_modified",
  payload = {
    "ticket", "symbol", { order_type = "type" }, "change",
    {
      changes = changes {
        { price = "price_open" }, "price_stoplimit", "sl", "tp", "volume_initial", "volume_current", "type",
        "type_time", { expiration_time = "time_expiration" }, "magic", "comment", "external_id",
      },
    },
  },
}

rule "order_removed" {
  on = "order_removed",
  payload = {
    "ticket", "symbol", { order_type = "type" }, "state", -- filled, cancelled, expired, rejected, partial, or unknown
    "volume_initial", "volume_current", { price = "price_open" }, "position_id", { setup_time = "time_setup" },
    { done_time = "time_done" },
    when "estimated", -- it is gone, and neither the history nor the deals have said how it ended
    when "synthetic",
  },
}

expect "order_placed" {
  moment = { ticket = 801, type = "sell_stop", price_open = 1.08, sl = 1.09 },
  gives = {
    order = including {
      ticket = 801, symbol = "EURUSD", type = "sell_stop", state = "placed", volume_initial = 1, price = 1.08,
      sl = 1.09, tp = nothing, setup_time = "2026-01-01T00:00:00.000Z",
    },
  },
}

expect "order_modified" {
  moment = { ticket = 801, change = "other", price_open = 1.07, was = { price_open = 1.08 } },
  gives = {
    ticket = 801, symbol = "EURUSD", order_type = "buy_limit", change = "other",
    changes = { price = { old = 1.08, new = 1.07 } },
  },
}

expect "order_removed" {
  moment = { ticket = 801, state = "filled", position_id = 501, time_done = "2026-01-01T10:00:00Z" },
  gives = including { state = "filled", position_id = 501, done_time = "2026-01-01T10:00:00.000Z" },
}

expect "order_removed" {
  moment = { ticket = 801, state = "unknown", estimated = true },
  gives = including { state = "unknown", estimated = true },
}
