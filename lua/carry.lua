-- What rules remember goes from one VM to the next as bytes: no value of the old VM survives it.
local buffer = require("string.buffer")

local ROOM = 262144 -- bytes of texts, and other values, of one account's memory
local DEPTH = 64 -- tables within tables

return function(rt)
  local work, rules = rt.work, rt.rules
  local carry = {}

  -- Whether a memory may be carried: bytes name a part that is shared as often as it is reached, so a small
  -- memory can be more bytes than there are. What is left of `room`, or nil.
  local function fits(value, room, depth)
    if type(value) == "string" then return room > #value and room - #value or nil end
    if type(value) ~= "table" then return room > 1 and room - 1 or nil end
    if depth == DEPTH then return nil end
    for key, held in next, value do
      room = fits(key, room - 1, depth + 1)
      room = room and fits(held, room, depth + 1)
      if not room then return nil end
    end
    return room
  end

  -- Entry by entry, because one that holds what cannot be carried must not take the others with it.
  local function save_memories(rule, out)
    local lost = 0
    for slot, entry in pairs(rule.memories) do
      local good, bytes = fits(entry.data, ROOM, 0), nil
      if good then good, bytes = pcall(buffer.encode, entry.data) end
      if good then
        out[#out + 1] = { slot, entry.birth, bytes }
      else
        lost = lost + 1
      end
    end
    if lost > 0 then
      work.note(work, rule.file.name, ('rule "%s": memory of %d accounts is not carried over: it holds more than '
        .. "numbers, texts, true, false and tables of them, or more than 256 KiB"):format(rule.name, lost))
    end
  end

  -- All that rules remember, as one string.
  function carry.save()
    local out = {}
    for _, rule in ipairs(rules) do
      local saved = { version = rule.version, memories = {}, spans = rule.spans }
      save_memories(rule, saved.memories)
      out[rule.name] = saved
    end
    return buffer.encode(out)
  end

  local function migrate(rule, from, data)
    if rule.version == from then return data end
    if not rule.migrate then return nil end
    local good, new = pcall(rule.migrate, data)
    if not good then
      collectgarbage() -- the sentence below needs room when it was the memory
      error(('%s: rule "%s": migrate: %s'):format(rule.where, rule.name, tostring(new):sub(1, 1000)), 0)
    end
    if type(new) ~= "table" then
      error(('%s: rule "%s": migrate must return a table'):format(rule.where, rule.name), 0)
    end
    return new
  end

  local function take(rule, old)
    for _, entry in ipairs(old.memories) do
      local data = migrate(rule, old.version, buffer.decode(entry[3]))
      if data then rule.memories[entry[1]] = { birth = entry[2], data = data } end
    end
    for slot, span in pairs(old.spans) do
      -- A state is compared by the new rule's own shape; without one it has nothing to say.
      if not (rule.watch and rule.programs.watch) then span.state = nil end
      if rule.every_ms then rule.spans[slot] = span end
    end
  end

  -- `back`: on the way back to a set that ran before, whose memory of then is `former` (or nil). Memory of a
  -- version that is yet to come means nothing to a rule; its own, though older, does.
  function carry.restore(bytes, back, former)
    local saved = buffer.decode(bytes)
    local before = former and buffer.decode(former) or {}
    for _, rule in ipairs(rules) do
      local old = saved[rule.name]
      if back and not (old and old.version == rule.version) then
        old = before[rule.name]
        if old and old.version ~= rule.version then old = nil end
      end
      if old then take(rule, old) end
    end
  end

  -- An account has gone.
  function carry.forget(slot, birth)
    for _, rule in ipairs(rules) do
      for _, kept in ipairs({ rule.memories, rule.rests, rule.spans }) do
        if kept[slot] and kept[slot].birth == birth then kept[slot] = nil end
      end
    end
  end

  return carry
end
