-- `every`: at most one event in so many seconds for each account, and the newest when the time is up.
--
-- What is held back is the text of the newest event; of a shape over the account, it is the state before
-- the first change that was held back, so that `changes` later tells all that the client has not seen.
local ffi = require("ffi")

return function(rt)
  local work, view = rt.work, rt.view
  local SPOKEN, EMPTY, TOO_BIG = 0, 1, 3
  local hold = {}

  local function check(rule, result)
    if result == TOO_BIG then error(('rule "%s": its payload is over the bound of a payload'):format(rule.name), 0) end
    return result
  end

  local function span_of(rule)
    local span = rule.spans[work.slot]
    if not span or span.birth ~= work.birth then
      span = { birth = work.birth, sent = -math.huge }
      rule.spans[work.slot] = span
    end
    return span
  end

  -- Whether the time is up. A clock that was set back must not hold an event for longer than `every`.
  local function is_open(rule, span)
    local since = work.now_ms - span.sent
    return since >= rule.every_ms or since < 0
  end

  local function keep(rule, span)
    work.wake(work, span.sent + rule.every_ms)
  end

  local function sent(span, result)
    if result ~= EMPTY then span.sent = work.now_ms end
    span.held, span.state = nil, nil
  end

  -- Says a payload that is JSON text already.
  function hold.text(rule, text)
    if not rule.every_ms then
      check(rule, work.speak(work, rule.index, text, #text))
      return
    end
    local span = span_of(rule)
    if is_open(rule, span) then
      sent(span, check(rule, work.speak(work, rule.index, text, #text)))
    else
      span.held = text
      keep(rule, span)
    end
  end

  -- Says a shape, about a moment's index or a TGL_STEP_.
  function hold.shape(rule, program, moment)
    if not rule.every_ms then
      if check(rule, work.draw(work, program, moment, nil)) == SPOKEN then work.speak_text(work, rule.index) end
      return
    end
    local span = span_of(rule)
    if rule.watch then
      span.state = span.state or view.state()
      if is_open(rule, span) then
        hold.due(rule)
      else
        keep(rule, span)
      end
      return
    end
    if check(rule, work.draw(work, program, moment, nil)) == SPOKEN then
      hold.text(rule, ffi.string(work.text, work.text_len))
    end
  end

  -- Says what was held back, if its time has come.
  function hold.due(rule)
    local span = rule.spans[work.slot]
    if not span or span.birth ~= work.birth or not (span.held or span.state) then return end
    if not is_open(rule, span) then return keep(rule, span) end
    if span.held then
      sent(span, check(rule, work.speak(work, rule.index, span.held, #span.held)))
      return
    end
    local result = check(rule, work.draw(work, rule.programs.watch, -1, span.state))
    if result == SPOKEN then result = work.speak_text(work, rule.index) end
    sent(span, result)
  end

  return hold
end
