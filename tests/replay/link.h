/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Queries as frames on an interface, so that they can come from every address and port, and the replies off it. Behind
 * the interface nobody may have the addresses, or that host's kernel answers the replies with ICMP.
 */
#ifndef ECSDNS_REPLAY_LINK_H
#define ECSDNS_REPLAY_LINK_H

#include "tests/replay/query.h"

#define REPLY_ROOM 1500
#define LINK_WINDOW 256		/* queries under way at once */

struct link {
	int fd;
	uint8_t client_mac[MAC_OCTETS], server_mac[MAC_OCTETS];
	uint64_t strays;	/* frames from a DNS port that nobody waits for */
};

/* A query and what came of it. */
struct exchange {
	const struct asked *asked;
	uint8_t reply[REPLY_ROOM];
	size_t reply_length;	/* 0: none */
};

/* `server_mac` as text. 0, or -errno with a line on standard error. */
int link_open(struct link *link, const char *interface, const char *server_mac);
void link_close(struct link *link);

/*
 * Asks up to LINK_WINDOW at once and waits for all replies that are owed, five seconds for the last; and a moment for
 * those that are not. Replies are told apart by address, port and id: no two may have the same. 0, or -errno.
 */
int link_ask(struct link *link, struct exchange *exchanges, unsigned int count);

/* Has one of these the address, port and id of the query? Then it has to wait for the next time. */
int link_is_ambiguous(struct exchange *exchanges, unsigned int count, const struct asked *asked);

#endif
