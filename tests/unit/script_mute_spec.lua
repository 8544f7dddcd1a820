local rules = require("support.rules")

-- A mute and the sets that come and go around it.
describe("a mute", function()
  local folder, nxt, engine, account, balance

  local HANG = 'rule "loop" { watch = { "balance" }, detect = function() while true do end end }'
  local function plain(name, value)
    return ('rule "%s" { watch = { "balance" }, payload = { v = const(%d) } }'):format(name, value or 1)
  end

  before_each(function()
    balance = 0
    nxt = rules.folder({})
    folder, engine, account = rules.stage({ ["a.lua"] = plain("a"), ["b.lua"] = plain("b") })
    engine.live = { account }
  end)

  after_each(function()
    rules.leave(engine, folder)
    nxt:remove()
  end)

  local function mute(name) return rules.C.tg_script_mute(engine.script, name) end
  local function unmute(name) return rules.C.tg_script_unmute(engine.script, name) end

  -- The types of the events of one poll.
  local function said()
    balance = balance + 1
    local types = {}
    for _, event in ipairs(engine:run(account:poll({ balance = balance }))) do
      types[#types + 1] = event.type
    end
    return table.concat(types, " ")
  end

  local function absent()
    local names = {}
    while true do
      local name = rules.C.tg_script_muted_absent(engine.script, #names)
      if name == nil then return names end
      names[#names + 1] = require("ffi").string(name)
    end
  end

  describe("of the operator", function()
    it("outlives a set that has no such rule", function()
      assert.equal(0, mute("a"))
      assert.equal("b", said())
      folder:write("a.lua", "")
      os.remove(folder.path .. "/a.lua")
      assert(engine:load())
      assert.same({ "a" }, absent())
      folder:write("b.lua", plain("b", 2))
      assert(engine:load())
      folder:write("c.lua", plain("a", 3)) -- another file, another text: the same name
      assert(engine:load())
      assert.same({}, absent())
      assert.equal("b", said())
      assert.equal("muted by the operator", engine:rule("a").why)
      assert.equal(0, unmute("a"))
      assert.equal("b a", said())
    end)

    it("can be taken back while no rule has the name", function()
      assert.equal(0, mute("a"))
      os.remove(folder.path .. "/a.lua")
      assert(engine:load())
      assert.equal(1, unmute("a"))
      assert.is_true(unmute("a") < 0)
      folder:write("a.lua", plain("a"))
      assert(engine:load())
      assert.equal("a b", said())
    end)

    it("is of the name: a rule that is renamed speaks, and is silent when it is named as before", function()
      assert.equal(0, mute("a"))
      folder:write("a.lua", plain("new"))
      assert(engine:load())
      assert.equal("new b", said())
      folder:write("a.lua", plain("a"))
      assert(engine:load())
      assert.equal("b", said())
    end)

    it("outlives a rollback to a set with the rule, and a reload that is refused", function()
      os.remove(folder.path .. "/a.lua")
      assert(engine:load())
      assert(engine:rollback())
      assert.equal("a b", said())
      assert.equal(0, mute("a"))
      folder:write("b.lua", "rule 'b' {")
      assert.is_nil(engine:load())
      assert.equal("", (said():gsub("b", "")))
      folder:write("b.lua", plain("b", 5))
      os.remove(folder.path .. "/a.lua")
      assert(engine:load())
      assert(engine:rollback())
      assert.equal("b", said())
    end)

    it("holds for a candidate, before and after it is promoted", function()
      nxt:write("a.lua", plain("a", 9) .. "\n" .. plain("b"))
      assert(engine:candidate({ nxt.path }))
      assert.equal("a b", said())
      assert.equal(1, engine:report().rules.a.different)
      assert.equal(0, mute("a"))
      assert.equal("b", said())
      assert.equal(1, engine:report().differences) -- neither says it
      assert.equal(0, unmute("a"))
      assert.equal("a b", said())
      assert.equal(2, engine:report().differences)
      assert.equal(0, mute("a"))
      folder:write("b.lua", plain("b", 7)) -- other rules go live beside the candidate
      assert(engine:load())
      said()
      assert.equal(0, engine:report().rules.a.only_candidate)
      assert(engine:promote())
      assert.equal("b", said())
      assert.equal(0, unmute("a"))
      assert.equal("a b", said())
    end)

    it("stays when the rule runs away as well and is mended", function()
      folder:write("c.lua", HANG)
      assert(engine:load())
      assert.equal("a b", said())
      assert.equal(0, mute("loop"))
      folder:write("c.lua", plain("loop"))
      assert(engine:load())
      assert.equal("a b", said())
      assert.equal(0, unmute("loop"))
      assert.equal("a b loop", said())
    end)
  end)

  describe("of a rule that ran away", function()
    before_each(function()
      folder:write("c.lua", HANG)
      assert(engine:load())
      assert.equal("a b", said())
      assert.is_true(engine:rule("loop").muted)
    end)

    it("stays when its file is moved, and ends when the rule is named otherwise", function()
      os.remove(folder.path .. "/c.lua")
      folder:write("0.lua", HANG)
      assert(engine:load())
      assert.is_true(engine:rule("loop").muted)
      assert.equal("a b", said())
      folder:write("0.lua", (HANG:gsub('"loop"', '"other"')))
      assert(engine:load())
      assert.is_false(engine:rule("other").muted)
      assert.equal("a b", said())
      assert.is_true(engine:rule("other").muted)
    end)

    it("ends with a set that has it not: restored, it is tried and stopped again", function()
      os.remove(folder.path .. "/c.lua")
      assert(engine:load())
      assert.equal("a b", said())
      folder:write("c.lua", HANG)
      assert(engine:load())
      assert.is_false(engine:rule("loop").muted)
      assert.equal("a b", said())
      assert.is_true(engine:rule("loop").muted)
    end)

    it("is the candidate's as well, and ends where the candidate has mended it", function()
      nxt:write("a.lua", plain("a"))
      nxt:write("c.lua", HANG)
      assert(engine:candidate({ nxt.path }))
      assert.equal("a b", said())
      assert.is_true(engine:report().rules.loop.muted)
      nxt:write("c.lua", plain("loop"))
      assert(engine:candidate({ nxt.path }))
      assert.equal("a b", said())
      assert.equal(1, engine:report().rules.loop.only_candidate)
      assert.is_true(engine:rule("loop").muted)
      assert(engine:promote())
      assert.equal("a loop", said())
    end)
  end)
end)
