-- What an example shows to a rule: an account as it was and is, its positions, a moment, built from an
-- author's tables into the gateway's own records.
--
-- An account of which nothing is said is one like many: 10 000 USD, 1 000 of it in margin, nothing open. A
-- position is a lot of EURUSD. What else a moment does not say is not known.
local ffi = require("ffi")

return function(rt)
  local work, native, names, expect = rt.work, rt.native, rt.names, rt.expect
  local scene = { START_MS = 1767225600000 } -- 2026-01-01T00:00:00Z
  local LATEST_MS = 253402300799999 -- 9999-12-31T23:59:59.999Z, the last that can be written
  local layout = native.moment_layout
  local SHARED = { digits = true, currency_digits = true } -- of a moment and of what it is about

  local usual = {
    account = {
      id = "demo-1", login = "1001", name = "Demo", server = "Demo", company = "Demo", currency = "USD",
      balance = 10000, credit = 0, equity = 10000, profit = 0, margin = 1000, margin_free = 9000, margin_level = 1000,
      leverage = 100, currency_digits = 2, positions_count = 0, orders_count = 0, utc_offset_s = 0,
      margin_mode = "hedging", trade_mode = "demo", orders_known = true, trade_allowed = true,
    },
    position = {
      symbol = "EURUSD", ticket = 501, position_id = 501, time_open = scene.START_MS, time_update = scene.START_MS,
      volume = 1, price_open = 1.085, price_current = 1.085, profit = 0, swap = 0, commission = 0, side = "buy",
      reason = "manual", digits = 5, currency_digits = 2,
    },
    deal = { symbol = "EURUSD", digits = 5, currency_digits = 2 },
    order = {
      symbol = "EURUSD", ticket = 801, time_setup = scene.START_MS, volume_initial = 1, volume_current = 1,
      price_open = 1.08, price_current = 1.085, type = "buy_limit", state = "placed", type_time = "gtc",
      reason = "manual", digits = 5, currency_digits = 2,
    },
    moment = { estimated = false, synthetic = false, coalesced = false, digits = 5, currency_digits = 2 },
  }

  local function fail(path, text, ...)
    error({ scene = path .. ": " .. text:format(...) }, 0)
  end

  -- UTC milliseconds of a number or of an ISO 8601 text.
  function scene.time(value, path)
    if type(value) == "number" and math.abs(value) <= LATEST_MS then return value end
    local ms = type(value) == "string" and work.time_of(work, value, #value)
    if not ms or ms ~= ms then fail(path, 'a time is a text such as "2026-01-31T10:00:00Z", or UTC milliseconds') end
    return ms
  end

  local writers = {}

  local function expected(path, what, value)
    fail(path, "%s is expected, not %s", what, type(value) == "table" and "a table" or rt.matches.shown(value))
  end

  function writers.TEXT(at, field, value, path)
    if type(value) ~= "string" then expected(path, "a text", value) end
    if #value >= field.size then fail(path, "a text of at most %d bytes is expected", field.size - 1) end
    ffi.fill(at, field.size)
    ffi.copy(at, value, #value)
  end

  function writers.ENUM(at, field, value, path)
    for i = 0, #field.names do
      if field.names[i] == value then
        ffi.cast("int32_t *", at)[0] = i
        return
      end
    end
    local list = { unpack(field.names) }
    local near = type(value) == "string" and native.nearest(value, list)
    if near then fail(path, 'no name "%s"; did you mean "%s"?', value, near) end
    expected(path, 'one of "' .. table.concat(list, '", "') .. '"', value)
  end

  function writers.BOOL(at, _, value, path)
    if type(value) ~= "boolean" then expected(path, "true or false", value) end
    ffi.cast("int32_t *", at)[0] = value and 1 or 0
  end

  function writers.INT(at, _, value, path)
    if type(value) ~= "number" or value % 1 ~= 0 or math.abs(value) >= 2 ^ 31 then
      expected(path, "a whole number", value)
    end
    ffi.cast("int32_t *", at)[0] = value
  end

  function writers.ID(at, field, value, path)
    local ctype = field.kind == "ID" and "uint64_t" or "int64_t"
    if type(value) == "string" and value:find("^%-?%d+$") and #value <= 20 then
      local digits = ffi.new(ctype, 0)
      for digit in value:gmatch("%d") do
        digits = digits * 10 + tonumber(digit)
      end
      ffi.cast(ctype .. " *", at)[0] = value:byte() == 45 and -digits or digits
    elseif type(value) == "number" and value % 1 == 0 and math.abs(value) < 2 ^ 53 then
      ffi.cast(ctype .. " *", at)[0] = value
    else
      expected(path, "a whole number, or a text of its digits,", value)
    end
  end
  writers.MAGIC, writers.OFFSET = writers.ID, writers.INT

  function writers.TIME(at, _, value, path)
    ffi.cast("int64_t *", at)[0] = scene.time(value, path)
  end

  local function number(at, _, value, path)
    if type(value) ~= "number" or value ~= value or math.abs(value) == math.huge then
      expected(path, "a number", value)
    end
    ffi.cast("double *", at)[0] = value
  end

  -- Writes an author's values into a record; `nothing` makes a field unknown. `skip`: keys of another meaning.
  local function fill(record, entity, values, path, skip)
    local bytes, blank = ffi.cast("char *", record), nil
    for name, value in pairs(values) do
      local field = names.field(entity, name)
      if field and expect.mark_of(value) == "nothing" then
        blank = blank or ffi.new("char[?]", native[entity].size)
        work.blank(work, entity, blank)
        ffi.copy(bytes + field.offset, blank + field.offset, field.size)
      elseif field then
        (writers[field.kind] or number)(bytes + field.offset, field, value, path .. "." .. name)
      elseif not (skip and skip[name]) then
        fail(path, "%s", names.unknown({ entity }, name))
      end
    end
  end

  local function new(entity)
    local record = ffi.new("struct tgl_" .. entity)
    work.blank(work, entity, record)
    fill(record, entity, usual[entity], "")
    return record
  end

  local lists = { positions = { entity = "position", ticket = 500 }, orders = { entity = "order", ticket = 800 } }

  -- The records of a list: tickets count up from 501 (orders from 801) where none is given.
  local function rows_of(kind, list, path, digits)
    local entity = kind.entity
    if type(list) ~= "table" then fail(path, "a list of %ss is expected", entity) end
    local rows = ffi.new(("struct tgl_%s[?]"):format(entity), #list + 1)
    for i, values in ipairs(list) do
      local inner = ("%s[%d]"):format(path, i)
      if type(values) ~= "table" then fail(inner, "a table of the %s's fields is expected", entity) end
      local row = new(entity)
      local ticket = values.ticket or kind.ticket + i
      fill(row, entity, { ticket = ticket, currency_digits = digits }, inner)
      if entity == "position" then fill(row, entity, { position_id = ticket }, inner) end
      fill(row, entity, values, inner)
      rows[i - 1] = row
    end
    return { rows = rows, count = #list }
  end

  -- A side of the account: `from`, the side before it, with the author's values over it.
  local function side(from, values, path)
    local account = ffi.new("struct tgl_account", from.account)
    local out = { account = account, positions = from.positions, orders = from.orders }
    fill(account, "account", values, path, lists)
    for name, kind in pairs(lists) do
      if values[name] ~= nil then
        out[name] = rows_of(kind, values[name], path .. "." .. name, account._currency_digits)
        local count = name .. "_count"
        if values[count] == nil then account["_" .. count] = out[name].count end
      end
    end
    return out
  end

  -- What a moment of this kind is about: the name of an entity, or nil.
  local function subject_of(kind)
    if kind:find("^position_") then return "position" end
    if kind:find("^order_") and native.order then return "order" end
    if kind == "deal" or kind == "balance_operation" then return "deal" end
  end

  -- An author's values, parted into the moment's own and those of what it is about.
  local function part(values, entity)
    local own, subject = {}, {}
    for name, value in pairs(values) do
      local is_own, is_subject = names.field("moment", name), names.field(entity, name)
      if is_own then own[name] = value end
      if is_subject and (not is_own or SHARED[name]) then subject[name] = value end
      if not is_own and not is_subject and name ~= "kind" and name ~= "was" then
        fail("moment", "%s", names.unknown({ "moment", entity }, name))
      end
    end
    if subject.ticket ~= nil and subject.position_id == nil and entity == "position" then
      subject.position_id = subject.ticket
    end
    return own, subject
  end

  -- The bytes of a moment, as C has it.
  local function moment_of(kind, values, digits)
    local entity = subject_of(kind)
    local own, subject = part(values, entity)
    local bytes = ffi.new("char[?]", layout.size)
    work.blank(work, "moment", bytes + layout.about)
    for _, name in ipairs({ "position", "deal", "order" }) do
      if layout[name] then work.blank(work, name, bytes + layout[name]) end
    end
    ffi.cast("int32_t *", bytes + layout.kind)[0] = rt.rule.kinds[kind]
    local record = bytes + layout[entity]
    fill(bytes + layout.about, "moment", usual.moment, "moment")
    fill(record, entity, usual[entity], "moment")
    if entity == "deal" then fill(record, entity, { action = kind == "deal" and "buy" or "balance" }, "moment") end
    fill(bytes + layout.about, "moment", { currency_digits = digits }, "moment")
    fill(record, entity, { currency_digits = digits }, "moment")
    fill(bytes + layout.about, "moment", own, "moment")
    fill(record, entity, subject, "moment")
    if kind == "position_modified" or kind == "order_modified" then
      if type(values.was or {}) ~= "table" then fail("moment.was", "a table of fields is expected") end
      local before = bytes + (entity == "order" and layout.order_was or layout.was)
      ffi.copy(before, record, native[entity].size)
      fill(before, entity, values.was or {}, "moment.was")
    elseif values.was ~= nil then
      fail("moment", "was: only what was modified has a before")
    end
    return bytes
  end

  -- Before the first step: nothing has been shown.
  function scene.blank()
    return {
      now = {
        account = new("account"), positions = rows_of(lists.positions, {}, ""), orders = rows_of(lists.orders, {}, ""),
      },
    }
  end

  -- Shows a step to the rule: `last` is what the step before showed. What must stay alive while it is
  -- shown is in the answer: { now, was, changed (bits), moment (its kind or nil) }.
  function scene.show(step, last, rule, ms)
    local out = { was = side(last.now, step.was or {}, "was") }
    out.now = side(out.was, step.now or {}, "now")
    if step.moment or (#rule.moments == 1 and rule.moments[1] ~= "tick" and rule.moments[1] ~= "snapshot") then
      local values = step.moment or {}
      local kind = values.kind or (#rule.moments == 1 and rule.moments[1])
      if not kind then fail("moment", "kind: which of the rule's moments?") end
      local listed = false
      for _, name in ipairs(rule.moments) do
        listed = listed or name == kind
      end
      if not listed then fail("moment", 'kind: the rule is not on "%s"', tostring(kind)) end
      out.kind = kind
      local told = rt.shape.told[kind]
      if told then
        out.told = values[told] or (told == "status" and "live" or "demo")
        for key, value in pairs(values) do
          if key ~= "kind" and key ~= told then fail("moment", "%s", names.missing("key", key, { "kind", told })) end
          if type(value) ~= "string" then fail("moment", "%s: a text is expected", key) end
        end
      elseif subject_of(kind) then
        out.bytes = moment_of(kind, values, out.now.account._currency_digits)
      end
    end
    local now, was = out.now, out.was
    out.pose = ffi.new("struct tgl_pose", {
      now = now.account, was = was.account, moment = out.bytes,
      positions = now.positions.rows, positions_count = now.positions.count,
      positions_was = was.positions.rows, positions_was_count = was.positions.count,
      orders = now.orders.rows, orders_count = now.orders.count,
      orders_was = was.orders.rows, orders_was_count = was.orders.count,
    })
    work.now_ms = ms
    out.changed = work.pose(work, out.pose)
    return out
  end

  return scene
end
