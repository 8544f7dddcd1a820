local ffi = require("ffi")
local rules = require("support.rules")

ffi.cdef("int64_t tg_vm_lost(void);")
local C = rules.C

-- A catalogue of harm (tests/support/hostile/), each entry tried with compiled and with interpreted rules, in the
-- middle of others that must not notice: one in the file before, one in the same file, one in the file behind, on the
-- account before and on the one after.
--
-- An entry is { name, code }, with
--   at    = where the code stands: "detect" (default), "only", "payload", "moment", "to", "snapshot", "migrate",
--           "load" (the file's own level), "rule" (members of the rule), "file" (the whole file)
--   stop  = "muted": stopped and silenced, "fault": caught and counted, "refused": not loaded, "harmless": nothing
--   gives = what a harmless one says;  says = what the log or the refusal says;  ticks = until when at the latest
local catalogue = { "loops", "memory", "library", "faults", "payloads", "reach", "loading", "examples" }

local MEMORY = 8 * 1024 * 1024
local HEAD = 'local n, t, s = 0, {}, "x" '
local SIBLING = 'rule "sibling" { watch = { "balance" } }'
local GOOD = "return { " .. SIBLING .. ', rule "bad" { watch = { "balance" } } }'

local function bad(members, on)
  return ('rule "bad" { %s, %s }'):format(on or 'watch = { "balance" }', members)
end

-- The hostile file, by where the code stands.
local file_of = {
  detect = function(code) return bad("detect = function(now, was, memory)\n" .. code .. "\nend") end,
  only = function(code) return bad("only = function(now)\n" .. code .. "\nend") end,
  payload = function(code) return bad("payload = function(now, was, value)\n" .. code .. "\nend") end,
  moment = function(code) return bad("detect = function(moment, memory, now)\n" .. code .. "\nend", 'on = "tick"') end,
  to = function(code) return bad("to = function(client, event)\n" .. code .. "\nend") end,
  snapshot = function(code) return bad("payload = function(moment, memory, now)\n" .. code .. "\nend", 'on = "snapshot"') end,
  rule = function(members) return bad(members) end,
  migrate = function(code) return bad("version = 2, migrate = function(old)\n" .. code .. "\nend") end,
}

local function text_of(case)
  local at, code = case.at, case[2]
  if at == "file" then return code end
  if at == "load" then return code .. "\n" .. GOOD end
  local sibling = case.alone and "" or SIBLING
  return (case.before or "") .. " " .. HEAD .. "\nreturn { " .. file_of[at](code) .. ", " .. sibling .. " }"
end

local REMEMBERS = 'return { rule "bad" { watch = { "balance" }, detect = function(now, was, memory) memory.x = 1 end }, '
  .. SIBLING .. " }"

-- One engine for a group: each entry's file takes the place of the one before, as in a rules folder.
local function world(group)
  local folder = rules.folder({
    ["a.lua"] = 'return rule "first" { watch = { "balance" } }',
    ["m.lua"] = GOOD,
    ["z.lua"] = 'return rule "last" { watch = { "balance" } }',
  })
  local engine = rules.engine({ folder.path }, { memory_bytes = MEMORY, budget_ms = group.budget_ms or 200 })
  local accounts = {}
  for i, id in ipairs({ "ann", "ben" }) do
    accounts[i] = rules.account(id):set_positions({ rules.position(), rules.position({ ticket = 502, position_id = 502 }) })
  end
  local client = C.tg_script_class_join(engine.script, "alice", '{"role":"user"}', "")
  engine.on_event = function(event, got)
    if event.filtered then got.permitted = C.tg_script_permits(engine.script, event, client) end
  end
  assert(engine:load())
  return { folder = folder, engine = engine, accounts = accounts, balance = 10000 }
end

-- One poll of both accounts; the victims have said their part, in order. What the bad one said.
local function poll(here)
  here.balance = here.balance + 1
  local said, expected, from_bad = {}, {}, {}
  for _, account in ipairs(here.accounts) do
    account:poll({ balance = here.balance })
  end
  for _, event in ipairs(here.engine:run(unpack(here.accounts))) do
    if event.type ~= "bad" then
      said[#said + 1] = event.account .. " " .. event.type .. " " .. event.payload
    elseif event.permitted ~= false then
      from_bad[#from_bad + 1] = event.payload
    end
  end
  for _, id in ipairs({ "ann", "ben" }) do
    for _, name in ipairs(here.victims) do
      expected[#expected + 1] = ('%s %s {"balance":%d.00}'):format(id, name, here.balance)
    end
  end
  assert.same(expected, said)
  for _, name in ipairs(here.victims) do
    assert.equal(0, here.engine:rule(name).faults)
    assert.is_false(here.engine:rule(name).muted)
  end
  return from_bad
end

local function snapshot(here)
  local text = here.engine:snapshot(here.accounts[1])
  assert.truthy(text:find('{"account":{', 1, true), text) -- the built-in one stands in
  assert.truthy(text:find('"positions":[{', 1, true), text)
end

local judge = {}

function judge.muted(here, case)
  for _ = 1, case.ticks or 1 do
    poll(here)
    if case.at == "snapshot" then snapshot(here) end
    if here.engine:rule("bad").muted then break end
  end
  assert.is_true(here.engine:rule("bad").muted, "it is not muted")
  assert.equal(0, #poll(here))
end

function judge.fault(here, case)
  local said = poll(here)
  if case.at == "snapshot" then snapshot(here) end
  assert.is_true(here.engine:rule("bad").faults > 0, "it is no fault")
  assert.is_false(here.engine:rule("bad").muted)
  assert.equal(0, #said)
end

function judge.harmless(here, case)
  local said = poll(here)
  assert.equal(0, here.engine:rule("bad").faults)
  assert.same({ case.gives, case.gives }, said)
end

-- What runs goes on as it was; the refusal names the file and the reason.
function judge.refused(here, case)
  local before = tonumber(here.engine:status().generation)
  here.folder:write("m.lua", text_of(case))
  local good, why = here.engine:load()
  assert.is_nil(good)
  assert.truthy(why:find("m.lua", 1, true), why)
  assert.truthy(why:find(case.says, 1, true), why)
  assert.equal(before, tonumber(here.engine:status().generation))
end

local function put(here, text)
  here.folder:write("m.lua", text)
  assert(here.engine:load())
end

local function try(here, case)
  here.victims = case.alone and { "first", "last" } or { "first", "sibling", "last" }
  local log = rules.logged(function()
    if case.at == "migrate" then
      put(here, REMEMBERS)
      poll(here)
    elseif case.stop == "refused" then
      put(here, GOOD)
    else
      put(here, text_of(case))
    end
    judge[case.stop](here, case)
  end)
  if case.stop == "muted" then assert.truthy(log:find('"event":"rule_muted","rule":"bad"', 1, true), log) end
  if case.stop == "fault" then assert.truthy(log:find('"event":"fault","rule":"bad"', 1, true), log) end
  if case.stop == "fault" and case.says then assert.truthy(log:find(case.says, 1, true), log) end
  assert.is_true(#log < 16384, "a flood in the log: " .. #log)
  poll(here) -- the VM is well: it works, holds little, and those before it gave everything back
  assert.is_true(tonumber(here.engine:status().memory_used) < MEMORY / 4 * 3, "the memory is still held")
  assert.equal(0, tonumber(C.tg_vm_lost()))
end

for _, mode in ipairs({ "compiled", "interpreted" }) do
  describe("a hostile rule, " .. mode .. ":", function()
    setup(function() C.tg_leash_muffle(mode == "interpreted") end)
    teardown(function() C.tg_leash_muffle(false) end)

    for _, name in ipairs(catalogue) do
      local group = require("support.hostile." .. name)
      if (name == "loading" or name == "examples") and mode == "interpreted" then break end -- as files always are
      describe(name .. ":", function()
        local here

        setup(function() here = world(group) end)

        teardown(function()
          here.engine:free()
          here.folder:remove()
        end)

        for _, case in ipairs(group) do
          case.stop, case.at = case.stop or group.stop, case.at or group.at or "detect"
          case.gives = case.gives or group.gives
          it(case[1], function() try(here, case) end)
        end

        it("and then all is as it was", function()
          here.victims = { "first", "sibling", "last" }
          put(here, GOOD)
          assert.equal(2, #poll(here))
          assert.equal(mode == "compiled", here.engine:status().preemption)
        end)
      end)
    end
  end)
end
