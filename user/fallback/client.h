/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ECSDNS_FALLBACK_CLIENT_H
#define ECSDNS_FALLBACK_CLIENT_H

#include <stdint.h>

/* Who asked, and how. */
struct client {
	uint8_t address[16];	/* IPv4 in the first four octets, rest zero */
	uint8_t family;		/* ECS_FAMILY_IPV4 or ECS_FAMILY_IPV6 */
	uint8_t tcp;
	uint16_t port;		/* host order */
};

#endif
