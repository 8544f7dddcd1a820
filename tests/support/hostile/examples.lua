-- Examples (`expect`) that do harm: they run on the gateway's own thread before a file may go live.
local RULE = 'rule "a" { watch = { "equity" }, to = function() return true end }\n'
local SHOWN = 'expect "a" { now = { equity = 1 }, gives = any }\n'

local function example(members)
  return RULE .. ('expect "a" { %s }'):format(members)
end

return {
  threat = "a gateway that hangs, grows or tells nonsense because of an example in a file that was dropped in",
  bound = "three million instructions and three quarters of a second an example, rules.load_ms for all of a set, rules.memory_mb",
  stop = "refused", at = "file",

  { "a rule that loops in its example", 'rule "a" { watch = { "equity" }, detect = function() while true do end end }\n' .. SHOWN,
    says = "still running after its quota" },
  { "a rule that swallows the stop", 'rule "a" { watch = { "equity" }, only = function() while true do pcall(function() while true do end end) end end }\n'
    .. SHOWN, says = "still running after its quota" },
  { "a filter that loops", 'rule "a" { watch = { "equity" }, to = function() while true do end end }\n'
    .. 'expect "a" { now = { equity = 1 }, reaches = true }', says = "still running after its quota" },
  { "a rule that eats memory", 'rule "a" { watch = { "equity" }, detect = function() local t = {} while true do t[#t + 1] = { #t } end end }\n'
    .. SHOWN, says = 'm.lua:2: expect "a": not enough memory' },
  { "a rule that says too much", 'rule "a" { watch = { "equity" }, payload = function() return { x = ("y"):rep(65536) .. "y" } end }\n'
    .. SHOWN, says = "over the bound of a payload" },
  { "an error that is a table", 'rule "a" { watch = { "equity" }, detect = function() error({}) end }\n' .. SHOWN,
    says = 'm.lua:2: expect "a": an error that is a table' },
  { "a memory that holds itself", "local t = {} t.t = t " .. example("memory = t, now = { equity = 1 }, gives = any"),
    says = 'm.lua:2: expect "a": memory: nested more than 16 deep, or within itself' },
  { "claims that hold themselves", "local t = {} t.t = t " .. example("client = { claims = t }, now = { equity = 1 }, reaches = true"),
    says = "client.claims: nested more than 16 deep, or within itself" },
  { "a payload that is expected within itself", "local t = {} t.equity = t " .. example("now = { equity = 1 }, gives = t"),
    says = "gives.equity: expected" },
  { "a million positions", "local t = {} for i = 1, 60000 do t[i] = {} end "
    .. example("now = { equity = 1, positions = t }, gives = any"), says = 'm.lua:2: expect "a"' },
  { "positions that are texts", example('now = { equity = 1, positions = { "x" } }, gives = any'), says = "now.positions[1]: a table" },
  { "positions that are a function", example("now = { equity = 1, positions = print }, gives = any"), says = "now.positions: a list" },
  { "a number that is none", example("now = { equity = 0 / 0 }, gives = any"), says = "now.equity: a number is expected, not nan" },
  { "a number without end", example("now = { equity = 1 / 0 }, gives = any"), says = "now.equity: a number is expected, not inf" },
  { "a number that is a view of nothing", example("now = { equity = 5LL }, gives = any"), says = "now.equity: a number is expected" },
  { "a whole number that is too large", example("now = { equity = 1, leverage = 2 ^ 31 }, gives = any"), says = "now.leverage: a whole number" },
  { "an id that is none", example("now = { equity = 1, positions = { { ticket = -1.5 } } }, gives = any"), says = "now.positions[1].ticket: a whole number" },
  { "a text that is too long", example('now = { equity = 1, positions = { { symbol = ("x"):rep(5000) } } }, gives = any'),
    says = "symbol: a text of at most 31 bytes" },
  { "a time that is none", example("at = 0 / 0, now = { equity = 1 }, gives = any"), says = "at: a time is a text" },
  { "a time after all times", example("at = 1e300, now = { equity = 1 }, gives = any"), says = "at: a time is a text" },
  { "a step back in time", example("after = -1, now = { equity = 1 }, gives = any"), says = "after: 0 to 31622400 seconds" },
  { "a step without end", example("after = 1 / 0, now = { equity = 1 }, gives = any"), says = "after: 0 to 31622400 seconds" },
  { "an option that is a table", "local w = option('warn', 5) " .. example("options = { warn = {} }, now = { equity = 1 }, gives = any"),
    says = 'option "warn": the example gives a table' },
  { "a name that steers a terminal", RULE .. 'expect "\\27[2J" { now = { equity = 1 }, gives = any }', says = "the name of a rule is expected" },
  { "a name that is a table", RULE .. "expect({})", says = "the name of a rule is expected" },
  { "an example of another file's rule", RULE .. 'expect "first" { now = { balance = 1 }, gives = any }', says = "stands in the file of its rule" },
  { "an example that changes itself while it is tried", "local s s = { { now = { equity = 1 }, gives = any }, { now = { equity = 2 } } }\n"
    .. 'rule "a" { watch = { "equity" }, detect = function() s[1].gives = nil s[2] = nil end }\nexpect "a" (s)', says = "gives: expected any value" },
  { "a file that is another each time it runs", 'n = 0 rule "a" { watch = { "equity" }, detect = function() n = n + 1 return n == 1 and {} end }\n'
    .. 'expect "a" { { now = { equity = 1 }, gives = {} }, { now = { equity = 2 }, gives = {} } }', says = "step 2: gives: expected {}, got nothing" },
}
