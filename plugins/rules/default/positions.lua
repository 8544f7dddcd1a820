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
    when "estimated", -- a position that turned round, and no deal has confirmed it
    when "coalesced",
  },
}

rule "position_modified" {
  on = "position_modified",
  payload = {
    "ticket", "position_id", "symbol", "change",
    {
      changes = changes {
        "sl", "tp", "volume", { open_price = "price_open" }, "ticket", "magic", "comment", "external_id", "symbol",
        { type = "side" },
      },
    },
    -- A part was closed: the figures of its deals.
    { volume_closed = when({ change = "partial_close" }, "volume_closed") },
    { close_price = when({ change = "partial_close" }, "close_price") },
    { net_profit = when({ change = "partial_close" }, "net_profit") },
    { close_time = when({ change = "partial_close" }, "time_close") },
    { reason = when({ change = "partial_close" }, "close_reason") },
    { closed_by = when("position_by_id", "position_by_id") }, -- a close-by: the opposite position
    when "estimated", -- the volume moved and no deal has confirmed it
    when "coalesced", -- several changes between two polls, told as one
  },
}

rule "position_closed" {
  on = "position_closed",
  payload = {
    "ticket", "position_id", "symbol", "side", "volume", { open_price = "price_open" }, "close_price",
    "profit", "swap", "commission", "net_profit", { open_time = "time_open" }, { close_time = "time_close" },
    { reason = "close_reason" },
    { closed_by = when("position_by_id", "position_by_id") },
    when "estimated", -- no deal has confirmed these figures
    when "synthetic",
    when "coalesced",
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
  moment = { ticket = 501, change = "levels", sl = 1.08, was = { sl = nothing } },
  gives = {
    ticket = 501, position_id = 501, symbol = "EURUSD", change = "levels", changes = { sl = { new = 1.08 } },
  },
}

expect "position_modified" { -- a part was closed by an opposite position
  moment = {
    ticket = 501, change = "partial_close", volume = 0.6, volume_closed = 0.4, close_price = 1.09, net_profit = 20,
    time_close = "2026-01-01T10:00:00Z", close_reason = "manual", position_by_id = 77, was = { volume = 1 },
  },
  gives = including {
    change = "partial_close", volume_closed = 0.4, close_price = 1.09, net_profit = 20, reason = "manual",
    closed_by = 77, changes = { volume = { old = 1, new = 0.6 } },
  },
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
