-- The event loop of the system specs: they read top to bottom, and every wait in them runs the loop until
-- what they wait for is there or the time is up. So all clients and processes of a spec make progress together.
local uv = require("luv")

local loop = {}

-- What surely comes is waited for so many times longer than a quiet machine needs: a busy one needs it, and where it
-- comes in time nothing is lost. Specs give the time of a quiet machine. What must not come is listened for exactly.
local PATIENCE = 4

function loop.patience(timeout_ms)
  return timeout_ms * PATIENCE
end

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
  uv.update_time() -- the loop's clock stood still while the spec computed
  -- It repeats: one that is due when the loop begins to turn would be gone, and the turn would wait for others for ever.
  timer:start(timeout_ms, 10, function()
    expired = true
  end)
  while not got and not expired do
    uv.run("once")
    got = ready()
  end
  loop.close(timer)
  return got or nil
end

-- The same for what surely comes.
function loop.await(ready, timeout_ms)
  return loop.wait(ready, loop.patience(timeout_ms))
end

-- Lets the loop run for some milliseconds.
function loop.sleep(ms)
  loop.wait(function()
    return false
  end, ms)
end

-- Waits until `check()`, which may run the loop itself, gives something true for what surely comes; that, or nil.
function loop.eventually(check, timeout_ms)
  local deadline = loop.now() + loop.patience(timeout_ms)
  repeat
    local got = check()
    if got then return got end
    loop.sleep(20)
  until loop.now() > deadline
  return nil
end

-- Milliseconds of the monotonic clock, for measuring.
function loop.now()
  return uv.hrtime() / 1e6
end

return loop
