-- A position's life: opened, modified, closed. All three are facts that no client may miss.
return {
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
  },

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
  },

  rule "position_closed" {
    on = "position_closed",
    payload = {
      "ticket", "position_id", "symbol", "side", "volume", { open_price = "price_open" }, "close_price",
      "profit", "swap", "commission", "net_profit", { open_time = "time_open" }, { close_time = "time_close" },
      { reason = "close_reason" },
      when "estimated", -- no deal has confirmed these figures
      when "synthetic",
    },
  },
}
