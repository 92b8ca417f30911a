/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames around messages, made and judged with code of the tests' own. */
#ifndef ECSDNS_TESTS_FRAME_H
#define ECSDNS_TESTS_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_ROOM 4096
#define MAC_OCTETS 6
#define DNS_PORT 53

struct frame {
	uint8_t octets[FRAME_ROOM];
	size_t length;
};

/* Who asks whom over which link. */
struct ends {
	unsigned int version;		/* of IP: 4 or 6 */
	uint8_t client[16], server[16];	/* network order; IPv4 in the first four octets */
	uint16_t port;			/* the client's */
	uint8_t client_mac[MAC_OCTETS], server_mac[MAC_OCTETS];
};

/* A plain frame around the client's message, which must leave room for the headers. */
void frame_make(struct frame *frame, const struct ends *ends, const uint8_t *message, size_t length);

/* Everything around the driver's reply. NULL, or what is wrong; sets where the message begins. */
const char *frame_check(const struct frame *frame, const struct ends *ends, size_t *message);

#endif
