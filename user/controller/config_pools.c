// SPDX-License-Identifier: GPL-3.0-or-later
/* The section `pools`. */
#include <errno.h>
#include <string.h>

#include "user/controller/choose.h"
#include "user/controller/parser.h"
#include "user/controller/prefixes.h"

#define POOL_KEYS(X) X(check) X(method) X(max_answers) X(spread) X(min_up) X(depends_on) X(members) X(cname)
enum pool_key {
#define X(name) POOL_##name,
	POOL_KEYS(X)
#undef X
	POOL_KEY_COUNT
};
static const char *const pool_keys[] = {
#define X(name) #name,
	POOL_KEYS(X)
#undef X
};

static int member_read(struct parser *parser, const struct node *node, struct config_member *member,
		       struct words *names, struct words *addresses)
{
	static const char *const keys[] = {"name", "address", "weight"};
	const struct node *values[3];
	int fault = 0;

	member->place = parser_place(parser, node);
	member->weight = 1;
	if (!tree_fields(node, "a member", keys, 3, values, parser->faults))
		return 0;
	if (!values[0] || !values[1]) {
		faults_error(parser->faults, &node->place, "expected a member's `name` and `address`");
		return 0;
	}
	parser_define(parser, values[0], "member", names, &member->name, &fault);
	if (!fault && parser_address(parser, values[1], "an address", &member->address)) {
		/* Octets as text, so that 2001:db8::1 and 2001:db8:0::1 are one. */
		char text[PREFIX_TEXT_OCTETS];
		struct topology_prefix whole = {.length = member->address.length * 8};

		memcpy(whole.address, member->address.octets, sizeof(whole.address));
		prefix_text(&whole, whole.length, text);
		if (words_find(addresses, text, strlen(text)) != WORDS_NONE)
			faults_error(parser->faults, &values[1]->place, "address %.64s is in this pool twice",
				     values[1]->text);
		else if (words_add(addresses, text, strlen(text)) == WORDS_NONE)
			fault = -ENOMEM;
	}
	if (values[2])
		tree_number(values[2], "`weight`", 0, 65535, &member->weight, parser->faults);
	return fault;
}

/* A family whose members all weigh nothing could never be answered. */
static void pool_weights(struct parser *parser, const struct node *node, const struct config_pool *pool, uint8_t length)
{
	uint64_t members = 0, weight = 0;

	for (size_t i = 0; i < pool->member_count; i++) {
		members += pool->members[i].address.length == length;
		weight += pool->members[i].address.length == length ? pool->members[i].weight : 0;
	}
	if (members && !weight)
		faults_error(parser->faults, &node->place,
			     "all IPv%c members weigh 0, so that none could be chosen: give one "
			     "a `weight`",
			     length == 4 ? '4' : '6');
}

static int pool_members(struct parser *parser, const struct node *node, struct config_pool *pool)
{
	struct words names = {0}, addresses = {0};
	const struct node_item *item;
	int fault = 0;

	if (!tree_expect(node, NODE_LIST, "a list of members", parser->faults))
		return 0;
	if (!node->count) {
		faults_error(parser->faults, &node->place, "expected at least one member");
		return 0;
	}
	pool->members = arena_alloc(parser->config->arena, node->count, sizeof(*pool->members));
	if (!pool->members)
		return -ENOMEM;
	for (item = node->items; item && !fault && !faults_enough(parser->faults); item = item->next)
		fault = member_read(parser, item->value, &pool->members[pool->member_count++], &names, &addresses);
	words_free(&names);
	words_free(&addresses);
	if (pool->method == CONFIG_METHOD_weighted || pool->method == CONFIG_METHOD_hash) {
		pool_weights(parser, node, pool, 4);
		pool_weights(parser, node, pool, 16);
	}
	parser->config->member_count += pool->member_count;
	return fault;
}

/* Members of a family that can be chosen, and how many of them must be up. */
static void pool_quorum(struct parser *parser, const struct node *node, const struct config_pool *pool, uint8_t length)
{
	uint32_t members = 0;

	for (size_t i = 0; i < pool->member_count; i++)
		members += choose_member_fits(pool, &pool->members[i], length == 4 ? SERVICE_A : SERVICE_AAAA);
	if (members && members < pool->min_up)
		faults_error(parser->faults, &node->place,
			     "`min_up` is %u, but the pool has only %u IPv%c member%s that can be chosen, so that it could never "
			     "be up for them", pool->min_up, members, length == 4 ? '4' : '6', members > 1 ? "s" : "");
}

