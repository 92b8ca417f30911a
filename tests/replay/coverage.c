// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maps/wire.h"
#include "tests/replay/coverage.h"

#define TYPE_MX 15
#define TYPE_TXT 16
#define TYPE_HTTPS 65
#define MISSING_SHOWN 8

static const uint16_t types[] = { TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_SOA, TYPE_NS, TYPE_MX, TYPE_TXT, TYPE_HTTPS, TYPE_ANY };
#define TYPES (sizeof(types) / sizeof(types[0]))

enum { ORDERS, SOURCES4, SOURCES6, SIZES, SERVICE_KINDS, FLAGS, WAYS, SETS };

struct set {
	const char *name;
	unsigned int size;
	uint8_t *seen;
};

struct coverage {
	const struct targets *targets;
	struct set sets[SETS];
};

static unsigned int damage_ways(void)
{
	unsigned int number = 0;

	while (query_damage_name(number))
		number++;
	return number;
}

struct coverage *coverage_new(const struct targets *targets)
{
	const struct set sets[SETS] = {
		[ORDERS] = { "orders of options", ARRANGEMENTS, NULL },
		[SOURCES4] = { "source lengths of IPv4", 33, NULL },
		[SOURCES6] = { "source lengths of IPv6", 129, NULL },
		[SIZES] = { "sizes", 65536, NULL },
		[SERVICE_KINDS] = { "types of each service", targets->service_count * TYPES, NULL },
		[FLAGS] = { "combinations of header flags", 128, NULL },
		[WAYS] = { "ways of damage", damage_ways(), NULL },
	};
	struct coverage *coverage = calloc(1, sizeof(*coverage));
	unsigned int i;

	if (!coverage)
		return NULL;
	coverage->targets = targets;
	memcpy(coverage->sets, sets, sizeof(sets));
	for (i = 0; i < SETS; i++) {
		coverage->sets[i].seen = calloc(1, sets[i].size);
		if (!coverage->sets[i].seen) {
			coverage_free(coverage);
			return NULL;
		}
	}
	return coverage;
}

void coverage_free(struct coverage *coverage)
{
	unsigned int i;

	for (i = 0; coverage && i < SETS; i++)
		free(coverage->sets[i].seen);
	free(coverage);
}

static void see(struct coverage *coverage, unsigned int set, unsigned int element)
{
	if (element < coverage->sets[set].size)
		coverage->sets[set].seen[element] = 1;
}

static void count_damage(struct coverage *coverage, const struct asked *asked)
{
	unsigned int i;

	for (i = 0; query_damage_name(i); i++)
		if (asked->what == query_damage_name(i))
			see(coverage, WAYS, i);
}

static void count_types(struct coverage *coverage, const struct asked *asked)
{
	unsigned int i;

	for (i = 0; i < TYPES; i++)
		if (asked->type == types[i])
			see(coverage, SERVICE_KINDS, (asked->target - coverage->targets->services) * TYPES + i);
}

void coverage_count(struct coverage *coverage, const struct asked *asked, int answered)
{
	const uint8_t *ecs = asked->octets + asked->ecs_at;

	if (asked->form == FORM_DAMAGED)
		count_damage(coverage, asked);
	else if (asked->target->is_service)
		count_types(coverage, asked);	/* the zone's, too */
	if (asked->form == FORM_DAMAGED || !answered)
		return;
	see(coverage, FLAGS, (asked->octets[2] & 7) << 4 | asked->octets[3] >> 4);
	if (!asked->has_opt)
		return;
	see(coverage, ORDERS, asked->arrangement);
	see(coverage, SIZES, asked->size);
	if (asked->ecs_at && ecs[1] == ECS_FAMILY_IPV4)
		see(coverage, SOURCES4, ecs[2]);
	if (asked->ecs_at && ecs[1] == ECS_FAMILY_IPV6)
		see(coverage, SOURCES6, ecs[2]);
}

void coverage_print(const struct coverage *coverage)
{
	unsigned int i, element, missing;

	for (i = 0; i < SETS; i++) {
		const struct set *set = &coverage->sets[i];

		for (element = missing = 0; element < set->size; element++)
			missing += !set->seen[element];
		printf("covered %u of %u %s", set->size - missing, set->size, set->name);
		for (element = 0; missing && missing <= MISSING_SHOWN && element < set->size; element++)
			if (!set->seen[element])
				printf(" !%u", element);
		printf("\n");
	}
}
