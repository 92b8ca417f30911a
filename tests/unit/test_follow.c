// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Health in real tables: verdicts between pushes and beside them, a process that ends at any moment in one, what the next
 * start takes over, how long it takes, and a reader as the fallback has it. Needs root, like test_publish.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/publish_fixture.h"
#include "user/common/lookup.h"
#include "user/controller/explain_pools.h"
#include "user/controller/follow.h"

#define MEMBERS_MAX 64

/* -- states of members, for whoever asks, in any thread -- */

static uint8_t states[MEMBERS_MAX];	/* by the number at the end of a member's name: the same in every configuration */

static void states_read(void *context, const struct config *config, uint8_t *down)
{
	(void)context;
	for (size_t i = 0; i < config->pool_count; i++)
		for (size_t j = 0; j < config->pools[i].member_count; j++)
			down[config->pools[i].first_member + j] =
				__atomic_load_n(&states[atoi(config->pools[i].members[j].name + 1)], __ATOMIC_RELAXED);
}

static const struct health_source source = {states_read, NULL};

static uint64_t random_state = 1;

static uint32_t random_number(void)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return random_state >> 33;
}

static void states_flip(unsigned int member)
{
	__atomic_store_n(&states[member], !states[member], __ATOMIC_RELAXED);
}

/* -- configurations -- */

/* Around all services, so that they share their negative answers. */
static const char zone_text[] = "$TTL 300\n@ SOA ns hostmaster 7 3600 600 604800 100\n@ NS ns\nns A 198.18.0.1\n";

struct text {
	char octets[8 << 20];
	size_t length;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text->length += vsnprintf(text->octets + text->length, sizeof(text->octets) - text->length, format, arguments);
	va_end(arguments);
	assert_true(text->length < sizeof(text->octets));
}

/* `services` names on shared pools of eight members each, their regions in different orders; `ttl` tells generations apart. */
static struct generation *make_generation(unsigned int services, unsigned int regions, unsigned int ttl, struct ids *ids)
{
	struct text *text = calloc(1, sizeof(*text));
	struct generation *generation;
	struct bundle *bundle;
	struct faults faults;

	add(text, "server: {addresses: [198.18.0.1]}\nzones: [{name: test, file: z}]\nchecks: {web: {type: tcp, port: 80}}\npools:\n");
	for (unsigned int i = 0; i < 4; i++) {
		add(text, "  p%u:\n    check: web\n    members:\n", i);
		for (unsigned int j = 0; j < 8; j++)
			add(text, "    - {name: m%u, address: 192.0.2.%u}\n    - {name: m%u, address: \"2001:db8::%u\"}\n",
			    i * 16 + j, i * 8 + j, i * 16 + 8 + j, i * 8 + j);
	}
	add(text, "topologies:\n  t:\n    default: r0\n    prefixes:\n");
	for (unsigned int i = 0; i < regions; i++)
		add(text, "      10.%u.0.0/16: r%u\n", i, i);
	add(text, "services:\n");
	for (unsigned int i = 0; i < services; i++) {
		add(text, "- name: s%u.test\n  topology: t\n  ttl: %u\n  regions:\n", i, ttl);
		for (unsigned int j = 0; j < regions; j++)
			add(text, "    r%u: [p%u, p%u, p%u]\n", j, (i + j) % 4, (i + j + 1) % 4, (i + j + 2) % 4);
	}
	faults_init(&faults);
	assert_int_equal(bundle_new(&bundle), 0);
	assert_int_equal(bundle_add(bundle, "t.yaml", text->octets, text->length), 0);
	assert_int_equal(bundle_add(bundle, "z", zone_text, strlen(zone_text)), 0);
	if (generation_make(bundle, NULL, &source, ids, &generation, &faults))
		faults_print(&faults, stderr);
	assert_non_null(generation);
	faults_free(&faults);
	bundle_free(bundle);
	free(text);
	return generation;
}

static struct publication publication_of(struct fixture *fixture, const struct generation *generation, struct health *health)
{
	*health = (struct health){generation->down, generation->config->member_count};
	return (struct publication){
		.config = generation->config, .compiled = generation->compiled, .health = health, .ids = &fixture->ids,
		.bundle = "x", .length = 1,
	};
}

