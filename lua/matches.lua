-- Whether what was said is what was expected, and if not, where they part.
return function(rt)
  local native, expect = rt.native, rt.expect

  -- A value as an author would write it.
  local function shown(value)
    local mark = expect.mark_of(value)
    if mark == "including" then return "including " .. native.encode(expect.members(value), "value") end
    if mark then return mark == "any" and "any value" or mark end
    if value == nil then return "nothing" end
    if type(value) == "string" then return '"' .. value .. '"' end
    local text = native.encode(value, "value") or tostring(value)
    return #text > 160 and text:sub(1, 160) .. "…" or text
  end

  -- Numbers are alike when they are written alike; an id may have come as the text of its digits.
  local function alike(expected, got)
    if expected == got then return true end
    if type(expected) ~= "number" then return false end
    if type(got) == "number" then return ("%.15g"):format(expected) == ("%.15g"):format(got) end
    return type(got) == "string" and native.ids_as_text == 1 and got == ("%.0f"):format(expected)
  end

  local function differs(path, expected, got)
    return ("%s: expected %s, got %s"):format(path, shown(expected), shown(got))
  end

  local function step(path, key)
    return type(key) == "number" and ("%s[%d]"):format(path, key) or ("%s.%s"):format(path, tostring(key))
  end

  -- Nil, or the sentence about the first place where they part. `partly`: more members are welcome.
  local function compare(path, expected, got, partly)
    local mark = expect.mark_of(expected)
    if mark == "any" then
      return got == nil and differs(path, expected, got) or nil
    elseif mark == "nothing" then
      return got ~= nil and differs(path, expected, got) or nil
    elseif mark == "including" then
      return compare(path, expect.members(expected), got, true)
    end
    if type(expected) ~= "table" or type(got) ~= "table" then
      return not alike(expected, got) and differs(path, expected, got) or nil
    end
    local keys = {}
    for key in pairs(expected) do
      keys[#keys + 1] = key
    end
    for key in pairs(got) do
      if expected[key] == nil and not partly then keys[#keys + 1] = key end
    end
    table.sort(keys, function(a, b)
      if type(a) == type(b) then return a < b end
      return type(a) == "number"
    end)
    for _, key in ipairs(keys) do
      if expected[key] == nil then
        return ("%s: not expected, got %s"):format(step(path, key), shown(got[key]))
      end
      local why = compare(step(path, key), expected[key], got[key], partly)
      if why then return why end
    end
  end

  return { compare = compare, shown = shown }
end
