// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/log.h"
#include "user/controller/answers.h"
#include "user/controller/choose.h"
#include "user/controller/grace.h"
#include "user/controller/react.h"

/* An answer that has been made during this call: of a pool, or the no-data answer that a service has. */
struct made {
	uint32_t pool;		/* or, with `type` MADE_NODATA, the compiled answer's number */
	uint32_t ttl;
	uint8_t type;
	bool is_used;
	uint32_t number;	/* of its entry, which it holds; ANSWER_NONE: none is free */
};
#define MADE_NODATA SERVICE_TYPES

struct reaction {
	const struct config *config;
	struct compiled *compiled;
	struct tables *tables;
	uint32_t base;			/* of the slot's indices */
	struct entries entries;
	/* Services by pool: users[users_at[pool]] to users[users_at[pool + 1] - 1]. */
	uint32_t *users_at, *users;
	/* As the slot is, and as it shall be: members by number, pools by choose_pools_up(). */
	uint8_t *down, *down_next, *up, *up_next;
	uint8_t *changed;		/* by pool */
	uint64_t *visited, visit;	/* by service: the pass that came by last */
	struct made *made;		/* a hash */
	size_t made_count, made_room;
	struct reaction_counts counts;
	bool behind;			/* some index may be out of step with `down` */
	bool is_full;			/* no grace period makes room in this pass */
	bool is_told;
};

static int reaction_users(struct reaction *reaction);
static int reaction_read(struct reaction *reaction);
static bool reaction_changes(struct reaction *reaction, const struct health *health);
static int reaction_pass(struct reaction *reaction);
static int react_service(struct reaction *reaction, uint32_t number);
static int react_index(struct reaction *reaction, const struct compiled_service *service, enum service_type type,
		       uint32_t index, struct compiled_reason reason);
static int react_answer(struct reaction *reaction, const struct made *wanted, uint32_t *number);
static void made_forget(struct reaction *reaction);
static uint32_t reaction_make_room(struct reaction *reaction);
static void reaction_tell(struct reaction *reaction);

/* -- beginning and end -- */

static int reaction_arrays(struct reaction *reaction)
{
	size_t members = reaction->config->member_count, pools = reaction->config->pool_count;

	reaction->down = calloc(members + 1, 1);
	reaction->down_next = calloc(members + 1, 1);
	reaction->up = calloc(pools + 1, 1);
	reaction->up_next = calloc(pools + 1, 1);
	reaction->changed = calloc(pools + 1, 1);
	reaction->visited = calloc(reaction->compiled->service_count + 1, sizeof(*reaction->visited));
	return reaction->down && reaction->down_next && reaction->up && reaction->up_next && reaction->changed &&
	       reaction->visited ? 0 : -ENOMEM;
}

/* What `compiled` was compiled with. */
static void reaction_health(struct reaction *reaction, const struct health *health)
{
	size_t members = reaction->config->member_count;

	if (health && health->down)
		memcpy(reaction->down, health->down, health->count < members ? health->count : members);
	choose_pools_up(reaction->config, health, reaction->up);
}

int reaction_new(const struct config *config, struct compiled *compiled, const struct health *health, struct tables *tables,
		 uint32_t slot, struct reaction **out)
{
	struct reaction *reaction = calloc(1, sizeof(*reaction));
	int fault;

	*out = NULL;
	if (!reaction)
		return -ENOMEM;
	reaction->config = config;
	reaction->compiled = compiled;
	reaction->tables = tables;
	reaction->base = tables->entries[TABLE_indices] / GENERATION_SLOTS * slot;
	fault = reaction_arrays(reaction);
	if (!fault)
		fault = entries_init(&reaction->entries, tables, slot);
	if (!fault)
		fault = reaction_users(reaction);
	if (!fault)
		fault = reaction_read(reaction);
	if (fault) {
		reaction_free(reaction);
		return fault;
	}
	reaction_health(reaction, health);
	*out = reaction;
	return 0;
}

void reaction_free(struct reaction *reaction)
{
	if (!reaction)
		return;
	entries_free(&reaction->entries);
	free(reaction->users_at);
	free(reaction->users);
	free(reaction->down);
	free(reaction->down_next);
	free(reaction->up);
	free(reaction->up_next);
	free(reaction->changed);
	free(reaction->visited);
	free(reaction->made);
	free(reaction);
}