static void push(struct fixture *fixture, const struct generation *generation)
{
	struct image_changes changes;
	struct health health;
	struct publication publication = publication_of(fixture, generation, &health);

	assert_int_equal(publisher_next(&fixture->publisher, &publication.generation), 0);
	if (publish(&fixture->publisher, &publication, &changes, &fixture->faults))
		faults_print(&fixture->faults, stderr);
	assert_int_equal(publisher_generation(&fixture->publisher), publication.generation);
}

/* As a start does. */
static int adopt(struct fixture *fixture, const struct generation *generation, struct reaction_difference *difference)
{
	struct health health;
	struct publication publication = publication_of(fixture, generation, &health);

	publication.generation = publisher_generation(&fixture->publisher);
	publisher_free(&fixture->publisher);
	assert_int_equal(publisher_read(&fixture->publisher, &fixture->faults), 0);
	return publisher_adopt(&fixture->publisher, &publication, difference, &fixture->faults);
}

/* How many of the live indices serve something else than a compilation with the states of now. */
static uint32_t behind(struct fixture *fixture, const struct generation *generation)
{
	uint32_t slot = publisher_generation(&fixture->publisher) % GENERATION_SLOTS, count = 0;
	uint32_t base = fixture->tables.entries[TABLE_indices] / GENERATION_SLOTS * slot;
	const struct answer *wanted;
	uint8_t down[MEMBERS_MAX];
	const struct health health = {down, MEMBERS_MAX};
	struct compiled *compiled, *from;

	states_read(NULL, generation->config, down);
	/* without its zones: what is the same for every client, health does not move */
	assert_int_equal(compile(generation->config, NULL, &health, &fixture->ids, &compiled, &fixture->faults), 0);
	for (uint32_t i = 0; i < compiled->index_count; i++) {
		uint32_t number = *tables_index(&fixture->tables, base + i);

		from = compiled->reasons[i].note == COMPILED_COMMON ? generation->compiled : compiled;
		wanted = from->indices[i] ? &from->answers[from->indices[i] - 1] : NULL;
		count += !number != !wanted || (wanted && memcmp(&fixture->tables.answers[number], wanted, sizeof(*wanted)));
	}
	compiled_free(compiled);
	return count;
}

static struct fixture *begin_large(uint32_t indices, uint32_t answers)
{
	uint32_t entries[TABLE_COUNT] = {
		[TABLE_indices] = indices, [TABLE_answers] = answers, [TABLE_names_short] = 65536,
		[TABLE_service_hits] = 65536, [TABLE_service_names] = 65536,
	};
	struct fixture *fixture = begin(entries);

	memset(states, 0, sizeof(states));
	fixture->publisher.health = source;
	ids_free(&fixture->ids);
	ids_init(&fixture->ids, 65536, 4096);
	return fixture;
}

/* -- what a start takes over -- */

static void test_takes_over(void **unused)
{
	struct fixture *fixture = begin_large(4096, 512);
	struct generation *generation, *other;
	struct reaction_difference difference;
	struct reaction_counts counts;
	uint32_t number;

	(void)unused;
	generation = make_generation(5, 3, 10, &fixture->ids);
	push(fixture, generation);
	assert_int_equal(publisher_react(&fixture->publisher, &counts), 0);
	assert_int_equal(counts.pools + counts.indices, 0);
	states_flip(3);
	states_flip(20);
	assert_int_equal(publisher_react(&fixture->publisher, &counts), 0);
	assert_int_equal(counts.pools, 2);
	assert_true(counts.indices > 0);
	assert_int_equal(behind(fixture, generation), 0);
	/* the states were kept: all is as compiled with them */
	other = make_generation(5, 3, 10, &fixture->ids);
	assert_int_equal(adopt(fixture, other, &difference), 0);
	assert_int_equal(difference.by_health + difference.otherwise, 0);
	/* they were not: answers stay until the first verdict */
	assert_int_equal(adopt(fixture, generation, &difference), 0);
	assert_int_equal(difference.by_health, counts.indices);
	assert_int_equal(difference.otherwise, 0);
	assert_int_equal(behind(fixture, generation), 0);
	states_flip(20);
	assert_int_equal(publisher_react(&fixture->publisher, &counts), 0);
	assert_int_equal(behind(fixture, generation), 0);
	/* an answer that no health explains stays, until its pool changes */
	number = *tables_index(&fixture->tables, 2048 + other->compiled->services[0].value.index + SERVICE_COMMON);
	fixture->tables.answers[number].octets[7] ^= 1;
	generation_free(generation);
	generation = make_generation(5, 3, 10, &fixture->ids);
	assert_int_equal(adopt(fixture, generation, &difference), 0);
	assert_true(difference.otherwise > 0);
	assert_int_equal(behind(fixture, generation), difference.otherwise);
	states_flip(40);
	assert_int_equal(publisher_react(&fixture->publisher, &counts), 0);
	assert_int_equal(behind(fixture, generation), difference.otherwise);
	states_flip(0);
	assert_int_equal(publisher_react(&fixture->publisher, &counts), 0);
	assert_int_equal(behind(fixture, generation), 0);
	generation_free(other);
	/* another configuration altogether */
	other = make_generation(6, 3, 10, &fixture->ids);
	assert_int_equal(adopt(fixture, other, &difference), -EINVAL);
	generation_free(other);
	end(fixture);
	generation_free(generation);
}

