// SPDX-License-Identifier: GPL-3.0-or-later
/* dump: a kept bundle as it was pushed, or what it compiles to (dump_compiled.c). */
#define _GNU_SOURCE	/* asprintf() */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/ecsctl/dump.h"

#define OUTSIDE "outside"	/* folder for what the configuration names by a path that leaves its own */

struct dump {
	struct ecsctl *ecsctl;
	long long generation;
	const char *output;
	struct bundle *bundle;
};

/* An error of our own, in the form of the controller's. */
static int dump_refuse(const struct dump *dump, json_t *text)
{
	json_t *reply = json_pack("{s:o}", "error", text ? text : json_string("a path that is not UTF-8"));

	output_error(dump->ecsctl, reply);
	json_decref(reply);
	return REFUSED;
}

/* -- from the controller -- */

static int dump_ask(struct ecsctl *ecsctl, const struct request *request, json_t **reply)
{
	int status = 0, result = client_request(ecsctl, request, reply, &status);

	if (!result && status != 200) {
		output_error(ecsctl, *reply);
		result = REFUSED;
	}
	return result;
}

/* Which is live. It stays where it is while others are pushed. */
static int dump_generation(struct dump *dump)
{
	const struct request request = {.path = "/v1/status"};
	json_t *reply = NULL;
	int result = dump_ask(dump->ecsctl, &request, &reply);

	if (!result)
		dump->generation = field_number(reply, "generation");
	json_decref(reply);
	return result;
}

static int dump_fetch(struct dump *dump, const char *wanted)
{
	struct octets archive = {0};
	struct request request = {.octets = &archive, .doing = "reading the bundle"};
	struct faults faults;
	json_t *reply = NULL;
	char *path, number[32];
	int result;

	snprintf(number, sizeof(number), "%lld", dump->generation);
	path = client_path("/v1/dump", &(const char *const [2]){"generation", wanted ? wanted : number}, 1);
	if (!path)
		return REFUSED;
	request.path = path;
	result = dump_ask(dump->ecsctl, &request, &reply);
	json_decref(reply);
	free(path);
	if (result)
		return result;
	faults_init(&faults);
	if (bundle_read_tar(archive.at, archive.length, &dump->bundle, &faults))
		result = local_refused(dump->ecsctl, &faults);
	faults_free(&faults);
	free(archive.at);
	dump->generation = strtoll(wanted ? wanted : number, NULL, 10);
	return result;
}

/* -- onto the terminal -- */

static json_t *dump_files(const struct dump *dump)
{
	json_t *files = json_array();

	for (size_t i = 0; i < dump->bundle->count; i++)
		json_array_append_new(files, json_pack("{s:s, s:I}", "name", dump->bundle->files[i]->name,
						       "octets", (json_int_t)dump->bundle->files[i]->length));
	return files;
}

static void dump_print(const json_t *reply)
{
	const json_t *each;
	size_t i;

	fprintf(stderr, "generation %lld:", field_number(reply, "generation"));
	json_array_foreach(json_object_get(reply, "files"), i, each)
		fprintf(stderr, "%s %s (%lld octets)", i ? "," : "", field_text(each, "name"), field_number(each, "octets"));
	fprintf(stderr, "%s\n", i > 1 ? "; the first follows, --output DIR writes all" : "");
	if (json_is_string(json_object_get(reply, "text")))
		fputs(field_text(reply, "text"), stdout);
}

/* Octets that are no UTF-8 are null in JSON; for people they are printed as they are. */
static int dump_show(const struct dump *dump)
{
	const struct bundle_file *file = dump->bundle->files[0];
	json_t *text = json_stringn((const char *)file->octets, file->length);
	json_t *reply = json_pack("{s:I, s:o, s:o}", "generation", (json_int_t)dump->generation, "files", dump_files(dump),
				  "text", text ? text : json_null());

	output_reply(dump->ecsctl, reply, dump_print);
	if (!text && !dump->ecsctl->is_json)
		fwrite(file->octets, 1, file->length, stdout);
	json_decref(reply);
	return DONE;
}

/* -- into files -- */

/* Does the name stay below the folder that it is taken from? */
static int name_is_inside(const char *name)
{
	if (*name == '/')
		return 0;
	for (const char *at = name; at; at = strchr(at, '/')) {
		at += *at == '/';
		if (!strncmp(at, "..", 2) && (!at[2] || at[2] == '/'))
			return 0;
	}
	return 1;
}

/* Where it is written, below the output folder: outside names with every '/' and '.' of ".." told apart. */
static char *dump_place(const char *name, size_t number)
{
	const char *base = strrchr(name, '/');
	char *place = NULL;

	if (name_is_inside(name))
		return strdup(name);
	if (asprintf(&place, OUTSIDE "/%zu-%s", number, base ? base + 1 : name) < 0)
		return NULL;
	return place;
}

