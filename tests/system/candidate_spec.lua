-- A candidate beside live rules: started, looked at, promoted and dropped by its operator, and never heard by clients.
local gateway_of = require("support.gateway")

local function hello(word)
  return ('return rule "hello" { on = "tick", payload = { word = const(%q) } }\n'):format(word)
end

describe("a candidate", function()
  local gateway, client

  before_each(function()
    gateway = gateway_of.start({
      source = { driver = "sim", interval_ms = 200 },
      rules = { path = "rules", candidate = "next", candidate_root = "staging" },
    }, {
      files = {
        ["rules/hello.lua"] = hello("live"), ["next/hello.lua"] = hello("next"), ["staging/keep.txt"] = "",
      },
    })
    client = assert(gateway:connect("demo-1"))
    assert(client:wait_type("hello", 4000))
  end)

  after_each(function()
    assert.is_nil(client.close_code)
    client:close()
    assert.equal(0, gateway:stop())
  end)

  local function report() return gateway:admin("/admin/candidate").json.candidate end

  local function differs()
    return assert(gateway:eventually(function()
      local now = report()
      return now.differences > 2 and now
    end))
  end

  local function refused(answer, status, code)
    assert.equal(status, answer.status, answer.body)
    assert.equal(code, answer.json.error.code)
    return answer.json.error.message
  end

  it("of the configuration runs from the start on, and clients hear nothing of it", function()
    local found = differs()
    assert.equal("next", found.name)
    assert.equal("hello", found.rules[1].name)
    assert.equal(found.differences, found.rules[1].different)
    local sample = found.rules[1].samples[1]
    assert.equal("demo-1", sample.account)
    assert.same({ word = "live" }, sample.live.payload)
    assert.same({ word = "next" }, sample.candidate.payload)
    local health = gateway:health().rules
    assert.equal(found.version, health.candidate.version)
    assert.equal(1, health.candidate.accounts_followed)
    assert.equal(1, health.generation)
    assert.equal(1, gateway:metric("tidegate_candidate_running"))
    assert.is_true(gateway:metric("tidegate_candidate_differences") > 2)
    assert.equal(1, gateway:metric('tidegate_candidate_accounts{state="followed"}'))
    for _ = 1, 3 do
      assert.equal("live", assert(client:wait_type("hello", 2000)).word)
    end
  end)

  it("is promoted, and rolled back", function()
    local version = differs().version
    local answer = gateway:call("POST", "/admin/candidate/promote")
    assert.equal(200, answer.status, answer.body)
    assert.equal("candidate", answer.json.set.origin)
    assert.equal(version, answer.json.set.version)
    repeat
      local told = assert(client:wait_type("hello", 2000))
    until told.word == "next"
    refused(gateway:admin("/admin/candidate"), 404, "NO_CANDIDATE")
    refused(gateway:call("POST", "/admin/candidate/promote"), 404, "NO_CANDIDATE")
    local from = #gateway.process.stderr + 1
    gateway.process:signal("sighup")
    assert(gateway.process:wait_log({ event = "reload_held", cause = "SIGHUP" }, 3000, from))
    assert.equal("candidate", gateway:health().rules.origin)
    gateway:becomes("healthy")
    assert.equal(200, gateway:call("POST", "/admin/rules/rollback").status)
    repeat
      local told = assert(client:wait_type("hello", 2000))
    until told.word == "live"
    assert(gateway.process:wait_log({ module = "admin", event = "candidate_promote", what = version }, 1000))
  end)

  it("is read again when it is edited, and stays when the edit is bad", function()
    local before = differs().version
    gateway:write("next/hello.lua", hello("live"))
    assert(gateway:eventually(function()
      local now = report()
      return now.version ~= before and now.same > 2 and now
    end))
    assert.equal(0, report().differences)
    gateway:write("next/hello.lua", "broken(")
    assert(gateway.process:wait_log({ event = "candidate_refused", level = "audit" }, 3000))
    assert.is_true(report().same > 2)
    assert.equal(1, gateway:health().rules.generation)
  end)

  it("is dropped, with a last report", function()
    differs()
    local answer = gateway:call("DELETE", "/admin/candidate")
    assert.equal(200, answer.status, answer.body)
    assert.is_true(answer.json.candidate.differences > 2)
    refused(gateway:admin("/admin/candidate"), 404, "NO_CANDIDATE")
    refused(gateway:call("POST", "/admin/candidate/drop"), 404, "NO_CANDIDATE")
    assert.is_nil(gateway:health().rules.candidate)
    assert.equal(0, gateway:metric("tidegate_candidate_running"))
    assert.equal(200, gateway:call("POST", "/admin/candidate").status)
    assert.equal("next", report().name)
  end)

  it("is taken from the configuration or from below its root, and from nowhere else", function()
    gateway:write("staging/v3/hello.lua", hello("three"))
    os.execute(("mkdir -p %s/secret && ln -s ../secret %s/staging/link"):format(gateway.folder, gateway.folder))
    gateway:write("secret/a.lua", hello("secret"))
    for _, path in ipairs({
      "/etc", "/etc/passwd", gateway.folder, gateway.folder .. "/secret", gateway.folder .. "/rules",
      gateway.folder .. "/staging2", "../secret", "v3/../../secret", "link", "link/a.lua", "nothing", "/", ".." ,
    }) do
      refused(gateway:call("POST", "/admin/candidate", { path = path }), 403, "FORBIDDEN_PATH")
    end
    refused(gateway:call("POST", "/admin/candidate", '{"path":7}'), 400, "INVALID_REQUEST")
    refused(gateway:call("POST", "/admin/candidate", '{"path":""}'), 400, "INVALID_REQUEST")
    refused(gateway:call("POST", "/admin/candidate", '{"path":"a\\u0000b"}'), 400, "INVALID_REQUEST")
    assert.equal("next", report().name)
    for _, path in ipairs({ "v3", gateway.folder .. "/staging/v3", "v3/hello.lua" }) do
      local answer = gateway:call("POST", "/admin/candidate", { path = path })
      assert.equal(200, answer.status, answer.body)
      assert.matches("^v3", answer.json.candidate.name:gsub("hello.lua", "v3"))
    end
    assert.equal(200, gateway:call("POST", "/admin/candidate", { path = gateway.folder .. "/next" }).status)
    gateway:write("staging/v3/hello.lua", "broken(")
    assert.matches("hello.lua:", refused(gateway:call("POST", "/admin/candidate", { path = "v3" }), 422,
      "CANDIDATE_REFUSED"), 1, true)
    assert.equal("next", report().name)
  end)
end)

describe("a configured candidate that is bad", function()
  it("does not keep the gateway from its clients", function()
    local gateway = gateway_of.start({ rules = { path = "rules", candidate = "next" } }, {
      files = { ["rules/hello.lua"] = hello("live"), ["next/hello.lua"] = "broken(" },
    })
    assert.equal("healthy", gateway:health().status)
    assert.matches("hello.lua:", gateway:health().last_error.message, 1, true)
    assert.equal(404, gateway:admin("/admin/candidate").status)
    assert.equal(0, gateway:stop())
  end)
end)
