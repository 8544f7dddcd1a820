/* Checks that look at several keys at once, or at what a value means. */
#pragma once

#include "app/config_reader.h"

/* Adds a fault for everything that cannot work although each value by itself may stand. */
void tg_config_check(struct tg_config_reader *reader);

/* The part of it about `source` and `sources` (config_check_source.c). */
void tg_config_check_sources(struct tg_config_reader *reader);

/* Whether an address is an IPv4 or IPv6 address of this host alone. */
bool tg_address_is_loopback(const char *address);

/* Whether a text is an account id: 1–64 of `A–Z a–z 0–9 . _ -`. */
bool tg_account_id_valid(const char *text);