/* A verdict that falls between a push's compilation and its end: live with it, never without. */
static void test_verdict_while_compiling(void **unused)
{
	struct fixture *fixture = begin_large(4096, 512);
	struct generation *live = NULL, *next;
	struct reaction_counts counts;

	(void)unused;
	for (unsigned int i = 0; i < 10; i++) {
		next = make_generation(5 + i % 2, 3, 10, &fixture->ids);
		states_flip(random_number() % MEMBERS_MAX);
		publisher_react(&fixture->publisher, NULL);
		push(fixture, next);
		assert_int_equal(behind(fixture, next), 0);
		assert_int_equal(publisher_react(&fixture->publisher, &counts), 0);
		assert_int_equal(counts.indices, 0);
		generation_free(live);
		live = next;
	}
	end(fixture);
	generation_free(live);
}

/* What health left in a slot, the push that fills it next clears: two pushes later it holds just its configuration. */
static void test_slot_is_cleared(void **unused)
{
	struct fixture *fixture = begin_large(4096, 512);
	struct generation *generations[3];
	static const struct answer empty;

	(void)unused;
	generations[0] = make_generation(5, 3, 10, &fixture->ids);
	push(fixture, generations[0]);
	for (unsigned int member = 0; member < 16; member++) {
		states_flip(member);
		publisher_react(&fixture->publisher, NULL);
	}
	memset(states, 0, sizeof(states));
	for (unsigned int i = 1; i < 3; i++) {
		generations[i] = make_generation(5, 3, 10, &fixture->ids);
		push(fixture, generations[i]);
	}
	for (size_t i = generations[2]->compiled->answer_count + 1; i < 256; i++)
		assert_memory_equal(&fixture->tables.answers[256 + i], &empty, sizeof(empty));
	assert_int_equal(behind(fixture, generations[2]), 0);
	end(fixture);
	for (unsigned int i = 0; i < 3; i++)
		generation_free(generations[i]);
}

/* A process that ends at any moment of a reaction leaves a slot that serves old answers and new ones, and nothing else. */
static void test_killed_at_any_moment(void **unused)
{
	struct fixture *fixture = begin_large(65536, 64);
	struct generation *generation = make_generation(400, 8, 10, &fixture->ids);
	struct reaction_difference difference;
	struct reaction_counts counts;
	uint32_t halfway = 0;

	(void)unused;
	push(fixture, generation);
	for (int i = 0; i < 60; i++) {
		pid_t child = fork();
		int status;

		if (!child) {
			for (unsigned int flap = 0; ; flap++) {
				states_flip((i * 7 + flap) % MEMBERS_MAX);
				publisher_react(&fixture->publisher, &counts);
			}
		}
		usleep(5000 + random_number() % 20000);
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		states_flip(random_number() % MEMBERS_MAX);
		generation_free(generation);
		generation = make_generation(400, 8, 10, &fixture->ids);
		assert_int_equal(adopt(fixture, generation, &difference), 0);
		assert_int_equal(difference.otherwise, 0);
		halfway += difference.by_health > 0;
		states_flip(random_number() % MEMBERS_MAX);
		assert_int_equal(publisher_react(&fixture->publisher, &counts), 0);
		assert_int_equal(behind(fixture, generation), 0);
	}
	assert_true(halfway > 20);
	end(fixture);
	generation_free(generation);
}

/* -- beside pushes -- */

struct flapper {
	struct fixture *fixture;
	uint32_t reactions, indices;
	volatile bool stop;
};

