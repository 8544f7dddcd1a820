-- Drives the rules engine by hand: rule files from texts, accounts built in place, events collected.
local ffi = require("ffi")
local json = require("dkjson")
local cdef = require("support.cdef")

local C = cdef.library("script", {
  "base/clock.h", "base/log.h", "base/buf.h", "model/account.h", "model/store.h", "script/script.h",
})

local rules = { C = C }

ffi.cdef([[
FILE *fopen(const char *path, const char *mode);
int fclose(FILE *file);
int fflush(FILE *file);
void tg_leash_muffle(bool on);
int mkdir(const char *path, unsigned mode);
int rmdir(const char *path);
]])

local quiet = ffi.C.fopen("/dev/null", "w")
C.tg_log_setup(3, 1, quiet)

local function shell(command)
  assert(os.execute(command) == 0, command)
end

-- A fresh folder for rule files.
local Folder = {}
Folder.__index = Folder

function rules.folder(files)
  local path = os.tmpname()
  os.remove(path)
  assert(ffi.C.mkdir(path, 448) == 0, path)
  local folder = setmetatable({ path = path, names = {} }, Folder)
  for name, text in pairs(files or {}) do
    folder:write(name, text)
  end
  return folder
end

function Folder:write(name, text)
  local file = assert(io.open(self.path .. "/" .. name, "wb"))
  file:write(text)
  file:close()
  self.names[name] = true
end

function Folder:remove(name)
  if name then
    os.remove(self.path .. "/" .. name)
  else
    for written in pairs(self.names) do
      os.remove(self.path .. "/" .. written)
    end
    if ffi.C.rmdir(self.path) ~= 0 then shell("rm -rf " .. self.path) end -- a spec put more into it
  end
end

-- An engine over these folders or files (none: the built-in set). `with` overrides the options.
local Engine = {}
Engine.__index = Engine

