/* Closing ten thousand clients at once brings ten thousand back at once, to whoever is next. So
 * they are told when to return, spread at random, and closed one after the other over half the
 * bound; the other half is for Close handshakes of slow peers. */
#include "app/drain.h"

#include "base/log.h"

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
    gateway->drain_next_ms = now;
    gateway->drain_step_ms = gateway->clients_count ? bound / 2 / gateway->clients_count : 0;
    if (gateway->drain_step_ms > 50) gateway->drain_step_ms = 50;
    tg_info("gateway", "draining", tg_s("cause", cause), tg_i("clients", gateway->clients_count),
            tg_i("bound_ms", bound));
    tg_server_stop_listening(gateway->server);
    tg_client_going_away(gateway, bound);
}

/* Closes those whose turn it is. */
static void close_due(struct tg_gateway *gateway, int64_t now_ms)
{
    uint32_t most = gateway->clients_count; /* with a step of 0: all in one go */
    while (gateway->drain_next_ms <= now_ms && most-- && tg_client_drain_next(gateway))
        gateway->drain_next_ms += gateway->drain_step_ms;
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
