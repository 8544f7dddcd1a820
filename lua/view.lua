-- Views: what rules see of the gateway's records.
--
-- A view is a copy with constant members, so a rule that keeps one holds an old value and nothing
-- dangerous, and cannot change what other rules see. Its members are scalars whose names begin with an
-- underscore; public names go through getters, which turn "not known" into nil, texts into strings and
-- large ids into exact digits. No pointer and no array ever reaches a rule: LuaJIT checks neither.
local ffi = require("ffi")
local loadstring, setfenv = loadstring, setfenv
local match = string.match

local c_types = {
  ENUM = "int32_t", BOOL = "int32_t", INT = "int32_t", ID = "uint64_t", MAGIC = "int64_t", TIME = "int64_t",
  OFFSET = "int32_t",
}

-- The bodies of getters; $ is the member.
local number = "local v = r.$ if v == v then return v end"
local whole = "local v = r.$ local n = tonumber(v) if n < 2^53 and n > -2^53 then return n end return digits(v)"
local bodies = {
  TEXT = "return text(cast(chars, r) + offset)",
  ENUM = "return names[r.$]",
  BOOL = "local v = r.$ if v >= 0 then return v ~= 0 end",
  INT = "return r.$",
  OFFSET = "local v = r.$ if v > -2147483648 then return v end",
  ID = whole,
  MAGIC = whole,
  TIME = "local v = tonumber(r.$) if v ~= 0 then return v end",
  LEVEL = "local v = r.$ if v == v and v ~= 0 then return v end",
  MONEY = number, PERCENT = number, PRICE = number, VOLUME = number,
}

local function digits(value)
  return match(tostring(value), "^-?%d+")
end

