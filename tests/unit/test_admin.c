// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Administration: which setting decides, against a naive model; names as people write them; the file, whole and broken; and
 * what a change is warned of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/controller/admin_effects.h"
#include "user/controller/generation.h"

/*
 * Pools a, b (two members each), c (a CNAME), d. Region t/one prefers a, or for one service b; t/two prefers a;
 * w/three c; d is nobody's first, and u/one's second.
 */
static const char yaml[] =
	"server: {addresses: [198.18.0.1]}\nzones: [{name: test, file: z}]\n"
	"pools:\n"
	"  a: {members: [{name: x, address: 192.0.2.1}, {name: y, address: 192.0.2.2}]}\n"
	"  b: {members: [{name: x, address: 192.0.2.3}, {name: y, address: 192.0.2.4}]}\n"
	"  c: {cname: cdn.example.net}\n"
	"  d: {members: [{name: x, address: 192.0.2.5}]}\n"
	"topologies:\n"
	"  t: {default: one, prefixes: {10.0.0.0/8: two}}\n"
	"  u: {default: one}\n"
	"  b: {default: y}\n"
	"  w: {default: three}\n"
	"services:\n"
	"- {name: s1.test, topology: t, regions: {one: [a, b], two: [a]}}\n"
	"- {name: s2.test, topology: t, regions: {one: [b], two: [a, d]}}\n"
	"- {name: s3.test, topology: u, regions: {one: [b, d]}, when_all_down: nodata}\n"
	"- {name: s4.test, topology: u, regions: {one: [b]}, when_all_down: d}\n"
	"- {name: s5.test, topology: w, regions: {three: [c]}}\n";
static const char zone[] = "$TTL 300\n@ SOA ns hostmaster 7 3600 600 604800 100\n@ NS ns\nns A 198.18.0.1\n";

static const char *const members[] = {"a/x", "a/y", "b/x", "b/y", "c", "d/x"};
#define MEMBERS 6

struct fixture {
	struct generation *generation;
	const struct config *config;
	struct ids ids;
	struct faults faults;
};

static void fixture_make(struct fixture *f, const char *text)
{
	struct bundle *bundle;

	memset(f, 0, sizeof(*f));
	faults_init(&f->faults);
	ids_init(&f->ids, 4096, 4096);
	assert_int_equal(bundle_new(&bundle), 0);
	assert_int_equal(bundle_add(bundle, "t.yaml", text, strlen(text)), 0);
	assert_int_equal(bundle_add(bundle, "z", zone, strlen(zone)), 0);
	if (generation_make(bundle, NULL, NULL, &f->ids, &f->generation, &f->faults))
		faults_print(&f->faults, stderr);
	assert_non_null(f->generation);
	bundle_free(bundle);
	faults_free(&f->faults);
	f->config = f->generation->config;
}

static void fixture_begin(struct fixture *f)
{
	fixture_make(f, yaml);
	assert_int_equal(f->config->member_count, MEMBERS);
}

static void fixture_end(struct fixture *f)
{
	generation_free(f->generation);
	ids_free(&f->ids);
	faults_free(&f->faults);
}

static struct admin_setting setting_of(const char *object, enum admin_action action)
{
	struct admin_setting setting = {.kind = admin_object_kind(object), .action = action, .uid = 1000, .since = 1700000000};

	assert_int_not_equal(setting.kind, ADMIN_KIND_COUNT);
	strcpy(setting.object, object);
	return setting;
}

/* "pool a drain, member a/x up" */
static void settings_read(struct admin *admin, const char *text)
{
	char copy[1024], *save, *part, *space;

	memset(admin, 0, sizeof(*admin));
	strcpy(copy, text);
	for (part = strtok_r(copy, ",", &save); part; part = strtok_r(NULL, ",", &save)) {
		struct admin_setting setting = {0};
		struct admin next;

		part += strspn(part, " ");
		space = strrchr(part, ' ');
		*space = 0;
		for (unsigned int i = 0; i < ADMIN_ACTION_COUNT; i++)
			if (!strcmp(space + 1, admin_action_names[i]))
				setting = setting_of(part, i);
		assert_true(*setting.object);
		assert_int_equal(admin_change(&next, admin, part, &setting), 0);
		admin_free(admin);
		*admin = next;
	}
}

