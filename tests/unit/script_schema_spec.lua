-- What a set's messages look like, and what the clients of one set would notice of another.
local ffi = require("ffi")
local json = require("dkjson")
local rules = require("support.rules")
local C = rules.C

describe("the schema of a set", function()
  local opened

  before_each(function() opened = {} end)

  after_each(function()
    for _, one in ipairs(opened) do
      one.engine:free()
      one.folder:remove()
    end
  end)

  local function load(text, with)
    local folder = rules.folder({ ["a.lua"] = text })
    local engine = rules.engine({ folder.path }, with)
    opened[#opened + 1] = { engine = engine, folder = folder }
    assert(engine:load())
    return engine
  end

  -- The text, the number of breaking changes and what is not declared; or nil and why.
  local function describe_as(engine, format, against)
    local asked, out, undeclared, err = ffi.new("struct tg_description"), ffi.new("struct tg_buf"), ffi.new("struct tg_buf"),
      ffi.new("struct tg_err")
    asked.format, asked.against, asked.against_len = format, against, against and #against or 0
    local rc = C.tg_script_describe(engine.script, asked, out, undeclared, err)
    local text = out.data ~= nil and ffi.string(out.data, out.len) or ""
    local open = undeclared.data ~= nil and ffi.string(undeclared.data, undeclared.len) or ""
    C.tg_buf_fini(out)
    C.tg_buf_fini(undeclared)
    if rc < 0 then return nil, ffi.string(err.text) end
    return text, rc, open
  end

  local function schema_of(text, with)
    return json.decode((assert(describe_as(load(text, with), "json-schema"))))["$defs"]
  end

  it("has a shape's fields as their kinds are, with the gateway's own members", function()
    local defs = schema_of([[rule "p" {
      on = "position_closed",
      payload = { "ticket", "symbol", "side", { at = "time_close" }, "sl", "volume", { open = "price_open" },
        { source = const("mt5") }, when "synthetic", { inner = { "magic", "account.currency" } } },
    }]])
    local p = defs.p
    assert.same({ const = "p" }, p.properties.type)
    assert.same({ type = "integer", minimum = 0 }, p.properties.seq)
    assert.same({ type = "string", format = "date-time" }, p.properties.timestamp)
    assert.equal("integer", p.properties.ticket.type)
    assert.equal("string", p.properties.symbol.type)
    assert.same({ "unknown", "buy", "sell" }, p.properties.side.enum)
    assert.same({ "string", "null" }, p.properties.at.type)
    assert.same({ "number", "null" }, p.properties.sl.type)
    assert.equal("number", p.properties.volume.type)
    assert.same({ const = "mt5" }, p.properties.source)
    assert.same({ "magic", "currency" }, p.properties.inner.required)
    assert.same({ "type", "seq", "timestamp", "ticket", "symbol", "side", "at", "sl", "volume", "open", "source", "inner" }, p.required)
    assert.truthy(p.properties.synthetic) -- but it may be missing
    assert.equal("lots", p.properties.volume.description:match("lots"))
  end)

  it("has changes, of which at least one is there, lists, and rev on the latest lane", function()
    local defs = schema_of([[rule "u" {
      watch = { "equity", "leverage", "name" }, lane = "latest",
      payload = { { changes = changes { "equity", "leverage", "name" } }, { open = positions { "ticket" } } },
    }]])
    local changes = defs.u.properties.changes
    assert.equal(1, changes.minProperties)
    assert.is_nil(changes.required)
    assert.equal("number", changes.properties.equity.properties.diff.type)
    assert.equal("integer", changes.properties.leverage.properties.diff.type)
    assert.is_nil(changes.properties.name.properties.diff)
    assert.equal("array", defs.u.properties.open.type)
    assert.truthy(defs.u.properties.rev)
    assert.is_nil(defs.u.properties.seq)
  end)

  it("has what `schema` declares, and says whose payload nobody knows", function()
    local text, _, open = describe_as(load([[
      rule "known" { watch = { "equity" }, detect = function() return {} end,
        schema = { zone = { "warn", "call" }, level = "number?", lots = { ["*"] = "number" }, ids = list { "id" }, at = "time" } }
      rule "unknown" { watch = { "equity" }, payload = function() return { x = 1 } end }
    ]]), "json-schema")
    local defs = json.decode(text)["$defs"]
    assert.same({ enum = { "warn", "call" } }, defs.known.properties.zone)
    assert.same({ type = { "number", "null" } }, defs.known.properties.level)
    assert.same({ type = "number" }, defs.known.properties.lots.additionalProperties)
    assert.same({ "integer", "string" }, defs.known.properties.ids.items.type)
    assert.same({ "type", "seq", "timestamp", "at", "ids", "lots", "zone" }, defs.known.required)
    assert.is_nil(defs.unknown.properties.x)
    assert.equal('a.lua:3: rule "unknown": a function makes its payload; with `schema` it could be described', open)
  end)

  it("follows the envelope and the ids' form", function()
    local defs = schema_of([[
      envelope { type = "event", seq = "n", payload = "data" }
      rule "p" { on = "position_opened", payload = { "ticket" } }
    ]], { ids_as_text = true })
    assert.same({ "event", "n", "timestamp", "data" }, defs.p.required)
    assert.equal("string", defs.p.properties.data.properties.ticket.type)
    assert.equal("event", defs.snapshot.required[1])
    assert.truthy(defs.snapshot.properties.data.properties.account)
    assert.truthy(defs.snapshot.properties.cached)
  end)

  it("joins rules of one type, and moments of one rule", function()
    local defs = schema_of([[
      rule "a" { on = { "position_opened", "deal" }, type = "t" }
      rule "b" { on = "tick", type = "t", payload = { "equity" } }
    ]])
    assert.equal(3, #defs.t.anyOf)
  end)

  it("knows the protocol's own messages, whose types no rule may take", function()
    local defs = schema_of('rule "a" { on = "tick" }')
    local own = {}
    for name in pairs(defs) do
      if name ~= "a" then own[name] = true end
    end
    for name in pairs(own) do
      local folder = rules.folder({ ["a.lua"] = ('rule "x" { on = "tick", type = "%s" }'):format(name) })
      local engine = rules.engine({ folder.path })
      opened[#opened + 1] = { engine = engine, folder = folder }
      local good, why = engine:load()
      assert.is_nil(good, name)
      assert.truthy(why:find('type "' .. name .. '" is that of a message of the gateway\'s own', 1, true), why)
    end
    assert(load('envelope { type = "event" } rule "x" { on = "tick", type = "status" }'))
  end)

  it("is TypeScript and AsyncAPI as well, and nothing else", function()
    local engine = load('rule "trade.open" { on = "position_opened", payload = { "side", { ["a-b"] = "sl" } } }')
    local text = describe_as(engine, "typescript")
    assert.truthy(text:find('export type TradeOpen = {\n  type: "trade.open";\n  seq: number;', 1, true), text)
    assert.truthy(text:find('  side: "unknown" | "buy" | "sell";', 1, true), text)
    assert.truthy(text:find('  "a-b": number | null;', 1, true), text)
    local document = json.decode((describe_as(engine, "asyncapi")))
    assert.equal("3.0.0", document.asyncapi)
    assert.truthy(document.components.messages["trade.open"].payload.properties.side)
    assert.truthy(document.channels.account.messages.client_ping)
    local nothing, why = describe_as(engine, "yaml")
    assert.is_nil(nothing)
    assert.equal('there is no format "yaml"; there are json-schema, asyncapi and typescript', why)
  end)

  it("is the same text each time", function()
    local engine = rules.engine({})
    opened[#opened + 1] = { engine = engine, folder = rules.folder() }
    assert(engine:load())
    assert.equal(describe_as(engine, "json-schema"), describe_as(engine, "json-schema"))
  end)

  describe("against another's", function()
    local base = [[rule "p" { on = "position_closed", payload = { "ticket", "sl", "side", { volume = "volume" } } }]]

    local function changes(new, old)
      local text, breaking = describe_as(load(new), "json-schema", (describe_as(load(old or base), "json-schema")))
      return text, breaking
    end

    for _, case in ipairs({
      { "of itself: nothing", base, nil, "nothing that clients would notice\n" },
      { "a member more", base:gsub('"sl"', '"sl", "tp"'), nil, "new       p.tp is new\n" },
      { "a message more", base .. ' rule "q" { on = "deal" }', nil, "new       q is new\n" },
      { "a member less", base:gsub('"sl", ', ""), nil, "breaking  p.sl is gone\n" },
      { "a message less", 'rule "q" { on = "deal" }', nil, "breaking  p is gone: no rule sends it\nnew       q is new\n" },
      { "a member that may be missing", base:gsub('"sl"', 'when "sl"'), nil, "breaking  p.sl was always there, may be missing now\n" },
      { "a member that may be null", base:gsub('"volume" }', '"tp" }'), nil, "breaking  p.volume was number, may be number | null now\n" },
      { "a number for a name", base:gsub('"side"', '{ side = "volume" }'), nil,
        'breaking  p.side was "unknown" | "buy" | "sell", may be number now\n' },
      { "a name for a constant", base:gsub('"side"', '{ side = const("buy") }'), nil, "nothing that clients would notice\n" },
      { "an integer for a number", base:gsub('volume = "volume"', 'volume = "ticket"'), nil, "nothing that clients would notice\n" },
      { "another lane", base:gsub("payload", 'lane = "latest", payload'), nil, "breaking  p.seq is gone\nnew       p.rev is new\n" },
      { "a name more", 'rule "p" { on = "tick", detect = function() return {} end, schema = { z = { "a", "b", "c" } } }',
        'rule "p" { on = "tick", detect = function() return {} end, schema = { z = { "a", "b" } } }',
        'breaking  p.z may be "c" now, which it never was\n' },
      { "one moment more", 'rule "p" { on = { "deal", "position_opened" } }', 'rule "p" { on = { "deal", "position_opened", "tick" } }',
        "nothing that clients would notice\n" },
    }) do
      it("tells " .. case[1], function()
        local text, breaking = changes(case[2], case[3])
        assert.equal(case[4], text)
        assert.equal(case[4]:find("breaking", 1, true) and 1 or 0, breaking)
      end)
    end

    it("refuses what is no such document", function()
      local engine = load(base)
      for _, bad in ipairs({ "", "{", "[]", "{}", '{"$defs":1}' }) do
        local nothing, why = describe_as(engine, "json-schema", bad)
        assert.is_nil(nothing)
        assert.truthy(why:find("no JSON Schema document", 1, true), why)
      end
    end)
  end)
end)
