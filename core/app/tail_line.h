/* A message of the gateway as a line for people. */
#pragma once

#include "base/buf.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

/* Appends one line without its end: UTC time of receipt, type, summary. `colour` uses ANSI colours;
 * everything the message brought is made safe for a terminal. At most some hundred characters: long
 * values are cut. */
void tg_tail_line(struct tg_buf *out, const struct tg_json *json, const char *type, bool colour,
                  int64_t wall_ms);

/* Appends a remark of our own in the same form: `mark` is '!' (bad), '*' (neutral). */
void tg_tail_remark(struct tg_buf *out, char mark, const char *text, bool colour, int64_t wall_ms);
