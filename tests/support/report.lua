-- busted's plain report with a line a file: its name is written before it runs and how long it took after it, so that
-- a process that dies says in which file, and every run measures itself. The slowest files stand at the end.
local busted = require("busted")
local plain = require("busted.outputHandlers.plainTerminal")

local SLOWEST = 8

return function(options)
  local handler = plain(options)
  local took, began = {}, nil

  -- Before the plain handler's own words: `priority` 1 comes first.
  busted.subscribe({ "file", "start" }, function(file)
    began = busted.monotime()
    io.write(file.name, " ")
    io.flush()
    return nil, true
  end, { priority = 1 })

  busted.subscribe({ "file", "end" }, function(file)
    local seconds = busted.monotime() - began
    took[#took + 1] = { name = file.name, seconds = seconds }
    io.write((" %.2f s\n"):format(seconds))
    io.flush()
    return nil, true
  end, { priority = 1 })

  busted.subscribe({ "suite", "end" }, function()
    if #took > SLOWEST then
      table.sort(took, function(a, b) return a.seconds > b.seconds end)
      io.write("\nslowest:")
      for i = 1, SLOWEST do
        io.write((" %s %.1f s%s"):format(took[i].name:match("([^/]+)_spec%.lua$") or took[i].name, took[i].seconds,
          i < SLOWEST and "," or ""))
      end
    end
    return nil, true
  end, { priority = 1 })

  return handler
end
