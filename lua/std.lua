-- The helpers that rules have.
local ffi = require("ffi")

return function(rt)
  local work, native = rt.work, rt.native
  local std = {}

  -- A number at so many decimals (0), half away from zero; nil stays nil.
  function std.round(value, digits)
    if value == nil then return nil end
    return work.round(value, digits or 0)
  end

  -- part of whole in percent; nil when one is not known or the whole is 0.
  function std.percent(part, whole)
    if part == nil or whole == nil or whole == 0 then return nil end
    return part / whole * 100
  end

  -- "up" or "down" when a value has just passed a threshold between was and now, else nil. Reaching it
  -- from below counts as passing.
  function std.crossed(now, was, threshold)
    if now == nil or was == nil then return nil end
    if was < threshold and now >= threshold then return "up" end
    if was >= threshold and now < threshold then return "down" end
  end

  -- True at most once in so many seconds, for each key of this memory.
  function std.throttle(memory, key, seconds)
    if type(memory) ~= "table" then error("throttle: the rule's memory is expected first", 2) end
    local slot = "throttle:" .. tostring(key)
    local last = memory[slot]
    if last and work.now_ms >= last and work.now_ms - last < seconds * 1000 then return false end
    memory[slot] = work.now_ms
    return true
  end

  -- The named fields of a view, as a table.
  function std.pick(view, ...)
    local out = {}
    for i = 1, select("#", ...) do
      local name = select(i, ...)
      out[name] = view[name]
    end
    return out
  end

  -- { name = { old, new, diff } } of the named fields that differ, or nil when none does.
  function std.diff(now, was, ...)
    local out
    for i = 1, select("#", ...) do
      local name = select(i, ...)
      local new, old = now[name], was[name]
      if new ~= old then
        out = out or {}
        out[name] = { old = old, new = new }
        if type(new) == "number" and type(old) == "number" then out[name].diff = work.round(new - old, 8) end
      end
    end
    return out
  end

  -- UTC milliseconds as ISO 8601; nil stays nil.
  function std.iso8601(ms)
    if ms == nil then return nil end
    return ffi.string(work.iso8601(work, ms))
  end

  -- The gateway's time in UTC milliseconds: the same for all that one poll sets off.
  function std.now()
    return tonumber(work.now_ms)
  end

  -- A value as JSON text.
  function std.json(value)
    local text, why = native.encode(value, "value")
    if not text then error(why, 2) end
    return text
  end

  -- Marks a table as a list, so that it is [] and not {} while it is empty.
  function std.list(t)
    return native.list(t or {})
  end

  -- A function that writes a line to the log, for a file's rules.
  function std.log_of(file)
    return function(...)
      local out = {}
      for i = 1, math.min(select("#", ...), 20) do
        out[i] = tostring((select(i, ...))):sub(1, 500)
      end
      work.note(work, file, table.concat(out, " "):sub(1, 1000))
    end
  end

  return std
end