/* -- which setting decides -- */

struct row {
	const char *settings;
	const char *checks;	/* members in order: 1 is down */
	const char *down;
	const char *causes[MEMBERS];
};

static const struct row rows[] = {
	{"", "010010", "010010", {0}},
	{"pool a drain", "000000", "110000", {"pool a", "pool a"}},
	{"pool a up", "110000", "000000", {"pool a", "pool a"}},
	{"pool a disable", "000000", "110000", {"pool a", "pool a"}},
	{"pool a down", "000000", "110000", {"pool a", "pool a"}},
	{"pool c drain", "000000", "000010", {[4] = "pool c"}},
	{"member a/y down", "000000", "010000", {[1] = "member a/y"}},
	/* the most specific one, alone, however mild */
	{"pool a disable, member a/x up", "110000", "010000", {"member a/x", "pool a"}},
	{"pool a up, member a/x drain", "010000", "100000", {"member a/x", "pool a"}},
	{"region t/one disable, pool a up", "111111", "001111", {"pool a", "pool a", "region t/one", "region t/one"}},
	{"region t/one drain, member b/y up", "000000", "111000", {"region t/one", "region t/one", "region t/one", "member b/y"}},
	/* a region has the pools that it prefers first, and no others */
	{"region t/two drain", "000000", "110000", {"region t/two", "region t/two"}},
	{"region w/three drain", "000000", "000010", {[4] = "region w/three"}},
	{"region u/one drain", "000000", "001100", {[2] = "region u/one", [3] = "region u/one"}},
	{"region b/y drain", "000000", "000000", {0}},
	/* among regions the strictest */
	{"region t/one up, region t/two drain", "111111", "110011", {"region t/two", "region t/two", "region t/one", "region t/one"}},
	{"region t/one disable, region t/two up", "000000", "111100",
	 {"region t/one", "region t/one", "region t/one", "region t/one"}},
	{"region t/one down, region t/two drain", "000000", "111100",
	 {"region t/one", "region t/one", "region t/one", "region t/one"}},
	{"region t/one down, region t/two disable", "000000", "111100",
	 {"region t/two", "region t/two", "region t/one", "region t/one"}},
	/* of objects that are not there */
	{"pool z drain, member a/z drain, member z/x drain, region t/z drain, region z/one drain", "100000", "100000", {0}},
	{"pool t drain, region a/x drain", "000000", "000000", {0}},
};

static void test_precedence(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct admin_setting *causes[MEMBERS];
		uint8_t down[MEMBERS], without[MEMBERS];
		struct admin admin;

		settings_read(&admin, rows[i].settings);
		for (int j = 0; j < MEMBERS; j++)
			down[j] = without[j] = rows[i].checks[j] == '1';
		admin_apply(&admin, f.config, down, causes);
		admin_apply(&admin, f.config, without, NULL);
		for (int j = 0; j < MEMBERS; j++) {
			const char *cause = causes[j] ? causes[j]->object : "checks";
			const char *expected = rows[i].causes[j] ? rows[i].causes[j] : "checks";

			if (down[j] != (rows[i].down[j] == '1') || without[j] != down[j] || strcmp(cause, expected))
				fail_msg("%s: %s is %s by %s, expected %s by %s", rows[i].settings, members[j],
					 down[j] ? "down" : "up", cause, rows[i].down[j] == '1' ? "down" : "up", expected);
		}
		admin_free(&admin);
	}
	fixture_end(&f);
}

/* -- the same, as a naive reader of admin.h has it -- */

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (random_state >> 33) % limit;
}

static const char *const objects[] = {
	"member a/x", "member a/y", "member b/x", "member b/y", "member d/x", "pool a", "pool b", "pool c", "pool d",
	"region t/one", "region t/two", "region w/three", "region u/one", "region b/y", "member c/x", "pool e",
};
#define OBJECTS (sizeof(objects) / sizeof(objects[0]))
/* Which objects contain each of `members`. */
static const struct { const char *member, *pool, *regions[4]; } inside[MEMBERS] = {
	{"member a/x", "pool a", {"region t/one", "region t/two"}}, {"member a/y", "pool a", {"region t/one", "region t/two"}},
	{"member b/x", "pool b", {"region t/one", "region u/one"}}, {"member b/y", "pool b", {"region t/one", "region u/one"}},
	{"", "pool c", {"region w/three"}}, {"member d/x", "pool d", {0}},
};

