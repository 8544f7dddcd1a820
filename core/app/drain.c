/* Closing ten thousand clients at once brings ten thousand back at once, to whoever is next. So
 * they are told when to return, spread at random, and closed one after the other over half the
 * bound; the other half is for Close handshakes of slow peers. */
#include "app/drain.h"

#include "base/log.h"

/* Steps are counted in microseconds: ten thousand clients in ten seconds is one a millisecond, and
 * a few more would be none, which is all at once. */
#define STEP_MAX_US 50000

void tg_drain_begin(struct tg_gateway *gateway, const char *cause)
{
    int64_t now = tg_mono_ms(gateway->clock);
    if (gateway->draining) {
        gateway->drain_until_ms = now;
        return;
    }
    int64_t bound = (int64_t)gateway->config->limits.drain_seconds * 1000;
    gateway->draining = true;
    gateway->drain_until_ms = now + bound;
    gateway->drain_next_us = now * 1000;
    gateway->drain_step_us = bound * 500 / (gateway->clients_count + 1);
    if (gateway->drain_step_us > STEP_MAX_US) gateway->drain_step_us = STEP_MAX_US;
    tg_info("gateway", "draining", tg_s("cause", cause), tg_i("clients", gateway->clients_count),
            tg_i("bound_ms", bound));
    tg_server_stop_listening(gateway->server);
    tg_client_going_away(gateway, bound);
}

/* Closes those whose turn it is. */
static void close_due(struct tg_gateway *gateway, int64_t now_ms)
{
    uint32_t most = gateway->clients_count;
    while (gateway->drain_next_us <= now_ms * 1000 && most-- && tg_client_drain_next(gateway))
        gateway->drain_next_us += gateway->drain_step_us;
}

void tg_drain_step(struct tg_gateway *gateway, int64_t now_ms)
{
    close_due(gateway, now_ms);
    if (gateway->clients_count && now_ms < gateway->drain_until_ms) return;
    if (gateway->clients_count) {
        tg_warn("gateway", "drain_cut_short", tg_i("clients_left", gateway->clients_count));
    }
    uv_stop(&gateway->loop);
}
