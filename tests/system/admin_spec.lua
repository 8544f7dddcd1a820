-- What an operator does to a running gateway over the admin listener.
local gateway_of = require("support.gateway")
local wire = require("support.wire")

local HELLO = 'return rule "hello" { on = "tick", payload = function() return { word = "hello" } end }\n'
local EQUITY = 'return rule "equity" { watch = { "equity" }, lane = "latest" }\n'

describe("the admin calls", function()
  local gateway

  setup(function()
    gateway = gateway_of.start({
      source = { driver = "sim", interval_ms = 200 },
      rules = { path = "rules", reload = false },
    }, { files = { ["rules/hello.lua"] = HELLO, ["rules/equity.lua"] = EQUITY } })
  end)

  teardown(function()
    assert.equal(0, gateway:stop())
  end)

  local function rule(name)
    for _, row in ipairs(gateway:admin("/admin/rules").json.rules) do
      if row.name == name then return row end
    end
  end

  local function refused(answer, status, code)
    assert.equal(status, answer.status, answer.body)
    assert.is_false(answer.json.success)
    assert.equal(code, answer.json.error.code)
    assert.is_true(#answer.json.error.message > 0)
    assert.is_truthy(gateway.process:wait_log({ module = "admin", event = "refused",
      reference = answer.json.error.support_reference }, 1000))
    return answer.json.error.message
  end

  local function audited(event, fields)
    fields.module, fields.event, fields.level = "admin", event, "audit"
    assert(gateway.process:wait_log(fields, 1000), event .. " is not in the audit log")
  end

  it("list the rules with what they watch and what they did", function()
    local client = assert(gateway:connect("demo-1"))
    assert(client:wait_type("hello", 4000))
    local answer = gateway:admin("/admin/rules")
    assert.equal(200, answer.status)
    assert.is_true(answer.json.success)
    local set = answer.json.set
    assert.equal("rules", set.name)
    assert.equal(gateway:health().rules.version, set.version)
    assert.matches("^%x+$", set.version)
    assert.equal(2, #answer.json.rules)
    local equity, hello = rule("equity"), rule("hello")
    assert.same({ "equity" }, equity.watch)
    assert.same({}, equity.on)
    assert.equal("latest", equity.lane)
    assert.same({ "tick" }, hello.on)
    assert.matches("/rules/hello.lua$", hello.file)
    assert.is_true(hello.calls >= 1 and hello.events >= 1)
    assert.equal(0, hello.faults)
    assert.is_false(hello.muted)
    client:close()
  end)

  it("mute a rule until it is unmuted, over reloads as well", function()
    local client = assert(gateway:connect("demo-2"))
    assert(client:wait_type("hello", 4000))
    local answer = gateway:call("POST", "/admin/rules/hello/mute")
    assert.equal(200, answer.status, answer.body)
    assert.is_true(answer.json.rule.muted)
    assert.equal("muted by the operator", answer.json.rule.why)
    audited("rule_mute", { what = "hello", outcome = "ok" })
    gateway:write("rules/hello.lua", (HELLO:gsub('"hello" }', '"hi" }')))
    answer = gateway:call("POST", "/admin/rules/reload", {})
    assert.equal(200, answer.status, answer.body)
    assert.equal(2, answer.json.set.generation)
    assert.is_true(rule("hello").muted)
    local polled = gateway:metric('tidegate_polls_total{end="ok"}')
    assert(gateway:eventually(function() -- beats at which it would speak
      return gateway:metric('tidegate_polls_total{end="ok"}') >= polled + 2
    end))
    assert.equal(0, rule("hello").events)
    assert.equal(200, gateway:call("POST", "/admin/rules/hello/unmute").status)
    repeat
      local told = assert(client:wait_type("hello", 4000))
    until told.word == "hi"
    audited("rule_unmute", { what = "hello", outcome = "ok" })
    client:close()
  end)

  it("keep a mute while no rule has its name, tell it, and take it back", function()
    assert.equal(200, gateway:call("POST", "/admin/rules/equity/mute").status)
    gateway:write("rules/equity.lua", (EQUITY:gsub('rule "equity"', 'rule "money"')))
    assert.equal(200, gateway:call("POST", "/admin/rules/reload").status)
    assert.same({ "equity" }, gateway:admin("/admin/rules").json.muted_absent)
    gateway:write("rules/equity.lua", EQUITY)
    assert.equal(200, gateway:call("POST", "/admin/rules/reload").status)
    assert.same({}, gateway:admin("/admin/rules").json.muted_absent)
    assert.is_true(rule("equity").muted)
    gateway:write("rules/equity.lua", (EQUITY:gsub('rule "equity"', 'rule "money"')))
    assert.equal(200, gateway:call("POST", "/admin/rules/reload").status)
    local answer = gateway:call("POST", "/admin/rules/equity/unmute")
    assert.equal(200, answer.status, answer.body)
    assert.is_nil(answer.json.rule)
    refused(gateway:call("POST", "/admin/rules/equity/unmute"), 404, "UNKNOWN_RULE")
    gateway:write("rules/equity.lua", EQUITY)
    assert.equal(200, gateway:call("POST", "/admin/rules/reload").status)
    assert.is_false(rule("equity").muted)
  end)

  it("answer a reload that is refused with file and line, and what ran goes on", function()
    local before = gateway:admin("/admin/rules").json.set
    gateway:write("rules/equity.lua", 'return rule "equity" { watch = { "eqity" } }\n')
    local message = refused(gateway:call("POST", "/admin/rules/reload"), 422, "RELOAD_REFUSED")
    assert.matches("equity.lua:1:", message, 1, true)
    assert.matches('did you mean "equity"', message, 1, true)
    local after = gateway:admin("/admin/rules").json.set
    assert.equal(before.generation, after.generation)
    assert.equal(before.version, after.version)
    assert.equal(message, after.last_error)
    audited("rules_reload", { outcome = message })
    gateway:write("rules/equity.lua", EQUITY)
    assert.equal(200, gateway:call("POST", "/admin/rules/reload").status)
  end)

  it("are refused by name, method and body", function()
    refused(gateway:call("POST", "/admin/rules/nobody/mute"), 404, "UNKNOWN_RULE")
    refused(gateway:admin("/admin/rulez"), 404, "NOT_FOUND")
    refused(gateway:admin("/admin/rules/a/b/mute"), 404, "NOT_FOUND")
    refused(gateway:admin("/admin/"), 404, "NOT_FOUND")
    local answer = gateway:admin("/admin/rules/reload")
    refused(answer, 405, "METHOD_NOT_ALLOWED")
    assert.equal("POST", answer.headers.allow)
    answer = gateway:call("DELETE", "/admin/rules")
    refused(answer, 405, "METHOD_NOT_ALLOWED")
    assert.equal("GET, HEAD", answer.headers.allow)
    for _, body in ipairs({ "{", "[]", '"x"', "nonsense", '{"a":1}' }) do
      refused(gateway:call("POST", "/admin/rules/reload", body), 400, "INVALID_REQUEST")
    end
    assert.equal(413, gateway:call("POST", "/admin/rules/reload", ("x"):rep(5000)).status)
    assert.equal(200, wire.http({ port = gateway.admin_port, path = "/admin/rules", method = "HEAD" }).status)
  end)

  it("refuse what they do not know and what is said twice, and do nothing", function()
    local before = gateway:admin("/admin/rules").json.set
    for target, sentence in pairs({
      ["/admin/rules/reload?force=1"] = 'unknown parameter "force"; this call takes none',
      ["/admin/rules/rollback?reason=x"] = 'unknown parameter "reason"; this call takes none',
      ["/admin/rules/hello/mute?x"] = 'unknown parameter "x"; this call takes none',
      ["/admin/candidate?path=next"] = 'unknown parameter "path"; this call takes none',
      ["/admin/candidate/promote?x=1"] = 'unknown parameter "x"; this call takes none',
    }) do
      assert.equal(sentence, refused(gateway:call("POST", target), 400, "INVALID_PARAMETERS"))
    end
    for target, sentence in pairs({
      ["/admin/rules?x=1"] = 'unknown parameter "x"; this call takes none',
      ["/admin/schema?frmt=typescript"] = 'unknown parameter "frmt"; known: format',
      ["/admin/schema?format=asyncapi&format=typescript"] = 'the parameter "format" is given twice',
      ["/admin/accounts/demo-1/explain?tpye=x"] = 'unknown parameter "tpye"; known: type, last_seconds, limit',
      ["/admin/accounts/demo-1/explain?limit=1&limit=2"] = 'the parameter "limit" is given twice',
      ["/admin/accounts/demo-1/explain?limit=0"] = "limit must be a number from 1 to 10000",
      ["/admin/accounts/demo-1/explain?limit=-1"] = "limit must be a number from 1 to 10000",
      ["/admin/accounts/demo-1/explain?limit="] = "limit must be a number from 1 to 10000",
      ["/admin/accounts/demo-1/explain?limit=99999999999999999999"] = "limit must be a number from 1 to 10000",
      ["/admin/accounts/demo-1/explain?last_seconds=1.5"] = "last_seconds must be a number from 1 to 86400",
      ["/admin/accounts/%C3%A9/explain"] = '"\195\169" is no account id: 1 to 64 of A-Z a-z 0-9 . _ -',
    }) do
      assert.equal(sentence, refused(gateway:admin(target), 400, "INVALID_PARAMETERS"))
    end
    for body, sentence in pairs({
      ['{"reason":"a","reason":"b"}'] = 'the member "reason" is given twice',
      ['{"raeson":"a"}'] = 'unknown member "raeson"; known: reason',
      ['{"reason":7}'] = "reason must be a text of at most 199 bytes",
      ['{"reason":null}'] = "reason must be a text of at most 199 bytes",
      [('{"reason":"%s"}'):format(("x"):rep(200))] = "reason must be a text of at most 199 bytes",
      ['{"reason":"a"} b'] = "the body is not JSON: JSON: something follows the document at byte 15",
    }) do
      assert.equal(sentence, refused(gateway:call("POST", "/admin/rules/rollback", body), 400, "INVALID_REQUEST"))
    end
    local twice = gateway:call("POST", "/admin/candidate", '{"path":"a","path":"b"}')
    assert.equal('the member "path" is given twice', refused(twice, 400, "INVALID_REQUEST"))
    local after = gateway:admin("/admin/rules").json.set
    assert.equal(before.generation, after.generation)
    assert.is_false(rule("hello").muted)
  end)

  it("are not there for web pages, nor on the public listener", function()
    local headers = { Origin = "http://evil.example" }
    refused(gateway:call("POST", "/admin/rules/hello/mute", nil, headers), 403, "FORBIDDEN_ORIGIN")
    assert.is_false(rule("hello").muted)
    assert.equal(404, wire.http({ port = gateway.port, path = "/admin/rules/hello/mute", method = "POST" }).status)
    assert.equal(404, gateway:get("/admin/rules").status)
  end)

  it("need the token when there is one", function()
    local guarded = gateway_of.start({ admin = { token = ("t"):rep(20) } })
    assert.equal(401, guarded:admin("/admin/rules").status)
    assert.equal(401, guarded:admin("/admin/nothing").status)
    assert.equal(401, guarded:call("POST", "/admin/rules/reload").status)
    assert(guarded.process:wait_log({ module = "admin", event = "refused", level = "audit" }, 1000))
    assert.equal(401, guarded:admin("/admin/rules", { Authorization = "Bearer " .. ("t"):rep(19) .. "u" }).status)
    assert.equal(200, guarded:admin("/admin/rules", { Authorization = "Bearer " .. ("t"):rep(20) }).status)
    assert.equal(0, guarded:stop())
  end)
end)
