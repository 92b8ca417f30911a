// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/config_file.h"

#include <stdlib.h>
#include <string.h>

#include "user/controller/note.h"

static bool note_is_of(const struct controller *controller, uint32_t generation)
{
	json_t *note = json_object();
	const char *how, *file;
	bool is;

	note_read(&controller->state, generation, note);
	how = json_string_value(json_object_get(note, "how"));
	file = json_string_value(json_object_get(note, "file"));
	is = how && !strcmp(how, "config") && file && !strcmp(file, controller->config);
	json_decref(note);
	return is;
}

uint32_t config_file_pushed(const struct controller *controller)
{
	uint32_t newest = 0;
	struct state_bundle *bundles;
	size_t count;

	if (state_bundles(&controller->state, &bundles, &count))
		return 0;
	for (size_t i = count; i-- && !newest; )
		newest = note_is_of(controller, bundles[i].generation) ? bundles[i].generation : 0;
	free(bundles);
	return newest;
}

static bool file_same(const struct bundle_file *kept, const struct bundle_file *now)
{
	return now && now->length == kept->length && !memcmp(now->octets, kept->octets, now->length);
}

/* The main file decides which others are named, those which more, and so on: if all that there were are the same, all is. */
static bool bundles_same(const struct bundle *kept, struct bundle *now)
{
	struct faults quiet;
	bool is_same = kept->count && !strcmp(kept->files[0]->name, now->files[0]->name);

	faults_init(&quiet);
	for (size_t i = 0; i < kept->count && is_same; i++)
		is_same = file_same(kept->files[i], bundle_file(now, kept->files[i]->name, 0, NULL, &quiet));
	faults_free(&quiet);
	return is_same;
}

bool config_file_same(const struct controller *controller, uint32_t generation, struct bundle *bundle)
{
	struct bundle *kept = NULL;
	struct faults quiet;
	uint8_t *archive;
	bool is_same = false;
	size_t length;

	if (state_bundle_read(&controller->state, generation, &archive, &length))
		return false;
	faults_init(&quiet);
	if (!bundle_read_tar(archive, length, &kept, &quiet))
		is_same = bundles_same(kept, bundle);
	bundle_free(kept);
	faults_free(&quiet);
	free(archive);
	return is_same;
}

void config_file_paths(const struct bundle *bundle, struct words *paths)
{
	char *path;

	for (size_t i = 0; bundle && i < bundle->count; i++) {
		path = bundle_path(bundle, bundle->files[i]->name);
		if (path && words_find(paths, path, strlen(path)) == WORDS_NONE)
			words_add(paths, path, strlen(path));
		free(path);
	}
}