static void *flap(void *argument)
{
	struct flapper *flapper = argument;
	struct reaction_counts counts;

	while (!__atomic_load_n(&flapper->stop, __ATOMIC_ACQUIRE)) {
		states_flip(flapper->reactions++ * 13 % MEMBERS_MAX);
		publisher_react(&flapper->fixture->publisher, &counts);
		flapper->indices += counts.indices;
		if (publisher_should_rest(&flapper->fixture->publisher))
			publisher_rest(&flapper->fixture->publisher);
	}
	return NULL;
}

/*
 * The fallback's way of reading: every whole copy is of the generation that the word named, in its TTL, and of members of
 * one pool in their order.
 */
struct reader {
	struct fixture *fixture;
	uint32_t answers, torn, again, services;
	volatile bool stop;
};

static bool is_whole(const struct answer *answer, uint32_t generation)
{
	unsigned int pool = 0, last = 0;

	if (!answer->count || answer->count > 8 || (answer->stride != 16 && answer->stride != 28))
		return false;
	for (int i = 0; i < answer->count; i++) {
		const uint8_t *record = answer->octets + answer->records + i * answer->stride;
		unsigned int member = record[answer->stride - 1];

		if (answer->stride == 28)	/* "::NN" was written in decimal and is read in hexadecimal */
			member = member / 16 * 10 + member % 16;
		if (record[9] != generation % 100 || (i && (member / 8 != pool || member <= last)))
			return false;
		pool = member / 8;
		last = member;
	}
	return true;
}

static void *read_answers(void *argument)
{
	struct reader *reader = argument;
	struct fixture *fixture = reader->fixture;
	static __thread struct lookup lookup;
	uint32_t seed = 1, index, number;

	while (!__atomic_load_n(&reader->stop, __ATOMIC_ACQUIRE)) {
		seed = seed * 1664525 + 1013904223;
		lookup_begin(&lookup, &fixture->tables);
		index = fixture->tables.entries[TABLE_indices] / GENERATION_SLOTS * lookup.slot +
			(seed >> 8) % reader->services * (SERVICE_COMMON + 8 * SERVICE_TYPES) + SERVICE_COMMON +
			(seed >> 24) % 8 * SERVICE_TYPES + (seed >> 28) % 2;
		number = lookup_index(&lookup, index);
		lookup_answer(&lookup, number);
		if (!lookup_is_whole(&lookup)) {
			reader->again++;
			continue;
		}
		reader->answers++;
		reader->torn += !is_whole(&lookup.answer, tables_generation(lookup.control));
	}
	return NULL;
}

/* A table so small that entries are written again all the time. */
static void test_beside_pushes_and_readers(void **unused)
{
	struct fixture *fixture = begin_large(65536, 80);
	struct generation *live = NULL, *next;
	struct flapper flapper = {.fixture = fixture};
	struct reader reader = {.fixture = fixture, .services = 100};
	pthread_t threads[2];

	(void)unused;
	for (uint32_t i = 1; i <= 2; i++) {
		next = make_generation(100, 8, i, &fixture->ids);
		push(fixture, next);
		generation_free(live);
		live = next;
	}
	pthread_create(&threads[0], NULL, flap, &flapper);
	pthread_create(&threads[1], NULL, read_answers, &reader);
	for (uint32_t i = 3; i < 40; i++) {
		next = make_generation(100, 8, i, &fixture->ids);
		push(fixture, next);
		generation_free(live);
		live = next;
		usleep(30000);
	}
	__atomic_store_n(&flapper.stop, true, __ATOMIC_RELEASE);
	pthread_join(threads[0], NULL);
	__atomic_store_n(&reader.stop, true, __ATOMIC_RELEASE);
	pthread_join(threads[1], NULL);
	publisher_react(&fixture->publisher, NULL);
	print_message("# %u reactions flipped %u words and wrote again after %u words to the fallback; %u whole copies, %u taken "
		      "again\n", flapper.reactions, flapper.indices, fixture->tables.control->recycled, reader.answers,
		      reader.again);
	assert_int_equal(behind(fixture, live), 0);
	assert_int_equal(reader.torn, 0);
	assert_true(flapper.indices > 1000);
	assert_true(reader.answers > 1000);
	assert_true(fixture->tables.control->recycled > 20);
	end(fixture);
	generation_free(live);
}

/* -- how long -- */

static int order_of(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return a < b ? -1 : a > b;
}

static double now_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/*
 * One member of a pool that 10,000 services use, in all their regions: every verdict moves a quarter of the words or more.
 * Nothing is waited for, so the bound is one of the thread's own time, whoever else runs here; tests/e2e/flap.sh has a
 * clock. Under sanitizers figures mean nothing.
 */
