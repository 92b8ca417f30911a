/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the command line decides about answers, for all workers alike. */
#ifndef ECSDNS_FALLBACK_POLICY_H
#define ECSDNS_FALLBACK_POLICY_H

#include <stdint.h>

#include "user/fallback/census.h"

/* RFC 7766 6.2.3: seconds are enough; a client that wants more connects again. */
#define TCP_IDLE_SECONDS_DEFAULT 10
#define TCP_IDLE_SECONDS_MAX 600
/* Of identity and version, so that their replies fit without EDNS. */
#define POLICY_TEXT_OCTETS_MAX 128

struct policy {
	struct census *census;	/* of TCP connections */
	const char *identity;	/* for NSID (RFC 5001) and id.server; null: not told */
	const char *version;	/* for version.server; null: not told */
	uint32_t tcp_idle_ms;	/* until an idle connection is closed; edns-tcp-keepalive tells it (RFC 7828) */
	int is_leaving;		/* clients are asked to close; the main thread sets it, workers load it relaxed */
};

#endif
