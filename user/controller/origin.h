/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a service's name hangs from: the served zone around it, whose SOA its negative answers carry, or none, and then
 * it is a zone of one name with an SOA and NS records made for it:
 *
 *	NAME 3600 SOA ns.NAME hostmaster.NAME 1 3600 600 604800 60
 *	NAME 3600 NS ns.NAME
 *
 * `server: synthetic:` sets other names (and all the NS). A name too long to put "ns." before it stands for itself.
 */
#ifndef ECSDNS_CONTROLLER_ORIGIN_H
#define ECSDNS_CONTROLLER_ORIGIN_H

#include "user/common/zone.h"
#include "user/controller/answers.h"

struct origin {
	const struct zone *zone;	/* null: outside every zone */
	bool beside_data;		/* the zone has records at the service's name */
	uint8_t lacks;			/* SERVICE_LACKS_*: but none of these types */
	uint16_t apex_offset;		/* where the apex begins in the service's name */
	bool apex_root;
	uint32_t negative_ttl;		/* RFC 2308 5: the lesser of the SOA's TTL and MINIMUM */
	struct answer_rdata soa;	/* the zone's own, or soa_octets */
	uint8_t soa_octets[2 * (NAME_OCTETS_MAX + 1) + 20];
	struct answer_rdata nameservers[CONFIG_NAMESERVERS_MAX];	/* outside only */
	size_t nameserver_count;
	uint8_t nameserver[NAME_OCTETS_MAX + 1];
};

/*
 * Finds it. Where the service cannot stand is an error that says why: a CNAME at an apex, below a delegation or DNAME,
 * beside records of its own types, beside a CNAME, a CNAME beside anything. The origin points into its arguments.
 */
void origin_find(struct origin *origin, const struct config *config, const struct zone_set *zones,
		 const struct config_service *service, uint8_t types, struct faults *faults);

/* The same for a service that is known to be outside every zone. */
void origin_make(struct origin *origin, const struct config_server *server, const struct config_service *service);
#define ORIGIN_MADE_TTL 3600	/* of its SOA and NS records, seconds */

/* The answers that are the same for every client, by enum service_common. 0 or -E2BIG. */
int origin_answers(const struct origin *origin, uint32_t service_ttl, struct answer answers[SERVICE_COMMON]);

#endif
