-- What `tidegate schema` says is what clients receive: judged by validators that are not ours.
local json = require("dkjson")
local gateway_of = require("support.gateway")
local process = require("support.process")
local rest = require("support.rest")
local root = os.getenv("TIDEGATE_SOURCE") or "."

local function run(argv)
  local command = process.start({ argv = argv, env = { LD_PRELOAD = false,
    ASAN_OPTIONS = gateway_of.sanitized and "detect_leaks=1:exitcode=99" or false } })
  assert(command:wait_exit(60000))
  return command.code, table.concat(command.stdout, "\n"), table.concat(command.stderr, "\n")
end

local function schema(...)
  return run({ gateway_of.binary, "schema", ... })
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

describe("schema", function()
  local folder

  before_each(function() folder = gateway_of.folder() end)
  after_each(function() os.execute("rm -rf " .. folder) end)

  it("holds for every message of the default rules", function()
    local service = rest.start()
    local gateway = gateway_of.start({ source = { driver = "http", url = service.url, breaker_failures = 1000 },
      protocol = { timeout_seconds = 60 } })
    local client = assert(gateway:connect("s-1"))
    local lines, seen = {}, {}
    local function read_until(kind)
      repeat
        local object, text = client:next_json(4000)
        assert(object, kind)
        lines[#lines + 1], seen[object.type] = text, true
      until object.type == kind
    end
    local function change(document)
      document.account = "s-1"
      return service:control(document)
    end
    read_until("snapshot")
    change({ op = "account", set = { balance = "10050.00", leverage = "200" } })
    read_until("account_update")
    local ticket = change({ op = "open", position = { symbol = "EURUSD", open_price = "1.08500", ticket = 501, comment = "x" } }).ticket
    read_until("position_opened")
    change({ op = "modify", ticket = ticket, set = { sl = "1.08000" } })
    read_until("position_modified")
    client:send_json({ type = "snapshot" })
    read_until("snapshot")
    change({ op = "close", ticket = ticket, price = "1.08650", profit = "150.00", reason = "tp" })
    read_until("position_closed")
    for _, message in ipairs({ { type = "ping", id = 7 }, { type = "events", include = { "*" } }, { type = "nonsense" } }) do
      client:send_json(message)
      read_until(message.type == "ping" and "pong" or message.type == "events" and "events" or "error")
    end
    service:stop()
    read_until("status")
    client:send_json({ type = "snapshot" })
    read_until("snapshot")
    client:close()
    assert.equal(0, gateway:stop())
    for _, kind in ipairs({ "connected", "snapshot", "account_update", "position_opened", "position_modified", "position_closed",
      "pong", "events", "error", "status" }) do
      assert.is_true(seen[kind], kind)
    end

    local code, out = schema()
    assert.equal(0, code)
    write(folder .. "/schema.json", out)
    write(folder .. "/messages", table.concat(lines, "\n") .. "\n")
    local judge = { "/usr/bin/python3", "-B", root .. "/tests/support/validate.py", folder .. "/schema.json" }
    code, out = run({ "/bin/sh", "-c", ('"$@" < %s/messages'):format(folder), "sh", unpack(judge) })
    assert.equal(0, code, out)
    -- And it would have noticed.
    write(folder .. "/messages", (lines[#lines]:gsub('"seq":%d+', '"seq":"1"')) .. "\n")
    code, out = run({ "/bin/sh", "-c", ('"$@" < %s/messages'):format(folder), "sh", unpack(judge) })
    assert.equal(1, code, out)
  end)

  it("is TypeScript that compiles, and tells messages apart by their type", function()
    local code, out = schema("--format", "typescript", "plugins/rules/default")
    assert.equal(0, code)
    write(folder .. "/tidegate.ts", out)
    write(folder .. "/use.ts", [[
      import { TidegateMessage, TidegateRequest } from "./tidegate";
      export function profit(message: TidegateMessage): number | null {
        if (message.type === "position_closed") return message.profit;
        if (message.type === "account_update") return message.changes.profit?.new ?? null;
        return null;
      }
      export const ping: TidegateRequest = { type: "ping" };
      // @ts-expect-error: a close has no equity
      export const wrong = (message: TidegateMessage) => message.type === "position_closed" && message.equity;
    ]])
    code, out = run({ "/usr/bin/tsc", "--strict", "--noEmit", "--target", "es2020", folder .. "/use.ts" })
    assert.equal(0, code, out)
  end)

  it("tells breaking changes by its exit code, against rules or a kept document", function()
    local code, out, err = schema("--against", "plugins/rules/default", "plugins/rules/default")
    assert.equal(0, code, err)
    assert.equal("nothing that clients would notice", out)
    local _, kept = schema("plugins/rules/default")
    write(folder .. "/kept.json", kept)
    code, out = schema("--against", folder .. "/kept.json", "plugins/rules/reshaped")
    assert.equal(1, code)
    assert.truthy(out:find("breaking  position_closed is gone: no rule sends it", 1, true), out)
  end)

  it("says what it does not know, and refuses what it cannot read", function()
    write(folder .. "/a.lua", 'rule "x" { watch = { "equity" }, payload = function() return {} end }')
    local code, out, err = schema(folder)
    assert.equal(0, code)
    assert.equal('a.lua:1: rule "x": a function makes its payload; with `schema` it could be described', err)
    assert.is_table(json.decode(out))
    code, out, err = schema("--against", folder, folder)
    assert.equal(0, code)
    assert.equal("nothing that clients would notice", out)
    assert.truthy(err:find("what these payloads hold is not known and was not compared", 1, true), err)
    for what, words in pairs({
      ["No such file or directory"] = { folder .. "/gone" },
      [folder .. "/bad.json: it is no JSON Schema document"] = { "--against", write(folder .. "/bad.json", "[]") },
    }) do
      code, out, err = schema(unpack(words))
      assert.equal(1, code, what)
      assert.equal("", out)
      assert.truthy(err:find(what, 1, true), err)
    end
  end)

  it("is there at the admin listener, for the set that runs", function()
    local gateway = gateway_of.start({ rules = { path = "rules" } }, { files = { ["rules/a.lua"] = 'rule "x" { watch = { "equity" } }' } })
    local answer = gateway:admin("/admin/schema")
    assert.equal(200, answer.status)
    assert.truthy(answer.json["$defs"].x)
    assert.equal("3.0.0", gateway:admin("/admin/schema?format=asyncapi").json.asyncapi)
    assert.truthy(gateway:admin("/admin/schema?format=typescript").body:find("export type X", 1, true))
    assert.equal(400, gateway:admin("/admin/schema?format=x").status)
    assert.equal(0, gateway:stop())
  end)
end)