const struct entries *reaction_entries(const struct reaction *reaction)
{
	return &reaction->entries;
}

const struct config *reaction_config(const struct reaction *reaction)
{
	return reaction->config;
}

void reaction_pool(const struct reaction *reaction, uint32_t pool, enum service_type type, struct reaction_pool *out)
{
	const struct health health = {reaction->down, reaction->config->member_count};
	const struct config_pool *from = &reaction->config->pools[pool];

	*out = (struct reaction_pool){.depends_on = CONFIG_NONE, .is_up = reaction->up[pool] & 1 << type};
	for (size_t i = 0; i < from->member_count; i++) {
		if (!choose_member_fits(from, &from->members[i], type))
			continue;
		out->members++;
		out->up += choose_member_up(from, i, &health);
	}
	for (size_t i = 0; i < from->depends_count && out->depends_on == CONFIG_NONE; i++)
		if (!reaction->up[from->depends_on[i]])
			out->depends_on = from->depends_on[i];
}

/* A quarter of the entries: rarely reached, and far from the end. */
bool reaction_should_rest(const struct reaction *reaction)
{
	const struct entries *entries = &reaction->entries;

	return !entries->counts[ENTRY_RESTING] && entries->counts[ENTRY_LEFT] > entries->count / 4;
}

uint64_t reaction_rest(struct reaction *reaction)
{
	return entries_rest(&reaction->entries);
}

void reaction_rested(struct reaction *reaction, uint64_t round)
{
	entries_rested(&reaction->entries, round);
}

/* -- pools -> services -- */

struct users_walk {
	uint32_t *at;		/* counting: users_at[pool + 2] is how many; filling: users_at[pool + 1] is where the next goes */
	uint32_t *users;	/* null: count */
	uint32_t *last;		/* by pool: the last service that used it, plus 1 */
	uint32_t service;
};

/* A pool that a service names several times has it once. */
static void users_use(void *context, uint32_t pool)
{
	struct users_walk *walk = context;

	if (walk->last[pool] == walk->service + 1)
		return;
	walk->last[pool] = walk->service + 1;
	if (walk->users)
		walk->users[walk->at[pool + 1]++] = walk->service;
	else
		walk->at[pool + 2]++;
}

static void users_visit(const struct reaction *reaction, struct users_walk *walk)
{
	const struct compiled *compiled = reaction->compiled;

	memset(walk->last, 0, reaction->config->pool_count * sizeof(*walk->last));
	for (walk->service = 0; walk->service < compiled->service_count; walk->service++)
		choose_each_pool(reaction->config, &reaction->config->services[compiled->services[walk->service].config],
				 users_use, walk);
}

static int reaction_users(struct reaction *reaction)
{
	size_t pools = reaction->config->pool_count;
	struct users_walk walk = {0};

	walk.last = calloc(pools + 1, sizeof(*walk.last));
	reaction->users_at = walk.at = calloc(pools + 2, sizeof(*walk.at));
	if (!walk.last || !walk.at) {
		free(walk.last);
		return -ENOMEM;
	}
	users_visit(reaction, &walk);
	for (size_t i = 2; i < pools + 2; i++)
		walk.at[i] += walk.at[i - 1];
	reaction->users = walk.users = calloc(walk.at[pools + 1] + 1, sizeof(*walk.users));
	if (walk.users)
		users_visit(reaction, &walk);
	free(walk.last);
	return walk.users ? 0 : -ENOMEM;
}

/* -- the slot as it stands -- */

static uint32_t *reaction_word(const struct reaction *reaction, uint32_t index)
{
	return tables_index(reaction->tables, reaction->base + index);
}

static int reaction_read(struct reaction *reaction)
{
	const struct compiled *compiled = reaction->compiled;
	uint32_t word;
	int fault = 0;

	if (compiled->index_count > reaction->tables->entries[TABLE_indices] / GENERATION_SLOTS)
		return -ERANGE;
	for (uint32_t i = 0; i < compiled->index_count && !fault; i++) {
		word = __atomic_load_n(reaction_word(reaction, i), __ATOMIC_RELAXED);
		if ((word == ANSWER_NONE) != (compiled->indices[i] == ANSWER_NONE))
			return -ERANGE;
		if (word != ANSWER_NONE)
			fault = entries_hold(&reaction->entries, word);
	}
	return fault;
}

