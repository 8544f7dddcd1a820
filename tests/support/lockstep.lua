-- Stories of one kind that are lived side by side: each step is done for all of them before the next one is, so that
-- waiting costs as much for twenty as for one. A story that goes wrong is over, and its own spec tells why.
--
--   setup(function() lockstep.live(cases, { open, 700, close }) end)     -- a step is a function of the case, or ms for all
--   it("…", function() lockstep.verify(case) … end)
local loop = require("support.loop")

local lockstep = {}

-- `cases` is a list of tables; `case.why` is what went wrong.
function lockstep.live(cases, steps)
  for _, step in ipairs(steps) do
    if type(step) == "number" then
      loop.sleep(step)
    else
      for _, case in ipairs(cases) do
        if not case.why then
          local good, why = pcall(step, case)
          if not good then case.why = why end
        end
      end
    end
  end
end

function lockstep.verify(case)
  if case.why then error(case.why, 0) end
end

return lockstep
