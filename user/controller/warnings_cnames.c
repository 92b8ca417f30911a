// SPDX-License-Identifier: GPL-3.0-or-later
/* Where the CNAMEs lead that services answer with. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maps/wire.h"
#include "user/common/words.h"
#include "user/controller/warnings.h"

struct cname_view {
	const struct config *config;
	const struct zone_set *zones;
	struct words services;	/* their names */
	bool *used;		/* by pool: a service may answer with it */
	size_t elsewhere, nowhere;	/* how many lead there */
	struct faults *faults;
};

static bool any_cname(const struct config *config)
{
	for (size_t i = 0; i < config->pool_count; i++)
		if (config->pools[i].cname)
			return true;
	return false;
}

static int cname_view_fill(struct cname_view *view)
{
	const struct config *config = view->config;
	const struct config_service *service;

	view->used = calloc(config->pool_count, sizeof(*view->used));
	if (!view->used)
		return -ENOMEM;
	for (size_t i = 0; i < config->service_count; i++) {
		service = &config->services[i];
		if (words_add(&view->services, service->name.text, strlen(service->name.text)) == WORDS_NONE)
			return -ENOMEM;
		for (size_t j = 0; j < config->topologies[service->topology].region_count; j++)
			for (size_t k = 0; k < service->regions[j].count; k++)
				view->used[service->regions[j].pools[k]] = true;
		if (service->when_all_down == CONFIG_ALL_DOWN_pool)
			view->used[service->all_down_pool] = true;
	}
	return 0;
}

/* Whether whoever follows the CNAME to this node of a zone comes to addresses, or to a CNAME that may lead there. */
static bool node_leads_on(const struct zone_node *node)
{
	return zone_node_rrset(node, TYPE_A) || zone_node_rrset(node, TYPE_AAAA) || zone_node_rrset(node, TYPE_CNAME);
}

static void warn_elsewhere(struct cname_view *view, const struct config_pool *pool, const char *why)
{
	if (view->elsewhere++ < WARNINGS_SHOWN)
		faults_warning(view->faults, &pool->place,
			       "pool %s: its CNAME %s %s: other servers answer for it, with client subnets, scopes and "
			       "TTLs of their own", pool->name, pool->cname->text, why);
}

static void warn_nowhere(struct cname_view *view, const struct config_pool *pool, const char *why)
{
	if (view->nowhere++ < WARNINGS_SHOWN)
		faults_warning(view->faults, &pool->place,
			       "pool %s: its CNAME %s %s in its zone, which is served here: clients that follow it find "
			       "nothing", pool->name, pool->cname->text, why);
}

static void warn_cname(struct cname_view *view, const struct config_pool *pool)
{
	const uint8_t *name = pool->cname->name;
	const struct zone *zone = view->zones ? zone_set_find(view->zones, name) : NULL;
	struct zone_found found = {NULL, NULL};
	enum zone_match match;

	if (words_find(&view->services, pool->cname->text, strlen(pool->cname->text)) != WORDS_NONE)
		return;
	match = zone ? zone_find(zone, name, &found) : ZONE_OUTSIDE;
	if (match == ZONE_OUTSIDE)
		warn_elsewhere(view, pool, "is in no zone here");
	else if (match == ZONE_CUT)
		warn_elsewhere(view, pool, "is at or below a delegation");
	else if (match == ZONE_MISSING)
		warn_nowhere(view, pool, "does not exist");
	else if (match != ZONE_DNAME && !node_leads_on(found.node))
		warn_nowhere(view, pool, "has no addresses");
}

int warnings_cnames(const struct config *config, const struct zone_set *zones, struct faults *faults)
{
	struct cname_view view = {.config = config, .zones = zones, .faults = faults};
	const struct place place = {.file = config->files[0]};
	int fault = 0;

	if (any_cname(config))
		fault = cname_view_fill(&view);
	for (size_t i = 0; i < config->pool_count && view.used && !fault; i++)
		if (config->pools[i].cname && view.used[i])
			warn_cname(&view, &config->pools[i]);
	if (view.elsewhere > WARNINGS_SHOWN)
		faults_warning(faults, &place, "%zu more pools have a CNAME for which other servers answer",
			       view.elsewhere - WARNINGS_SHOWN);
	if (view.nowhere > WARNINGS_SHOWN)
		faults_warning(faults, &place, "%zu more pools have a CNAME that leads to nothing in a zone here",
			       view.nowhere - WARNINGS_SHOWN);
	words_free(&view.services);
	free(view.used);
	return fault ? faults_memory(faults) : 0;
}
