-- The words that shapes are made with. Each makes a mark: a table of a kind of its own, so that an author's
-- table is never taken for one.
return function(rt)
  local native, std = rt.native, rt.std
  local words = {}
  local kinds = {}
  for _, kind in ipairs({ "const", "changes", "positions", "orders", "when", "round" }) do
    kinds[kind] = { kind = kind, __metatable = false }
  end

  local function mark(kind, fields)
    return setmetatable(fields, kinds[kind])
  end

  -- What kind of mark a value is, or nil.
  function words.kind_of(value)
    local meta = type(value) == "table" and debug.getmetatable(value)
    return meta and kinds[meta.kind] == meta and meta.kind or nil
  end

  -- The same value in every message.
  function words.const(value)
    local text, why = native.encode(value, "const")
    if not text then error(why, 2) end
    return mark("const", { text = text })
  end

  -- An object of the fields that changed: old, new and the difference. Without any nothing is said.
  function words.changes(members) return mark("changes", { members = members }) end

  -- A list with an entry for each open position or pending order, or for those that meet a condition.
  function words.positions(members, condition)
    return mark("positions", { members = members, condition = condition })
  end
  function words.orders(members, condition)
    return mark("orders", { members = members, condition = condition })
  end

  -- when("synthetic"), when("sl", { stop = "sl" }), when({ side = "buy" }, …): the member is there only while a
  -- flag is true, a field is known, a name is one of these. Without a value it is the field's own.
  local function conditional(word, negated)
    return function(condition, value)
      if value == nil then value = condition end
      if type(value) ~= "string" and value == condition then
        error(word .. ": what is to be there? " .. word .. "({ … }, value)", 2)
      end
      return mark("when", { condition = condition, value = value, negated = negated })
    end
  end
  words.when, words.unless = conditional("when", false), conditional("unless", true)

  -- round("margin_level", 1) in a shape: the field at so many decimals. With a number it rounds it.
  function words.round(value, digits)
    if type(value) ~= "string" then return std.round(value, digits) end
    if rt.live then error("round: a number is expected, not a text", 2) end
    digits = digits or 0
    if type(digits) ~= "number" or digits % 1 ~= 0 or digits < 0 or digits > 8 then
      error("round: decimals are a whole number from 0 to 8", 2)
    end
    return mark("round", { of = value, digits = digits })
  end

  return words
end
