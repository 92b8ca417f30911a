// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Configurations that must be refused, or warned of, as data: each tests/unit/config/NAME.yaml is read, its zones are
 * loaded, it is compiled, and what there is to say must be NAME.expect to the letter; the same of the examples.
 * ECSDNS_UPDATE=1 writes the .expect files anew, for a person to read. Beside them what needs no file: bundles, ids, sizes.
 *
 *	test_config [DIRECTORY]
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "user/controller/generation.h"
#include "user/controller/tree.h"

#define MINIMAL "server: {addresses: [198.18.0.1]}\n"

/* -- one configuration, as a push reads it -- */

static int bundle_compile(struct bundle *bundle, struct faults *faults)
{
	struct generation *generation = NULL;
	struct ids ids;
	int fault;

	ids_init(&ids, SERVICES_ENTRIES, REGIONS_ENTRIES);
	fault = generation_make(bundle, NULL, NULL, &ids, &generation, faults);
	assert_int_equal(!!generation, !fault);
	generation_free(generation);
	ids_free(&ids);
	return fault;
}

/* What is said of it, for the caller to free. */
static char *text_compile(const char *text, size_t length, int *fault)
{
	struct faults faults;
	struct bundle *bundle;
	char *said = NULL;
	size_t said_length;
	FILE *to = open_memstream(&said, &said_length);

	faults_init(&faults);
	assert_int_equal(bundle_new(&bundle), 0);
	assert_int_equal(bundle_add(bundle, "t.yaml", text, length), 0);
	*fault = bundle_compile(bundle, &faults);
	assert_int_equal(!faults.errors, !*fault);
	faults_print(&faults, to);
	fclose(to);
	bundle_free(bundle);
	faults_free(&faults);
	return said;
}

static void assert_said(const char *text, size_t length, const char *expected)
{
	char *said;
	int fault;

	said = text_compile(text, length, &fault);
	assert_string_equal(said, expected);
	free(said);
}

/* -- configurations in files -- */

static char *file_said(const char *path)
{
	struct bundle *bundle = NULL;
	struct faults faults;
	char *said = NULL;
	size_t length;
	FILE *to = open_memstream(&said, &length);
	int fault;

	faults_init(&faults);
	fault = bundle_read_disk(path, CONFIG_FILE_OCTETS_MAX, &bundle, &faults);
	if (!fault)
		fault = bundle_compile(bundle, &faults);
	assert_int_equal(!faults.errors, !fault);
	faults_print(&faults, to);
	fclose(to);
	faults_free(&faults);
	bundle_free(bundle);
	return said;
}

static void file_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static char *file_read(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 65536);

	if (!file)
		fail_msg("%s: missing; ECSDNS_UPDATE=1 writes it", path);
	assert_true(fread(text, 1, 65535, file) < 65535);
	fclose(file);
	return text;
}

static void test_said(const char *path, const char *expect)
{
	char *said = file_said(path), *expected;

	if (getenv("ECSDNS_UPDATE"))
		file_write(expect, said);
	expected = file_read(expect);
	assert_string_equal(said, expected);
	free(expected);
	free(said);
}

static void test_file(void **state)
{
	const char *path = *state;
	char expect[4096];

	snprintf(expect, sizeof(expect), "%.*s.expect", (int)(strlen(path) - strlen(".yaml")), path);
	test_said(path, expect);
}

/* examples/NAME.yaml, of which tests/unit/examples/NAME.expect is said: what its comments explain, and nothing else. */
static void test_example(void **state)
{
	const char *path = *state;
	char expect[4096];

	snprintf(expect, sizeof(expect), "tests/unit/%.*s.expect", (int)(strlen(path) - strlen(".yaml")), path);
	test_said(path, expect);
}

/* -- files that are no configuration -- */

static void test_empty(void **state)
{
	(void)state;
	assert_said("", 0, "t.yaml:1:1: error: the file is empty: expected a map with keys such as `server:`\n");
	assert_said("# only a comment\n", 17,
		    "t.yaml:1:1: error: the file is empty: expected a map with keys such as `server:`\n");
}