static int model_action(const int actions[OBJECTS], const char *object)
{
	for (size_t i = 0; i < OBJECTS; i++)
		if (!strcmp(objects[i], object))
			return actions[i];
	return -1;
}

static int model(const int actions[OBJECTS], int member)
{
	int strictest = -1;

	if (model_action(actions, inside[member].member) >= 0)
		return model_action(actions, inside[member].member);
	if (model_action(actions, inside[member].pool) >= 0)
		return model_action(actions, inside[member].pool);
	for (int i = 0; inside[member].regions[i]; i++)
		if (model_action(actions, inside[member].regions[i]) > strictest)
			strictest = model_action(actions, inside[member].regions[i]);
	return strictest;
}

static void test_model(void **state)
{
	struct admin admin = {0}, next;
	int actions[OBJECTS];
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	memset(actions, -1, sizeof(actions));
	for (int i = 0; i < 20000; i++) {
		uint32_t at = random_below(OBJECTS), checks = random_below(1 << MEMBERS);
		int action = (int)random_below(ADMIN_ACTION_COUNT + 2) - 2;
		const struct admin_setting *causes[MEMBERS];
		struct admin_setting setting;
		uint8_t down[MEMBERS];

		actions[at] = action < 0 ? -1 : action;
		setting = setting_of(objects[at], action < 0 ? 0 : action);
		assert_int_equal(admin_change(&next, &admin, objects[at], action < 0 ? NULL : &setting), 0);
		admin_free(&admin);
		admin = next;
		for (int j = 0; j < MEMBERS; j++)
			down[j] = checks >> j & 1;
		admin_apply(&admin, f.config, down, causes);
		for (int j = 0; j < MEMBERS; j++) {
			int decides = model(actions, j);

			assert_int_equal(causes[j] ? (int)causes[j]->action : -1, decides);
			assert_int_equal(down[j], decides < 0 ? checks >> j & 1 : decides != ADMIN_up);
		}
	}
	admin_free(&admin);
	fixture_end(&f);
}

/* -- names -- */

static const struct {
	const char *text, *object;	/* or what the hint is */
	int fault;
} names[] = {
	{"a", "pool a", 0}, {"c", "pool c", 0}, {"a/x", "member a/x", 0}, {"t/one", "region t/one", 0},
	{"pool:a", "pool a", 0}, {"pool a", "pool a", 0}, {"member:a/x", "member a/x", 0}, {"region t/one", "region t/one", 0},
	{"b/y", "", -EEXIST}, {"member:b/y", "member b/y", 0}, {"region:b/y", "region b/y", 0},
	{"pool:t/one", "", -ENOENT}, {"member:t/one", "", -ENOENT},
	{"one", "region t/one or region u/one", -ENOENT},
	{"t/tow", "region t/two", -ENOENT}, {"w/thre", "region w/three", -ENOENT}, {"region:wthree", "region w/three", -ENOENT},
	{"nowhere-near", "", -ENOENT}, {"", "", -ENOENT}, {"c/x", "member a/x, member b/x or member d/x", -ENOENT},
	{"A/x", "member a/x, member b/x or member d/x", -ENOENT}, {"gone", "pool gone", 0}, {"member:gone", "", -ENOENT},
};

static void test_names(void **state)
{
	char object[ADMIN_OBJECT_OCTETS], hint[ADMIN_HINT_OCTETS];
	struct admin admin;
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	settings_read(&admin, "pool gone drain");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fault;

		object[0] = 0;
		fault = admin_resolve(&admin, f.config, names[i].text, object, hint);
		if (fault != names[i].fault || (fault != -EEXIST && strcmp(fault ? hint : object, names[i].object)))
			fail_msg("%s: %d, %s; expected %d, %s", names[i].text, fault, fault ? hint : object, names[i].fault,
				 names[i].object);
	}
	admin_free(&admin);
	fixture_end(&f);
}

