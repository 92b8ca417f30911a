/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the command line decides about answers, for all workers alike. */
#ifndef ECSDNS_FALLBACK_POLICY_H
#define ECSDNS_FALLBACK_POLICY_H

#include <stdint.h>

#include "user/fallback/census.h"
#include "user/fallback/cookies.h"

/* RFC 7766 6.2.3: seconds are enough; a client that wants more connects again. */
#define TCP_IDLE_SECONDS_DEFAULT 10
#define TCP_IDLE_SECONDS_MAX 600

struct policy {
	struct cookies cookies;
	struct census *census;	/* of TCP connections */
	uint32_t tcp_idle_ms;	/* until an idle connection is closed; edns-tcp-keepalive tells it (RFC 7828) */
};

#endif
