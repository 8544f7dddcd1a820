-- The gateway between a source's records and a client's messages, on a virtual clock: the account, the rules, the
-- channel, a session with its outbox. Wired as core/app/events.c wires it.
local ffi = require("ffi")
local cdef = require("support.cdef")

local C = cdef.library("app", {
  "base/clock.h", "base/log.h", "base/buf.h", "base/rand.h", "model/account.h", "model/field.h", "script/script.h",
  "stream/session.h",
})
local records = require("simulation.records")(C)

jit.off(true, true) -- C calls back into Lua from what is called here

ffi.cdef("FILE *fopen(const char *path, const char *mode);")
C.tg_log_setup(3, 1, ffi.C.fopen("/dev/null", "w"))

local pipeline = { C = C }
local clock = ffi.new("struct tg_clock_virtual")
C.tg_clock_virtual_init(clock, 1000000, 1790000000000)
local wheel = ffi.new("struct tg_wheel")
C.tg_wheel_init(wheel, 100, clock.mono)

local names = ffi.new("struct tg_channel_names")
local kept = { "type", "seq", "rev", "timestamp", "" }
names.type, names.seq, names.rev, names.timestamp, names.payload = kept[1], kept[2], kept[3], kept[4], kept[5]

local frame = ffi.cast("struct tg_blob *(*)(const char *, size_t)", C.tg_blob_new)
local live -- the pipeline that is running: one at a time

local host = ffi.new("struct tg_session_host")
host.frame = frame
host.outgoing = function() end
host.close = function(_, code) live.closed = code end
host.auth = function() end
host.snapshot = function(_, out)
  if not live.account.known then return -4 end -- -TG_EAGAIN
  local members = ffi.new("struct tg_buf")
  C.tg_script_snapshot(live.script, live.account, members)
  local rc = C.tg_channel_snapshot(live.channel, names, members.data, members.len, false, 0, clock.wall, out)
  C.tg_buf_fini(members)
  return rc
end
local status = ffi.new("char[5]", "live")
host.status = function(_, age_ms)
  age_ms[0] = 0
  return status
end
host.recheck = function() return true end

local publication = ffi.new("struct tg_publication")
publication.names, publication.frame = names, frame

local emit = ffi.cast("void (*)(void *, const struct tg_script_event *)", function(_, event)
  publication.latest = tonumber(event.lane) == 1
  publication.type, publication.payload, publication.len = event.type, event.payload, event.len
  publication.wall_ms = clock.wall
  event.receipt.number, event.receipt.listeners = 0, 1
  assert(C.tg_channel_publish(live.channel, publication) == 0)
end)

-- The default rules, compiled once for all seeds.
function pipeline.rules()
  local options = ffi.new("struct tg_script_options")
  options.budget_ms, options.memory_bytes, options.events_per_tick = 1000, 64 * 1024 * 1024, 1024
  options.bytes_per_tick, options.keep_generations = 4194304, 4
  options.payload_bytes, options.rest_after_faults, options.rest_seconds = 65536, 5, 60
  options.explain_seconds = 600
  options.clock, options.emit = clock.clock, emit
  local script, err = C.tg_script_new(options), ffi.new("struct tg_err")
  assert(script ~= nil)
  if C.tg_script_load(script, err) ~= 0 then error(ffi.string(err.text)) end
  return ffi.gc(script, C.tg_script_free)
end

local Pipeline = {}
Pipeline.__index = Pipeline
local births = 0

function pipeline.new(script, start_ms)
  local self = setmetatable({ script = script }, Pipeline)
  births = births + 1
  self.account = ffi.new("struct tg_account")
  C.tg_account_init(self.account, "demo-1")
  self.account.slot, self.account.birth = 1, births
  self.records = ffi.new("struct tg_records")
  self.policy = ffi.new("struct tg_account_policy", { suspect_polls = 3 })
  self.woken = ffi.new("struct tg_account *[1]", self.account)
  self.start_ms = start_ms
  local options = ffi.new("struct tg_channel_options")
  options.clock, options.history_events, options.history_ms = clock.clock, 512, 300000
  self.channel = C.tg_channel_new(options)
  live = self
  return self
end

function Pipeline:free()
  if self.session then C.tg_session_free(self.session) end
  C.tg_script_forget(self.script, self.account)
  C.tg_channel_free(self.channel)
  C.tg_account_fini(self.account)
  C.tg_records_fini(self.records)
end

function Pipeline:connect()
  local o = ffi.new("struct tg_session_options")
  o.host, o.clock, o.wheel, o.channel = host, clock.clock, wheel, self.channel
  o.account_id = "demo-1"
  o.token_expires_ms = clock.wall + 360000000
  o.ping_seconds, o.timeout_seconds, o.recheck_seconds, o.expiry_warning_seconds = 30, 36000, 36000, 1
  o.bad_messages, o.queue_bytes, o.interval_ms = 10, 16 * 1024 * 1024, 1000
  o.rules_name, o.rules_version, o.rules_generation = "default", "abc", 1
  self.session = C.tg_session_new(o)
  assert(self.session ~= nil)
end

function Pipeline:say(text) C.tg_session_message(self.session, true, text, #text) end

-- The next message that waits, or nil.
function Pipeline:take()
  local blob = C.tg_outbox_take(self.session.outbox)
  if blob == nil then return nil end
  local text = ffi.string(blob.data, blob.len)
  C.tg_blob_unref(blob)
  return text
end

function Pipeline:fill(answer)
  C.tg_records_clear(self.records)
  self.records.source_time_ms = answer.time
  if answer.positions then records.positions(self.records, answer.positions) end
  if answer.orders then records.orders(self.records, answer.orders) end
  if answer.account then records.account(self.records, answer.account) end
end

function Pipeline:wants(answer)
  if answer.records then return C.tg_account_wants_deals(self.account, answer.records) end
  self:fill(answer)
  return C.tg_account_wants_deals(self.account, self.records)
end

-- Takes an answer in, as the scheduler and the events do. 0 or the error.
function Pipeline:apply(answer, now_ms)
  live = self
  if now_ms > clock.wall then C.tg_clock_virtual_advance(clock, now_ms - clock.wall) end
  if clock.wall > now_ms then clock.wall = now_ms end
  if not answer.records then
    self:fill(answer)
    if answer.deals then records.deals(self.records, answer.deals) end
    if answer.history then records.history(self.records, answer.history) end
  end
  local known = self.account.known
  local rc = C.tg_account_apply(self.account, answer.records or self.records, self.policy, clock.mono, clock.wall)
  if rc ~= 0 then return rc end
  local revealed = self.account.revealed
  if not known or revealed or C.tg_script_wakes(self.script, self.account) then C.tg_script_run(self.script, self.woken, 1) end
  if self.session and self.session.awaits_snapshot then
    C.tg_session_snapshot_ready(self.session)
  elseif self.session and revealed then
    C.tg_session_snapshot_again(self.session)
  end
  return 0
end

-- From when on deals are asked for, as the scheduler does.
function Pipeline:since(now_ms) return tonumber(C.tg_account_deals_since(self.account, now_ms)) end

return pipeline