static int dump_folders(int directory, char *place)
{
	for (char *at = strchr(place, '/'); at; at = strchr(at + 1, '/')) {
		*at = 0;
		if (mkdirat(directory, place, 0777) && errno != EEXIST)
			return -errno;
		*at = '/';
	}
	return 0;
}

static int dump_write(int directory, char *place, const struct bundle_file *file)
{
	int fault = dump_folders(directory, place), out;
	FILE *stream;

	if (fault)
		return fault;
	out = openat(directory, place, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	stream = out < 0 ? NULL : fdopen(out, "w");
	if (!stream)
		return -errno;
	fwrite(file->octets, 1, file->length, stream);
	fault = ferror(stream) ? -EIO : 0;
	return fclose(stream) ? -errno : fault;
}

static void dump_print_written(const json_t *reply)
{
	const json_t *each;
	size_t i;

	printf("generation %lld, written to %s:\n", field_number(reply, "generation"), field_text(reply, "output"));
	json_array_foreach(json_object_get(reply, "files"), i, each)
		printf("  %s (%lld octets)%s%s\n", field_text(each, "written"), field_number(each, "octets"),
		       strcmp(field_text(each, "name"), field_text(each, "written")) ? ", which the configuration names " : "",
		       strcmp(field_text(each, "name"), field_text(each, "written")) ? field_text(each, "name") : "");
}

static int dump_write_all(const struct dump *dump, int directory)
{
	json_t *files = dump_files(dump), *reply;
	int fault = 0;

	for (size_t i = 0; i < dump->bundle->count && !fault; i++) {
		char *place = dump_place(dump->bundle->files[i]->name, i);

		fault = place ? dump_write(directory, place, dump->bundle->files[i]) : -ENOMEM;
		json_object_set_new(json_array_get(files, i), "written", json_string(place ? place : ""));
		if (fault)
			dump_refuse(dump, json_sprintf("%s/%s: %s; what was written before it, stays", dump->output,
						       place ? place : "", strerror(-fault)));
		free(place);
	}
	reply = json_pack("{s:I, s:s, s:o}", "generation", (json_int_t)dump->generation, "output", dump->output, "files", files);
	if (!fault)
		output_reply(dump->ecsctl, reply, dump_print_written);
	json_decref(reply);
	return fault ? REFUSED : DONE;
}

/* Into a folder that is made for it, so that nothing of anybody's is written over, nor through a link of somebody's. */
static int dump_save(const struct dump *dump)
{
	int directory, result;

	if (mkdir(dump->output, 0777))
		return dump_refuse(dump, json_sprintf("%s: %s; --output makes a new folder", dump->output, strerror(errno)));
	directory = open(dump->output, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (directory < 0)
		return dump_refuse(dump, json_sprintf("%s: %s", dump->output, strerror(errno)));
	result = dump_write_all(dump, directory);
	close(directory);
	return result;
}

static int dump_run(struct ecsctl *ecsctl, int argc, char **argv)
{
	struct dump dump = {.ecsctl = ecsctl};
	int is_compiled = 0, result;
	const struct verb_option own[] = {{"compiled", &is_compiled, NULL}, {"output", NULL, &dump.output}, {0}};
	int at = verb_options(ecsctl, argc, argv, own);

	if (at < 0)
		return -1 - at;
	if (argc - at > 1)
		return verb_usage(ecsctl, "at most one generation was expected");
	if (is_compiled && dump.output)
		return verb_usage(ecsctl, "--compiled is printed; --output is for files as they were pushed");
	result = argc > at ? DONE : dump_generation(&dump);
	if (!result)
		result = dump_fetch(&dump, argc > at ? argv[at] : NULL);
	if (!result && is_compiled)
		result = dump_compiled(ecsctl, dump.bundle);
	else if (!result)
		result = dump.output ? dump_save(&dump) : dump_show(&dump);
	bundle_free(dump.bundle);
	return result;
}

const struct verb verb_dump = {
	.name = "dump", .arguments = "[--output DIR | --compiled] [GENERATION]",
	.summary = "the live configuration, or a kept one, as it was pushed or as it is compiled",
	.details = "\nPrints the main file; which others there are, standard error says.\n\n"
		   "  --output DIR   write all files into DIR, which is made; `ecsctl push` takes them from there. Files that the\n"
		   "                 configuration names by a path outside of its own folder go to DIR/outside\n"
		   "  --compiled     the settings with their defaults, the entries of topologies that are looked up, and every\n"
		   "                 answer when all members are up: a line each, always in the same order, to be compared by\n"
		   "                 diff(1). With --json every line is an object\n",
	.run = dump_run,
};
