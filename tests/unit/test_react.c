// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The reaction to health. Random configurations and random verdicts: after each, what the slot serves is compared with a
 * compilation of the same health from scratch, and every entry that was written over must have been out of all readers'
 * sight. Tables are memory; the grace period is defined here in place of the real one, since thousands are waited for.
 *
 * ECSDNS_PROPERTY: how many configurations (default 3000); ECSDNS_SEED: the first one's number.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/model.h"
#include "user/controller/grace.h"
#include "user/controller/react.h"

static const char zone_text[] =
	"$TTL 300\n@ SOA ns hostmaster 7 3600 600 604800 100\n@ NS ns\nns A 198.18.0.1\nbeside TXT \"text\"\n";

/* -- one configuration in tables that are memory -- */

struct fixture {
	struct bundle *bundle;
	struct config *config;
	struct zone_set *zones;
	struct ids ids;
	struct faults faults;
	struct compiled *compiled;
	struct tables tables;
	struct control control;
	uint32_t slot;
	uint8_t *down;
	struct reaction *reaction;
	/* What readers may be at: see watch(). */
	struct answer *seen;
	uint32_t *seen_graces, *seen_recycled;
	uint8_t *was_used;
};

static struct fixture *watched;		/* by grace_period() */
static uint32_t graces;			/* that have passed */

static int fixture_config(struct fixture *f, const char *text)
{
	struct zone *zone;

	memset(f, 0, sizeof(*f));
	ids_init(&f->ids, SERVICES_ENTRIES, REGIONS_ENTRIES);
	assert_int_equal(bundle_new(&f->bundle), 0);
	assert_int_equal(bundle_add(f->bundle, "t.yaml", text, strlen(text)), 0);
	assert_int_equal(bundle_add(f->bundle, "z", zone_text, strlen(zone_text)), 0);
	f->zones = zone_set_new();
	if (config_parse(f->bundle, 0, &f->config, &f->faults))
		return -EINVAL;
	for (size_t i = 0; i < f->config->zone_count; i++) {
		assert_int_equal(zone_load(f->config->zones[i].origin.text, f->config->zones[i].file, f->bundle, &zone,
					   &f->faults), 0);
		assert_int_equal(zone_set_add(f->zones, zone), 0);
	}
	f->down = calloc(f->config->member_count + 1, 1);
	return 0;
}

static struct health health_of(const struct fixture *f)
{
	return (struct health){f->down, f->config->member_count};
}

static struct compiled *compile_now(struct fixture *f)
{
	const struct health health = health_of(f);
	struct compiled *compiled;

	compile(f->config, f->zones, &health, &f->ids, &compiled, &f->faults);
	return compiled;
}

/* Tables with room for so many answers in each half, and the slot filled as publish() does. */
static void fixture_publish(struct fixture *f, uint32_t slot, uint32_t room)
{
	struct compiled *compiled = f->compiled;
	uint32_t half = compiled->index_count + 3, base = slot * (room + 1);

	f->slot = slot;
	f->tables.entries[TABLE_indices] = half * GENERATION_SLOTS;
	f->tables.entries[TABLE_answers] = (room + 1) * GENERATION_SLOTS;
	f->tables.control = &f->control;
	f->tables.indices = calloc(f->tables.entries[TABLE_indices], 8);
	f->tables.answers = calloc(f->tables.entries[TABLE_answers], sizeof(struct answer));
	for (uint32_t i = 0; i < compiled->index_count; i++)
		if (compiled->indices[i])
			*tables_index(&f->tables, slot * half + i) = base + compiled->indices[i];
	memcpy(&f->tables.answers[base + 1], compiled->answers, compiled->answer_count * sizeof(struct answer));
}

static void fixture_react(struct fixture *f)
{
	const struct health health = health_of(f);
	uint32_t entries = f->tables.entries[TABLE_answers];

	assert_int_equal(reaction_new(f->config, f->compiled, &health, &f->tables, f->slot, &f->reaction), 0);
	f->seen = malloc(entries * sizeof(*f->seen));
	memcpy(f->seen, f->tables.answers, entries * sizeof(*f->seen));
	f->seen_graces = calloc(entries, sizeof(*f->seen_graces));
	f->seen_recycled = calloc(entries, sizeof(*f->seen_recycled));
	f->was_used = calloc(entries, 1);
	watched = f;
}