static void test_binary(void **state)
{
	static const char program[] = "\x7f" "ELF\2\1\1\0\0\0\0\0";
	static const char late[] = "server:\n  addresses: [198.18.0.1]\n# \xff\xfe\n";

	(void)state;
	assert_said(program, sizeof(program),
		    "t.yaml:1:1: error: expected text in UTF-8: control characters are not allowed (0x7f)\n");
	assert_said(late, sizeof(late) - 1,
		    "t.yaml:3:3: error: expected text in UTF-8: invalid leading UTF-8 octet (0xff)\n");
}

/* The file is never read: a sparse one of that size will do. */
static void test_100_megabytes(void **state)
{
	char path[] = "/tmp/ecsdns-test-XXXXXX", *said, *expected;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 100 << 20), 0);
	close(fd);
	said = file_said(path);
	unlink(path);
	assert_true(asprintf(&expected,
			     "%s: error: %s is 104857600 octets long, at most 16777216 (16 MiB) are read; tables "
			     "of prefixes belong into a file of their own (topologies: file:)\n",
			     path, path + strlen("/tmp/")) > 0);
	assert_string_equal(said, expected);
	free(expected);
	free(said);
}

static void test_no_file(void **state)
{
	char *said;

	(void)state;
	said = file_said("/nonexistent/x.yaml");
	assert_string_equal(said,
			    "/nonexistent/x.yaml: error: cannot read /nonexistent/x.yaml: No such file or directory\n");
	free(said);
	said = file_said("/tmp");
	assert_string_equal(said, "/tmp: error: cannot read /tmp: it is a directory, expected a file\n");
	free(said);
	said = file_said("/dev/zero");
	assert_string_equal(said, "/dev/zero: error: cannot read /dev/zero: it is not a regular file\n");
	free(said);
}

/* Ten levels of ten aliases each: ten thousand million values in 700 octets. */
static void test_alias_bomb(void **state)
{
	char text[4096] = MINIMAL "checks:\n  a0: &a0 x\n", *said;
	size_t used = strlen(text);
	int fault;

	(void)state;
	for (int level = 1; level <= 10; level++) {
		used += snprintf(text + used, sizeof(text) - used, "  a%d: &a%d [", level, level);
		for (int i = 0; i < 10; i++)
			used += snprintf(text + used, sizeof(text) - used, "%s*a%d", i ? ", " : "", level - 1);
		used += snprintf(text + used, sizeof(text) - used, "]\n");
	}
	said = text_compile(text, used, &fault);
	assert_int_equal(fault, -EINVAL);
	assert_non_null(strstr(said, "more than 4000000 values in one file, counting what aliases stand for"));
	free(said);
}

static void test_deep(void **state)
{
	size_t levels = 1 << 20;
	char *text = malloc(levels), *said;
	int fault;

	(void)state;
	memset(text, '[', levels);
	said = text_compile(text, levels, &fault);
	assert_string_equal(said, "t.yaml:1:33: error: nested deeper than 32 levels\n");
	free(said);
	for (size_t i = 0; i < levels; i += 2)
		memcpy(text + i, "- ", 2);
	said = text_compile(text, levels, &fault);
	assert_int_equal(fault, -EINVAL);
	free(said);
	free(text);
}

/* Every error counts, twenty are shown. */
static void test_many_errors(void **state)
{
	char text[8192] = MINIMAL, *said, *at;
	size_t used = strlen(text), lines = 0;
	int fault;

	(void)state;
	for (int i = 0; i < 100; i++)
		used += snprintf(text + used, sizeof(text) - used, "wrong%d: 1\n", i);
	said = text_compile(text, used, &fault);
	for (at = said; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, 21);
	assert_non_null(strstr(said, "at least 80 more errors\n"));
	free(said);
}

/* -- what is read -- */

static struct config *text_config(const char *text, struct bundle **bundle, struct faults *faults)
{
	struct config *config;

