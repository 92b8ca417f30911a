// SPDX-License-Identifier: GPL-3.0-or-later
/* The census of connections against plain counting: networks come and go, and collide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maps/wire.h"
#include "user/fallback/census.h"

#define NETWORKS 60
#define IN_ALL 100
#define OF_NETWORK 7

static struct client client_of(unsigned int network)
{
	struct client client = {.family = network % 2 ? ECS_FAMILY_IPV4 : ECS_FAMILY_IPV6};

	client.address[1] = network;
	client.address[network % 2 ? 3 : 15] = rand();	/* within the network */
	return client;
}

static void against_counting(void **state)
{
	struct census *census = census_new(IN_ALL, OF_NETWORK);
	unsigned int counts[NETWORKS] = {0}, all = 0, refused[2] = {0};

	(void)state;
	assert_non_null(census);
	srand(1);
	for (unsigned int i = 0; i < 200000; i++) {
		unsigned int network = rand() % NETWORKS;
		struct client client = client_of(network);

		if (rand() % 100 < (i / 2000 % 2 ? 60 : 40)) {
			int expected = counts[network] >= OF_NETWORK ? -EDQUOT : all >= IN_ALL ? -EUSERS : 0;

			assert_int_equal(census_enter(census, &client), expected);
			counts[network] += !expected;
			all += !expected;
			refused[0] += expected == -EDQUOT;
			refused[1] += expected == -EUSERS;
		} else if (counts[network]) {
			census_leave(census, &client);
			counts[network]--;
			all--;
		}
	}
	assert_true(refused[0] && refused[1]);
	census_free(census);
}

static void networks(void **state)
{
	static const struct {
		uint8_t family, at;
		int same;
	} rows[] = {
		{ECS_FAMILY_IPV4, 2, 0}, {ECS_FAMILY_IPV4, 3, 1}, {ECS_FAMILY_IPV6, 6, 0}, {ECS_FAMILY_IPV6, 7, 1},
		{ECS_FAMILY_IPV6, 15, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client one = {.family = rows[i].family}, other = one;

		other.address[rows[i].at] = 1;
		assert_int_equal(census_same_network(&one, &other), rows[i].same);
		other = one;
		other.family ^= ECS_FAMILY_IPV4 ^ ECS_FAMILY_IPV6;
		assert_int_equal(census_same_network(&one, &other), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(against_counting), cmocka_unit_test(networks)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
