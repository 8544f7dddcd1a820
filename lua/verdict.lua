-- What became of a step of the beat. The numbers are those of enum tgl_verdict.
return {
  NOT_RUN = 0,
  SPOKE = 1,
  ONLY = 2,
  SILENT = 3,
  NO_PAYLOAD = 4,
  HELD = 5,
  NOTHING_DUE = 6,
  FAULT = 7,
  RESTS = 8,
  MUTED = 9,
  OVER_BOUND = 10,
}