static void fixture_end(struct fixture *f)
{
	watched = NULL;
	reaction_free(f->reaction);
	compiled_free(f->compiled);
	zone_set_free(f->zones);
	config_free(f->config);
	bundle_free(f->bundle);
	ids_free(&f->ids);
	faults_free(&f->faults);
	free(f->tables.indices);
	free(f->tables.answers);
	free(f->seen);
	free(f->seen_graces);
	free(f->seen_recycled);
	free(f->was_used);
	free(f->down);
}

static uint32_t word_of(const struct fixture *f, uint32_t index)
{
	return *tables_index(&f->tables, f->slot * f->tables.entries[TABLE_indices] / GENERATION_SLOTS + index);
}

/* -- who may still be reading -- */

/*
 * Called at every grace period and after every reaction: an entry that changed since the last time was pointed to, at the
 * latest, before a grace period that has ended, and before the control word moved.
 */
static void watch(struct fixture *f)
{
	for (uint32_t i = 0; i < f->tables.entries[TABLE_answers]; i++) {
		if (!memcmp(&f->seen[i], &f->tables.answers[i], sizeof(*f->seen)))
			continue;
		if (f->was_used[i] && f->seen_graces[i] == graces)
			fail_msg("entry %u was written over without a grace period since it was last used", i);
		if (f->was_used[i] && f->seen_recycled[i] == f->control.recycled)
			fail_msg("entry %u was written over without a word to the fallback", i);
		f->seen[i] = f->tables.answers[i];
	}
	for (uint32_t i = 0; i < f->compiled->index_count; i++) {
		uint32_t word = word_of(f, i);

		f->was_used[word] = word != ANSWER_NONE;
		f->seen_graces[word] = graces;
		f->seen_recycled[word] = f->control.recycled;
	}
}

int grace_period(struct faults *faults)
{
	(void)faults;
	if (watched)
		watch(watched);
	graces++;
	return 0;
}

/* -- what is said -- */

static uint32_t warnings, notices;

void log_warning(const char *format, ...)
{
	warnings += strstr(format, "no free entry") != NULL;
}

void log_notice(const char *format, ...)
{
	notices += strstr(format, "follow health again") != NULL;
}

void log_error(const char *format, ...)
{
	fail_msg("%s", format);
}

void log_info(const char *format, ...)
{
	(void)format;
}

/* -- random configurations -- */