static void test_unknown(void **state)
{
	struct admin admin;
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	settings_read(&admin, "pool a drain, pool gone drain, member a/z up, region t/z disable, region t/two drain");
	admin_warn(&admin, f.config, &f.faults);
	assert_int_equal(f.faults.warnings, 3);
	assert_non_null(strstr(f.faults.list[0].text, "member a/z is forced up, but this configuration does not have it"));
	assert_non_null(strstr(f.faults.list[1].text, "pool gone is drained"));
	assert_non_null(strstr(f.faults.list[1].text, "`ecsctl enable pool:gone`"));
	assert_non_null(strstr(f.faults.list[2].text, "region t/z is disabled"));
	admin_free(&admin);
	fixture_end(&f);
}

/* -- the file -- */

static void assert_equal(const struct admin *a, const struct admin *b)
{
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++)
		assert_memory_equal(&a->list[i], &b->list[i], sizeof(a->list[i]));
}

static void test_file(void **state)
{
	struct admin admin, again, next;
	struct admin_setting setting;
	struct faults faults;
	char *text;

	(void)state;
	faults_init(&faults);
	settings_read(&admin, "pool a drain, member a/z up, region t/z disable, region t/two down");
	setting = setting_of("pool b", ADMIN_disable);
	strcpy(setting.reason, "\"quoted\" \\ und Z\xc3\xbcrich");
	setting.uid = UINT32_MAX;
	assert_int_equal(admin_change(&next, &admin, "pool b", &setting), 0);
	text = admin_format(&next);
	assert_int_equal(admin_parse(&again, "admin.json", text, strlen(text), &faults), 0);
	assert_equal(&next, &again);
	for (size_t i = 0; i + 1 < strlen(text); i++) {
		struct admin cut;

		assert_int_equal(admin_parse(&cut, "admin.json", text, i, &faults), -EINVAL);
		assert_int_equal(cut.count, 0);
	}
	free(text);
	admin_free(&admin);
	admin_free(&next);
	admin_free(&again);
	text = admin_format(&admin);
	assert_int_equal(admin_parse(&again, "admin.json", text, strlen(text), &faults), 0);
	assert_int_equal(again.count, 0);
	admin_free(&again);
	free(text);
	faults_free(&faults);
}

#define ONE(object, action, reason, uid, since)	\
	"{\"version\": 1, \"settings\": [{\"object\": " object ", \"action\": " action ", \"reason\": " reason \
	", \"uid\": " uid ", \"since\": " since "}]}"
#define GOOD "{\"object\": \"pool a\", \"action\": \"drain\", \"reason\": \"\", \"uid\": 0, \"since\": 0}"

static const char *const broken[] = {
	"", "[]", "{}", "null", "{\"version\": 2, \"settings\": []}", "{\"version\": 1}", "{\"version\": 1, \"settings\": {}}",
	"{\"version\": 1, \"settings\": [7]}", "{\"version\": 1, \"settings\": [{}]}",
	ONE("\"a\"", "\"drain\"", "\"\"", "0", "0"), ONE("\"pool \"", "\"drain\"", "\"\"", "0", "0"),
	ONE("\"pool a/b\"", "\"drain\"", "\"\"", "0", "0"), ONE("\"member a\"", "\"drain\"", "\"\"", "0", "0"),
	ONE("\"member a/b/c\"", "\"drain\"", "\"\"", "0", "0"), ONE("\"region /b\"", "\"drain\"", "\"\"", "0", "0"),
	ONE("\"zone a\"", "\"drain\"", "\"\"", "0", "0"), ONE("\"pool a\\u0000b\"", "\"drain\"", "\"\"", "0", "0"),
	ONE("\"pool a\"", "\"enable\"", "\"\"", "0", "0"), ONE("\"pool a\"", "\"\"", "\"\"", "0", "0"),
	ONE("\"pool a\"", "1", "\"\"", "0", "0"), ONE("\"pool a\"", "\"drain\"", "null", "0", "0"),
	ONE("\"pool a\"", "\"drain\"", "\"\"", "-1", "0"), ONE("\"pool a\"", "\"drain\"", "\"\"", "4294967296", "0"),
	ONE("\"pool a\"", "\"drain\"", "\"\"", "0", "-1"), ONE("\"pool a\"", "\"drain\"", "\"\"", "0", "\"now\""),
	"{\"version\": 1, \"settings\": [" GOOD ", " GOOD "]}",
	"{\"version\": 1, \"settings\": [{\"object\": \"pool a\", \"action\": \"drain\", \"reason\": \"\", \"uid\": 0, \"since\": 0, "
	"\"until\": 0}]}",
};

