// SPDX-License-Identifier: GPL-3.0-or-later
#include <arpa/inet.h>
#include <stdio.h>

#include "tests/replay/show.h"

#define SHOWN_MAX 10

int show_wrong(const struct asked *asked, const char *why)
{
	static unsigned int shown;
	char client[INET6_ADDRSTRLEN];
	size_t i;

	if (shown++ >= SHOWN_MAX)
		return 0;
	inet_ntop(asked->ends.version == 4 ? AF_INET : AF_INET6, asked->ends.client, client, sizeof(client));
	printf("# wrong: %s\n#   %s, from %s port %u over %s\n#   query    ", why, asked->what, client, asked->ends.port,
	       asked->tcp ? "TCP" : "UDP");
	for (i = 0; i < asked->length; i++)
		printf("%02x", asked->octets[i]);
	printf("\n");
	return 1;
}

int show_wrong_number(uint64_t seed, uint64_t number, const struct asked *asked, const char *why)
{
	if (!show_wrong(asked, why))
		return 0;
	printf("#   again: ECSDNS_SEED=%lu ECSDNS_FIRST=%lu ECSDNS_COUNT=1 and the test that printed this\n", seed, number);
	return 1;
}
