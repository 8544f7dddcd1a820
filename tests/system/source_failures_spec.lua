-- What an operator sees of a source that cannot be reached or believed, over real sockets: the log says which source and why,
-- `/health` and the metrics that it fails, and clients are told that it is away.
local gateway_of = require("support.gateway")
local process = require("support.process")
local rest = require("support.rest")
local webapi = require("support.webapi")

local function case(url, fault)
  local service = not url and rest.start() or nil
  local gateway = gateway_of.start({
    source = { driver = "http", url = url or service.url, interval_ms = 200, timeout_ms = 2000, retry_first_ms = 150, retries = 1, probe_ms = 500 },
  })
  if service and fault then service:control({ op = "fault", account = "*", fault = fault }) end
  local client = assert(gateway:connect("ill-1"))
  return gateway, client, service
end

describe("a source of the http driver", function()
  after_each(function() process.stop_all() end)

  local function is_seen(gateway, client, code, words)
    assert.equal("CONNECTION_LOST", assert(client:wait_type("error", 10000)).error_code)
    local told
    repeat
      told = assert(client:wait_type("status", 10000)).status
    until told == "down"
    local line = assert(gateway.process:wait_log({ event = "poll_failed", account = "ill-1", source = "main", code = code }, 5000), gateway:log_text())
    assert.matches(words, line.message)
    local health = gateway:health()
    assert.equal("unhealthy", health.status)
    assert.equal(1, health.sources.main.error + health.sources.main.reconnecting)
    assert.is_true(gateway:metric('tidegate_polls_total{source="main",end="failed"}') >= 1)
    assert.equal(0, gateway:metric('tidegate_polls_total{source="main",end="ok"}'))
    client:close()
    assert.equal(0, gateway:stop())
  end

  it("whose proxy answers 502 with a page", function()
    local gateway, client, service = case(nil, { kind = "raw", status = 502, body = "<html><h1>Bad Gateway</h1></html>" })
    is_seen(gateway, client, "HTTP_502", "502")
    service:stop()
  end)

  it("whose port nobody listens on", function()
    local gateway, client = case("http://127.0.0.1:1")
    is_seen(gateway, client, "CONNECT_FAILED", "127%.0%.0%.1")
  end)

  it("whose certificate nobody vouches for", function()
    local server = webapi.start({ certificate = webapi.certificate() })
    local gateway, client = case(server.url)
    is_seen(gateway, client, "TLS_FAILED", "certificate")
    server:stop()
  end)

  it("whose name does not exist", function()
    local gateway, client = case("http://no-such-host.invalid")
    is_seen(gateway, client, "RESOLVE_FAILED", "no%-such%-host%.invalid")
  end)
end)