	faults_init(faults);
	assert_int_equal(bundle_new(bundle), 0);
	assert_int_equal(bundle_add(*bundle, "t.yaml", text, strlen(text)), 0);
	if (config_parse(*bundle, 0, &config, faults))
		faults_print(faults, stderr);
	assert_int_equal(faults->errors, 0);
	return config;
}

static void test_defaults(void **state)
{
	struct faults faults;
	struct bundle *bundle;
	struct config *config = text_config(
		"server: {addresses: [198.18.0.1, \"fd00:ec5::1\"]}\n"
		"checks: {w: {type: http}}\n"
		"pools: {p: {members: [{name: a, address: 192.0.2.1}], check: w}}\n"
		"topologies: {t: {default: p}}\n"
		"services: [{name: WWW.Example.COM., topology: t}]\n", &bundle, &faults);

	(void)state;
	assert_true(config->server.ecs && config->server.trust_all);
	assert_int_equal(config->server.address_count, 2);
	assert_int_equal(config->server.addresses[1].length, 16);
	assert_int_equal(config->checks[0].port, 80);
	assert_int_equal(config->checks[0].interval, 5000);
	assert_int_equal(config->checks[0].timeout, 2000);
	assert_int_equal(config->checks[0].rise, 2);
	assert_int_equal(config->checks[0].fall, 3);
	assert_string_equal(config->checks[0].path, "/");
	assert_int_equal(config->pools[0].check, 0);
	assert_int_equal(config->pools[0].method, CONFIG_METHOD_all);
	assert_int_equal(config->pools[0].max_answers, 8);
	assert_int_equal(config->pools[0].members[0].weight, 1);
	assert_string_equal(config->services[0].name.text, "www.example.com");
	assert_int_equal(config->services[0].name.length, 17);
	assert_memory_equal(config->services[0].name.name, "\3www\7example\3com", 17);
	assert_int_equal(config->services[0].ttl, 30);
	assert_true(config->services[0].ecs);
	assert_int_equal(config->services[0].when_all_down, CONFIG_ALL_DOWN_serve_all);
	assert_int_equal(config->services[0].regions[0].count, 1);
	config_free(config);
	bundle_free(bundle);
	faults_free(&faults);
}

static void test_names(void **state)
{
	struct faults faults;
	struct bundle *bundle;
	struct config *config = text_config(MINIMAL
		"pools: {p: {members: [{name: a, address: 192.0.2.1}]}}\n"
		"topologies: {t: {default: p}}\n"
		"services:\n"
		"  - {name: 'a\\.b.\\069xample', topology: t}\n"
		"  - {name: _sip._udp.x-y, topology: t}\n"
		"  - {name: ., topology: t}\n", &bundle, &faults);

	(void)state;
	assert_int_equal(config->services[0].name.length, 13);
	assert_memory_equal(config->services[0].name.name, "\3a.b\7example", 13);
	assert_int_equal(config->services[1].name.length, 15);
	assert_int_equal(config->services[2].name.length, 1);
	assert_string_equal(config->services[2].name.text, ".");
	config_free(config);
	bundle_free(bundle);
	faults_free(&faults);
}

