/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How many TCP connections there are, in all and by client network, over all workers (RFC 9210 4.2): a client that opens
 * many takes the places of its own network's, never those of everybody.
 */
#ifndef ECSDNS_FALLBACK_CENSUS_H
#define ECSDNS_FALLBACK_CENSUS_H

#include <stdint.h>

#include "user/fallback/client.h"

/* What one customer of a provider has: RFC 7871 11.1 cuts clients there, too. */
#define CENSUS_NETWORK_IPV4 24
#define CENSUS_NETWORK_IPV6 56

#define CENSUS_CONNECTIONS_DEFAULT 1024
#define CENSUS_CONNECTIONS_MAX 65535

struct census;

/* At most `in_all` connections, of one network `of_network`. Null without memory. */
struct census *census_new(uint32_t in_all, uint32_t of_network);
void census_free(struct census *census);

/* May be called by any thread. 0 and it counts, or -EDQUOT: its network is full; or -EUSERS: all is. */
int census_enter(struct census *census, const struct client *client);
void census_leave(struct census *census, const struct client *client);

int census_same_network(const struct client *one, const struct client *other);

#endif
