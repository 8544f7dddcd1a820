/* One value of the configuration: checked against its field, copied, described, freed. */
#pragma once

#include "app/config_reader.h"

/* Reads the value on top of the Lua stack into the field's place in `base`; what is wrong becomes a
 * fault at the reader's path. For the scalar kinds, TG_CONFIG_BOOL … TG_CONFIG_CHOICE and
 * TG_CONFIG_SWITCH. */
void tg_config_value_read(struct tg_config_reader *reader, const struct tg_config_field *field,
                          void *base);

/* The same for the elements of TG_CONFIG_TEXTS and TG_CONFIG_PATHS: a text of the field's length
 * (a path made absolute), or NULL with a fault. The caller frees it. */
char *tg_config_value_text(struct tg_config_reader *reader, const struct tg_config_field *field);

/* Adds "expected …, got …" about the value on top of the stack. */
void tg_config_value_refuse(struct tg_config_reader *reader, const struct tg_config_field *field,
                            const char *expected);

/* Sets a field to its default. 0 or -TG_ENOMEM. */
int tg_config_value_default(const struct tg_config_field *field, void *base);

/* Frees what the field owns in `base`; secrets are wiped. */
void tg_config_value_free(const struct tg_config_field *field, void *base);
