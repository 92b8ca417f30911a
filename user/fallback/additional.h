/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The additional section: addresses of the hosts that records name, from the zone that the records are of. */
#ifndef ECSDNS_FALLBACK_ADDITIONAL_H
#define ECSDNS_FALLBACK_ADDITIONAL_H

#include "user/common/zone.h"
#include "user/fallback/response.h"

/*
 * Behind an answer of NS, MX, SRV, SVCB or HTTPS records: A and AAAA of their targets, and for the last two also the
 * records of their own type there (RFC 1034 4.3.2, RFC 2782, RFC 9460 4.1). `owner` is the answer's, in any case. Only what
 * fits, and but for name servers only what the zone has authority for. What does not fit is left out without a word
 * (RFC 2181 9). Other types: nothing.
 */
void additional_answer(struct response *response, const struct zone *zone, const uint8_t *owner,
		       const struct zone_rrset *rrset);

/*
 * Behind a referral to `cut`: the addresses of its name servers. Returns -ENOSPC if one does not fit without which they
 * cannot be reached, those inside the delegated part (RFC 9471 3.1); these come first. Otherwise 0.
 */
int additional_glue(struct response *response, const struct zone *zone, const struct zone_node *cut,
		    const struct zone_rrset *ns);

#endif
