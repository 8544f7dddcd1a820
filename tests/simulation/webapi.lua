-- The driver of the Web API between a broker and the model: requests to bytes, bytes to rows, rows to records, by the
-- core's wire and batch.
local ffi = require("ffi")
local cdef = require("support.cdef")
local rows = require("simulation.webapi_rows")
local C = cdef.library("app", { "source/webapi_batch.h", "source/source.h" })

jit.off(true, true) -- C calls back into Lua from what is called here

local webapi = {}
local Driver = {}
Driver.__index = Driver
local live -- the driver that is asking: one at a time

local host = ffi.new("struct tg_webapi_wire_host")
host.row = function(_, row) C.tg_webapi_batch_row(live.batch, row) end
host.answer = function(_, answer)
  live.answered = true
  C.tg_webapi_batch_answer(live.batch, answer, live.verdict)
end
local ops = ffi.new("struct tg_poll_ops")
ops.done = function() end
ops.wants_deals = function() return live.wants(live.poll.records) end

local authority = ffi.new("char[32]", "mt5.example.com:443")
local wire_options = ffi.new("struct tg_webapi_wire_options", { authority = authority, row_max = 65536, answer_max = 16 * 1024 * 1024 })
webapi.kept = authority -- as long as the options point to it

function webapi.new(random, raw)
  local self = setmetatable({ random = random, raw = raw, batch = ffi.new("struct tg_webapi_batch") }, Driver)
  self.clients, self.zone = ffi.new("struct tg_webapi_clients"), ffi.new("struct tg_webapi_zone")
  self.options = ffi.new("struct tg_webapi_batch_options", {
    logins = 200, single_max = 20, orders = true, history_ms = 5000, deals_overlap_ms = 5000, metadata_ms = 3600000, dormant_ms = 60000,
  })
  self.batch.options, self.batch.clients, self.batch.zone = self.options, self.clients, self.zone
  C.tg_webapi_zone_set(self.zone, rows.ZONE_S, 0)
  self.poll = ffi.new("struct tg_poll", { ops = ops, account_id = "demo-1" })
  self.job, self.jobs = ffi.new("struct tg_webapi_job"), ffi.new("struct tg_webapi_job *[1]")
  self.jobs[0] = self.job
  self.out, self.request = ffi.new("struct tg_buf"), ffi.new("struct tg_webapi_request")
  self.verdict = ffi.new("struct tg_rest_verdict")
  return self
end

-- A gateway that starts anew knows nothing of before.
function Driver:forget()
  C.tg_webapi_clients_fini(self.clients)
  self:hang_up()
end

function Driver:hang_up()
  if self.wire then C.tg_webapi_wire_free(self.wire) end
  self.wire = nil
end

function Driver:free()
  self:forget()
  C.tg_webapi_batch_fini(self.batch)
  C.tg_records_fini(self.poll.records)
  C.tg_buf_fini(self.out)
end

-- Sends one request and takes its answer's bytes, cut anywhere. False: there is no connection any more.
function Driver:ask(serve)
  self.wire = self.wire or C[self.raw and "tg_webapi_raw_new" or "tg_webapi_rest_new"](wire_options, host)
  C.tg_buf_clear(self.out)
  assert(self.wire.ops.request(self.wire, self.request, self.out) == 0)
  local answer, whole = serve(ffi.string(self.out.data, self.out.len))
  self.answered = false
  while answer ~= "" do
    local part = answer:sub(1, 1 + self.random(self.random(3) == 0 and 50 or 20000))
    answer = answer:sub(#part + 1)
    if self.wire.ops.take(self.wire, part, #part) ~= 0 then return false end
  end
  if not whole then return self.wire.ops["end"](self.wire) == 0 and self.answered end
  assert(self.answered, "an answer was taken and not told")
  return true
end

-- A poll: `serve(request)` gives the bytes of an answer, and whether they are all that comes. The records, borrowed
-- until the next poll, or nil and the code of what failed.
function Driver:run(now_ms, since_ms, wants, serve)
  live, self.wants = self, wants
  self.poll.deals_since_ms = since_ms
  ffi.fill(self.job, ffi.sizeof(self.job))
  self.job.poll, self.job.client = self.poll, C.tg_webapi_clients_open(self.clients, rows.LOGIN)
  self.job.client.job = self.job
  assert(C.tg_webapi_batch_begin(self.batch, self.jobs, 1, now_ms, now_ms) == 0)
  while C.tg_webapi_batch_next(self.batch, self.request) do
    if not self:ask(serve) then
      self.verdict["end"], self.verdict.code = 1, "SESSION_CLOSED"
      C.tg_webapi_batch_fail(self.batch, self.verdict)
      self:hang_up()
    end
  end
  C.tg_webapi_batch_end(self.batch)
  if self.job.failed then return nil, ffi.string(self.job.verdict.code) end
  return self.poll.records
end

return webapi
