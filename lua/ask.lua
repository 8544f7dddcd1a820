-- What C asks beside the beat: a filter's verdict and a snapshot made by a function.
local char, gmatch, gsub, match = string.char, string.gmatch, string.gsub, string.match

return function(rt)
  local native, view, memory, rules = rt.native, rt.view, rt.memory, rt.rules
  local ask = {}

  local function unescape(text)
    text = gsub(text, "%+", " ")
    return (gsub(text, "%%(%x%x)", function(hex) return char(tonumber(hex, 16)) end))
  end

  -- A URL's query as a table; of a name that comes twice, the last.
  local function query_of(text)
    local out = {}
    for pair in gmatch(text .. "&", "([^&]*)&") do
      local name, value = match(pair, "^([^=]*)=?(.*)$")
      if name ~= "" then out[unescape(name)] = unescape(value) end
    end
    return out
  end

  -- Whether a rule's `to` lets a client have an event. The client's table is made anew for each question:
  -- a filter that writes into it changes nothing for the next.
  function ask.permit(index, subject, claims, query, kind, account_id, payload)
    local rule = rules[index + 1]
    local client = { subject = subject, claims = native.decode(claims) or {}, query = query_of(query) }
    local event = { type = kind, account_id = account_id, payload = native.decode(payload) }
    local good, verdict = pcall(rule.to, client, event)
    if not good then
      if verdict == "not enough memory" then error(verdict, 0) end
      error(type(verdict) == "string" and verdict or "an error that is a " .. type(verdict), 0)
    end
    return verdict == true
  end

  -- The snapshot's members, made by the set's rule (or by an example's copy of it).
  function ask.snapshot(rule)
    rule = rule or rt.maker
    local account = view.now()
    local moment = { kind = "snapshot", account = account, positions = view.positions(), orders = view.orders() }
    local value = rule.payload(moment, memory.of(rule), account)
    local text, why = native.encode(value, "payload")
    if not text then error(('%s: rule "%s": %s'):format(rule.where, rule.name, why), 0) end
    if text:byte() ~= 123 then
      error(('%s: rule "%s": payload is a list, a table of names is expected'):format(rule.where, rule.name), 0)
    end
    return text
  end

  return ask
end
