/* The market simulation as Web API records. */
#pragma once

#include "world.h"

/* The simulation's symbols. */
void mt_sim_symbols(struct mt_world *world);

/* Lives an account up to the present and reads it. */
void mt_sim_read(struct mt_world *world, struct mt_client *client, int parts, int64_t now_ms,
                 struct mt_state *out);
