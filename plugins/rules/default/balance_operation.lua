-- Money that moved without a trade: a deposit, a withdrawal, credit, a charge, a correction, a bonus, interest, …
rule "balance_operation" {
  on = "balance_operation",
  payload = { "ticket", { operation = "action" }, { amount = "profit" }, "time", "comment" },
}

expect "balance_operation" {
  moment = { ticket = 9, action = "balance", profit = -250, time = "2026-01-01T10:00:00Z", comment = "withdrawal" },
  gives = {
    ticket = 9, operation = "balance", amount = -250, time = "2026-01-01T10:00:00.000Z", comment = "withdrawal",
  },
}
