local rules = require("support.rules")

describe("a declared schema", function()
  local folder, engine

  before_each(function() folder, engine = rules.stage() end)
  after_each(function() rules.leave(engine, folder) end)

  local function try(text)
    folder:write("a.lua", text)
    local good, why = engine:load()
    return not good and why or nil
  end

  local rule = 'rule "s" { watch = { "equity" }, schema = %s, payload = function(now) return %s end }\n'
  local proved = 'expect "s" { now = { equity = 1 }, gives = any }'

  local good = {
    { '{ a = "number", b = "integer", c = "text", d = "boolean" }', '{ a = 1.5, b = 2, c = "", d = false }' },
    { '{ a = "time", b = "id", c = "id", d = "any" }', '{ a = iso8601(now()), b = 5, c = "9007199254740993", d = {} }' },
    { '{ a = "number?", ["b?"] = { c = "text" }, ["d?"] = { "x", "y" } }', "{}" },
    { '{ ["b?"] = { c = "text" }, ["d?"] = { "x", "y" } }', '{ b = { c = "z" }, d = "y" }' },
    { '{ lots = { ["*"] = "number" } }', "{ lots = { EURUSD = 1, GOLD = -2 } }" },
    { '{ ["*"] = "number", name = "text" }', '{ name = "n", other = 5 }' },
    { '{ a = list { "number" }, b = list { { c = "id" } } }', "{ a = list {}, b = { { c = 1 }, { c = 2 } } }" },
  }
  for i, case in ipairs(good) do
    it("holds: " .. i .. " " .. case[1], function()
      assert.is_nil(try(rule:format(case[1], case[2]:gsub("now%(%)", "1000")) .. proved))
    end)
  end

  local refused = {
    { '{ a = "nummer" }', 'schema.a: no type "nummer"; did you mean "number"?' },
    { '{ a = 5 }', "schema.a: a type is expected, not a number" },
    { '{ "a", "b" }', "schema: a payload is a table of names" },
    { '{ a = { "x", 5 } }', "schema.a: a list of texts is one of them; a list is list { … }" },
    { '{ a = { [true] = "x" } }', "schema.a: a table of names, a list of texts or list { … } is expected" },
    { '{ a = list { "text", "number" } }', "schema.a: list { … } holds one type" },
    { '{ a = { b = { "x", list {} } } }', "schema.a.b: a list of texts is one of them; a list is list { … }" },
  }
  for _, case in ipairs(refused) do
    it("is refused: " .. case[1], function()
      assert.equal('a.lua:1: rule "s": ' .. case[2], try(rule:format(case[1], "{}")))
    end)
  end

  it("is refused beside a shape, which says itself what it holds", function()
    assert.equal('a.lua:1: rule "s": schema: a shape says itself what it holds',
      try('rule "s" { watch = { "equity" }, schema = { equity = "number" }, payload = { "equity" } }'))
    assert.truthy(try('local t = {} t.t = t rule "s" { watch = { "equity" }, schema = t, detect = function() end }'):find(
      "nested more than 16 deep, or within itself", 1, true))
  end)

  local wrong = {
    { '{ a = "number" }', '{ a = "x" }', 'payload.a: the schema says "number", it is "x"' },
    { '{ a = "integer" }', "{ a = 1.5 }", 'payload.a: the schema says "integer", it is 1.5' },
    { '{ a = "time" }', '{ a = "noon" }', 'payload.a: the schema says "time", it is "noon"' },
    { '{ a = { "x", "y" } }', '{ a = "z" }', 'payload.a: the schema says one of "x", "y", it is "z"' },
    { '{ a = "number" }', "{}", "payload.a: the schema expects it" },
    { '{ a = "number" }', "{ a = 1, b = 2 }", "payload.b: the schema does not know it" },
    { '{ a = { b = "text" } }', "{ a = 1 }", "payload.a: the schema says a table, it is 1" },
    { '{ a = list { "text" } }', '{ a = { "x", 5 } }', 'payload.a[2]: the schema says "text", it is 5' },
    { '{ a = list { "text" } }', '{ a = { b = "x" } }', "payload.a: the schema says a list, it has names" },
    { '{ a = { ["*"] = "number" } }', '{ a = { b = "x" } }', 'payload.a.b: the schema says "number", it is "x"' },
  }
  for _, case in ipairs(wrong) do
    it("is what an example is held to: " .. case[3], function()
      assert.equal('a.lua:2: expect "s": ' .. case[3], try(rule:format(case[1], case[2]) .. proved))
    end)
  end
end)
