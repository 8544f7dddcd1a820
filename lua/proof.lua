-- Runs the examples of a set. Each has a fresh copy of its file, with the options' defaults unless it
-- names others: an example depends on nothing but what it says, and leaves nothing behind.
local ffi = require("ffi")
local verdict = require("verdict")
local MAX_DEPTH = 16 -- of what an example gives a rule, as of a payload
local LONGEST_S = 366 * 86400 -- between two steps

return function(rt)
  local work, native, expect, scene = rt.work, rt.native, rt.expect, rt.scene
  local names, matches, memory, beat = rt.names, rt.matches, rt.memory, rt.beat

  local function sorted(set)
    local out = {}
    for key in pairs(set) do
      out[#out + 1] = key
    end
    table.sort(out)
    return out
  end

  -- The rule to try: that of the example's own file, which must be able to prove itself alone.
  local function rule_of(new)
    local options = new.spec.options or {}
    rt.live = false
    local copies, asked = rt.loader.copy(new.file, options)
    rt.live = true
    for name in pairs(options) do
      if not asked[name] then expect.refuse(new, "options: %s", names.missing("option", name, sorted(asked))) end
    end
    local rule, live = copies[new.rule], rt.loader.rule(new.rule)
    if not rule then
      if live then expect.refuse(new, "the rule is in %s: an example stands in the file of its rule", live.where) end
      expect.refuse(new, "%s", names.missing("rule", new.rule, sorted(copies)))
    end
    rule.index = live.index
    rt.rule.compile(rule)
    return rule
  end

  local function copied(value, path, depth)
    if type(value) ~= "table" then return value end
    if (depth or 0) == MAX_DEPTH then
      error({ scene = ("%s: nested more than %d deep, or within itself"):format(path, MAX_DEPTH) }, 0)
    end
    local out = {}
    for key, inner in pairs(value) do
      out[key] = copied(inner, path, (depth or 0) + 1)
    end
    return out
  end

  local function watched_changed(rule, changed)
    for _, field in ipairs(rule.watch or {}) do
      if bit.band(changed, bit.lshift(1ULL, field)) ~= 0 then return true end
    end
    return false
  end

  -- Makes the rule take the step as the gateway would; the verdict on it and what was said.
  local function take(rule, shown)
    local last
    if rule.is_snapshot then
      if rule.payload then return nil, rt.ask.snapshot(rule) end
      work.draw(work, rule.programs[rt.rule.kinds.snapshot], -1, nil)
      return nil, ffi.string(work.text, work.text_len)
    end
    if shown.bytes then last = beat.step(rule, 0) end
    if shown.told then
      work.told, work.told_kind = shown.told, rt.rule.kinds[shown.kind]
      last = beat.step(rule, beat.TOLD)
      work.told = nil
    end
    if watched_changed(rule, shown.changed) then last = beat.step(rule, beat.WATCH) end
    if rule.every_ms then
      local due = beat.step(rule, beat.DUE)
      if due ~= verdict.NOTHING_DUE then last = due end
    end
    for _, moment in ipairs(rule.moments) do
      if moment == "tick" then last = beat.step(rule, beat.TICK) end
    end
    local said = work.heard(work) > 0
    return last, said and ffi.string(work.text, work.text_len) or nil
  end

  local reasons = {
    [verdict.ONLY] = "`only` said no", [verdict.SILENT] = "`detect` returned nothing",
    [verdict.HELD] = "`every` holds it back",
  }

  -- Why nothing was said.
  local function silence(rule, last)
    if last == nil and rule.watch then return "none of the fields that it watches changed" end
    if last == nil then return "none of its moments happened" end
    if last == verdict.NO_PAYLOAD then
      return rule.payload and "`payload` returned nothing" or "none of its `changes` changed"
    end
    return reasons[last] or "nothing to say"
  end

  local function judge(new, rule, step, last, text)
    local got = text and native.decode(text)
    if step.gives ~= nil then
      local why = matches.compare("gives", step.gives, got, false)
      if why and not text then why = ("%s (%s)"):format(why, silence(rule, last)) end
      if why then expect.refuse(new, "%s%s", step.prefix, why) end
    end
    local against = got and rule.schema and rt.schema.differs(rule.schema, got)
    if against then expect.refuse(new, "%s%s", step.prefix, against) end
    if step.reaches ~= nil then
      if not rule.to then expect.refuse(new, "%sreaches: the rule has no `to`", step.prefix) end
      if not text then expect.refuse(new, "%sreaches: nothing was said (%s)", step.prefix, silence(rule, last)) end
      local client = step.client or {}
      for key in pairs(client) do
        if key ~= "subject" and key ~= "claims" and key ~= "query" then
          expect.refuse(new, "%sclient: %s", step.prefix, names.missing("key", key, { "subject", "claims", "query" }))
        end
      end
      local permitted = rule.to({
        subject = client.subject or "demo", claims = copied(client.claims or {}, "client.claims"),
        query = copied(client.query or {}, "client.query"),
      }, { type = rule.type, account_id = rt.view.now().id, payload = got }) == true
      if permitted ~= step.reaches then
        expect.refuse(new, "%sreaches: expected %s, got %s", step.prefix, tostring(step.reaches), tostring(permitted))
      end
    end
    if step.remembers then
      local why = matches.compare("remembers", step.remembers, memory.of(rule), true)
      if why then expect.refuse(new, "%s%s", step.prefix, why) end
    end
  end

  local function attempt(new, step, body, ...)
    local good, a, b = pcall(body, ...)
    if good then return a, b end
    if type(a) == "table" and a.scene then expect.refuse(new, "%s%s", step.prefix, a.scene) end
    if type(a) ~= "string" then a = "an error that is a " .. type(a) end
    if a:find(new.where, 1, true) == 1 then error(a, 0) end
    expect.refuse(new, "%s%s", step.prefix, a)
  end

  -- Where example `index` (from 0) stands, for what goes wrong outside of the author's own lines; nil when there
  -- is none.
  local function place(index)
    local new = expect.declared[index + 1]
    return new and ('%s: expect "%s"'):format(new.where, new.rule)
  end
  jit.off(place) -- C asks it between examples, which run with the JIT off: no trace may begin there

  -- Runs example `index`.
  local function run(index)
    local new = expect.declared[index + 1]
    local steps = expect.steps(new)
    local rule = rule_of(new)
    local last, ms = scene.blank(), scene.START_MS
    if new.spec.memory then
      attempt(new, steps[1], function() rule.seed = copied(new.spec.memory, "memory") end)
    end
    for i, step in ipairs(steps) do
      attempt(new, step, function()
        if step.at ~= nil then
          ms = scene.time(step.at, "at")
        elseif i > 1 or step.after then
          local after = step.after or 1
          if not (after >= 0 and after <= LONGEST_S) then
            error({ scene = ("after: 0 to %d seconds are expected"):format(LONGEST_S) }, 0)
          end
          ms = ms + after * 1000
        end
      end)
      last = attempt(new, step, scene.show, step, last, rule, ms)
      if rule.seed then
        rule.memories[work.slot] = { birth = work.birth, data = rule.seed }
        rule.seed = nil
      end
      local became, text = attempt(new, step, take, rule, last)
      attempt(new, step, judge, new, rule, step, became, text)
    end
  end

  return { place = place, run = run }
end
