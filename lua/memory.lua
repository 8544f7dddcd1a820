-- What a rule remembers of an account: a table each, found by the account's slot and proved by its birth,
-- so that an account that takes over a slot never sees its predecessor's.
return function(rt)
  local work = rt.work
  local memory = {}

  function memory.of(rule)
    local slot = work.slot
    local entry = rule.memories[slot]
    if not entry or entry.birth ~= work.birth then
      entry = { birth = work.birth, data = {} }
      rule.memories[slot] = entry
    end
    return entry.data
  end

  return memory
end
