-- The story of docs/deploying-rules.md on one gateway, as its operator and one client live it: a new version beside the
-- one that runs, compared, promoted, asked about, muted, taken back. The client is connected from the first step to the
-- last, and sees one stream of events without a gap.
local gateway_of = require("support.gateway")
local process = require("support.process")
local rest = require("support.rest")

local function set(limit)
  return ([[
-- tell when the equity passes a limit, and when it is below it again
local limit = option("limit", %d)

rule "rich" {
  watch = { "equity" },
  detect = function(now, was, memory)
    local over = now.equity > limit
    if over ~= (memory.over or false) then
      memory.over = over
      return over and "over" or "under"
    end
  end,
  schema = { side = { "over", "under" }, limit = "number" },
  payload = function(now, was, side) return { side = side, limit = limit } end,
}

expect "rich" { now = { equity = %d }, gives = { side = "over", limit = %d } }
]]):format(limit, limit + 1, limit)
end

describe("a deployment", function()
  local service, gateway, client, seq

  setup(function()
    service = rest.start()
    gateway = gateway_of.start({
      source = { driver = "http", url = service.url, interval_ms = 200 },
      rules = { path = "rules", candidate_root = "staging" },
    }, { files = { ["rules/rich.lua"] = set(20000), ["staging/keep.txt"] = "" } })
    client = assert(gateway:connect("ex-1"))
    seq = assert(client:wait_type("snapshot", 3000)).seq
  end)

  teardown(function()
    assert.is_nil(client.close_code)
    client:close()
    assert.equal(0, gateway:stop())
    service:stop()
  end)

  local function equity(value)
    service:control({ op = "account", account = "ex-1", set = { equity = value } })
  end

  -- The newest entry of explain with a new equity.
  local function entry_of(value)
    return assert(gateway:eventually(function()
      local entries = gateway:admin("/admin/accounts/ex-1/explain?type=rich").json.entries
      for i = #entries, 1, -1 do
        local change = entries[i].changes and entries[i].changes.equity
        if change and change.new == tonumber(value) then return entries[i] end
      end
    end, 5000), "no poll brought " .. value)
  end

  local function told(side, limit)
    local event = assert(client:wait_type("rich", 5000))
    seq = seq + 1
    assert.same({ side, limit, seq }, { event.side, event.limit, event.seq })
  end

  local function run(...)
    local command = process.start({
      argv = { gateway_of.binary, ... },
      env = { LD_PRELOAD = false, ASAN_OPTIONS = gateway_of.sanitized and "detect_leaks=1:exitcode=99" or false },
    })
    assert(command:wait_exit(20000))
    return command.code, table.concat(command.stdout, "\n"), table.concat(command.stderr, "\n")
  end

  it("goes from the shadow to the clients, is explained, muted, and taken back", function()
    -- the new version is good, and breaks no client
    gateway:write("rules-next.lua", set(15000))
    local code, _, err = run("check", gateway.folder .. "/rules-next.lua")
    assert.equal(0, code, err)
    local out
    code, out, err = run("schema", "--against", gateway.folder .. "/rules", gateway.folder .. "/rules-next.lua")
    assert.equal(0, code, err)
    assert.equal("nothing that clients would notice", out)

    -- shadow: it would speak where the live rules are silent, and clients hear nothing
    assert(require("luv").fs_mkdir(gateway.folder .. "/staging/v2", 448))
    gateway:write("staging/v2/rich.lua", set(15000))
    local answer = gateway:call("POST", "/admin/candidate", { path = "v2" })
    assert.equal(200, answer.status, answer.body)
    equity("16000.00")
    local report = assert(gateway:eventually(function()
      local now = gateway:admin("/admin/candidate").json.candidate
      return now.differences > 0 and now
    end, 5000))
    assert.equal(1, report.rules[1].only_candidate)
    assert.same({ side = "over", limit = 15000 }, report.rules[1].samples[1].candidate.payload)
    local quiet = entry_of("16000.00").rules[1]
    assert.equal("silent", quiet.outcome)
    assert.equal("`detect` had nothing to tell at rich.lua:6", quiet.because)

    -- promote: what the clients were told counts, so the rule has not said "over" yet
    answer = gateway:call("POST", "/admin/candidate/promote")
    assert.equal(200, answer.status, answer.body)
    assert.equal(report.version, answer.json.set.version)
    equity("17000.00")
    told("over", 15000)
    local spoke = entry_of("17000.00")
    assert.equal(2, spoke.generation)
    assert.equal("spoke", spoke.rules[1].outcome)
    assert.same({ { seq = seq, listeners = 1 } }, spoke.rules[1].events)

    -- mute: the absence has its reason, also after the rule speaks again
    assert.equal(200, gateway:call("POST", "/admin/rules/rich/mute").status)
    equity("100.00")
    local muted = entry_of("100.00").rules[1]
    assert.same({ "muted", "it was muted at that time" }, { muted.outcome, muted.because })
    assert.equal(200, gateway:call("POST", "/admin/rules/rich/unmute").status)
    assert.equal("muted", entry_of("100.00").rules[1].outcome)
    equity("101.00")
    told("under", 15000)

    -- roll back: the version before is built from what the gateway kept, and goes on where clients are
    answer = gateway:call("POST", "/admin/rules/rollback", { reason = "too many alerts" })
    assert.equal(200, answer.status, answer.body)
    assert.equal("rollback", answer.json.set.origin)
    equity("16001.00")
    local third = entry_of("16001.00")
    assert.equal(3, third.generation)
    assert.equal("silent", third.rules[1].outcome)
    equity("20001.00")
    told("over", 20000)
    local health = gateway:becomes("degraded")
    assert.equal("too many alerts", health.rules.rolled_back.reason)

    -- a broken file changes nothing but what /health says
    gateway:write("rules/rich.lua", (set(20000):gsub('watch = { "equity"', 'watch = { "equty"')))
    assert(gateway.process:wait_log({ event = "reload_refused" }, 5000))
    assert.matches('no field "equty"; did you mean "equity"?', gateway:health().rules.last_error, 1, true)
    gateway:write("rules/rich.lua", set(20000))
    assert(gateway:eventually(function() return gateway:health().status == "healthy" end, 5000))
    equity("102.00")
    told("under", 20000)
  end)
end)
