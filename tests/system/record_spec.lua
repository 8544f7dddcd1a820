-- What a gateway records is what its clients were told: a replay gives the same messages, byte for byte.
local json = require("dkjson")
local gateway_of = require("support.gateway")
local loop = require("support.loop")
local process = require("support.process")

-- Rules that depend on everything a recording must bring back: moments, fields, the time, what is held back, memory,
-- the source's state and clients that come and go.
local RULES = {
  ["rules/moments.lua"] = [[
    return rule "moments" {
      on = { "position_opened", "position_modified", "position_closed", "deal", "balance_operation" },
      payload = function(moment, memory)
        memory.count = (memory.count or 0) + 1
        return { count = memory.count, at = iso8601(now()) }
      end,
    }]],
  ["rules/held.lua"] = [[return rule "held" { watch = { "equity" }, every = 3, lane = "latest" }]],
  ["rules/shape.lua"] = [[
    return rule "shape" { on = "position_opened", type = "opened",
      payload = { ticket = "ticket", symbol = "symbol", price = "price_open" } }]],
  ["rules/source.lua"] = [[
    return rule "source" { on = { "source_status", "client_connected", "client_disconnected" },
      payload = function(told) return { told = told.status or told.subject, at = now() } end }]],
}

local function slurp(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function files_of(folder)
  local out = {}
  for name in io.popen("ls " .. folder):lines() do
    out[#out + 1] = folder .. "/" .. name
  end
  return out
end

describe("a recording", function()
  local folder

  setup(function() folder = gateway_of.folder() end)

  teardown(function()
    process.stop_all()
    os.execute("rm -rf " .. folder)
  end)

  local function write(name, text)
    local sub = name:match("^(.*)/")
    if sub then os.execute("mkdir -p " .. folder .. "/" .. sub) end
    gateway_of.write(folder .. "/" .. name, text)
    return name
  end

  -- Exit code, stdout, stderr.
  local function run(...)
    local child = process.start({ argv = { gateway_of.binary, ... }, cwd = folder,
                                  env = { LD_PRELOAD = false, ASAN_OPTIONS = gateway_of.sanitized and "exitcode=99" or false } })
    local code = child:wait_exit(60000)
    return code, table.concat(child.stdout, "\n"), table.concat(child.stderr, "\n")
  end

  local function replay(...) return run("replay", ...) end

  -- The lines of a result, decoded; the summary apart.
  local function decoded(text)
    local lines, summary = {}, nil
    for line in text:gmatch("[^\n]+") do
      local object = assert(json.decode(line), line)
      if object.summary then summary = object.summary else lines[#lines + 1] = object end
    end
    return lines, summary
  end

  -- The messages of an account, in order, each as the bytes that a client would read.
  local function messages_of(text, account)
    local out = {}
    for line in text:gmatch("[^\n]+") do
      if json.decode(line).account == account then out[#out + 1] = line:match('"message":(.*)}$') end
    end
    return out
  end

  local CONTROL = { connected = true, status = true, error = true, pong = true, going_away = true }

  -- What the clients of `story` were told, by account.
  local heard = {}

  describe("of a gateway on the simulator", function()
    setup(function()
      for name, text in pairs(RULES) do
        write(name, text)
      end
      local gateway = gateway_of.start({
        source = { driver = "sim", sim = { seed = 11, events_per_minute = 120, outage_every_seconds = 5, outage_for_seconds = 2 },
                   interval_ms = 300, grace_ms = 500, retry_first_ms = 200 },
        rules = { path = "rules/" },
        record = { path = folder .. "/day", flush_seconds = 1 },
      }, { files = RULES })
      local clients = {}
      local function take(account)
        local client = clients[account]
        client.data_frame = function(_, frame)
          local kind = assert(json.decode(frame.payload)).type
          if not CONTROL[kind] then table.insert(heard[account], frame.payload) end
        end
      end
      for i = 1, 4 do
        local account = "demo-" .. i
        heard[account] = {}
        clients[account] = assert(gateway:connect(account))
        take(account)
      end
      loop.sleep(3000)
      gateway:get("/api/account/demo-2/snapshot", { Authorization = "Bearer " .. gateway:token() })
      local visitor = assert(gateway:connect("demo-3"))
      loop.sleep(2500)
      visitor:close()
      loop.sleep(3500)
      for _, client in pairs(clients) do
        client:close()
      end
      loop.sleep(1000) -- past the grace: the accounts end
      assert.equal(0, gateway:stop())
    end)

    it("gives every message that a client was told, byte for byte", function()
      local code, out, err = replay("--json", "--snapshots", "--rules", "rules", "day")
      assert.equal(0, code, err)
      assert.equal("", err)
      local kinds, all = {}, 0
      for account, texts in pairs(heard) do
        local again, found = {}, false
        for _, text in ipairs(messages_of(out, account)) do -- the snapshots after its own were for others
          if text == texts[1] or (found and json.decode(text).type ~= "snapshot") then again[#again + 1] = text end
          found = found or text == texts[1]
        end
        assert(found, account .. ": the snapshot is missing: " .. tostring(texts[1]))
        for i, text in ipairs(texts) do
          assert.equal(text, again[i])
          local kind = json.decode(text).type
          kinds[kind] = (kinds[kind] or 0) + 1
          all = all + 1
        end
      end
      assert.is_true(all > 60, all)
      for _, kind in ipairs({ "snapshot", "moments", "held", "opened", "source" }) do
        assert.is_truthy(kinds[kind], kind)
      end
    end)

    it("gives the same bytes each time, with and without the compiler, in text and as JSON", function()
      for _, form in ipairs({ { "day" }, { "--json", "day" }, { "--rules", "rules", "--rules", "default", "day" },
                              { "--json", "--rules", "default", "--rules", "rules", "day" } }) do
        local _, first = replay(unpack(form))
        local _, second = replay(unpack(form))
        local _, third = replay("--interpreted", unpack(form))
        assert.is_true(#first > 1000)
        assert.is_true(first == second)
        assert.is_true(first == third)
      end
    end)

    it("shows one line for each event: time, account, type, message", function()
      local code, out = replay("--account", "demo-1", "day")
      assert.equal(0, code)
      local events = 0
      for line in out:gmatch("[^\n]+") do
        if line:sub(1, 1) ~= "#" then
          events = events + 1
          local time, kind, message = line:match("^(%S+) demo%-1 (%S+) (.*)$")
          local object = assert(json.decode(message), line)
          assert.equal(time, object.timestamp)
          assert.equal(kind, object.type)
        end
      end
      assert.is_true(events > 10)
      assert.matches("\n# %d+ polls of 1 accounts\n# rule +events +faults\n# account_update +%d+ +0\n", out)
    end)

    it("shows a part of it, numbered as in the whole", function()
      local _, whole = replay("--json", "--account", "demo-1", "day")
      local lines = decoded(whole)
      local from, to = lines[5].time, lines[12].time
      local _, part = replay("--json", "--account", "demo-1", "--from", from, "--to", to, "day")
      local wanted = {}
      for _, line in ipairs(lines) do
        if line.time >= from and line.time < to then wanted[#wanted + 1] = line end
      end
      local got, summary = decoded(part)
      assert.is_true(#got >= 1)
      assert.same(wanted, got)
      local events = 0
      for _, row in ipairs(summary.rules) do
        events = events + row.events
      end
      assert.equal(#got, events)
    end)

    it("tells the difference of two sets by rule, with the input that caused it", function()
      write("a/quiet.lua", [[return rule "quiet" { watch = { "balance" } }]])
      write("a/risk.lua", [[return rule "risk" { on = "position_opened", payload = { volume = "volume" } }]])
      write("b/risk.lua", [[return rule "risk" { on = "position_opened",
        payload = function(moment) return { volume = moment.volume, big = moment.volume > 1 } end }]])
      write("b/closed.lua", [[return rule "closed" { on = "position_closed", payload = { ticket = "ticket" } }]])
      local code, out, err = replay("--json", "--rules", "a", "--rules", "b", "day")
      assert.equal(0, code, err)
      local lines, summary = decoded(out)
      local count = {}
      for _, line in ipairs(lines) do
        local key = line.rule .. " " .. line.difference
        count[key] = (count[key] or 0) + 1
        assert.equal("poll", line.input.note)
        if line.rule == "quiet" then
          assert.equal("removed", line.difference)
          assert.is_truthy(line.input.fields.balance)
          assert.is_true(line.input.fields.balance.old ~= line.input.fields.balance.new)
          assert.is_truthy(line.a)
          assert.is_nil(line.b)
        elseif line.rule == "closed" then
          assert.equal("added", line.difference)
          local found = false
          for _, moment in ipairs(line.input.moments) do
            found = found or moment.kind == "position_closed"
          end
          assert.is_true(found)
        else
          assert.equal("risk", line.rule)
          assert.equal("changed", line.difference)
          assert.is_nil(line.a.big)
          assert.equal(line.b.volume > 1, line.b.big)
        end
      end
      for _, row in ipairs(summary.rules) do
        assert.equal(row.added, count[row.rule .. " added"] or 0)
        assert.equal(row.removed, count[row.rule .. " removed"] or 0)
        assert.equal(row.changed, count[row.rule .. " changed"] or 0)
        assert.equal(0, row.same)
      end
      assert.is_true(count["quiet removed"] > 0 and count["closed added"] > 0 and count["risk changed"] > 0)
      local _, text = replay("--rules", "a", "--rules", "b", "day")
      assert.matches("Z demo%-%d risk changed: [^\n]*position_opened %d+[^\n]*\n  %- {[^\n]+}\n  %+ {[^\n]+}\n", text)
      assert.matches("Z demo%-%d quiet removed: [^\n]*balance [%d.]+ → [%d.]+", text)
      assert.matches("\n# closed +0 +%d+ +0 +0 +0\n", text)
    end)

    it("finds no difference between a set and itself, or one that only numbers differently", function()
      local code, out = replay("--exit-code", "--rules", "rules", "--rules", "rules", "day")
      assert.equal(0, code)
      assert.matches("^# %d+ polls", out)
      write("more/risk.lua", [[return rule "risk" { on = "position_opened", payload = { volume = "volume" } }]])
      write("more/extra.lua", [[return rule "extra" { on = "position_opened", payload = { ticket = "ticket" } }]])
      write("less/risk.lua", [[return rule "risk" { on = "position_opened", payload = { volume = "volume" } }]])
      code, out = replay("--exit-code", "--json", "--rules", "less", "--rules", "more", "day")
      assert.equal(4, code)
      for _, line in ipairs((decoded(out))) do
        assert.equal("extra", line.rule)
      end
    end)

    it("lists the faults of rules, and exits with 1", function()
      write("bad/bad.lua", "return rule \"bad\" {\n  on = \"position_opened\",\n  payload = function(moment)\n" ..
              "    return { x = moment.symbol.nothing.more }\n  end,\n}\n")
      local code, out = replay("--json", "--account", "demo-1", "--rules", "bad", "day")
      assert.equal(1, code)
      local lines, summary = decoded(out)
      assert.equal("bad", lines[1].rule)
      assert.equal("demo-1", lines[1].account)
      assert.matches("bad.lua:4: ", lines[1].fault, 1, true)
      assert.matches("bad/bad.lua$", lines[1].file)
      assert.matches("^%d%d%d%d%-", lines[1].time)
      assert.equal(#lines, summary.faults)
      code, out = replay("--account", "demo-1", "--rules", "rules", "--rules", "bad", "day")
      assert.equal(1, code)
      assert.matches("demo%-1 bad fault in B: [^\n]*bad.lua:4: ", out)
      write("loop/loop.lua", "return rule \"loop\" { watch = { \"equity\" }, payload = function()\n while true do end\nend }\n")
      code, out = replay("--account", "demo-1", "--rules", "loop", "day")
      assert.equal(1, code)
      assert.matches("demo%-1 loop fault: loop.lua:2: it ran longer than 20 ms", out)
    end)

    it("asks a rule's filter as the client it is told to play for", function()
      write("filtered/a.lua", [[
        rule "open" { watch = { "equity" } }
        rule "risk" { watch = { "equity" }, to = function(client, event)
          return client.subject == "ann" and client.claims.role == "risk" and event.payload.equity ~= nil
        end }
        rule "full" { watch = { "equity" }, to = function(client) return client.query.detail == "full" end }]])
      write("nobody/a.lua", [[
        rule "open" { watch = { "equity" } }
        rule "risk" { watch = { "equity" }, to = function() return false end }
        rule "full" { watch = { "equity" }, to = function() return false end }]])
      local function kinds(...)
        local code, out, err = replay("--account", "demo-1", "--rules", "filtered", ...)
        assert.equal(0, code, err)
        local found = {}
        for kind in out:gmatch("%S+Z demo%-1 (%S+) {") do
          found[kind] = true
        end
        return found
      end
      assert.same({ open = true, risk = true, full = true }, kinds("day"))
      assert.same({ open = true, risk = true }, kinds("--client", '{"sub":"ann","role":"risk","exp":1}', "day"))
      assert.same({ open = true }, kinds("--client", '{"sub":"ben","role":"risk"}', "day"))
      assert.same({ open = true, full = true }, kinds("--client", '{"sub":"ben"}', "--query", "detail=full", "day"))
      local code, out = replay("--exit-code", "--rules", "filtered", "--rules", "nobody", "--client", '{"sub":"ben"}', "day")
      assert.equal(0, code, out)
      code = replay("--exit-code", "--rules", "filtered", "--rules", "nobody", "--client", '{"sub":"ann","role":"risk"}', "day")
      assert.equal(4, code)
      local _, err
      for _, claims in ipairs({ "{}", '{"sub":5}', "[]", "5", '"sub"' }) do
        code, _, err = replay("--client", claims, "day")
        assert.equal(1, code)
        assert.matches("an object with a text \"sub\" is expected", err, 1, true)
      end
      code, _, err = replay("--client", "{sub:1}", "day")
      assert.equal(1, code)
      assert.matches("the client's claims: ", err, 1, true)
      assert.equal(2, (replay("--query", "a=b", "day")))
    end)

    it("says what is wrong with what it is given", function()
      local code, _, err
      code, _, err = replay()
      assert.equal(2, code)
      assert.matches("which recording?", err, 1, true)
      code, _, err = replay("--from", "yesterday", "day")
      assert.equal(2, code)
      assert.matches("--from: expected a time such as", err, 1, true)
      assert.equal(2, (replay("--rules", "a", "--rules", "b", "--rules", "c", "day")))
      code, _, err = replay("--rules", "nowhere", "day")
      assert.equal(1, code)
      assert.matches("nowhere", err, 1, true)
      code, _, err = replay("nowhere")
      assert.equal(1, code)
      assert.matches("nowhere: No such file or directory", err, 1, true)
      write("syntax/x.lua", "return rule \"x\" {\n watch = }")
      code, _, err = replay("--rules", "syntax", "day")
      assert.equal(1, code)
      assert.matches("x.lua:2: ", err, 1, true)
    end)

    it("that is cut off is played to there; one that is damaged is an error, too", function()
      local path = files_of(folder .. "/day")[1]
      local whole = slurp(path)
      local _, all = replay("--json", "day")
      write("cut/1.tgr", whole:sub(1, math.floor(#whole * 0.7)))
      local code, out, err = replay("--json", "cut")
      assert.equal(0, code)
      assert.matches("^tidegate replay: cut/1.tgr: offset %d+: the file is cut off here; what comes before is whole$", err)
      assert.is_true(#out > 1000 and #out < #all)
      local events = out:match("^(.*)\n[^\n]+$")
      assert.equal(events, all:sub(1, #events))
      local middle = math.floor(#whole / 2)
      write("bent/1.tgr", whole:sub(1, middle) .. string.char((whole:byte(middle + 1) + 1) % 256) .. whole:sub(middle + 2))
      code, out, err = replay("--json", "bent")
      assert.equal(1, code)
      assert.matches("^tidegate replay: bent/1.tgr: offset %d+: damaged: ", err)
      assert.is_true(#out > 100 and #out < #all)
    end)

    it("is a source, too: its accounts exist, and tell what it tells", function()
      local _, out = replay("--json", "--account", "demo-1", "--rules", "default", "day")
      local wanted = {}
      local function key_of(message)
        local ticket = message.position_id or (message.position or {}).position_id
        return ticket and message.type:find("^position_") and
                 ("%s %d %s"):format(message.type, ticket, message.reason or json.encode(message.changes) or "")
      end
      for _, line in ipairs((decoded(out))) do
        local key = key_of(line.message)
        if key then wanted[key] = (wanted[key] or 0) + 1 end
      end
      local gateway = gateway_of.start({
        source = { driver = "replay", replay = { path = folder .. "/day" }, interval_ms = 100, retry_first_ms = 50 },
        accounts = { always = { "demo-1" } },
      })
      local stranger = gateway:get("/api/account/demo-99/snapshot", { Authorization = "Bearer " .. gateway:token() })
      assert.is_true(stranger.status >= 400, stranger.status)
      local client = assert(gateway:connect("demo-1"))
      local snapshot = assert(client:wait_type("snapshot", 3000))
      assert.equal("Demo 1", snapshot.account.name)
      local told, away = 0, false
      local deadline = loop.now() + 6000
      while loop.now() < deadline do
        local message = client:heard(200)
        local key = message and key_of(message)
        away = away or (message and message.type == "status" and message.status ~= "live")
        if key then
          assert.is_truthy(wanted[key] and wanted[key] > 0, key)
          wanted[key] = wanted[key] - 1
          told = told + 1
        end
      end
      assert.is_true(told >= 5, told)
      assert.is_true(away) -- the outage of the recorded source
      client:close()
      assert.equal(0, gateway:stop())
    end)

    it("that cannot be read is no source", function()
      write("empty.lua", [[return { source = { driver = "replay", replay = { path = "nowhere" } },
        listen = { address = "127.0.0.1", port = 0 }, admin = { enabled = false },
        auth = { keys = { { algorithm = "HS256", secret = ("k"):rep(32) } } } }]])
      local code, _, err = run("serve", "--config", "empty.lua")
      assert.equal(3, code)
      assert.matches("source main: [^\n]*nowhere: No such file or directory", err)
      write("missing.lua", [[return { source = { driver = "replay" },
        auth = { keys = { { algorithm = "HS256", secret = ("k"):rep(32) } } } }]])
      code, _, err = run("check", "--config", "missing.lua")
      assert.equal(1, code)
      assert.matches('source.replay.path: this is required with the driver "replay" and missing', err, 1, true)
    end)

    it("holds no token and is readable by its owner alone", function()
      for _, path in ipairs(files_of(folder .. "/day")) do
        assert.matches("^%-rw%-%-%-%-%-%-%-", io.popen("ls -l " .. path):read("*l"))
        local child = io.popen("tail -c +9 " .. path .. " | od -An -c | tr -d ' \\n'")
        assert.is_nil(child:read("*a"):find("eyJ", 1, true))
        child:close()
      end
    end)
  end)

  describe("that cannot be written", function()
    it("never hurts the stream: it pauses, says so, and comes back", function()
      local where = folder .. "/notafolder"
      write("notafolder", "")
      local gateway = gateway_of.start({
        source = { driver = "sim", sim = { events_per_minute = 120 }, interval_ms = 200 },
        record = { path = where, flush_seconds = 1, retry_seconds = 1 },
      })
      local client = assert(gateway:connect("demo-1"))
      assert(client:wait_type("snapshot", 3000))
      assert(gateway:eventually(function() return gateway:health().recording.paused end, 10000))
      local paused = gateway:becomes("degraded")
      assert.equal(where .. ": Not a directory", paused.recording.reason)
      assert.equal(1, gateway:metric("tidegate_record_paused"))
      assert(gateway:eventually(function() return gateway:metric("tidegate_record_lost_total") > 0 end))
      assert(client:wait_type("account_update", 3000))
      os.remove(where)
      assert(gateway:eventually(function()
        return not gateway:health().recording.paused
      end, 10000))
      gateway:becomes("healthy")
      assert.equal(0, gateway:metric("tidegate_record_paused"))
      local taken = gateway:metric("tidegate_record_polls_total")
      assert(gateway:eventually(function() -- two seconds of a market that moves
        return gateway:metric("tidegate_record_polls_total") >= taken + 10
      end))
      local _, lines = gateway:log_text():gsub('"event":"paused"', "")
      assert.equal(1, lines)
      client:close()
      assert.equal(0, gateway:stop())
      local code, out = replay(where)
      assert.equal(0, code)
      assert.matches("account_update", out)
    end)
  end)

  it("is made by `serve --record`, too, and survives the death of the gateway", function()
    local gateway = process.start({
      argv = { gateway_of.binary, "serve", "--record", folder .. "/killed", "--config",
               folder .. "/" .. write("killed.lua", [[return {
        listen = { address = "127.0.0.1", port = 0 }, admin = { enabled = false }, log = { format = "json" },
        source = { driver = "sim", interval_ms = 100 }, accounts = { always = { "demo-1", "demo-2" } },
        auth = { keys = { { algorithm = "HS256", secret = ("k"):rep(32) } } },
        record = { path = "elsewhere", accounts = { "*-2" }, flush_seconds = 1 },
      }]]) },
      env = { LD_PRELOAD = false, ASAN_OPTIONS = false },
    })
    assert(gateway:wait_log({ event = "ready" }, 15000))
    assert(loop.eventually(function() -- a first block with an event; what follows may be cut
      local code, out = replay("--json", "killed")
      return code == 0 and out:find('"account":"demo-2"', 1, true)
    end, 10000))
    gateway:signal("sigkill")
    gateway:wait_exit(5000)
    local code, out, err = replay("--json", "killed")
    assert.equal(0, code, err)
    local lines, summary = decoded(out)
    assert.equal(1, summary.accounts)
    assert.equal("demo-2", lines[1].account)
  end)
end)
