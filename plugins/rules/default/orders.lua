-- A pending order's life: placed, modified, removed. Only sources that list pending orders tell it.
return {
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
  },

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
  },

  rule "order_removed" {
    on = "order_removed",
    payload = {
      "ticket", "symbol", { order_type = "type" }, "state", -- filled, cancelled, expired, rejected, partial, or unknown
      "volume_initial", "volume_current", { price = "price_open" }, "position_id", { setup_time = "time_setup" },
      { done_time = "time_done" },
      when "estimated", -- it is gone, and neither the history nor the deals have said how it ended
      when "synthetic",
    },
  },
}