static void test_broken(void **state)
{
	static char long_reason[1024];
	struct admin admin;
	struct faults faults;

	(void)state;
	memset(long_reason, 'x', ADMIN_REASON_OCTETS);
	for (size_t i = 0; i <= sizeof(broken) / sizeof(broken[0]); i++) {
		char text[2048];

		if (i < sizeof(broken) / sizeof(broken[0]))
			strcpy(text, broken[i]);
		else
			snprintf(text, sizeof(text), ONE("\"pool a\"", "\"drain\"", "\"%s\"", "0", "0"), long_reason);
		faults_init(&faults);
		if (admin_parse(&admin, "/s/admin.json", text, strlen(text), &faults) != -EINVAL)
			fail_msg("taken: %s", text);
		assert_int_equal(faults.errors, 1);
		assert_string_equal(faults.list[0].file, "/s/admin.json");
		assert_non_null(strstr(faults.list[0].text, "mend or restore the file"));
		assert_int_equal(admin.count, 0);
		faults_free(&faults);
	}
	/* and what they are variations of is taken */
	faults_init(&faults);
	assert_int_equal(admin_parse(&admin, "f", ONE("\"pool a\"", "\"drain\"", "\"\"", "0", "0"),
				     strlen(ONE("\"pool a\"", "\"drain\"", "\"\"", "0", "0")), &faults), 0);
	assert_int_equal(admin.count, 1);
	admin_free(&admin);
	faults_free(&faults);
}

/* -- states: saved, then in force -- */

static void states_begin(struct states *states, struct state *state, char directory[64], struct faults *faults)
{
	strcpy(directory, "/tmp/test_admin.XXXXXX");
	assert_non_null(mkdtemp(directory));
	assert_int_equal(state_open(state, directory), 0);
	assert_int_equal(states_init(states, state, faults), 0);
	assert_false(states->is_saved);
}

static void states_end(struct states *states, struct state *state, const char *directory)
{
	char command[128];

	states_free(states);
	state_close(state);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	assert_int_equal(system(command), 0);
}

static void test_saved(void **state)
{
	struct admin_setting setting = setting_of("pool a", ADMIN_drain), other = setting_of("pool d", ADMIN_down);
	char directory[64], path[96];
	uint8_t down[MEMBERS];
	struct states states;
	struct state files;
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	states_begin(&states, &files, directory, &f.faults);
	assert_int_equal(states_administer(&states, "pool a", &setting), 0);
	states_down(&states, f.config, down);
	assert_memory_equal(down, "\1\1\0\0\0\0", MEMBERS);
	states_free(&states);
	assert_int_equal(states_init(&states, &files, &f.faults), 0);
	assert_true(states.is_saved);
	states_down(&states, f.config, down);
	assert_memory_equal(down, "\1\1\0\0\0\0", MEMBERS);
	/* what cannot be saved is not done: the file's name is taken by a directory */
	snprintf(path, sizeof(path), "%s/admin.json", directory);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(states_administer(&states, "pool d", &other), -EISDIR);
	assert_int_equal(states_administer(&states, "pool a", NULL), -EISDIR);
	states_down(&states, f.config, down);
	assert_memory_equal(down, "\1\1\0\0\0\0", MEMBERS);
	/* nor is a start without it */
	states_free(&states);
	assert_int_equal(states_init(&states, &files, &f.faults), -EINVAL);
	assert_non_null(strstr(f.faults.list[0].text, "nobody knows what was drained"));
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(states_init(&states, &files, &f.faults), 0);
	assert_int_equal(states_administer(&states, "pool a", &setting), 0);
	assert_int_equal(states_administer(&states, "pool a", NULL), 0);
	states_down(&states, f.config, down);
	assert_memory_equal(down, "\0\0\0\0\0\0", MEMBERS);
	states_end(&states, &files, directory);
	fixture_end(&f);
}

