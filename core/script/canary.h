/* The canary: a loop that is hung on purpose, to see whether the leash stops it. */
#pragma once

#include <stdbool.h>

/* Runs a compiled endless loop inside pcall in a VM of its own. True when the leash stopped it;
 * false when it came to the end that it has for this case (about half a second). */
bool tg_canary_dies(void);
