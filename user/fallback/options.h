/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The options of a reply's OPT record that the stages of maps/ do not write, behind the client subnet: DNS cookie
 * (RFC 7873), the server's identity (RFC 5001), how long an idle connection stays (RFC 7828), and why there is an error
 * (RFC 8914).
 */
#ifndef ECSDNS_FALLBACK_OPTIONS_H
#define ECSDNS_FALLBACK_OPTIONS_H

#include "maps/cookie.h"
#include "user/common/tables.h"
#include "user/fallback/policy.h"
#include "user/fallback/response.h"

#define OPTIONS_OCTETS_MAX (4 * OPTION_HEADER_OCTETS + COOKIE_OCTETS + POLICY_TEXT_OCTETS_MAX + 2 + 2)

struct options {
	uint8_t octets[OPTIONS_OCTETS_MAX];
	int has_cookie;			/* one came, and there are secrets */
	enum cookie_verdict cookie;	/* of that */
};

/*
 * What the query asks for, while it stands in `message`; sets query->more_octets. A faulty cookie asks for nothing, and
 * without secrets in the tables none does.
 */
void options_begin(struct options *options, struct query *query, const struct message *message,
		   const struct policy *policy, const struct tables *tables, const struct client *client);

/*
 * Adds the extended error, which nobody has to ask for (RFC 8914 3), behind the others. `room`: octets that the reply may
 * still grow by; where they are too few this option is the one to do without.
 */
void options_explain(struct options *options, struct query *query, uint32_t room, enum info_code info);

/* Appends them to a reply of `octets`, which ends with the OPT record that makes room for them. Returns all octets. */
uint32_t options_append(const struct options *options, const struct query *query, struct message *message,
			uint32_t octets);

#endif
