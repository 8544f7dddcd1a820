-- Stops rules that never come back, thousands of times in one VM, and looks after each stop whether the VM is well.
-- Ends with 1 when one was not.
--
--   TIDEGATE_BUILD=build/release luajit tests/bench/preemption.lua [preemptions]        (3000 take a minute)
package.path = "./tests/?.lua;" .. package.path
local json = require("dkjson")
local preemption = require("support.preemption")

local got = preemption.run(math.ceil((tonumber(arg[1]) or 3000) / 10))
print(json.encode(got, { indent = true }))
os.exit(got.bad == 0 and got.bytes_lost == 0 and got.preemptions == got.rounds * 10 and 0 or 1)
