/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A configuration as far as it concerns the tables: from a bundle to what compile() makes of it. The controller keeps
 * the live one to explain and name what is served; `ecsctl check` makes one and drops it.
 */
#ifndef ECSDNS_CONTROLLER_GENERATION_H
#define ECSDNS_CONTROLLER_GENERATION_H

#include <time.h>

#include "user/controller/compile.h"

struct generation {
	uint32_t number;	/* 0: not published */
	time_t published;	/* seconds since the epoch */
	size_t files, octets;	/* of the bundle */
	struct config *config;
	struct compiled *compiled;	/* points into config */
	uint8_t *down;			/* by member: the health it was compiled with */
	struct zone_set *zones;		/* null, but from generation_make_whole() */
	unsigned int sharers;		/* beside the owner */
};

/*
 * Parses, loads the zones, compiles and looks for what to warn of. Fetches what the bundle lacks, if it is one from the
 * disk. `ids` is changed, even by a failure; `health` may be null. `resolvers` take the place of those of the configuration,
 * if not null. 0 with *out for the caller to generation_free(), maybe with warnings; else -errno with errors in `faults`.
 */
int generation_make(struct bundle *bundle, const struct config_resolvers *resolvers, const struct health_source *health,
		    struct ids *ids, struct generation **out, struct faults *faults);
/* The same, and the zones are kept: for diff.h. */
int generation_make_whole(struct bundle *bundle, const struct health_source *health, struct ids *ids, struct generation **out,
			  struct faults *faults);
void generation_free(struct generation *generation);	/* null is fine */

/* For one who reads on in another thread: it is freed when he, too, has called generation_free(). Of one thread, both of them. */
void generation_share(struct generation *generation);

/* Numbers for people: what a push and a check say about a configuration. A new reference, or null without memory. */
json_t *generation_summary(const struct generation *generation);

#endif