/* Sections of included files join those of the main file; aliases are fine in moderation. */
static void test_include(void **state)
{
	static const char main_file[] = "include: [pools.yaml, more/pools.yaml]\n" MINIMAL
		"topologies: {t: {default: p, file: t.csv}}\n"
		"services: [{name: a.example, topology: t, regions: {q: &both [p, q], p: *both}}]\n";
	static const char pools[] = "pools: {p: {members: [{name: a, address: 192.0.2.1}]}}\n";
	static const char more[] = "pools: {q: {members: [{name: a, address: 192.0.2.2}]}}\n";
	static const char table[] = "\xef\xbb\xbf# clients\r\n\r\n 192.0.2.0/24 , q\r\n2001:db8::/32,q # \n";
	struct config *config = NULL;
	struct bundle *bundle;
	struct faults faults;

	(void)state;
	faults_init(&faults);
	assert_int_equal(bundle_new(&bundle), 0);
	assert_int_equal(bundle_add(bundle, "main.yaml", main_file, strlen(main_file)), 0);
	assert_int_equal(bundle_add(bundle, "pools.yaml", pools, strlen(pools)), 0);
	assert_int_equal(bundle_add(bundle, "more/pools.yaml", more, strlen(more)), 0);
	assert_int_equal(bundle_add(bundle, "t.csv", table, strlen(table)), 0);
	assert_int_equal(config_parse(bundle, 0, &config, &faults), -EINVAL);
	assert_int_equal(faults.count, 1);
	assert_string_equal(faults.list[0].file, "t.csv");
	assert_int_equal(faults.list[0].line, 4);
	assert_int_equal(faults.list[0].column, 15);
	faults_free(&faults);
	bundle->files[3]->length -= 4;
	assert_int_equal(config_parse(bundle, 0, &config, &faults), 0);
	assert_int_equal(config->file_count, 4);
	assert_int_equal(config->topologies[0].v4.count, 1);
	assert_int_equal(config->topologies[0].v6.count, 1);
	assert_int_equal(config->topologies[0].v4.places[0].line, 3);
	assert_int_equal(config->topologies[0].v4.places[0].column, 2);
	assert_int_equal(config->topologies[0].region_count, 2);
	assert_int_equal(config->services[0].regions[0].count, 2);
	assert_int_equal(config->services[0].regions[1].count, 2);
	config_free(config);
	/* Zones and names only: tables are not even looked for. */
	bundle->files[3]->length = 0;
	assert_int_equal(config_parse(bundle, CONFIG_WITHOUT_PREFIXES, &config, &faults), 0);
	assert_int_equal(config->topology_count, 0);
	assert_string_equal(config->services[0].name.text, "a.example");
	config_free(config);
	bundle_free(bundle);
	faults_free(&faults);
}

/* -- bundles -- */

static void test_bundle(void **state)
{
	static const char *const names[] = {"main.yaml", "sub/zone", "/etc/a", "\xe6\x9d\xb1.csv", "long"};
	char name[300], *octets = malloc(100000);
	struct bundle *bundle, *back;
	void *tar, *again;
	size_t length, again_length;
	struct faults faults;

	(void)state;
	faults_init(&faults);
	memset(octets, 'x', 100000);
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = 0;
	assert_int_equal(bundle_new(&bundle), 0);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(bundle_add(bundle, i == 4 ? name : names[i], octets, i * i * 1000), 0);
	assert_int_equal(bundle_add(bundle, "./main.yaml", "", 0), -EEXIST);
	assert_int_equal(bundle_write_tar(bundle, &tar, &length), 0);
	assert_int_equal(bundle_read_tar(tar, length, &back, &faults), 0);
	assert_int_equal(back->count, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_string_equal(back->files[i]->name, i == 4 ? name : names[i]);
		assert_int_equal(back->files[i]->length, i * i * 1000);
		assert_memory_equal(back->files[i]->octets, octets, i * i * 1000);
	}
	assert_int_equal(bundle_write_tar(back, &again, &again_length), 0);
	assert_int_equal(again_length, length);
	assert_memory_equal(again, tar, length);
	assert_null(bundle_file(back, "other", 0, NULL, &faults));
	assert_int_equal(faults.errors, 1);
	bundle_free(back);
	/* Cut short anywhere inside of its contents: an error and no bundle. */
	for (size_t cut = 0; cut < 5000; cut += 37)
		assert_true(bundle_read_tar(tar, cut, &back, &faults) && !back);
	free(tar);
	free(again);
	free(octets);
	bundle_free(bundle);
	faults_free(&faults);
}