/* Are these records some of the pool's, chosen in its way? */
static bool pool_explains(const struct config_pool *pool, enum service_type type, uint32_t ttl, const struct answer *answer)
{
	static const uint8_t methods[CONFIG_METHOD_COUNT] = {
		[CONFIG_METHOD_all] = ANSWER_ALL, [CONFIG_METHOD_failover] = ANSWER_ALL,
		[CONFIG_METHOD_weighted] = ANSWER_WEIGHTED, [CONFIG_METHOD_hash] = ANSWER_HASH,
	};
	struct config_pool everyone = *pool;
	struct answer all;
	int i, j;

	everyone.method = CONFIG_METHOD_all;
	if (answer_pool(&all, &everyone, type, ttl, NULL) || answer->method != methods[pool->method] ||
	    answer->stride != all.stride || !answer->count || answer->count > all.count || answer->tail_length ||
	    answer->records + answer->count * answer->stride > ANSWER_OCTETS)
		return false;
	for (i = 0; i < answer->count; i++) {
		for (j = 0; j < all.count; j++)
			if (!memcmp(answer->octets + answer->records + i * answer->stride,
				    all.octets + all.records + j * all.stride, all.stride))
				break;
		if (j == all.count)
			return false;
	}
	return true;
}

static bool health_explains(const struct reaction *reaction, const struct compiled_service *service, uint32_t region,
			    enum service_type type, const struct answer *answer)
{
	const struct config *config = reaction->config;
	const struct config_service *from = &config->services[service->config];
	const struct config_preference *preference = &from->regions[region];

	if (service->nodata != ANSWER_NONE &&
	    !memcmp(answer, &reaction->compiled->answers[service->nodata - 1], sizeof(*answer)))
		return true;
	if (from->when_all_down == CONFIG_ALL_DOWN_pool &&
	    pool_explains(&config->pools[from->all_down_pool], type, service->value.ttl, answer))
		return true;
	for (size_t i = 0; i < preference->count; i++)
		if (pool_explains(&config->pools[preference->pools[i]], type, service->value.ttl, answer))
			return true;
	return false;
}

static void compare_service(const struct reaction *reaction, const struct compiled_service *service,
			    struct reaction_difference *difference)
{
	const struct compiled *compiled = reaction->compiled;
	uint32_t end = SERVICE_COMMON + service->value.regions * SERVICE_TYPES, number;
	const struct answer *answer;

	for (uint32_t i = 0; i < end; i++) {
		number = compiled->indices[service->value.index + i];
		if (number == ANSWER_NONE)
			continue;
		answer = &reaction->tables->answers[*reaction_word(reaction, service->value.index + i)];
		if (!memcmp(answer, &compiled->answers[number - 1], sizeof(*answer)))
			continue;
		if (i >= SERVICE_COMMON && health_explains(reaction, service, (i - SERVICE_COMMON) / SERVICE_TYPES,
							   (i - SERVICE_COMMON) % SERVICE_TYPES, answer))
			difference->by_health++;
		else
			difference->otherwise++;
	}
}

void reaction_compare(struct reaction *reaction, struct reaction_difference *difference)
{
	memset(difference, 0, sizeof(*difference));
	for (size_t i = 0; i < reaction->compiled->service_count; i++)
		compare_service(reaction, &reaction->compiled->services[i], difference);
	reaction->behind = difference->by_health && !difference->otherwise;
}

/* -- the reaction -- */

int react(struct reaction *reaction, const struct health *health, struct reaction_counts *counts)
{
	struct reaction_counts *done = &reaction->counts;
	uint32_t missing = UINT32_MAX;
	uint64_t written = reaction->entries.written;
	uint8_t *swap;
	int fault = 0;

	memset(done, 0, sizeof(*done));
	if (reaction_changes(reaction, health)) {
		/* What an index leaves may be what the next one needs: again as long as that helps. */
		do {
			missing = done->missing ? done->missing : UINT32_MAX;
			fault = reaction_pass(reaction);
		} while (!fault && done->missing && done->missing < missing && reaction_make_room(reaction));
		reaction->behind = fault || done->missing;
		reaction_tell(reaction);
	}
	swap = reaction->down;
	reaction->down = reaction->down_next;
	reaction->down_next = swap;
	swap = reaction->up;
	reaction->up = reaction->up_next;
	reaction->up_next = swap;
	done->entries = reaction->entries.written - written;
	if (counts)
		*counts = *done;
	return fault ? fault : done->missing ? -ENOSPC : 0;
}