struct text {
	char octets[65536];
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

/* Most configurations keep to what they may not mix: a type that only some regions have, a CNAME outside zones. */
static struct {
	bool cnames, v4, v6, mixed;
} kind;

static void add_members(struct text *text, unsigned int pool, bool weighted)
{
	unsigned int v4 = kind.v4 ? 1 + random_below(4) : 0, v6 = kind.v6 ? 1 + random_below(4) : 0;

	if (kind.mixed && random_below(4) == 0)
		*(random_below(2) ? &v4 : &v6) = 0;
	v4 += !v4 && !v6;

	add(text, "    members:\n");
	for (unsigned int i = 0; i < v4 + v6; i++) {
		add(text, i < v4 ? "    - {name: m%u, address: 192.0.%u.%u" : "    - {name: m%u, address: \"2001:db8::%u:%u\"",
		    i, pool, i);
		if (weighted)
			add(text, ", weight: %u", i == 0 || i == v4 ? 1 + random_below(9) : random_below(5));
		add(text, "}\n");
	}
}

static void add_pool(struct text *text, unsigned int number)
{
	static const char *const methods[] = {"all", "failover", "weighted", "hash"};
	unsigned int method = random_below(4);

	add(text, "  p%u:\n", number);
	if (kind.cnames && !random_below(3)) {
		add(text, "    cname: cdn%u.example.net\n", number);
		return;
	}
	if (random_below(6))
		add(text, "    check: web\n");
	add(text, "    method: %s\n", methods[method]);
	if (!random_below(3))
		add(text, "    min_up: %u\n", 1 + random_below(2));
	/* mostly on one before it; a circle now and then is refused */
	if (number && !random_below(3))
		add(text, "    depends_on: [p%u]\n", random_below(number + !random_below(8)));
	if (!method && random_below(2))
		add(text, "    max_answers: %u\n", 1 + random_below(3));
	add_members(text, number, method >= 2);
}

static void add_service(struct text *text, unsigned int number, unsigned int pools, unsigned int topology,
			unsigned int regions)
{
	static const char *const names[] = {"s%u.example.com", "s%u.test", "beside.example.com"};
	unsigned int where = kind.cnames ? 0 : number ? random_below(2) : random_below(3), all_down = random_below(3);

	add(text, "- name: ");
	add(text, names[where], number);
	add(text, "\n  topology: t%u\n  ttl: %u\n  regions:\n", topology, 10 + random_below(2));
	for (unsigned int region = 0; region < regions; region++) {
		unsigned int pool = random_below(pools), more = random_below(pools < 4 ? pools : 4);

		add(text, "    r%u: [p%u", region, pool);
		for (unsigned int i = 1; i <= more; i++)
			add(text, ", p%u", (pool + i) % pools);
		add(text, "]\n");
	}
	if (all_down == 1)
		add(text, "  when_all_down: nodata\n");
	if (all_down == 2)
		add(text, "  when_all_down: p%u\n", random_below(pools));
}

static void random_config(struct text *text)
{
	unsigned int pools = 1 + random_below(6), services = 1 + random_below(5), topologies = 1 + random_below(2);
	unsigned int regions[2];

	text->length = 0;
	kind.cnames = !random_below(4);
	kind.mixed = !random_below(4);
	kind.v4 = random_below(4);
	kind.v6 = random_below(4) || !kind.v4;
	add(text, "server: {addresses: [198.18.0.1]}\nzones: [{name: example.com, file: z}]\n"
	    "checks: {web: {type: tcp, port: 80}}\npools:\n");
	for (unsigned int i = 0; i < pools; i++)
		add_pool(text, i);
	add(text, "topologies:\n");
	for (unsigned int i = 0; i < topologies; i++) {
		regions[i] = 1 + random_below(4);
		add(text, "  t%u:\n    default: r0\n    prefixes:\n", i);
		for (unsigned int region = 0; region < regions[i]; region++)
			add(text, "      10.%u.0.0/16: r%u\n", region, region);
	}
	add(text, "services:\n");
	for (unsigned int i = 0; i < services; i++) {
		unsigned int topology = random_below(topologies);

		add_service(text, i, pools, topology, regions[topology]);
	}
}

/* -- the property -- */

static const struct text *current;	/* for people */

static void __attribute__((noreturn, format(printf, 3, 4))) complain(const struct fixture *f, uint64_t seed,
								      const char *format, ...)
{
	char what[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	print_error("%s\n--- configuration:\n%s--- members down:", what, current->octets);
	for (uint32_t i = 0; i < f->config->member_count; i++)
		if (f->down[i])
			print_error(" %u", i);
	print_error("\n--- again: ECSDNS_SEED=%llu ECSDNS_PROPERTY=1 build/test_react\n", (unsigned long long)seed);
	fail_msg("%s", what);
	abort();
}

/* An index must serve what the compiler says; or, if some are missing, what it served before. Returns how many do that. */
static uint32_t compare(struct fixture *f, const struct compiled *fresh, const struct answer *before, uint64_t seed)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < fresh->index_count; i++) {
		const struct answer *now = &f->tables.answers[word_of(f, i)];

		if (!fresh->indices[i] != !word_of(f, i))
			complain(f, seed, "index %u points to %u, and to %u when compiled", i, word_of(f, i), fresh->indices[i]);
		if (!fresh->indices[i] || !memcmp(now, &fresh->answers[fresh->indices[i] - 1], sizeof(*now))) {
			if (memcmp(&fresh->reasons[i], &f->compiled->reasons[i], sizeof(fresh->reasons[i])) && !before)
				complain(f, seed, "index %u: pool %d because of %d; compiled: pool %d because of %d", i,
					 (int)f->compiled->reasons[i].pool, f->compiled->reasons[i].note,
					 (int)fresh->reasons[i].pool, fresh->reasons[i].note);
			continue;
		}
		kept++;
		if (!before || memcmp(now, &before[i], sizeof(*now)))
			complain(f, seed, "index %u: %u records of %u octets%s; compiled: %u of %u", i, now->count, now->stride,
				 before ? ", which it did not have before either" : "",
				 fresh->answers[fresh->indices[i] - 1].count, fresh->answers[fresh->indices[i] - 1].stride);
	}
	return kept;
}

