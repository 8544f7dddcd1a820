-- The beat: one call a tick. C has laid out the steps; each is one rule on one account. The cursor is in
-- shared memory, so when a step is stopped and takes this loop with it, C sends us back in behind it.
local ffi = require("ffi")
local verdict = require("verdict")
local pcall, type = pcall, type
local ONLY, SILENT, NO_PAYLOAD, FAULT = verdict.ONLY, verdict.SILENT, verdict.NO_PAYLOAD, verdict.FAULT
local RESTS, MUTED, NOT_RUN = verdict.RESTS, verdict.MUTED, verdict.NOT_RUN

return function(rt)
  local work, native, view, memory, hold, rules = rt.work, rt.native, rt.view, rt.memory, rt.hold, rt.rules
  local leash = work.leash
  local WATCH, DUE, TICK = -1, -2, -3
  local SAMPLE = 64 -- one call in so many is timed
  local MAX_WHY = 1000 -- bytes of an error's text
  local now, was -- views of the account that is loaded, made when first needed
  local beat = { WATCH = WATCH, DUE = DUE, TICK = TICK, TOLD = -4 }

  local function now_view()
    now = now or view.now()
    return now
  end

  local function encode(rule, value)
    if type(value) ~= "table" then
      error(('%s: rule "%s": payload is a %s, a table is expected'):format(rule.where, rule.name, type(value)), 0)
    end
    local taken = rt.envelope.taken_by(value)
    if taken then
      error(('%s: rule "%s": payload.%s: that name is the gateway\'s own'):format(rule.where, rule.name, taken), 0)
    end
    local text, why = native.encode(value, "payload")
    if not text then error(('%s: rule "%s": %s'):format(rule.where, rule.name, why), 0) end
    if text:byte() ~= 123 then
      error(('%s: rule "%s": payload is a list, a table of names is expected'):format(rule.where, rule.name), 0)
    end
    return text
  end

  local function run_watch(rule)
    if not rule.thinks then return hold.shape(rule, rule.programs.watch, WATCH) end
    local state, before
    if rule.lends then
      state, before = view.lend_now(), view.lend_was()
    else
      was = was or view.was()
      state, before = now_view(), was
    end
    if rule.only and not rule.only(state) then return ONLY end
    local value
    if rule.detect then
      if rule.remembers then
        value = rule.detect(state, before, memory.of(rule))
      else
        value = rule.detect(state, before)
      end
      if not value then return SILENT end
    end
    if rule.payload then
      local payload = rule.payload(state, before, value)
      if payload == nil then return NO_PAYLOAD end
      return hold.text(rule, encode(rule, payload))
    elseif type(value) == "table" and not rule.spec then
      return hold.text(rule, encode(rule, value))
    else
      return hold.shape(rule, rule.programs.watch, WATCH)
    end
  end

  -- The moment of a step as rules see it, and its kind.
  local function moment_of(step)
    if step >= 0 then
      local moment = view.moment(step)
      return moment, moment._kind
    elseif step == TICK then
      return { kind = "tick" }, rt.rule.kinds.tick
    end
    local kind = work.told_kind
    local what = ffi.string(work.told)
    return { kind = native.moments[kind], status = what, subject = what }, kind
  end

  local function run_moment(rule, step)
    local moment, kind = moment_of(step)
    if not rule.thinks then return hold.shape(rule, rule.programs[kind], step) end
    local account = rule.lends and view.lend_now() or now_view()
    if rule.only and not rule.only(account) then return ONLY end
    local own = rule.remembers and memory.of(rule) or nil
    local value
    if rule.detect then
      value = rule.detect(moment, own, account)
      if not value then return SILENT end
    end
    if rule.payload then
      local payload = rule.payload(moment, own, account, value)
      if payload == nil then return NO_PAYLOAD end
      return hold.text(rule, encode(rule, payload))
    elseif type(value) == "table" and not rule.spec then
      return hold.text(rule, encode(rule, value))
    else
      return hold.shape(rule, rule.programs[kind], step)
    end
  end

  local function run(rule, step)
    if step == WATCH then return run_watch(rule) end
    if step == DUE then return hold.due(rule) end
    return run_moment(rule, step)
  end

  -- Whether the rule rests on this account after repeated faults.
  local function rests(rule)
    local rest = rule.rests[work.slot]
    return rest and rest.birth == work.birth and rest.till and work.now_ms < rest.till
  end

  local function fault(rule, why)
    if type(why) ~= "string" then why = ("%s: an error that is a %s"):format(rule.where, type(why)) end
    if why == "not enough memory" then error(why, 0) end -- C collects, and finds out whose fault it is
    if #why > MAX_WHY then why = why:sub(1, MAX_WHY) .. "…" end
    local tally = work.tallies[rule.index]
    tally.faults = tally.faults + 1
    local rest = rule.rests[work.slot]
    if not rest or rest.birth ~= work.birth then
      rest = { birth = work.birth, count = 0 }
      rule.rests[work.slot] = rest
    end
    rest.count = rest.count + 1
    if rest.count >= native.rest_after_faults then
      rest.count = 0
      rest.till = work.now_ms + native.rest_ms
      why = ("%s (%d in a row: it rests on this account)"):format(why, native.rest_after_faults)
    end
    work.fault(work, rule.index, why)
  end

  -- What became of the step.
  local function call(rule, step)
    if rests(rule) then return RESTS end
    local tally = work.tallies[rule.index]
    if tally.muted ~= 0 then return MUTED end
    tally.calls = tally.calls + 1
    local began = tally.calls % SAMPLE == 1 and work.nanoseconds()
    leash.last = leash.last % 0x7fffffff + 1
    leash.serial = leash.last
    local good, why = pcall(run, rule, step)
    leash.serial = 0 -- a bell that comes too late must not be taken for the next rule's
    if began then tally.nanoseconds = tally.nanoseconds + (work.nanoseconds() - began) * SAMPLE end
    if not good then
      fault(rule, why)
      return FAULT
    end
    if rule.rests[work.slot] then rule.rests[work.slot] = nil end
    return why
  end

  -- One step, outside of a walk; errors are the caller's.
  function beat.step(rule, step)
    now, was = nil, nil
    return run(rule, step)
  end

  function beat.walk()
    local i = leash.cursor
    while i < work.count do
      if work.verdicts[i] == NOT_RUN then -- else C has taken the step itself
        leash.cursor = i
        local step = work.steps + i
        if step.account ~= work.account then
          if work.load(work, step.account) < 0 then error("no such account", 0) end
          now, was = nil, nil
        end
        work.verdicts[i] = call(rules[step.rule + 1], step.moment)
      end
      i = i + 1
    end
    leash.cursor = i
    now, was = nil, nil
  end

  return beat
end