return function(rt)
  local work, native, names = rt.work, rt.native, rt.names
  local copy, cast, istype = ffi.copy, ffi.cast, ffi.istype
  local view = {}

  -- The members of an entity with a prefix, as C text.
  local function members(entity, prefix)
    local out = {}
    for _, field in ipairs(entity.fields) do
      if field.kind == "TEXT" then
        for i = 0, field.size / 8 - 1 do
          out[#out + 1] = ("const uint64_t _%s%s_%d;"):format(prefix, field.name, i)
        end
      else
        out[#out + 1] = ("const %s _%s%s;"):format(c_types[field.kind] or "double", prefix, field.name)
      end
    end
    return table.concat(out, "\n")
  end

  -- Whether LuaJIT lays the struct out as C does.
  local function verify(ctype, entity, prefix, base)
    for _, field in ipairs(entity.fields) do
      local member = "_" .. prefix .. field.name .. (field.kind == "TEXT" and "_0" or "")
      assert(ffi.offsetof(ctype, member) == base + field.offset, member)
    end
  end

  local function stale()
    error("this account belongs to the call that it was given to: keep pick(account, …), not the account", 3)
  end

  -- `first`: what is done before the member is read.
  local function getter(field, prefix, base, first)
    local body = bodies[field.kind]:gsub("%$", "_" .. prefix .. field.name)
    local chunk = assert(loadstring("return function(r) " .. (first or "") .. body .. " end", "=view"))
    setfenv(chunk, {
      work = work, stale = stale, text = ffi.string, cast = cast, chars = ffi.typeof("const char *"),
      offset = base + field.offset, names = field.names, tonumber = tonumber, digits = digits,
    })
    return chunk()
  end

  local function getters(entity, prefix, base, first)
    local out = {}
    for _, field in ipairs(entity.fields) do
      out[field.name] = getter(field, prefix, base, first)
    end
    return out
  end

  local function refuse_write(_, name)
    error(('views cannot be changed: "%s"'):format(tostring(name)), 2)
  end

  -- A struct with an entity's members and some of the runtime's own behind them.
  local function declare(tag, text, own)
    local quiet = text:gsub("const ", "")
    ffi.cdef(("struct %s { %s %s }; struct %s_room { %s %s };"):format(
      tag, text, own:gsub("([%w_]+ _%w+;)", "const %1"), tag, quiet, own))
    return ffi.typeof("struct " .. tag), ffi.typeof(("struct %s_room *"):format(tag))
  end

  -- Positions, orders and deals ------------------------------------------------------------------------------

  local function plain(name, own)
    local entity = native[name]
    local ctype, room = declare("tgv_" .. name, members(entity, ""), own)
    verify(ctype, entity, "", 0)
    local get = getters(entity, "", 0)
    ffi.metatype(ctype, {
      __index = function(self, key)
        local found = get[key]
        if found then return found(self) end
        error(names.unknown({ name }, key), 2)
      end,
      __newindex = refuse_write,
      __tostring = function() return name end,
    })
    return ctype, room, entity.size
  end

  local position_type, position_room, position_size = plain("position", "int32_t _index;")

  local function new_position(source, index)
    local new = position_type()
    copy(new, source, position_size)
    cast(position_room, new)._index = index
    return new
  end

  local order_type, order_room, order_size = plain("order", "int32_t _index;")

  local function new_order(source, index)
    local new = order_type()
    copy(new, source, order_size)
    cast(order_room, new)._index = index
    return new
  end

  -- Accounts -----------------------------------------------------------------------------------------

  local account_entity = native.account
  local account_size = account_entity.size
  local account_type, account_room = declare("tgv_account", members(account_entity, ""),
    "double _stay; int32_t _before;")
  verify(account_type, account_entity, "", 0)

  -- An account that is lent: the date of a loading and nothing else. Its getters read the account that is
  -- loaded, and refuse when that is another by now. What only reads (lua/keeps.lua) is lent one: it costs no
  -- copy, and in compiled code not even an object.
  local lent_type = {}
  for _, side in ipairs({ "now", "was" }) do
    ffi.cdef(("struct tgv_lent_%s { const double _stay; const int32_t _before; };"):format(side))
    lent_type[side] = ffi.typeof("struct tgv_lent_" .. side)
  end
  local lent_now, lent_was = lent_type.now, lent_type.was

  local function is_account(value)
    return istype(lent_now, value) or istype(lent_was, value) or istype(account_type, value)
  end

  -- The state and the control value come from the rule: both are proved before they index anything.
  local function next_position(account, last)
    if not is_account(account) or account._stay ~= work.stay then
      error("positions() belongs to the call it was asked in: keep the positions, not the account", 2)
    end
    local i = 0
    if last ~= nil then
      if not istype(position_type, last) then error("positions() is for a `for` loop", 2) end
      i = last._index + 1
    end
    if account._before == 0 then
      if i < work.positions_count then return new_position(work.positions + i, i) end
    elseif i < work.positions_was_count then
      return new_position(work.positions_was + i, i)
    end
  end

  local function positions(account)
    if not is_account(account) then error("it is account:positions(), with a colon", 2) end
    return next_position, account
  end

  local function next_order(account, last)
    if not is_account(account) or account._stay ~= work.stay then
      error("orders() belongs to the call it was asked in: keep the orders, not the account", 2)
    end
    local i = 0
    if last ~= nil then
      if not istype(order_type, last) then error("orders() is for a `for` loop", 2) end
      i = last._index + 1
    end
    if account._before == 0 then
      if i < work.orders_count then return new_order(work.orders + i, i) end
    elseif i < work.orders_was_count then
      return new_order(work.orders_was + i, i)
    end
  end

  local function orders(account)
    if not is_account(account) then error("it is account:orders(), with a colon", 2) end
    return next_order, account
  end

  -- Gives a type of accounts its public names.
  local function publish(ctype, get)
    get.positions = function() return positions end
    get.orders = function() return orders end
    ffi.metatype(ctype, {
      __index = function(self, key)
        local found = get[key]
        if found then return found(self) end
        error(names.unknown({ "account" }, key), 2)
      end,
      __newindex = refuse_write,
      __tostring = function(self) return "account " .. get.id(self) end,
    })
  end

  publish(account_type, getters(account_entity, "", 0))
  for side, ctype in pairs(lent_type) do
    publish(ctype, getters(account_entity, "", 0,
      ("if r._stay ~= work.stay then stale() end local r = work.%s "):format(side)))
  end

  local function new_account(source, before)
    local new = account_type()
    copy(new, source, account_size)
    local room = cast(account_room, new)
    room._stay = work.stay
    room._before = before
    return new
  end

  -- The account that is loaded, as it is and as it was.
  function view.now() return new_account(work.now, 0) end
  function view.was() return new_account(work.was, 1) end

  -- The same, lent to a function that keeps nothing.
  function view.lend_now() return lent_now(work.stay, 0) end
  function view.lend_was() return lent_was(work.stay, 1) end

  view.keeps = require("keeps")({
    [rt.bounded.tostring] = true, [type] = true, [rt.std.pick] = true, [rt.std.diff] = true,
  }, { positions = true, orders = true })

  -- All pending orders of the loaded account, as a list.
  function view.orders()
    local out = {}
    for i = 0, work.orders_count - 1 do
      out[i + 1] = new_order(work.orders + i, i)
    end
    return out
  end

  -- All positions of the loaded account, as a list.
  function view.positions()
    local out = {}
    for i = 0, work.positions_count - 1 do
      out[i + 1] = new_position(work.positions + i, i)
    end
    return out
  end

  -- Moments ------------------------------------------------------------------------------------------

  local at = native.moment_layout
  local moment_type = declare("tgv_moment", table.concat({
    "const int32_t _kind; const int32_t _gap; const uint32_t _changed_low; const uint32_t _changed_high;",
    members(native.moment, "about_"), members(native.position, "position_"), members(native.position, "was_"),
    members(native.deal, "deal_"), members(native.order, "order_"), members(native.order, "order_was_"),
  }, "\n"), "")
  assert(ffi.sizeof(moment_type) == at.size and ffi.offsetof(moment_type, "_kind") == at.kind)
  assert(ffi.offsetof(moment_type, "_changed_low") == at.changed)
  verify(moment_type, native.moment, "about_", at.about)
  verify(moment_type, native.position, "position_", at.position)
  verify(moment_type, native.position, "was_", at.was)
  verify(moment_type, native.deal, "deal_", at.deal)
  verify(moment_type, native.order, "order_", at.order)
  verify(moment_type, native.order, "order_was_", at.order_was)

  -- What a moment of a kind is about, and the kinds that have a before.
  local entity_of, MODIFIED, ORDER_MODIFIED = {}, nil, nil
  for kind, name in pairs(native.moments) do
    entity_of[kind] = name:find("^order_") and "order" or name:find("^position_") and "position"
      or (name == "deal" or name == "balance_operation") and "deal" or nil
    if name == "position_modified" then MODIFIED = kind end
    if name == "order_modified" then ORDER_MODIFIED = kind end
  end

  local function changed(self)
    local out, low, high = {}, self._changed_low, self._changed_high
    local entity = entity_of[self._kind] == "order" and native.order or native.position
    for _, field in ipairs(entity.fields) do
      local word, shift = low, field.index
      if shift >= 32 then word, shift = high, shift - 32 end
      if math.floor(word / 2 ^ shift) % 2 == 1 then out[field.name] = true end
    end
    return out
  end

  local about = getters(native.moment, "about_", at.about)
  about.kind = function(self) return native.moments[self._kind] end
  about.changed = changed
  about.was = function(self)
    if self._kind == MODIFIED then return new_position(cast("const char *", self) + at.was, 0) end
    if self._kind == ORDER_MODIFIED then return new_order(cast("const char *", self) + at.order_was, 0) end
  end
  local fields_of = {
    position = getters(native.position, "position_", at.position),
    deal = getters(native.deal, "deal_", at.deal),
    order = getters(native.order, "order_", at.order),
  }

  ffi.metatype(moment_type, {
    __index = function(self, key)
      local found = about[key]
      if found then return found(self) end
      local entity = entity_of[self._kind]
      found = fields_of[entity][key]
      if found then return found(self) end
      error(names.unknown({ "moment", entity }, key), 2)
    end,
    __newindex = refuse_write,
    __tostring = function(self) return "moment " .. native.moments[self._kind] end,
  })

  -- The moment of that index of the loaded account.
  function view.moment(index)
    local new = moment_type()
    copy(new, work.moments + index * at.size, at.size)
    return new
  end

  -- The account as it was, as a string of its bytes: a state to compare a later one with.
  function view.state()
    return ffi.string(work.was, account_size)
  end

  return view
end