/* Fills what shall be; which pools differ from what is. False: none. */
static bool reaction_changes(struct reaction *reaction, const struct health *health)
{
	const struct config *config = reaction->config;
	const struct health next = {reaction->down_next, config->member_count};
	const struct config_pool *pool;
	uint32_t number;

	memset(reaction->changed, reaction->behind, config->pool_count);
	for (size_t i = 0; i < config->pool_count; i++) {
		pool = &config->pools[i];
		for (size_t j = 0; j < config_pool_states(pool); j++) {
			number = pool->first_member + j;
			reaction->down_next[number] = !choose_member_up(pool, j, health);
			reaction->changed[i] |= reaction->down_next[number] != !choose_member_up(pool, j,
				&(struct health){reaction->down, config->member_count});
		}
	}
	choose_pools_up(config, &next, reaction->up_next);
	for (size_t i = 0; i < config->pool_count; i++) {
		reaction->changed[i] |= reaction->up[i] != reaction->up_next[i];
		reaction->counts.pools += reaction->changed[i];
	}
	return reaction->counts.pools;
}

/* Every service that may answer from a pool that changed, once. */
static int reaction_pass(struct reaction *reaction)
{
	uint32_t service;
	int fault = 0;

	reaction->visit++;
	reaction->is_full = false;
	reaction->counts.services = reaction->counts.missing = 0;
	for (size_t pool = 0; pool < reaction->config->pool_count && !fault; pool++) {
		if (!reaction->changed[pool])
			continue;
		for (uint32_t i = reaction->users_at[pool]; i < reaction->users_at[pool + 1] && !fault; i++) {
			service = reaction->users[i];
			if (reaction->visited[service] == reaction->visit)
				continue;
			reaction->visited[service] = reaction->visit;
			reaction->counts.services++;
			fault = react_service(reaction, service);
		}
	}
	made_forget(reaction);
	return fault;
}

static int react_service(struct reaction *reaction, uint32_t number)
{
	const struct compiled_service *service = &reaction->compiled->services[number];
	const struct config_service *from = &reaction->config->services[service->config];
	uint32_t index = service->value.index + SERVICE_COMMON;
	bool all_down[SERVICE_TYPES] = {false};
	int fault = 0;

	for (int type = 0; type < SERVICE_TYPES; type++)
		all_down[type] = service->value.types & 1 << type &&
				 choose_all_down(reaction->config, from, type, reaction->up_next);
	for (uint32_t region = 0; region < service->value.regions; region++, index += SERVICE_TYPES)
		for (int type = 0; type < SERVICE_TYPES && !fault; type++)
			if (service->value.types & 1 << type)
				fault = react_index(reaction, service, type, index + type,
						    choose_pool(reaction->config, from, region, type, all_down[type],
								reaction->up_next));
	return fault;
}

/* The entry is written before the word that points to it. Whoever is at the one that it leaves, may finish (entries.h). */
static void react_flip(struct reaction *reaction, uint32_t index, uint32_t number)
{
	uint32_t *word = reaction_word(reaction, index), old = __atomic_load_n(word, __ATOMIC_RELAXED);

	if (old == number)
		return;
	entries_hold(&reaction->entries, number);
	__atomic_store_n(word, number, __ATOMIC_RELEASE);
	entries_release(&reaction->entries, old);
	reaction->counts.indices++;
}

static int react_index(struct reaction *reaction, const struct compiled_service *service, enum service_type type,
		       uint32_t index, struct compiled_reason reason)
{
	struct compiled_reason *old = &reaction->compiled->reasons[index];
	struct made wanted = {.pool = reason.pool, .ttl = service->value.ttl, .type = type};
	uint32_t number;
	int fault;

	if (!reaction->behind && old->pool == reason.pool &&
	    (reason.pool == CONFIG_NONE || !reaction->changed[reason.pool])) {
		old->note = reason.note;
		return 0;
	}
	if (reason.pool == CONFIG_NONE)
		wanted = (struct made){.pool = service->nodata, .type = MADE_NODATA};
	fault = react_answer(reaction, &wanted, &number);
	if (fault == -ENOSPC) {
		reaction->counts.missing++;
		return 0;
	}
	if (fault)
		return fault;
	react_flip(reaction, index, number);
	*old = reason;
	return 0;
}