static void test_bundle_disk(void **state)
{
	char directory[] = "/tmp/ecsdns-test-XXXXXX", path[64];
	struct place place = {"main.yaml", 7, 3};
	const struct bundle_file *file;
	struct bundle *bundle;
	struct faults faults;

	(void)state;
	faults_init(&faults);
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/other", directory);
	file_write(path, "abc");
	snprintf(path, sizeof(path), "%s/main.yaml", directory);
	file_write(path, "x: y\n");
	assert_int_equal(bundle_read_disk(path, 0, &bundle, &faults), 0);
	assert_string_equal(bundle->files[0]->name, "main.yaml");
	file = bundle_file(bundle, "./other", 3, &place, &faults);
	assert_non_null(file);
	assert_int_equal(file->length, 3);
	assert_ptr_equal(bundle_file(bundle, "other", 0, &place, &faults), file);
	assert_null(bundle_file(bundle, "other", 2, &place, &faults));
	assert_null(bundle_file(bundle, "missing", 0, &place, &faults));
	assert_null(bundle_file(bundle, "", 0, &place, &faults));
	assert_int_equal(faults.count, 3);
	assert_int_equal(faults.list[1].line, 7);
	assert_string_equal(faults.list[1].file, "main.yaml");
	bundle_free(bundle);
	unlink(path);
	snprintf(path, sizeof(path), "%s/other", directory);
	unlink(path);
	rmdir(directory);
	faults_free(&faults);
}

/* -- faults -- */

static void test_faults_json(void **state)
{
	struct faults faults, back;
	json_t *array;

	(void)state;
	faults_init(&faults);
	faults_init(&back);
	faults_error(&faults, &(struct place){"a.yaml", 3, 4}, "wrong \"%s\"", "\x01\xff");
	faults_warning(&faults, NULL, "odd");
	array = faults_json(&faults);
	assert_int_equal(json_array_size(array), 2);
	assert_int_equal(faults_read_json(&back, array), 0);
	assert_int_equal(back.count, 2);
	assert_string_equal(back.list[0].text, "wrong \"??\"");
	assert_string_equal(back.list[0].file, "a.yaml");
	assert_int_equal(back.list[0].line, 3);
	assert_int_equal(back.list[0].column, 4);
	assert_true(back.list[1].warning && !back.list[1].file);
	json_decref(array);
	for (int i = 1; i < FAULTS_ERRORS_MAX + 3; i++)
		faults_error(&faults, NULL, "wrong, too");
	array = faults_json(&faults);
	assert_int_equal(json_array_size(array), FAULTS_ERRORS_MAX + 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(array, FAULTS_ERRORS_MAX + 1), "text")),
			    "at least 3 more errors");
	json_decref(array);
	array = json_pack("[{s:s}]", "severity", "error");
	assert_int_equal(faults_read_json(&back, array), -EINVAL);
	json_decref(array);
	faults_free(&faults);
	faults_free(&back);
}

/* -- ids -- */

static uint32_t number_of(struct ids_table *table, const char *name)
{
	uint32_t number = 0;

	assert_int_equal(ids_number(table, name, &number), 0);
	return number;
}

static void test_ids(void **state)
{
	struct ids ids, copy;
	struct faults faults;
	char name[16], *text;
	uint32_t number;

	(void)state;
	faults_init(&faults);
	ids_init(&ids, 64, 64);
	ids_begin(&ids);
	assert_int_equal(number_of(&ids.services, "a"), 1);
	assert_int_equal(number_of(&ids.services, "b"), 2);
	assert_int_equal(number_of(&ids.services, "a"), 1);
	assert_int_equal(number_of(&ids.regions, "t/a"), 1);
	/* "a" vanishes: its number waits for it */
	ids_begin(&ids);
	assert_int_equal(number_of(&ids.services, "b"), 2);
	assert_int_equal(number_of(&ids.services, "c"), 3);
	text = ids_format(&ids);
	ids_init(&copy, 64, 64);
	assert_int_equal(ids_parse(&copy, "ids.json", text, strlen(text), &faults), 0);
	free(text);
	ids_begin(&copy);
	assert_int_equal(number_of(&copy.services, "c"), 3);
	assert_int_equal(number_of(&copy.services, "a"), 1);
	ids_free(&copy);
	/* numbers 4 to 59 are fresh; then the reserve is touched only after what vanished was given again */
	for (int i = 4; i < 60; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(number_of(&ids.services, name), i);
	}
	assert_int_equal(number_of(&ids.services, "late"), 1);
	assert_int_equal(number_of(&ids.services, "last60"), 60);
	assert_int_equal(number_of(&ids.services, "last61"), 61);
	assert_int_equal(number_of(&ids.services, "last62"), 62);
	assert_int_equal(number_of(&ids.services, "last63"), 63);
	assert_int_equal(ids_number(&ids.services, "too many", &number), -ENOSPC);
	assert_int_equal(ids_copy(&copy, &ids), 0);
	assert_int_equal(number_of(&copy.services, "late"), 1);
	assert_int_equal(ids_number(&copy.services, "a", &number), -ENOSPC);
	ids_free(&copy);
	ids_free(&ids);
	faults_free(&faults);
}

