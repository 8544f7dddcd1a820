-- A position's life: opened, modified, closed. All three are facts that no client may miss.
rule "position_opened" {
  on = "position_opened",
  payload = {
    {
      position = {
        "ticket", "symbol", { type = "side" }, "volume", { price = "price_open" }, { open_price = "price_open" },
        { current_price = "price_current" }, "sl", "tp", "profit", "swap", "commission", "magic", "comment",
        { open_time = "time_open" }, "position_id",
      },
    },
    when "synthetic", -- rebuilt from deals: it was opened and closed between two polls
  },
}

rule "position_modified" {
  on = "position_modified",
  payload = {
    "ticket", "position_id", "symbol",
    {
      changes = changes {
        "sl", "tp", "volume", { open_price = "price_open" }, "ticket", "magic", "comment", "external_id", "symbol",
        { type = "side" },
      },
    },
    when "estimated", -- a part was closed and no deal has said for how much
  },
}

rule "position_closed" {
  on = "position_closed",
  payload = {
    "ticket", "position_id", "symbol", "side", "volume", { open_price = "price_open" }, "close_price",
    "profit", "swap", "commission", "net_profit", { open_time = "time_open" }, { close_time = "time_close" },
    { reason = "close_reason" },
    when "estimated", -- no deal has confirmed these figures
    when "synthetic",
  },
}

expect "position_opened" {
  moment = { ticket = 501, symbol = "EURUSD", side = "buy", volume = 1, price_open = 1.085, sl = 1.08 },
  gives = {
    position = {
      ticket = 501, position_id = 501, symbol = "EURUSD", type = "buy", volume = 1, price = 1.085, open_price = 1.085,
      current_price = 1.085, sl = 1.08, profit = 0, swap = 0, commission = 0, magic = 0, comment = "",
      open_time = "2026-01-01T00:00:00.000Z",
    },
  },
}

expect "position_opened" {
  moment = { ticket = 501, synthetic = true },
  gives = including { synthetic = true },
}

expect "position_modified" {
  moment = { ticket = 501, sl = 1.08, was = { sl = nothing } },
  gives = { ticket = 501, position_id = 501, symbol = "EURUSD", changes = { sl = { new = 1.08 } } },
}

expect "position_modified" { -- a price that moves is no modification
  moment = { ticket = 501, price_current = 1.09, was = { price_current = 1.085 } },
  gives = nothing,
}

expect "position_closed" {
  moment = {
    ticket = 501, profit = 120, swap = -1.5, commission = -3.5, close_price = 1.0862, net_profit = 115,
    time_close = "2026-01-01T10:00:00Z", close_reason = "tp",
  },
  gives = {
    ticket = 501, position_id = 501, symbol = "EURUSD", side = "buy", volume = 1, open_price = 1.085,
    close_price = 1.0862, profit = 120, swap = -1.5, commission = -3.5, net_profit = 115,
    open_time = "2026-01-01T00:00:00.000Z", close_time = "2026-01-01T10:00:00.000Z", reason = "tp",
  },
}

expect "position_closed" {
  moment = { ticket = 501, estimated = true },
  gives = including { estimated = true },
}