static void test_ten_thousand_services(void **unused)
{
	struct fixture *fixture = begin_large(1048576, 16384);
	struct generation *generation = make_generation(10000, 8, 10, &fixture->ids);
	struct reaction_counts counts;
	double took[20], waited[20], began, began_wall;

	(void)unused;
	push(fixture, generation);
	for (int i = 0; i < 20; i++) {
		if (i % 10 == 9)	/* a whole pool: half the words move to the next one */
			for (unsigned int member = 0; member < 16; member++)
				states_flip(member);
		else
			states_flip(i % 8);
		began_wall = now_ms(CLOCK_MONOTONIC);
		began = now_ms(CLOCK_THREAD_CPUTIME_ID);
		assert_int_equal(publisher_react(&fixture->publisher, &counts), 0);
		took[i] = now_ms(CLOCK_THREAD_CPUTIME_ID) - began;
		waited[i] = now_ms(CLOCK_MONOTONIC) - began_wall;
		assert_true(counts.services == 10000 && counts.indices >= 20000 && !counts.graces);
	}
	assert_int_equal(behind(fixture, generation), 0);
	qsort(took, 20, sizeof(took[0]), order_of);
	qsort(waited, 20, sizeof(waited[0]), order_of);
	print_message("# a verdict for 10,000 services of 8 regions: %.2f ms of the thread's time, %.2f by the clock (medians; "
		      "most %.2f and %.2f)\n", took[10], waited[10], took[19], waited[19]);
#ifndef __SANITIZE_ADDRESS__
	assert_true(took[10] < 10);
#endif
	end(fixture);
	generation_free(generation);
}

/* -- in the controller's loop -- */

/* p0 to p2 of four are what region r0 of the first service prefers, in this order. */
static void test_explained(void **unused)
{
	static struct controller controller;
	struct fixture *fixture = begin_large(4096, 512);
	struct generation *generation = make_generation(5, 3, 10, &fixture->ids);
	uint32_t index = generation->compiled->services[0].value.index + SERVICE_COMMON + SERVICE_A;
	json_t *list;

	(void)unused;
	push(fixture, generation);
	controller.publisher = fixture->publisher;
	controller.live = generation;
	list = explain_passed_over(&controller, index);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	for (unsigned int member = 0; member < 8; member++)
		states_flip(member);
	publisher_react(&controller.publisher, NULL);
	list = explain_passed_over(&controller, index);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "pool")), "p0");
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "why")),
			    "down: 0 of 8 members are up, 1 is needed");
	json_decref(list);
	list = explain_passed_over(&controller, index - SERVICE_A + SERVICE_AAAA);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	fixture->publisher = controller.publisher;
	end(fixture);
	generation_free(generation);
}

static void test_loop(void **unused)
{
	static struct controller controller;
	struct fixture *fixture = begin_large(4096, 80);
	struct generation *generation = make_generation(5, 3, 10, &fixture->ids);
	uint32_t rested = fixture->tables.control->recycled;

	(void)unused;
	push(fixture, generation);
	controller.publisher = fixture->publisher;
	uv_loop_init(&controller.loop);
	for (int i = 0; i < 40; i++) {
		states_flip(random_number() % MEMBERS_MAX);
		follow_health(&controller, NULL);
		assert_int_equal(behind(fixture, generation), 0);
		uv_run(&controller.loop, UV_RUN_DEFAULT);
		assert_false(controller.resting);
	}
	assert_true(fixture->tables.control->recycled > rested);
	assert_in_range(publisher_reactions(&controller.publisher).count, 20, 40);
	assert_int_equal(publisher_reactions(&controller.publisher).missing, 0);
	assert_int_equal(uv_loop_close(&controller.loop), 0);
	fixture->publisher = controller.publisher;
	end(fixture);
	generation_free(generation);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_takes_over),
		cmocka_unit_test(test_verdict_while_compiling),
		cmocka_unit_test(test_slot_is_cleared),
		cmocka_unit_test(test_killed_at_any_moment),
		cmocka_unit_test(test_beside_pushes_and_readers),
		cmocka_unit_test(test_ten_thousand_services),
		cmocka_unit_test(test_explained),
		cmocka_unit_test(test_loop),
	};

	if (!fixture_namespace())
		return 1;
	return cmocka_run_group_tests_name("follow", tests, NULL, NULL);
}