static void test_ids_corrupt(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"services\": {}}",
		"{\"services\": {\"a\": 0}, \"regions\": {}}",
		"{\"services\": {\"a\": 1, \"b\": 1}, \"regions\": {}}",
		"{\"services\": {\"a\": \"1\"}, \"regions\": {}}",
		"{\"services\": {\"a\": 1, \"a\": 2}, \"regions\": {}}",
		"{\"services\": {\"a\": -1}, \"regions\": {}}",
	};
	static const char gaps[] = "{\"services\": {\"a\": 3, \"b\": 4000000000}, \"regions\": {}}";
	struct faults faults;
	struct ids ids;

	(void)state;
	faults_init(&faults);
	ids_init(&ids, 64, 64);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(ids_parse(&ids, "ids.json", texts[i], strlen(texts[i]), &faults), -EINVAL);
		assert_int_equal(faults.errors, 1);
		assert_non_null(strstr(faults.list[0].text, "restore the file, or remove it"));
		faults_free(&faults);
	}
	/* Gaps are filled again, numbers that the tables no longer have are dropped. */
	assert_int_equal(ids_parse(&ids, "ids.json", gaps, strlen(gaps), &faults), 0);
	assert_int_equal(number_of(&ids.services, "x"), 1);
	assert_int_equal(number_of(&ids.services, "a"), 3);
	assert_int_equal(number_of(&ids.services, "b"), 2);
	assert_int_equal(number_of(&ids.services, "c"), 4);
	ids_free(&ids);
	faults_free(&faults);
}

/* -- */

#define FILES_MAX 200

/* Files of a directory that end in .yaml and have, or have not, an .expect of their own to come. */
static size_t files_add(struct CMUnitTest *tests, size_t count, const char *directory, CMUnitTestFunction test)
{
	struct dirent **entries;
	int found = scandir(directory, &entries, NULL, alphasort);
	size_t length;

	if (found < 0) {
		fprintf(stderr, "%s: %s\n", directory, strerror(errno));
		exit(2);
	}
	for (int i = 0; i < found; i++) {
		length = strlen(entries[i]->d_name);
		if (length > 5 && !strcmp(entries[i]->d_name + length - 5, ".yaml") && count < FILES_MAX) {
			char *path;

			if (asprintf(&path, "%s/%s", directory, entries[i]->d_name) < 0)
				exit(2);
			tests[count++] = (struct CMUnitTest){path, test, NULL, NULL, path};
		}
		free(entries[i]);
	}
	free(entries);
	return count;
}

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[FILES_MAX] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_100_megabytes),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_alias_bomb),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_many_errors),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_include),
		cmocka_unit_test(test_bundle),
		cmocka_unit_test(test_bundle_disk),
		cmocka_unit_test(test_faults_json),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_ids_corrupt),
	};
	size_t fixed = 0, count;
	int failed;

	while (tests[fixed].name)
		fixed++;
	count = files_add(tests, fixed, "examples", test_example);
	count = files_add(tests, count, argc > 1 ? argv[1] : "tests/unit/config", test_file);
	failed = _cmocka_run_group_tests("config", tests, count, NULL, NULL);
	for (; count > fixed; count--)
		free(tests[count - 1].initial_state);
	return failed;
}