function rules.engine(paths, with)
  with = with or {}
  local self = setmetatable({ events = {}, kept = {} }, Engine)
  self.clock = ffi.new("struct tg_clock_virtual")
  C.tg_clock_virtual_init(self.clock, 1000, 1790000000000)
  local list = ffi.new("const char *[?]", math.max(1, #paths))
  for i, path in ipairs(paths) do
    self.kept[i] = path
    list[i - 1] = path
  end
  local options = ffi.new("struct tg_script_options")
  options.paths, options.paths_count = list, #paths
  options.budget_ms = with.budget_ms or 20
  options.memory_bytes = with.memory_bytes or 64 * 1024 * 1024
  options.events_per_tick = with.events_per_tick or 256
  options.bytes_per_tick = with.bytes_per_tick or 1048576
  options.payload_bytes = with.payload_bytes or 65536
  options.rest_after_faults, options.rest_seconds = 5, 60
  options.ids_as_text = with.ids_as_text or false
  options.settings = with.settings
  options.explain_bytes, options.explain_seconds = with.explain_bytes or 0, with.explain_seconds or 600
  options.clock = self.clock.clock
  options.keep_generations = with.keep_generations or 4
  options.load_ms = with.load_ms or 0
  options.trial_accounts, options.trial_ms = with.trial_accounts or 0, with.trial_ms or 1000
  options.probation_seconds, options.rollback_faults = with.probation_seconds or 0, with.rollback_faults or 5
  options.rollback_events_factor = with.rollback_events_factor or 0
  options.rollback_events_minimum = with.rollback_events_minimum or 100
  options.candidate_ms_per_second = with.candidate_ms_per_second or 1000
  self.live = with.live or {}
  self.on_live = ffi.cast("uint32_t (*)(void *, struct tg_account **, uint32_t)", function(_, out, max)
    if out == nil then return #self.live end
    local n = math.min(#self.live, max)
    for i = 1, n do
      out[i - 1] = self.live[i].c
    end
    return n
  end)
  options.live = self.on_live
  self.emit = ffi.cast("void (*)(void *, const struct tg_script_event *)", function(_, event)
    local got = {
      account = ffi.string(event.account.id), type = ffi.string(event.type), lane = tonumber(event.lane),
      payload = ffi.string(event.payload, event.len), filtered = event.filtered,
    }
    self.events[#self.events + 1] = got
    event.receipt.number, event.receipt.listeners = #self.events, 2
    if self.on_event then self.on_event(event, got) end
  end)
  options.emit = with.emit and ffi.cast(self.emit, with.emit) or self.emit
  local script = C.tg_script_new(options)
  assert(script ~= nil)
  self.script = ffi.gc(script, C.tg_script_free) -- also when a test ends early: it has a thread
  return self
end
jit.off(rules.engine, true)

function Engine:free()
  C.tg_script_free(ffi.gc(self.script, nil))
  self.emit:free()
  self.on_live:free()
end

-- True, or nil and the sentence.
function Engine:load()
  local err = ffi.new("struct tg_err")
  if C.tg_script_load(self.script, err) == 0 then return true end
  return nil, ffi.string(err.text)
end
jit.off(Engine.load, true)

-- 0 or 1, or nil, the sentence and the code.
function Engine:follow()
  local err = ffi.new("struct tg_err")
  local rc = C.tg_script_follow(self.script, err)
  if rc >= 0 then return rc end
  return nil, ffi.string(err.text), rc
end
jit.off(Engine.follow, true)

-- Starts a candidate from these folders.
function Engine:candidate(paths)
  local err = ffi.new("struct tg_err")
  local list = ffi.new("const char *[?]", #paths)
  for i, path in ipairs(paths) do
    self.kept[#self.kept + 1] = path
    list[i - 1] = path
  end
  if C.tg_script_candidate_start(self.script, list, #paths, err) == 0 then return true end
  return nil, ffi.string(err.text)
end
jit.off(Engine.candidate, true)

function Engine:promote()
  local err = ffi.new("struct tg_err")
  local rc = C.tg_script_candidate_promote(self.script, err)
  if rc == 0 then return true end
  return nil, ffi.string(err.text), rc
end
jit.off(Engine.promote, true)

-- The candidate's report, decoded, with the rules by name as well; nil without one.
function Engine:report()
  local out = ffi.new("struct tg_buf")
  local rc = C.tg_script_candidate_report(self.script, out)
  local text = out.data ~= nil and ffi.string(out.data, out.len) or ""
  C.tg_buf_fini(out)
  if rc ~= 0 then return nil end
  local report, _, why = require("dkjson").decode(text)
  assert(report, why)
  for _, row in ipairs(report.rules) do
    report.rules[row.name] = row
  end
  return report
end

function Engine:rollback(reason)
  local err = ffi.new("struct tg_err")
  local rc = C.tg_script_rollback(self.script, reason or "asked for", err)
  if rc == 0 then return true end
  return nil, ffi.string(err.text), rc
end
jit.off(Engine.rollback, true)

-- A second goes by: why the rules were rolled back, or nil.
function Engine:tick()
  local err = ffi.new("struct tg_err")
  C.tg_clock_virtual_advance(self.clock, 1000)
  if C.tg_script_tick(self.script, err) then return ffi.string(err.text) end
end
jit.off(Engine.tick, true)

-- True and how many rules and examples there are, or nil and the sentence.
function Engine:check()
  local err, counts = ffi.new("struct tg_err"), ffi.new("struct tg_script_counts")
  if C.tg_script_check(self.script, counts, err) == 0 then
    return true, { rules = counts.rules, examples = counts.examples }
  end
  return nil, ffi.string(err.text)
end

-- Runs the rules over accounts whose newest poll woke one; the events of this run.
function Engine:run(...)
  self.events = {}
  local woken, n = ffi.new("struct tg_account *[?]", math.max(1, select("#", ...))), 0
  for i = 1, select("#", ...) do
    local account = select(i, ...)
    if C.tg_script_wakes(self.script, account.c) then
      woken[n] = account.c
      n = n + 1
    else
      C.tg_script_idle(self.script, account.c)
    end
  end
  C.tg_script_run(self.script, woken, n)
  return self.events
end
jit.off(Engine.run, true)

function Engine:due(account)
  self.events = {}
  C.tg_script_due(self.script, account.c)
  return self.events
end
jit.off(Engine.due, true)

function Engine:tell(account, moment, what)
  self.events = {}
  C.tg_script_tell(self.script, account.c, moment, what)
  return self.events
end
jit.off(Engine.tell, true)

-- The snapshot's members and the return code.
function Engine:snapshot(account)
  local out = ffi.new("struct tg_buf")
  local rc = C.tg_script_snapshot(self.script, account.c, out)
  local text = out.data ~= nil and ffi.string(out.data, out.len) or ""
  C.tg_buf_fini(out)
  return text, rc
end

-- The explanation, decoded, or nil and the code.
function Engine:explain(account_id, with)
  local question, out = ffi.new("struct tg_script_question"), ffi.new("struct tg_buf")
  question.account_id, question.type = account_id, with and with.type
  question.since_wall_ms, question.limit = with and with.since or 0, with and with.limit or 0
  local rc = C.tg_script_explain(self.script, question, out)
  local text = out.data ~= nil and ffi.string(out.data, out.len) or ""
  C.tg_buf_fini(out)
  if rc ~= 0 then return nil, rc end
  return json.decode(text), text
end

function Engine:status()
  local out = ffi.new("struct tg_script_status")
  C.tg_script_status(self.script, out)
  return out
end

-- The status of a rule by its name, or nil.
function Engine:rule(name)
  local out = ffi.new("struct tg_rule_status")
  for i = 0, 1000 do
    if not C.tg_script_rule(self.script, i, out) then return nil end
    if ffi.string(out.name) == name then
      return {
        calls = tonumber(out.calls), events = tonumber(out.events), faults = tonumber(out.faults),
        dropped = tonumber(out.dropped), muted = out.muted, file = ffi.string(out.file),
        why = ffi.string(out.why),
      }
    end
  end
end

function Engine:advance(ms)
  C.tg_clock_virtual_advance(self.clock, ms)
end

-- A folder with these files, an engine over it and an account: what most specs of rules begin with. With files they are
-- loaded; `with` is the engine's.
function rules.stage(files, with)
  local folder = rules.folder(files)
  local engine = rules.engine({ folder.path }, with)
  if files then assert(engine:load()) end
  return folder, engine, rules.account("demo-1")
end

function rules.leave(engine, folder)
  engine:free()
  folder:remove()
end

-- Sends the log to a file while `body` runs; the log's lines.
function rules.logged(body)
  local path = os.tmpname()
  local file = ffi.C.fopen(path, "w")
  C.tg_log_setup(0, 1, file)
  local good, why = pcall(body)
  ffi.C.fflush(file)
  C.tg_log_setup(3, 1, quiet)
  ffi.C.fclose(file)
  local text = assert(io.open(path)):read("*a")
  os.remove(path)
  if not good then print(text) end
  assert(good, why)
  return text
end

-- An account, built by hand. `c` is the struct.
local Account = {}
Account.__index = Account
local slots = 0

local function fill(record, entity, values)
  for name, value in pairs(values) do
    local field = C.tg_field_find(entity, name)
    assert(field ~= nil, name)
    local at = ffi.cast("char *", record) + field.offset
    if field.kind == C.TG_KIND_TEXT then
      ffi.fill(at, field.size)
      ffi.copy(at, value, math.min(#value, field.size - 1))
    elseif field.kind == C.TG_KIND_ENUM then
      local i = 0
      while ffi.string(field.names[i]) ~= value do
        i = i + 1
      end
      ffi.cast("int32_t *", at)[0] = i
    elseif field.kind <= C.TG_KIND_INT or field.kind == C.TG_KIND_OFFSET then
      ffi.cast("int32_t *", at)[0] = value
    elseif field.kind <= C.TG_KIND_TIME then
      ffi.cast("int64_t *", at)[0] = value
    else
      ffi.cast("double *", at)[0] = value
    end
  end
  return record
end

function rules.account(id, values)
  slots = slots + 1
  local self = setmetatable({ c = ffi.new("struct tg_account") }, Account)
  C.tg_account_init(self.c, id)
  self.c.slot, self.c.birth, self.c.known = slots, slots + 1000, true
  fill(self.c.now, C.tg_account_entity, {
    balance = 10000, credit = 0, equity = 10000, profit = 0, margin = 0, margin_free = 10000, margin_level = 0,
    leverage = 100, currency = "USD", currency_digits = 2, login = "5001", name = "Ann", server = "Demo",
  })
  if values then fill(self.c.now, C.tg_account_entity, values) end
  self.c.was = self.c.now
  return self
end

-- A poll: the account's new figures, the moments of it. Positions with set_positions.
function Account:poll(values, moments)
  self.c.was = self.c.now
  fill(self.c.now, C.tg_account_entity, values or {})
  self.c.changed = C.tg_entity_diff(C.tg_account_entity, self.c.was, self.c.now)
  moments = moments or {}
  self.moments = ffi.new("struct tg_moment[?]", math.max(1, #moments))
  for i, spec in ipairs(moments) do
    local moment = self.moments[i - 1]
    moment.kind = C[spec.kind]
    C.tg_moment_blank(moment.about)
    fill(moment.about, C.tg_moment_entity, { estimated = 0, synthetic = 0 })
    C.tg_position_blank(moment.position)
    C.tg_position_blank(moment.was)
    C.tg_deal_blank(moment.deal)
    fill(moment.about, C.tg_moment_entity, spec.about or {})
    fill(moment.position, C.tg_position_entity, spec.position or {})
    if spec.was then
      moment.was = moment.position
      fill(moment.was, C.tg_position_entity, spec.was)
      moment.changed = C.tg_entity_diff(C.tg_position_entity, moment.was, moment.position)
    end
    fill(moment.deal, C.tg_deal_entity, spec.deal or {})
    C.tg_order_blank(moment.order)
    fill(moment.order, C.tg_order_entity, spec.order or {})
    if spec.order_was then
      moment.order_was = moment.order
      fill(moment.order_was, C.tg_order_entity, spec.order_was)
      moment.changed = C.tg_entity_diff(C.tg_order_entity, moment.order_was, moment.order)
    end
  end
  self.c.moments, self.c.moments_count = self.moments, #moments
  return self
end

local function rows_of(list)
  local rows = ffi.new("struct tgl_position[?]", math.max(1, #list))
  for i, values in ipairs(list) do
    C.tg_position_blank(rows[i - 1])
    fill(rows[i - 1], C.tg_position_entity, values)
  end
  return rows
end

function Account:set_positions(now, was)
  self.rows, self.rows_was = rows_of(now), rows_of(was or {})
  self.c.positions.rows, self.c.positions.count = self.rows, #now
  self.c.positions_was.rows, self.c.positions_was.count = self.rows_was, #(was or {})
  return self
end

local function orders_of(list)
  local rows = ffi.new("struct tgl_order[?]", math.max(1, #list))
  for i, values in ipairs(list) do
    C.tg_order_blank(rows[i - 1])
    fill(rows[i - 1], C.tg_order_entity, values)
  end
  return rows
end

-- The account's pending orders, now and before; from then on they are known.
function Account:set_orders(now, was)
  self.orders, self.orders_was = orders_of(now), orders_of(was or {})
  self.c.orders.rows, self.c.orders.count = self.orders, #now
  self.c.orders_was.rows, self.c.orders_was.count = self.orders_was, #(was or {})
  self.c.orders_known = true
  self.c.now._orders_known = 1
  return self
end

-- A pending order's values, for moments and sets.
function rules.order(with)
  local values = {
    ticket = 801, symbol = "EURUSD", type = "buy_limit", state = "placed", volume_initial = 1, volume_current = 1,
    price_open = 1.08, price_current = 1.0851, sl = 1.07, magic = 7, comment = "", time_setup = 1790000000000LL,
    type_time = "gtc", digits = 5, currency_digits = 2,
  }
  for name, value in pairs(with or {}) do
    values[name] = value
  end
  return values
end

-- A position's values, for moments and sets.
function rules.position(with)
  local values = {
    ticket = 501, position_id = 501, symbol = "EURUSD", side = "buy", volume = 1, price_open = 1.085,
    price_current = 1.0851, sl = 1.08, profit = 10, swap = 0, commission = -3.5, magic = 7, comment = "",
    time_open = 1790000000000LL, digits = 5, currency_digits = 2,
  }
  for name, value in pairs(with or {}) do
    values[name] = value
  end
  return values
end

return rules
