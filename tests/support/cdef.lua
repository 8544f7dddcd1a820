-- Declares the C core to LuaJIT from the core's own headers, so that a spec cannot drift from them.
--
-- Headers here are plain on purpose: comments, #include, #define of numbers, prototypes, structs. What
-- LuaJIT's parser does not take (static inline functions, attributes, other macros) is cut away. A macro that is a
-- line of its own is replaced by its text.
local ffi = require("ffi")

local cdef = {}
local done = {}
local numbers = {}
local texts = {} -- of other macros

local root = os.getenv("TIDEGATE_SOURCE") or "."

-- Types from system headers that our own mention; opaque is enough for a spec.
ffi.cdef([[
typedef struct _IO_FILE FILE;
typedef struct uv_loop_s uv_loop_t;
typedef struct lua_State lua_State;
typedef int (*lua_CFunction)(lua_State *L);
void free(void *ptr);
void *malloc(size_t size);
void *calloc(size_t n, size_t size);
]])

local function read(path)
  local file = assert(io.open(root .. "/core/" .. path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

-- Cuts `static inline … { … }` including the body.
local function without_inlines(text)
  return (text:gsub("static%s+inline%s+[^{;]-%b()%s*%b{}", ""))
end

local function without_attributes(text)
  return (text:gsub("__attribute__%s*%b()", ""):gsub("_Noreturn", ""))
end

-- Declares a header ("base/buf.h") and all of ours that it includes, once.
function cdef.header(path)
  if done[path] then return end
  done[path] = true
  local text = read(path):gsub("/%*.-%*/", " "):gsub("\\\n", " ")
  local body = {}
  for line in (text .. "\n"):gmatch("(.-)\n") do
    local include = line:match('^%s*#%s*include%s+"([^"]+%.h)"')
    local name, number = line:match("^%s*#%s*define%s+([%w_]+)%s+(%d+)%s*$")
    if include then
      cdef.header(include)
    elseif name then
      numbers[name] = number
    elseif line:match("^%s*#") then
      local macro, expanded = line:match("^%s*#%s*define%s+([%w_]+)%s+(.+)$")
      if macro then texts[macro] = expanded end
    else
      body[#body + 1] = texts[line] or line
    end
  end
  local code = without_attributes(without_inlines(table.concat(body, "\n")))
  code = code:gsub("[%a_][%w_]*", numbers)
  local ok, why = pcall(ffi.cdef, code)
  if not ok then error("cannot declare " .. path .. ": " .. tostring(why), 2) end
end

-- The record structs come from fields.def, which only the core can expand: it tells them itself.
local function declare_records(lib)
  if done["model/record.h"] then return end
  done["model/record.h"] = true
  cdef.header("base/buf.h")
  cdef.header("model/field.h")
  local out = ffi.new("struct tg_buf")
  for _, name in ipairs({ "account", "position", "order", "deal", "moment" }) do
    lib.tg_entity_cdef(out, lib["tg_" .. name .. "_entity"])
  end
  ffi.cdef(ffi.string(out.data, out.len))
  lib.tg_buf_fini(out)
  local text = read("model/record.h"):gsub("/%*.-%*/", " ")
  ffi.cdef((text:match("struct tg_records %b{};")))
  for proto in text:gmatch("\n([%w_ ]+%*?tg_[%w_]+%b();)") do
    ffi.cdef(proto)
  end
end

-- The test library of a folder of the core ("base", "net", …) with its headers declared.
function cdef.library(folder, headers)
  local preset = os.getenv("TIDEGATE_BUILD") or "build/dev"
  local lib = ffi.load(preset .. "/test/libtg_" .. folder .. ".so")
  if folder ~= "base" then declare_records(lib) end
  for _, header in ipairs(headers or {}) do
    cdef.header(header)
  end
  return lib
end

return cdef
