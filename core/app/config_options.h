/* The rules' options: a table of files, each a table of names and plain values, kept as JSON text.
 */
#pragma once

#include "app/config_reader.h"

#define TG_CONFIG_OPTIONS_BYTES 65536

/* Reads the table on top of the Lua stack into the field's text (char *) in `base`: what is wrong
 * becomes a fault at the reader's path. Which options there are, and of what kind, only the rules
 * know: they refuse what they do not. */
void tg_config_options_read(struct tg_config_reader *reader, const struct tg_config_field *field,
                            void *base);
