local layers = require("support.layers")

local function exists(path)
  return layers.read(path) ~= nil
end

describe("layers", function()
  it("include only what stands below them", function()
    local faults, count = {}, 0
    for _, path in ipairs(layers.files("core", "%.[ch]$")) do
      count = count + 1
      for _, fault in ipairs(layers.includes(path, layers.read(path), exists)) do
        faults[#faults + 1] = fault
      end
    end
    assert.is_true(count > 30, "the core was not found from here")
    assert.equal("", table.concat(faults, "\n"))
  end)

  it("are made of files that can be read at a sitting", function()
    local faults = {}
    for _, folder in ipairs({ "core", "lua", "plugins" }) do
      for _, path in ipairs(layers.files(folder, "%.[%w]+$")) do
        faults[#faults + 1] = layers.too_long(path, layers.read(path))
      end
    end
    assert.equal("", table.concat(faults, "\n"))
  end)
end)

describe("the check of the layers", function()
  local present = { ["core/base/buf.h"] = true, ["core/model/record.h"] = true, ["core/net/server.h"] = true,
    ["core/auth/auth.h"] = true, ["core/app/gateway.h"] = true, ["core/net/http.h"] = true }

  local function check(path, text)
    return layers.includes(path, text, function(name)
      return present[name] == true
    end)
  end

  it("finds nothing wrong with an arrow that points down", function()
    assert.same({}, check("core/net/http.c", '#include "net/http.h"\n#include "base/buf.h"\n#include <string.h>\n'))
    assert.same({}, check("core/app/gateway.c", '#include "net/server.h"\n#include "auth/auth.h"\n#include "model/record.h"\n'))
    assert.same({}, check("core/base/buf.c", "/* no include at all */\n"))
  end)

  it("names the file and the line of an arrow that points up", function()
    local faults = check("core/base/buf.c", '/* story */\n#include "base/buf.h"\n#include "model/record.h"\n')
    assert.same({ "core/base/buf.c:3: base may not include model (model/record.h)" }, faults)
    assert.equal(1, #check("core/model/record.h", '#include "net/server.h"'))
    assert.equal(1, #check("core/net/http.c", '#include "app/gateway.h"'))
  end)

  it("names an arrow that points sideways, however it is written", function()
    for _, line in ipairs({ '#include "auth/auth.h"', '  #  include "auth/auth.h"', '#include"auth/auth.h"' }) do
      local faults = check("core/net/http.c", "\n" .. line .. "\n")
      assert.same({ "core/net/http.c:2: net may not include auth (auth/auth.h)" }, faults)
    end
  end)

  it("lets nobody around the rule", function()
    for _, line in ipairs({ "#include <auth/auth.h>", '#include "../auth/auth.h"', '#include "http.h"', '#include "net/../auth/auth.h"',
      '#include "elsewhere/x.h"', "#include TG_HEADER", '#include "base/gone.h"' }) do
      assert.equal(1, #check("core/net/http.c", line), line)
    end
    assert.equal(1, #check("core/misc/x.c", ""))
    assert.equal(1, #check("core/x.c", ""))
    assert.equal(1, #check("core/net/deep/x.c", ""))
  end)

  it("keeps the five of the third layer apart", function()
    for _, from in ipairs({ "script", "net", "source", "auth", "stream" }) do
      for _, to in ipairs({ "script", "net", "source", "auth", "stream" }) do
        local faults = layers.includes(("core/%s/x.c"):format(from), ('#include "%s/y.h"'):format(to), function(path)
          return path:match("^core/%w+/y%.h$") ~= nil and path:match("^core/" .. to) ~= nil
        end)
        assert.equal(from == to and 0 or 1, #faults, from .. " to " .. to)
      end
    end
  end)

  it("counts lines to the last one", function()
    assert.is_nil(layers.too_long("a.c", ("x\n"):rep(500)))
    assert.is_nil(layers.too_long("a.c", ("x\n"):rep(499) .. "x"))
    assert.equal("a.c:501: 501 lines, 500 are the most", layers.too_long("a.c", ("x\n"):rep(501)))
    assert.equal("a.c:501: 501 lines, 500 are the most", layers.too_long("a.c", ("x\n"):rep(500) .. "x"))
    assert.is_nil(layers.too_long("a.c", ""))
  end)
end)
