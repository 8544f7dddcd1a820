-- A channel and its sessions on a virtual clock, with a host that writes down what it is told.
--
-- Frames are the messages themselves, so a spec reads what a client would read.
local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("stream", { "stream/session.h", "stream/history.h", "stream/merge.h",
                                   "stream/message_in.h", "stream/limiter.h" })

-- C calls back into Lua from here, which compiled code may not do.
jit.off(true, true)

local stream = { C = C }
local clients = {} -- by the number that a session carries as its owner
local last = 0

local function of(session)
  return clients[tonumber(ffi.cast("intptr_t", session.owner))]
end

local plain_frame = ffi.cast("struct tg_blob *(*)(const char *, size_t)", C.tg_blob_new)
local no_frame = ffi.cast("struct tg_blob *(*)(const char *, size_t)", function() return nil end)
local host = ffi.new("struct tg_session_host")
local status_text = {}

host.frame = plain_frame
host.outgoing = function(session)
  local client = of(session)
  client.outgoing = client.outgoing + 1
  if client.on_outgoing then client.on_outgoing() end
end
host.close = function(session, code, reason, cut)
  local client = of(session)
  client.closes[#client.closes + 1] = { code = code, reason = ffi.string(reason), cut = cut }
  if client.on_close then client.on_close() end
end
host.auth = function(session, token, len, answer)
  of(session).world.on_auth(of(session), ffi.string(token, len), answer)
end
host.snapshot = function(session, out)
  local client = of(session)
  client.snapshots = client.snapshots + 1
  local world = client.world
  local state = world.state
  if not state then return -4 end -- -TG_EAGAIN
  return C.tg_channel_snapshot(world.channel, world.names, state, #state, world.cached, world.age_ms,
                               world.clock.wall, out)
end
host.status = function(session, age_ms)
  local world = of(session).world
  age_ms[0] = world.age_ms
  status_text[world.status] = status_text[world.status] or ffi.new("char[?]", #world.status + 1, world.status)
  return status_text[world.status]
end
host.recheck = function(session)
  local client = of(session)
  client.rechecks = client.rechecks + 1
  return client.owner
end

local World = {}
World.__index = World

-- Wall time starts at 2026-01-31T12:00:00.000Z.
function stream.world(options)
  options = options or {}
  local world = setmetatable({ clients = {}, age_ms = 430, status = "live", cached = false, keep = {} }, World)
  world.state = '{"account":{"balance":100.00},"positions":[]}'
  world.clock = ffi.new("struct tg_clock_virtual")
  C.tg_clock_virtual_init(world.clock, 1000000, 1769860800000LL)
  world.wheel = ffi.new("struct tg_wheel")
  C.tg_wheel_init(world.wheel, 100, world.clock.mono)
  world:envelope({})
  local o = ffi.new("struct tg_channel_options")
  o.clock = world.clock.clock
  o.history_events = options.history_events or 512
  o.history_ms = options.history_ms or 300000
  world.channel = C.tg_channel_new(o)
  world.host = host
  world.on_auth = function() end
  return world
end

function World:envelope(names)
  self.names = ffi.new("struct tg_channel_names")
  for _, key in ipairs({ "type", "seq", "rev", "timestamp", "payload" }) do
    local text = names[key] or (key == "payload" and "" or key)
    self.keep[#self.keep + 1] = text
    self.names[key] = text
  end
end

-- A client; nil when the session could not be made.
function World:connect(options)
  options = options or {}
  last = last + 1
  local client = { world = self, outgoing = 0, closes = {}, rechecks = 0, snapshots = 0, owner = true, id = last }
  clients[last] = client
  local o = ffi.new("struct tg_session_options")
  o.host, o.owner = host, ffi.cast("void *", last)
  o.clock, o.wheel, o.channel = self.clock.clock, self.wheel, self.channel
  o.account_id = "demo-1"
  o.connection_id = options.connection_id
  o.token_expires_ms = self.clock.wall + (options.token_ms or 3600000)
  o.ping_seconds, o.timeout_seconds = 30, options.timeout_seconds or 90
  o.recheck_seconds = options.recheck_seconds or 300
  o.expiry_warning_seconds = options.warning_seconds or 60
  o.bad_messages = options.bad_messages or 10
  o.messages_per_second = options.messages_per_second or 10
  o.queue_bytes = options.queue_bytes or 262144
  o.interval_ms = options.interval_ms or 1000
  o.events = options.events
  o.rules_name, o.rules_version, o.rules_generation = "default", "abc", 7
  local session = C.tg_session_new(o)
  if session == nil then return nil end
  client.session = session
  self.clients[#self.clients + 1] = client

  function client.say(text)
    C.tg_session_message(session, true, text, #text)
  end

  function client.take()
    local frame = C.tg_outbox_take(session.outbox)
    if frame == nil then return nil end
    local text = ffi.string(frame.data, frame.len)
    C.tg_blob_unref(frame)
    return text
  end

  -- Everything that waits.
  function client.read()
    local list = {}
    for text in client.take do list[#list + 1] = text end
    return list
  end

  function client.leave()
    if client.gone then return end
    client.gone = true
    C.tg_session_free(session)
  end

  return client
end

-- Time passes in small steps, as the loop's timer would make it.
function World:pass(ms)
  local left = ms
  while left > 0 do
    local step = math.min(left, 100)
    C.tg_clock_virtual_advance(self.clock, step)
    C.tg_wheel_advance(self.wheel, self.clock.mono)
    left = left - step
  end
end

-- Publishes an event: { type, payload, latest = bool, permits = function(client), broken = bool }.
function World:publish(event)
  local p = ffi.new("struct tg_publication")
  local payload = event.payload or "{}"
  local permits
  p.latest = event.latest or false
  p.type, p.payload, p.len = event.type, payload, #payload
  p.wall_ms = self.clock.wall
  p.names = self.names
  p.frame = event.broken and no_frame or plain_frame
  if event.permits then
    permits = ffi.cast("bool (*)(void *, const struct tg_session *)", function(_, session)
      return event.permits(of(session))
    end)
    p.permits = permits
  end
  local rc = C.tg_channel_publish(self.channel, p)
  if permits then permits:free() end
  return rc
end

-- Ends everything and says how many bytes of frames are left over.
function World:finish()
  for _, client in ipairs(self.clients) do
    client.leave()
    clients[client.id] = nil
  end
  C.tg_channel_free(self.channel)
  return tonumber(C.tg_blob_bytes_alive()), tonumber(self.wheel.armed)
end

ffi.cdef([[
struct tg_mallinfo2 { size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost; };
struct tg_mallinfo2 mallinfo2(void);
]])

-- Bytes of the C heap in use; LuaJIT's own memory is not among them. 0 under AddressSanitizer.
function stream.heap()
  return tonumber(ffi.C.mallinfo2().uordblks)
end

-- A client of the world that has read its greeting.
function World:opened(options)
  local client = self:connect(options)
  client.read()
  return client
end

-- The value of a scalar member in the text of a message, as it is written there.
function stream.member(text, name)
  return text and text:match('"' .. name .. '":("[^"]*")') or text and text:match('"' .. name .. '":([%w.+-]+)')
end

function stream.types(list)
  local types = {}
  for i, text in ipairs(list) do
    types[i] = text:match('"type":"([%w_]+)"')
  end
  return table.concat(types, " ")
end

return stream
