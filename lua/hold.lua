-- `every`: at most one event in so many seconds for each account, and the newest when the time is up.
--
-- What is held back is the text of the newest event; of a shape over the account, it is the state before
-- the first change that was held back, so that `changes` later tells all that the client has not seen.
local ffi = require("ffi")
local verdict = require("verdict")
local SPOKE, NO_PAYLOAD, HELD, NOTHING_DUE = verdict.SPOKE, verdict.NO_PAYLOAD, verdict.HELD, verdict.NOTHING_DUE

return function(rt)
  local work, view = rt.work, rt.view
  local SPOKEN, EMPTY, TOO_BIG = 0, 1, 3
  local verdicts = { [0] = SPOKE, NO_PAYLOAD, verdict.OVER_BOUND }
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
    return HELD
  end

  local function sent(span, result)
    if result ~= EMPTY then span.sent = work.now_ms end
    span.held, span.state = nil, nil
    return verdicts[result]
  end

  -- Each answers the verdict on its step.

  -- Says a payload that is JSON text already.
  function hold.text(rule, text)
    if not rule.every_ms then return verdicts[check(rule, work.speak(work, rule.index, text, #text))] end
    local span = span_of(rule)
    if is_open(rule, span) then return sent(span, check(rule, work.speak(work, rule.index, text, #text))) end
    span.held = text
    return keep(rule, span)
  end

  -- Says a shape, about a moment's index or a TGL_STEP_.
  function hold.shape(rule, program, moment)
    if not rule.every_ms then
      local result = check(rule, work.draw(work, program, moment, nil))
      if result == SPOKEN then result = work.speak_text(work, rule.index) end
      return verdicts[result]
    end
    local span = span_of(rule)
    if rule.watch then
      span.state = span.state or view.state()
      if is_open(rule, span) then return hold.due(rule) end
      return keep(rule, span)
    end
    local result = check(rule, work.draw(work, program, moment, nil))
    if result ~= SPOKEN then return verdicts[result] end
    return hold.text(rule, ffi.string(work.text, work.text_len))
  end

  -- Says what was held back, if its time has come.
  function hold.due(rule)
    local span = rule.spans[work.slot]
    if not span or span.birth ~= work.birth or not (span.held or span.state) then return NOTHING_DUE end
    if not is_open(rule, span) then return keep(rule, span) end
    if span.held then
      return sent(span, check(rule, work.speak(work, rule.index, span.held, #span.held)))
    end
    local result = check(rule, work.draw(work, rule.programs.watch, -1, span.state))
    if result == SPOKEN then result = work.speak_text(work, rule.index) end
    return sent(span, result)
  end

  return hold
end
