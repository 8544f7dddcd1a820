-- Field names: what an author may write, and the sentence for what was written instead.
return function(rt)
  local native = rt.native
  local names = {}

  -- The words of the public messages, for authors who write those instead of the records' own.
  local public = {
    free_margin = "margin_free", open_price = "price_open", current_price = "price_current",
    open_time = "time_open", close_time = "time_close", type = "side", price = "price_open",
    stop_loss = "sl", take_profit = "tp", id = "position_id", identifier = "position_id",
  }

  local by_name = {}
  for _, entity in ipairs({ "account", "position", "order", "deal", "moment" }) do
    by_name[entity] = {}
    for i, field in ipairs(native[entity].fields) do
      field.index = i - 1
      by_name[entity][field.name] = field
    end
  end

  -- The field of an entity, or nil.
  function names.field(entity, name)
    return by_name[entity][name]
  end

  -- 'no field "margin_levle"; did you mean "margin_level"?'; entities: where the name was looked for.
  function names.unknown(entities, name)
    if type(name) ~= "string" then return "a field is named by a text, not by a " .. type(name) end
    local meant, candidates = public[name], {}
    for _, entity in ipairs(entities) do
      if meant and by_name[entity][meant] then
        return ('no field "%s"; it is called "%s"'):format(name, meant)
      end
      for _, field in ipairs(native[entity].fields) do
        candidates[#candidates + 1] = field.name
      end
    end
    return names.missing("field", name, candidates)
  end

  -- 'no <what> "<name>"', with the candidate that is nearest to it.
  function names.missing(what, name, candidates)
    local near = native.nearest(tostring(name), candidates)
    return ('no %s "%s"%s'):format(what, tostring(name), near and ('; did you mean "%s"?'):format(near) or "")
  end

  return names
end
