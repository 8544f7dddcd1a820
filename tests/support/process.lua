-- A program under test: started with its arguments and environment, its output kept line by line, and reaped.
--
--   local gateway = process.start({ argv = { binary, "serve" }, env = { JWT_SECRET = "…" } })
--   local line = gateway:wait_log({ event = "listening", listener = "public" }, 5000)
--   …
--   gateway:stop()
local uv = require("luv")
local json = require("dkjson")
local loop = require("support.loop")

local process = {}
local methods = {}
methods.__index = methods
local running = {}

local function keep_lines(pipe, lines, on_eof)
  local rest = ""
  pipe:read_start(function(_, chunk)
    if not chunk then
      if rest ~= "" then lines[#lines + 1] = rest end
      if not pipe:is_closing() then pipe:close() end
      return on_eof()
    end
    rest = rest .. chunk
    local from = 1
    while true do
      local at = rest:find("\n", from, true)
      if not at then break end
      lines[#lines + 1] = rest:sub(from, at - 1)
      from = at + 1
    end
    rest = rest:sub(from)
  end)
end

local function environment(extra)
  local all, list = uv.os_environ(), {}
  for name, value in pairs(extra or {}) do
    all[name] = value
  end
  for name, value in pairs(all) do
    if value then list[#list + 1] = name .. "=" .. value end
  end
  return list
end

-- Starts `argv[1]` with the other arguments. `env` is added to ours (false removes a name); `cwd` is optional; with
-- `stdin` it can be written to. Raises an error when it cannot be started.
function process.start(options)
  local argv = options.argv
  local out, err, input = uv.new_pipe(false), uv.new_pipe(false), options.stdin and uv.new_pipe(false) or nil
  local self = setmetatable({ stdout = {}, stderr = {}, open_pipes = 2, cursor = 0 }, methods)
  local handle, pid = uv.spawn(argv[1], {
    args = { unpack(argv, 2) },
    env = environment(options.env),
    cwd = options.cwd,
    stdio = { input, out, err },
  }, function(code, signal)
    self.code, self.signal_number = code, signal
    running[self] = nil
    if not self.handle:is_closing() then self.handle:close() end
    if input and not input:is_closing() then input:close() end
  end)
  if not handle then
    if input then loop.close(input) end
    loop.close(out)
    loop.close(err)
    error("cannot start " .. argv[1] .. ": " .. tostring(pid), 2)
  end
  self.handle, self.pid, self.input = handle, pid, input
  running[self] = true
  local function eof()
    self.open_pipes = self.open_pipes - 1
  end
  keep_lines(out, self.stdout, eof)
  keep_lines(err, self.stderr, eof)
  return self
end

-- Writes to the standard input of a process that was started with `stdin`.
function methods:write(text)
  if not self.input:is_closing() then self.input:write(text) end
end

function methods:alive()
  return self.code == nil
end

-- The first line of a stream ("stdout", "stderr") from number `from` on that contains the Lua pattern, and its number.
function methods:wait_line(pattern, timeout_ms, stream, from)
  local lines, at = self[stream or "stdout"], from or 1
  local found = loop.await(function()
    while at <= #lines do
      if lines[at]:find(pattern) then return true end
      at = at + 1
    end
    return self.code and self.open_pipes == 0 and "gone"
  end, timeout_ms)
  if found == true then return lines[at], at end
  return nil, found and "the process ended" or "timeout"
end

local function matches(object, wanted)
  for key, value in pairs(wanted) do
    if object[key] ~= value then return false end
  end
  return true
end

-- The first JSON log line on stderr from number `from` on whose fields equal `wanted`, decoded, and its number.
function methods:wait_log(wanted, timeout_ms, from)
  local at, object = from or 1, nil
  local found = loop.await(function()
    while at <= #self.stderr do
      object = json.decode(self.stderr[at])
      if type(object) == "table" and matches(object, wanted) then return true end
      at = at + 1
    end
    return self.code and self.open_pipes == 0 and "gone"
  end, timeout_ms)
  if found == true then return object, at end
  return nil, (found and "the process ended" or "timeout") .. "\n" .. table.concat(self.stderr, "\n")
end

-- Sends a signal ("sigterm", "sighup", "sigkill", …).
function methods:signal(name)
  if self:alive() then self.handle:kill(name) end
end

-- Waits for the end and for the last output; the exit code and the signal, or nil on timeout. A child of its own that
-- keeps the output open is not waited for.
function methods:wait_exit(timeout_ms)
  local ended = loop.await(function()
    return self.code ~= nil
  end, timeout_ms)
  if not ended then return nil end
  loop.wait(function()
    return self.open_pipes == 0
  end, 500)
  return self.code, self.signal_number
end

-- Asks it to end, insists after `timeout_ms` (default 5000), and reaps it. The exit code, or nil and why when it did not
-- end by itself: it had to be killed, or had died of a signal before.
function methods:stop(timeout_ms)
  self:signal("sigterm")
  local code, signal = self:wait_exit(timeout_ms or 5000)
  if code and signal == 0 then return code end
  if code then return nil, "it died of signal " .. signal end
  self:signal("sigkill")
  self:wait_exit(5000)
  return nil, "it had to be killed"
end

-- Ends whatever a failed spec left behind.
function process.stop_all()
  for self in pairs(running) do
    self:signal("sigkill")
    self:wait_exit(5000)
  end
end

return process
