/* The gateway: every module wired together, from start to drained. */
#pragma once

#include "app/config.h"

/* Runs until SIGTERM or SIGINT has been served (drained, closed, freed). `config_path` is read
 * again on SIGHUP; NULL when there is no file. The exit code: 0 done, 1 a fault in keys or rules, 3
 * a fault at run time. */
int tg_gateway_run(const char *config_path, const struct tg_config *config);
