-- The http driver between a broker and the model: its requests, its order of asking, its mapping of documents, as a
-- configuration opens them. No request leaves: each is taken back from the HTTP client and answered here.
local ffi = require("ffi")
local cdef = require("support.cdef")

-- A loop that never runs but to close what was opened on it.
local libuv = ffi.load("uv.so.1")
ffi.cdef([[
size_t uv_loop_size(void);
size_t uv_handle_size(int);
int uv_loop_init(uv_loop_t *);
int uv_run(uv_loop_t *, int mode);
]])
local UV_TIMER, NOWAIT = 13, 2
ffi.cdef(("typedef struct { uint64_t room[%d]; } uv_timer_t;"):format(tonumber(libuv.uv_handle_size(UV_TIMER)) / 8))

local C = cdef.library("app", { "base/list.h", "base/clock.h", "source/http_source_inner.h", "app/source_open.h" })

jit.off(true, true) -- C calls back into Lua from what is called here

local http = {}
local Driver = {}
Driver.__index = Driver
local live -- the driver that is asking: one at a time

local loop = ffi.cast("uv_loop_t *", ffi.C.calloc(1, libuv.uv_loop_size()))
assert(libuv.uv_loop_init(loop) == 0)
local clock = ffi.new("struct tg_clock_virtual")
C.tg_clock_virtual_init(clock, 1000000, 0)

local ops = ffi.new("struct tg_poll_ops")
ops.done = function() live.ended = true end
ops.wants_deals = function() return live.wants(live.poll.records) end

local PART = { [0] = "snapshot", "positions", "orders", "account", "deals", "history" }
http.LOGIN = "5001"
local login, account_id = http.LOGIN, "demo-1" -- kept: the poll and its route point to them
local route = ffi.new("struct tg_route", { login = login })

local function read_config(source)
  local name = os.tmpname()
  local file = assert(io.open(name, "wb"))
  file:write(([[return { auth = { keys = { { algorithm = "HS256", secret = ("s"):rep(32) } } }, hooks = { budget_ms = 1000 },
    source = %s }]]):format(source))
  file:close()
  local out, err = ffi.new("struct tg_config *[1]"), ffi.new("struct tg_err")
  local rc = C.tg_config_load(name, out, err)
  os.remove(name)
  assert(rc == 0, ffi.string(err.text))
  return ffi.gc(out[0], C.tg_config_free) -- its hooks have a thread
end

local configs = {} -- by the text of the source, kept until the process ends

-- `source`: a configuration's `source`.
function http.new(source)
  configs[source] = configs[source] or read_config(source)
  local self = setmetatable({ config = configs[source] }, Driver)
  self.poll = ffi.new("struct tg_poll", { ops = ops, account_id = account_id, subject = "", route = route })
  return self
end

-- A gateway that starts anew knows nothing of before.
function Driver:forget()
  if not self.source then return end
  self.source.ops.close(self.source)
  self.source = nil
  while libuv.uv_run(loop, NOWAIT) ~= 0 do end
end

function Driver:free()
  self:forget()
  C.tg_records_fini(self.poll.records)
end

function Driver:open()
  local out, err = ffi.new("struct tg_source *[1]"), ffi.new("struct tg_err")
  assert(C.tg_source_open(loop, clock.clock, self.config.sources[0], out, err) == 0, ffi.string(err.text))
  self.source = out[0]
end

-- Answers the request that is under way as the HTTP client would.
local function answer(job, serve)
  local call = job.call
  C.tg_http_client_cancel(job.source.client, call)
  local got = serve(PART[tonumber(job.part)], ffi.string(job.url.data, job.url.len))
  call.rc, call.status, call.retry_after_ms = got.rc or 0, got.status or 200, 0
  call.code, call.message = got.code or "", got.code and "it broke" or ""
  C.tg_buf_clear(call.body)
  C.tg_buf_add(call.body, got.body or "", #(got.body or ""))
  live.kept = got -- as long as `code` points to it
  call.done(call)
end

-- A poll: `serve(part, url)` gives { body, status } or { rc, code }. The records, borrowed until the next poll, or nil and
-- the code of what failed.
function Driver:run(now_ms, since_ms, wants, serve)
  if not self.source then self:open() end
  live, self.wants, self.ended = self, wants, false
  clock.mono, clock.wall = clock.mono + 1000, now_ms
  self.poll.deals_since_ms = since_ms
  assert(self.source.ops.poll(self.source, self.poll) == 0)
  while not self.ended do answer(ffi.cast("struct tg_http_job *", self.poll.driver), serve) end
  if tonumber(self.poll["end"]) ~= 0 then return nil, ffi.string(self.poll.code), ffi.string(self.poll.message) end
  return self.poll.records
end

return http