/*
 * Configurations come and go, at addresses that others had, and settings change between: what they come to is remembered,
 * and never for another one.
 */
static void test_overlays(void **state)
{
	static const char *const texts[] = {
		yaml,
		"server: {addresses: [198.18.0.1]}\npools: {a: {cname: cdn.example.net}, b: {cname: cdn.example.net},\n"
		"  c: {cname: cdn.example.net}, d: {cname: cdn.example.net}, e: {cname: cdn.example.net}, f: {cname: cdn.example.net}}\n",
		"server: {addresses: [198.18.0.1]}\npools:\n  d: {members: [{name: x, address: 192.0.2.5}, {name: y, address: 192.0.2.6}]}\n"
		"  b: {members: [{name: x, address: 192.0.2.1}, {name: y, address: 192.0.2.2}]}\n"
		"  a: {members: [{name: z, address: 192.0.2.1}, {name: y, address: 192.0.2.2}]}\n",
	};
	char directory[64];
	struct fixture f[3];
	struct states states;
	struct state files;
	struct faults faults;

	(void)state;
	faults_init(&faults);
	states_begin(&states, &files, directory, &faults);
	for (int i = 0; i < 3; i++)
		fixture_make(&f[i], texts[i]);
	for (int i = 0; i < 2000; i++) {
		uint32_t which = random_below(3), what = random_below(8);
		struct admin_setting setting = setting_of(objects[random_below(OBJECTS)], random_below(ADMIN_ACTION_COUNT));
		uint8_t down[MEMBERS], expected[MEMBERS] = {0};

		if (!what)
			assert_int_equal(states_administer(&states, setting.object, random_below(2) ? NULL : &setting), 0);
		if (what == 1) {
			fixture_end(&f[which]);
			fixture_make(&f[which], texts[random_below(3)]);
		}
		assert_int_equal(f[which].config->member_count, MEMBERS);
		admin_apply(&states.admin, f[which].config, expected, NULL);
		states_down(&states, f[which].config, down);
		assert_memory_equal(down, expected, MEMBERS);
	}
	for (int i = 0; i < 3; i++)
		fixture_end(&f[i]);
	states_end(&states, &files, directory);
	faults_free(&faults);
}

struct reader {
	struct states *states;
	const struct config *config;
	int stop;
	uint64_t seen[2];
};