static void flap(struct fixture *f)
{
	unsigned int dice = random_below(12), flips = 1 + random_below(3);

	for (uint32_t i = 0; i < f->config->member_count && dice < 2; i++)
		f->down[i] = dice;
	for (unsigned int i = 0; i < flips && dice >= 2 && f->config->member_count; i++)
		f->down[random_below(f->config->member_count)] ^= 1;
}

struct totals {
	uint32_t configs, refused, reactions, full, recovered, graces;
};

static void flap_and_compare(struct fixture *f, struct totals *totals, bool *is_full, uint64_t seed)
{
	struct answer *before = calloc(f->compiled->index_count + 1, sizeof(*before));
	uint32_t kept, warned = warnings, noticed = notices;
	struct reaction_counts counts;
	struct compiled *fresh;
	struct health health;
	int fault;

	for (uint32_t i = 0; i < f->compiled->index_count; i++)
		before[i] = f->tables.answers[word_of(f, i)];
	flap(f);
	health = health_of(f);
	fault = react(f->reaction, &health, &counts);
	watch(f);
	fresh = compile_now(f);
	assert_non_null(fresh);
	if (fault && fault != -ENOSPC)
		complain(f, seed, "react: %s", strerror(-fault));
	kept = compare(f, fresh, fault ? before : NULL, seed);
	if (kept > counts.missing)
		complain(f, seed, "%u indices are behind, %u were told", kept, counts.missing);
	if (warnings - warned != (fault && !*is_full) || notices - noticed != (!fault && *is_full))
		complain(f, seed, "said %u times that there is no room and %u times that there is again", warnings - warned,
			 notices - noticed);
	totals->reactions++;
	totals->full += fault != 0;
	totals->recovered += *is_full && !fault;
	totals->graces += counts.graces;
	*is_full = fault != 0;
	compiled_free(fresh);
	free(before);
}

/* Ample tables, and such as have no or few entries more than the generation needs. */
static void one_config(uint64_t seed, struct totals *totals)
{
	static struct text text;
	bool is_full = false;
	struct fixture f;

	random_state = seed;
	random_config(&text);
	current = &text;
	if (fixture_config(&f, text.octets)) {
		totals->refused++;
		fixture_end(&f);
		return;
	}
	for (uint32_t i = 0; i < f.config->member_count; i++)
		f.down[i] = !random_below(4);
	f.compiled = compile_now(&f);
	if (f.compiled) {
		totals->configs++;
		fixture_publish(&f, random_below(2), f.compiled->answer_count + (random_below(2) ? 64 : random_below(8)));
		fixture_react(&f);
		for (int i = 0; i < 12; i++)
			flap_and_compare(&f, totals, &is_full, seed);
	} else {
		totals->refused++;
	}
	fixture_end(&f);
}

static void test_as_if_compiled(void **state)
{
	uint64_t seed = setting("ECSDNS_SEED", 1), count = setting("ECSDNS_PROPERTY", 3000);
	struct totals totals = {0};

	(void)state;
	for (uint64_t i = 0; i < count; i++)
		one_config(seed + i, &totals);
	print_message("# %u configurations (%u refused), %u verdicts, %u without room (%u times there was room again), "
		      "%u grace periods\n", totals.configs, totals.refused, totals.reactions, totals.full, totals.recovered,
		      totals.graces);
	if (count < 1000)
		return;
	assert_true(totals.configs > count / 4);
	assert_true(totals.full > 100);
	assert_true(totals.recovered > 50);
	assert_true(totals.graces > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_if_compiled),
	};

	return cmocka_run_group_tests_name("react", tests, NULL, NULL);
}
