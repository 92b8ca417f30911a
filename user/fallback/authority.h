/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Answers from zone data: RFC 1034 4.3.2 with RFC 2308, 4592, 6672, 8482 and 9471. */
#ifndef ECSDNS_FALLBACK_AUTHORITY_H
#define ECSDNS_FALLBACK_AUTHORITY_H

#include "user/common/zone.h"
#include "user/fallback/response.h"

/*
 * Fills the response, begun and empty, for the query's lowered name. `is_service`: the name is a service, and asked for
 * what it lacks; otherwise a name that the zone knows to be one is answered with SERVFAIL, as its records are not here.
 * Returns what to finish it with.
 */
struct status authority_answer(struct response *response, const struct zone_set *zones, const uint8_t *name,
			       int is_service);

#endif