/* One setting over six members: all or none. */
static void *reader_run(void *context)
{
	struct reader *reader = context;
	uint8_t down[MEMBERS];

	while (!__atomic_load_n(&reader->stop, __ATOMIC_RELAXED)) {
		states_down(reader->states, reader->config, down);
		for (int i = 1; i < 4; i++)
			if (down[i] != down[0])
				abort();
		reader->seen[down[0]]++;
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct admin_setting setting = setting_of("region t/one", ADMIN_drain);
	struct reader reader = {0};
	char directory[64];
	struct states states;
	struct state files;
	struct fixture f;
	pthread_t thread;

	(void)state;
	fixture_begin(&f);
	states_begin(&states, &files, directory, &f.faults);
	reader.states = &states;
	reader.config = f.config;
	assert_int_equal(pthread_create(&thread, NULL, reader_run, &reader), 0);
	for (int i = 0; i < 400; i++)
		assert_int_equal(states_administer(&states, setting.object, i % 2 ? NULL : &setting), 0);
	__atomic_store_n(&reader.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_true(reader.seen[0] && reader.seen[1]);
	states_end(&states, &files, directory);
	fixture_end(&f);
}

/* -- what a change is warned of -- */

static const struct {
	const char *before, *after, *object, *warnings;		/* each ends with | */
} effects[] = {
	{"", "pool d drain", "pool d", ""},
	{"", "member a/x drain", "member a/x", ""},
	{"", "pool a drain", "pool a",
	 "this takes the last member of s1.test in region t/two down (A): serve-all serves pool a all the same|"},
	{"", "pool b drain", "pool b",
	 "this takes the last member of s2.test in region t/one down (A): serve-all serves pool b all the same|"
	 "this takes the last member of s4.test in region u/one down (A): pool d answers, as when_all_down says|"},
	{"pool d drain", "pool d drain, pool b drain", "pool b",
	 "this takes the last member of s2.test in region t/one down (A): serve-all serves pool b all the same|"
	 "this takes the last member of s3.test in region u/one down (A): nodata answers that there is no such record, as all "
	 "other regions are down, too|"
	 "this takes the last member of s4.test in region u/one down (A): pool d answers, as when_all_down says|"},
	/* from down to down nothing more is lost */
	{"pool b down", "pool b drain", "pool b", ""},
	{"member a/x up", "member a/x up, pool a drain", "pool a", "member a/x has a setting of its own: it is forced up|"},
	{"region t/two drain, member d/x up", "region t/two drain", "member d/x", ""},
	{"region t/two drain, member a/x up", "region t/two drain", "member a/x",
	 "this takes the last member of s1.test in region t/two down (A): serve-all serves pool a all the same|"
	 "of member a/x another setting decides: region t/two is drained|"},
	{"pool c up", "pool c up, region w/three drain", "region w/three", "pool c has a setting of its own: it is forced up|"},
	{"", "region t/two drain", "region t/two",
	 "this takes the last member of s1.test in region t/two down (A): serve-all serves pool a all the same|"
	 "region t/one prefers pool a, too: its clients are concerned as well|"},
	{"", "region b/y drain", "region b/y", "no service prefers any pool there: this changes nothing|"},
	{"pool gone drain", "", "pool gone", ""},
};

static void effects_view(const struct fixture *f, struct admin *admin, const char *settings, struct states_view *view)
{
	struct states states = {0};

	settings_read(admin, settings);
	states.admin = *admin;
	assert_int_equal(states_view(&states, f->config, view), 0);
}

static void assert_effects(struct fixture *f, const char *from, const char *to, const char *object, const char *warned)
{
	struct states_view before, after;
	struct admin first, second;
	char text[4096] = "";

	faults_init(&f->faults);
	effects_view(f, &first, from, &before);
	effects_view(f, &second, to, &after);
	assert_int_equal(admin_effects(f->config, f->generation->compiled, object, admin_find(&second, object), &before, &after,
				       &f->faults), 0);
	for (size_t j = 0; j < f->faults.count; j++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s|", f->faults.list[j].text);
	if (strcmp(text, warned))
		fail_msg("from \"%s\" to \"%s\":\n%s\nexpected:\n%s", from, to, text, warned);
	faults_free(&f->faults);
	states_view_free(&before);
	states_view_free(&after);
	admin_free(&first);
	admin_free(&second);
}

static void test_effects(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	for (size_t i = 0; i < sizeof(effects) / sizeof(effects[0]); i++)
		assert_effects(&f, effects[i].before, effects[i].after, effects[i].object, effects[i].warnings);
	fixture_end(&f);
}

/* min_up and depends_on hold, whatever is forced. */
static void test_stays_down(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f, "server: {addresses: [198.18.0.1]}\npools:\n"
		     "  db: {members: [{name: x, address: 192.0.2.1}]}\n"
		     "  web: {depends_on: [db], min_up: 2, members: [{name: x, address: 192.0.2.2}, {name: y, address: 192.0.2.3},\n"
		     "    {name: z, address: 192.0.2.4}]}\n"
		     "topologies: {t: {default: web}}\n"
		     "services: [{name: s.test, topology: t}]\n");
#define LAST "this takes the last member of s.test in region t/web down (A): serve-all serves pool web all the same|"
	assert_effects(&f, "", "member web/x drain", "member web/x", "");
	assert_effects(&f, "member web/x drain", "member web/x drain, member web/y drain", "member web/y", LAST);
	assert_effects(&f, "", "pool db drain", "pool db", LAST);
	assert_effects(&f, "pool db drain", "pool db drain, pool web up", "pool web",
		       "pool web stays down: it depends on pool db, which is down|");
	assert_effects(&f, "pool web drain", "pool web drain, member web/z up", "member web/z",
		       "pool web stays down: at least 2 of its members have to be up|");
	assert_effects(&f, "pool web drain, member web/z up", "pool web drain, member web/y up, member web/z up", "member web/y", "");
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_saved),
		cmocka_unit_test(test_overlays),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_effects),
		cmocka_unit_test(test_stays_down),
	};

	return cmocka_run_group_tests_name("admin", tests, NULL, NULL);
}
