/* SIGHUP: the functions of the file as it is now take over from those of the file as it was. They
 * change as one VM, so locals that two of them share stay shared. What a running gateway is built
 * around (whether accounts are routed at all, whether a source maps its own documents) takes a
 * restart, and is refused before anything has changed. */
#include "app/gateway_inner.h"
#include "app/mapper.h"
#include "base/log.h"

#include <string.h>

static const struct tg_config_source *find(const struct tg_config *config, const char *name)
{
    for (int i = 0; i < config->sources_count; i++)
        if (!strcmp(config->sources[i].name, name)) return &config->sources[i];
    return NULL;
}

int tg_reload_hooks_check(const struct tg_gateway *gateway, const struct tg_config *fresh,
                          struct tg_err *err)
{
    const struct tg_config *config = gateway->config;
    bool routed = tg_scheduler_upstream(gateway->scheduler, config->sources_count) != NULL;
    for (int i = 0; i < config->sources_count; i++) {
        const struct tg_config_source *now = &config->sources[i], *then = find(fresh, now->name);
        if (!now->mapper == !(then && then->map)) continue;
        return tg_fail(err, TG_EINVAL, "%s: the map of source %s: %s it takes a restart",
                       fresh->file, now->name, now->mapper ? "taking away" : "adding");
    }
    if (fresh->route && !routed)
        return tg_fail(err, TG_EINVAL, "%s: route: adding it takes a restart", fresh->file);
    return 0;
}

void tg_reload_hooks(struct tg_gateway *gateway, struct tg_config *fresh)
{
    const struct tg_config *config = gateway->config;
    struct tg_hooks *old = gateway->hooks;
    gateway->hooks = fresh->functions;
    fresh->functions = NULL;
    if (old && gateway->hooks) gateway->hooks->counters = old->counters;
    for (int i = 0; i < config->sources_count; i++) {
        struct tg_mapper *mapper = config->sources[i].mapper;
        const struct tg_config_source *then = find(fresh, config->sources[i].name);
        if (!mapper) continue;
        mapper->hooks = gateway->hooks;
        mapper->function = then->map;
    }
    tg_router_hooks(gateway->router, gateway->hooks, fresh->route);
    tg_scheduler_reroute(gateway->scheduler);
    if (old != gateway->config->functions) tg_hooks_free(old);
}
