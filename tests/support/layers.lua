-- The rules of the tree as checks over file names and texts: which folder may include which, and how long a file
-- may be. Pure, so that a spec can feed them bad samples; `files` is the only part that looks at the disk.
local layers = {}

-- What each folder may include beside itself. The six of the third layer never include each other.
layers.below = {
  base = {},
  model = { "base" },
  script = { "base", "model" },
  net = { "base", "model" },
  source = { "base", "model" },
  auth = { "base", "model" },
  stream = { "base", "model" },
  record = { "base", "model" },
  app = { "base", "model", "script", "net", "source", "auth", "stream", "record" },
}

layers.lines_maximum = 500

local function allowed(from, to)
  if from == to then return true end
  for _, folder in ipairs(layers.below[from] or {}) do
    if folder == to then return true end
  end
  return false
end

-- The faults of one C file's includes, as "path:line: sentence". `exists(path)` says whether the core has that file.
function layers.includes(path, text, exists)
  local faults, number = {}, 0
  local folder = path:match("^core/([^/]+)/[^/]+$")
  local function fault(sentence, ...)
    faults[#faults + 1] = ("%s:%d: %s"):format(path, number, sentence:format(...))
  end
  if not folder or not layers.below[folder] then return { path .. ":1: stands in no folder of the layers" } end
  for line in (text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local quoted = line:match('^%s*#%s*include%s*"([^"]*)"')
    local angled = line:match("^%s*#%s*include%s*<([^>]*)>")
    local included = quoted or angled
    if included then
      local to = included:match("^([^/]+)/")
      if quoted and not (to and layers.below[to] and included:match("^[%w_]+/[%w_.]+$")) then
        fault('"%s" does not name its folder', included)
      elseif angled and exists("core/" .. angled) then
        fault("<%s> is ours: write it with quotes", included)
      elseif quoted and not allowed(folder, to) then
        fault("%s may not include %s (%s)", folder, to, included)
      elseif quoted and not exists("core/" .. included) then
        fault('"%s" does not exist', included)
      end
    elseif line:match("^%s*#%s*include") then
      fault("an include that cannot be followed: %s", line)
    end
  end
  return faults
end

-- The fault of a file that is too long, or nil.
function layers.too_long(path, text)
  local _, lines = text:gsub("\n", "")
  if #text > 0 and text:sub(-1) ~= "\n" then lines = lines + 1 end
  if lines > layers.lines_maximum then
    return ("%s:%d: %d lines, %d are the most"):format(path, layers.lines_maximum + 1, lines, layers.lines_maximum)
  end
end

-- The paths of all files under a folder that match a pattern, sorted; and the text of one.
function layers.files(folder, pattern)
  local pipe = assert(io.popen(("find %s -type f 2>/dev/null | sort"):format(folder)))
  local paths = {}
  for path in pipe:lines() do
    if path:match(pattern) then paths[#paths + 1] = path end
  end
  pipe:close()
  return paths
end

function layers.read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

return layers
