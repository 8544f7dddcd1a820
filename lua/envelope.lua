-- The envelope: how the gateway's own members of events and snapshots are called.
return function(rt)
  local names = rt.names
  local own = { "type", "seq", "rev", "timestamp" }
  local keys = { "type", "seq", "rev", "timestamp", "payload" }
  local MAX_NAME = 39

  local envelope = {
    names = { type = "type", seq = "seq", rev = "rev", timestamp = "timestamp", payload = "" },
    where = nil, -- file and line of the declaration
  }

  -- The gateway's own messages: where theirs and events' types stand in the same member, an event of such a
  -- type could not be told from one of them.
  envelope.own_messages = {
    connected = true, snapshot = true, status = true, error = true, pong = true, token_expiring = true,
    authenticated = true, events = true, going_away = true,
  }

  -- `envelope { type = "event", payload = "data" }`, once in a set.
  function envelope.declare(spec, where)
    if type(spec) ~= "table" then error("envelope: a table is expected", 3) end
    if envelope.where then error("envelope: there is one already, at " .. envelope.where, 3) end
    for key, name in pairs(spec) do
      if not envelope.names[key] then error("envelope: " .. names.missing("member", key, keys), 3) end
      if type(name) ~= "string" or name == "" or #name > MAX_NAME or name:find("[%z\1-\31]") then
        error(("envelope: %s must be a text of 1 to %d bytes"):format(key, MAX_NAME), 3)
      end
    end
    local seen = {}
    for _, key in ipairs(keys) do
      local name = spec[key] or envelope.names[key]
      if name ~= "" and seen[name] then error(('envelope: two members are called "%s"'):format(name), 3) end
      seen[name] = true
      envelope.names[key] = name
    end
    envelope.where = where
  end

  -- A name in a shape's outermost object that is the gateway's, or nil. A payload that has a member of its
  -- own (envelope's `payload`) may use any name.
  function envelope.taken(tree)
    if envelope.names.payload ~= "" then return nil end
    for _, member in ipairs(tree.members) do
      for _, key in ipairs(own) do
        if member.name == envelope.names[key] then return member.name end
      end
    end
  end

  -- The same for a payload that is a table. Written out, because a loop within the beat's own would keep
  -- both from being compiled.
  function envelope.taken_by(payload)
    local names_of = envelope.names
    if names_of.payload ~= "" then return nil end
    if payload[names_of.type] ~= nil then return names_of.type end
    if payload[names_of.seq] ~= nil then return names_of.seq end
    if payload[names_of.rev] ~= nil then return names_of.rev end
    if payload[names_of.timestamp] ~= nil then return names_of.timestamp end
  end

  return envelope
end