/* -- answers -- */

static int made_content(const struct reaction *reaction, const struct made *made, struct answer *answer)
{
	const struct health health = {reaction->down_next, reaction->config->member_count};

	if (made->type != MADE_NODATA)
		return answer_pool(answer, &reaction->config->pools[made->pool], made->type, made->ttl,
				   reaction->up_next[made->pool] & 1 << made->type ? &health : NULL);
	*answer = reaction->compiled->answers[made->pool - 1];
	return 0;
}

/* Where an answer is in the hash, or would be. */
static struct made *made_find(struct made *list, size_t room, const struct made *wanted)
{
	uint64_t hash = ((uint64_t)wanted->pool << 32 | wanted->ttl) * 0x9e3779b97f4a7c15ULL;
	size_t at;

	hash = (hash ^ hash >> 29 ^ wanted->type) * 0x9e3779b97f4a7c15ULL;
	for (at = hash >> 32 & (room - 1); list[at].is_used; at = (at + 1) & (room - 1))
		if (list[at].pool == wanted->pool && list[at].ttl == wanted->ttl && list[at].type == wanted->type)
			break;
	return &list[at];
}

static int made_reserve(struct reaction *reaction)
{
	size_t room = reaction->made_room ? reaction->made_room * 2 : 64;
	struct made *list;

	if (reaction->made_count < reaction->made_room / 2)
		return 0;
	list = calloc(room, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < reaction->made_room; i++)
		if (reaction->made[i].is_used)
			*made_find(list, room, &reaction->made[i]) = reaction->made[i];
	free(reaction->made);
	reaction->made = list;
	reaction->made_room = room;
	return 0;
}

static void made_forget(struct reaction *reaction)
{
	for (size_t i = 0; i < reaction->made_room; i++)
		if (reaction->made[i].is_used && reaction->made[i].number != ANSWER_NONE)
			entries_release(&reaction->entries, reaction->made[i].number);
	if (reaction->made_count)
		memset(reaction->made, 0, reaction->made_room * sizeof(*reaction->made));
	reaction->made_count = 0;
}

static uint32_t answer_entry(struct reaction *reaction, const struct answer *answer)
{
	uint32_t number;

	if (!entries_put(&reaction->entries, answer, &number))
		return number;
	if (!reaction->is_full && reaction_make_room(reaction) && !entries_put(&reaction->entries, answer, &number))
		return number;
	reaction->is_full = true;
	return ANSWER_NONE;
}

/* The entry of an answer, made once a pass. -ENOSPC: there is none. */
static int react_answer(struct reaction *reaction, const struct made *wanted, uint32_t *number)
{
	int fault = made_reserve(reaction);
	struct answer answer;
	struct made *made;

	if (fault)
		return fault;
	made = made_find(reaction->made, reaction->made_room, wanted);
	if (!made->is_used) {
		if (made_content(reaction, wanted, &answer))
			return -EINVAL;		/* compile() has seen that it fits */
		*made = *wanted;
		made->is_used = true;
		made->number = answer_entry(reaction, &answer);
		reaction->made_count++;
	}
	*number = made->number;
	return made->number == ANSWER_NONE ? -ENOSPC : 0;
}

/* How many entries have become free. */
static uint32_t reaction_make_room(struct reaction *reaction)
{
	uint64_t round = entries_rest(&reaction->entries);
	struct faults faults;
	int fault;

	if (!reaction->entries.counts[ENTRY_RESTING])
		return 0;
	faults_init(&faults);
	fault = grace_period(&faults);
	faults_log(&faults);
	faults_free(&faults);
	reaction->counts.graces++;
	return fault ? 0 : entries_rested(&reaction->entries, round);
}

static void reaction_tell(struct reaction *reaction)
{
	if (reaction->counts.missing && !reaction->is_told)
		log_warning("table answers has no free entry: %u answers stay as they were before the last change of health; "
			    "make the tables anew: `ecsdns-loader unload`, then `ecsdns-loader attach --answers %u IFACE`",
			    reaction->counts.missing, reaction->tables->entries[TABLE_answers] * 2);
	if (!reaction->behind && reaction->is_told)
		log_notice("all answers follow health again");
	reaction->is_told = reaction->behind;
}
