// SPDX-License-Identifier: GPL-3.0-or-later
/* What pools depend on: `depends_on` of the section `pools`. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/controller/parser.h"

enum walk_state { WALK_NEW, WALK_OPEN, WALK_DONE };

/* A walk from pool to pool along what they depend on, the way back kept in the nodes: a chain may be as long as it likes. */
struct walk {
	struct parser *parser;
	const struct node *const *lists;
	struct walk_pool {
		uint32_t from;		/* the pool that led here; CONFIG_NONE: the walk began here */
		uint32_t next;		/* of depends_on */
		uint8_t state;
	} *pools;
	size_t ordered;
};

#define CUT "... -> "

/* Puts the part in front of the text that begins at *at, as long as there is room for CUT, too. */
static bool prepend(char *text, size_t *at, const char *part)
{
	size_t length = strlen(part);

	if (length + strlen(CUT) > *at)
		return false;
	*at -= length;
	memcpy(text + *at, part, length);
	return true;
}

/* "a -> b -> c -> a": from `first`, which is on the way back from `last`, and which `last` depends on. */
static void walk_circle(const struct walk *walk, uint32_t first, uint32_t last)
{
	const struct config *config = walk->parser->config;
	char text[400] = "", part[72];
	size_t begin = sizeof(text) - 1;
	bool is_whole = false;

	prepend(text, &begin, config->pools[first].name);
	for (uint32_t at = last; !is_whole; at = walk->pools[at].from) {
		snprintf(part, sizeof(part), "%.63s -> ", config->pools[at].name);
		if (!prepend(text, &begin, part))
			break;
		is_whole = at == first;
	}
	if (!is_whole) {
		begin -= strlen(CUT);
		memcpy(text + begin, CUT, strlen(CUT));
	}
	faults_error(walk->parser->faults, &walk->lists[last]->place,
		     "pools depend on each other in a circle, so that one down would keep them all down: %s", text + begin);
}

/* One step: down to a pool that this one depends on, or, when all those have been seen, back. Returns where. */
static uint32_t walk_step(struct walk *walk, uint32_t at)
{
	struct config *config = walk->parser->config;
	struct walk_pool *pool = &walk->pools[at];
	uint32_t to;

	pool->state = WALK_OPEN;
	if (pool->next == config->pools[at].depends_count) {
		pool->state = WALK_DONE;
		config->pool_order[walk->ordered++] = at;
		return pool->from;
	}
	to = config->pools[at].depends_on[pool->next++];
	if (walk->pools[to].state == WALK_OPEN)
		walk_circle(walk, to, at);
	if (walk->pools[to].state != WALK_NEW)
		return at;
	walk->pools[to].from = at;
	return to;
}

int config_depends(struct parser *parser, const struct node *const *lists)
{
	struct config *config = parser->config;
	struct walk walk = {.parser = parser, .lists = lists};
	int fault = 0;

	config->pool_order = arena_alloc(config->arena, config->pool_count, sizeof(*config->pool_order));
	walk.pools = calloc(config->pool_count + 1, sizeof(*walk.pools));
	if (!config->pool_order || !walk.pools)
		fault = -ENOMEM;
	for (size_t i = 0; i < config->pool_count && !fault; i++)
		if (lists[i])
			fault = parser_pools(parser, lists[i], "`depends_on`, a list of pools", &config->pools[i].depends_on,
					     &config->pools[i].depends_count);
	for (size_t i = 0; i < config->pool_count && !fault; i++) {
		if (walk.pools[i].state != WALK_NEW)
			continue;
		walk.pools[i].from = CONFIG_NONE;
		for (uint32_t at = i; at != CONFIG_NONE; )
			at = walk_step(&walk, at);
	}
	free(walk.pools);
	return fault;
}
