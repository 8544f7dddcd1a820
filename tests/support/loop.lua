-- The event loop of the system specs: they read top to bottom, and every wait in them runs the loop until
-- what they wait for is there or the time is up. So all clients and processes of a spec make progress together.
local uv = require("luv")

local loop = {}

-- Closes a handle and lets the loop see it: one that is still closing when the interpreter ends crashes it.
function loop.close(handle)
  if not handle:is_closing() then handle:close() end
  uv.run("nowait")
end

-- Runs the loop until `ready()` gives something true, and returns that; nil when `timeout_ms` passed first.
function loop.wait(ready, timeout_ms)
  local got = ready()
  if got then return got end
  local expired = false
  local timer = uv.new_timer()
  timer:start(timeout_ms, 0, function()
    expired = true
  end)
  while not got and not expired do
    uv.run("once")
    got = ready()
  end
  loop.close(timer)
  return got or nil
end

-- Lets the loop run for some milliseconds.
function loop.sleep(ms)
  loop.wait(function()
    return false
  end, ms)
end

-- Milliseconds of the monotonic clock, for measuring.
function loop.now()
  return uv.hrtime() / 1e6
end

return loop