static void pool_min_up(struct parser *parser, const struct node *node, struct config_pool *pool)
{
	if (!tree_number(node, "`min_up`", 1, ANSWER_RECORDS_MAX, &pool->min_up, parser->faults))
		return;
	pool_quorum(parser, node, pool, 4);
	pool_quorum(parser, node, pool, 16);
	if (pool->check == CONFIG_NONE && pool->min_up > 1)
		faults_warning(parser->faults, &node->place, "`min_up` has no meaning without a `check`: all members count as up");
}

static void pool_spread(struct parser *parser, const struct node *node, struct config_pool *pool)
{
	if (pool->method != CONFIG_METHOD_hash)
		faults_error(parser->faults, &node->place, "`spread` is for method hash, where a block of clients has one member; "
			     "method %s does not look at blocks", config_method_names[pool->method]);
	else
		parser_lengths(parser, node, "the lengths of blocks to be spread", "blocks to be spread", &pool->spread4,
			       &pool->spread6);
}

static int pool_cname(struct parser *parser, const struct node *const *values, struct config_pool *pool)
{
	int fault = 0;

	for (int key = 0; key < POOL_KEY_COUNT; key++)
		if (key != POOL_cname && values[key])
			faults_error(parser->faults, &values[key]->place,
				     "a pool with a `cname` has no `%s`: the name is all that it gives", pool_keys[key]);
	pool->cname = arena_alloc(parser->config->arena, 1, sizeof(*pool->cname));
	if (!pool->cname)
		return -ENOMEM;
	parser->config->member_count++;
	parser_name(parser, values[POOL_cname], "`cname`", pool->cname, &fault);
	return fault;
}

/* *depends becomes its `depends_on`, for when all pools are known. */
static int pool_read(struct parser *parser, const struct node *node, struct config_pool *pool, const struct node **depends)
{
	const struct node *values[POOL_KEY_COUNT];
	uint32_t method = CONFIG_METHOD_all;
	int fault;

	pool->place = parser_place(parser, node);
	pool->check = CONFIG_NONE;
	pool->max_answers = 8;
	pool->min_up = 1;
	pool->first_member = parser->config->member_count;
	if (!tree_fields(node, "a pool", pool_keys, POOL_KEY_COUNT, values, parser->faults))
		return 0;
	if (values[POOL_cname])
		return pool_cname(parser, values, pool);
	if (values[POOL_check])
		pool->check = parser_refer(parser, values[POOL_check], "check", &parser->checks);
	if (values[POOL_method])
		tree_choice(values[POOL_method], "`method`", config_method_names, CONFIG_METHOD_COUNT, &method,
			    parser->faults);
	pool->method = method;
	if (values[POOL_max_answers]) {
		tree_number(values[POOL_max_answers], "`max_answers`", 1, ANSWER_RECORDS_MAX, &pool->max_answers,
			    parser->faults);
		if (method != CONFIG_METHOD_all)
			faults_warning(parser->faults, &values[POOL_max_answers]->place,
				       "`max_answers` has no meaning with "
				       "method %s, which gives one record",
				       config_method_names[method]);
	}
	if (values[POOL_spread])
		pool_spread(parser, values[POOL_spread], pool);
	*depends = values[POOL_depends_on];
	if (!values[POOL_members]) {
		faults_error(parser->faults, &node->place, "expected a pool's `members`, or its `cname`");
		return 0;
	}
	fault = pool_members(parser, values[POOL_members], pool);
	if (!fault && values[POOL_min_up])
		pool_min_up(parser, values[POOL_min_up], pool);
	return fault;
}

int config_pools(struct parser *parser)
{
	size_t count = section_count(parser, SECTION_pools, NODE_MAP, "a map of pools by name");
	struct config *config = parser->config;
	struct section_walk walk = {0};
	const struct node **depends;
	struct config_pool *pool;
	int fault = 0;

	config->pools = arena_alloc(config->arena, count, sizeof(*config->pools));
	depends = arena_alloc(parser->trees, count, sizeof(*depends));
	if (!config->pools || !depends)
		return -ENOMEM;
	while (!fault && section_next(parser, SECTION_pools, &walk)) {
		pool = &config->pools[config->pool_count];
		if (!parser_define(parser, walk.item->key, "pool", &parser->pools, &pool->name, &fault))
			continue;
		config->pool_count++;
		if (!strcmp(pool->name, "serve-all") || !strcmp(pool->name, "nodata"))
			faults_error(parser->faults, &walk.item->key->place,
				     "a pool cannot be named \"%s\", which has a "
				     "meaning for `when_all_down`",
				     pool->name);
		fault = pool_read(parser, walk.item->value, pool, &depends[pool - config->pools]);
	}
	return fault ? fault : config_depends(parser, depends);
}
