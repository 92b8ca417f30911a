/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is allowed in a configuration and yet pointless or dangerous, because of what resolvers do with client subnets:
 * prefixes longer than they send, prefixes and regions that no client reaches or that change nothing, topologies of one
 * address family, CNAMEs for which other servers answer. Each with its place and the reason.
 */
#ifndef ECSDNS_CONTROLLER_WARNINGS_H
#define ECSDNS_CONTROLLER_WARNINGS_H

#include "user/common/zone.h"
#include "user/controller/config.h"

/* Of many alike the first few, and how many more there are: what is there a thousand times was made so on purpose. */
#define WARNINGS_SHOWN 5

/*
 * For a configuration that compiles, once a push: health does not matter to them. 0, or -ENOMEM with an error.
 *
 * Topologies take time linear in their prefixes and, until it returns, 4 octets for each. `zones` may be null (no zones).
 */
int warnings_topologies(const struct config *config, struct faults *faults);
int warnings_cnames(const struct config *config, const struct zone_set *zones, struct faults *faults);

#endif
