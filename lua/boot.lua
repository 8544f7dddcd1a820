-- The runtime of the rules: wires its parts together and hands C the functions it calls. Everything in
-- this folder is trusted; what an author writes runs in an environment made by `sandbox` and reaches
-- none of it.
return function(native)
  local ffi = require("ffi")
  require("walk").install()
  -- Each rule is a loop's branch of its own: the defaults are made for one program, not for hundreds.
  require("jit.opt").start("maxtrace=4000", "maxrecord=8000", "maxmcode=8192", "sizemcode=64")
  ffi.cdef(native.cdef)

  local rt = {
    native = native,
    work = ffi.cast("struct tgl_work *", native.work),
    rules = {}, -- in the order of their files; rules[i].index is i - 1
  }
  rt.names = require("names")(rt)
  rt.bounded = require("bounded")
  rt.std = require("std")(rt)
  rt.view = require("view")(rt)
  rt.words = require("words")(rt)
  rt.shape = require("shape")(rt)
  rt.program = require("program")(rt)
  rt.schema = require("schema")(rt)
  rt.envelope = require("envelope")(rt)
  rt.rule = require("rule")(rt)
  rt.expect = require("expect")(rt)
  rt.sandbox = require("sandbox")(rt)
  rt.memory = require("memory")(rt)
  rt.hold = require("hold")(rt)
  rt.loader = require("loader")(rt)
  local carry = require("carry")(rt)
  local weigh = require("weigh")(rt)
  rt.ask = require("ask")(rt)
  rt.beat = require("beat")(rt)
  rt.matches = require("matches")(rt)
  rt.scene = require("scene")(rt)
  local proof = require("proof")(rt)
  local described = require("described")(rt)
  rt.bounded.lock()

  return {
    load = rt.loader.load,
    finish = rt.loader.finish,
    example = proof.place,
    prove = proof.run,
    beat = rt.beat.walk,
    permit = rt.ask.permit,
    snapshot = rt.ask.snapshot,
    forget = carry.forget,
    save = carry.save,
    restore = carry.restore,
    heaviest = weigh.heaviest,
    drop = weigh.drop,
    describe = described.describe,
  }
end
