// SPDX-License-Identifier: GPL-3.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/common/bundle.h"
#include "user/controller/state.h"

#define NAME_OCTETS 64
#define LIVE "live"

static int state_open_directory(int at, const char *path, int *directory)
{
	*directory = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *directory < 0 ? -errno : 0;
}

static int state_make(int at, const char *path, int *directory)
{
	if (mkdirat(at, path, 0750) && errno != EEXIST)
		return -errno;
	return state_open_directory(at, path, directory);
}

int state_open(struct state *state, const char *path)
{
	int fault;

	*state = (struct state){.path = path, .directory = -1, .generations = -1, .lock = -1};
	fault = state_make(AT_FDCWD, path, &state->directory);
	if (fault)
		goto out;
	state->lock = openat(state->directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (state->lock < 0 || flock(state->lock, LOCK_EX | LOCK_NB)) {
		fault = -errno;
		goto out;
	}
	fault = state_make(state->directory, "generations", &state->generations);
out:
	if (fault)
		state_close(state);
	return fault;
}

int state_open_beside(struct state *state, const char *path)
{
	int fault;

	*state = (struct state){.path = path, .directory = -1, .generations = -1, .lock = -1};
	fault = state_open_directory(AT_FDCWD, path, &state->directory);
	if (!fault)
		fault = state_open_directory(state->directory, "generations", &state->generations);
	if (fault)
		state_close(state);
	return fault;
}

void state_close(struct state *state)
{
	if (state->generations >= 0)
		close(state->generations);
	if (state->lock >= 0)
		close(state->lock);
	if (state->directory >= 0)
		close(state->directory);
	state->directory = state->generations = state->lock = -1;
}

static int state_write_all(int file, const uint8_t *octets, size_t length)
{
	ssize_t wrote;

	while (length) {
		wrote = write(file, octets, length);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return wrote ? -errno : -EIO;
		octets += wrote;
		length -= wrote;
	}
	return 0;
}

static int state_write_at(int directory, const char *name, const void *octets, size_t length, unsigned int mode)
{
	char temporary[NAME_OCTETS + 8];
	int file, fault;

	snprintf(temporary, sizeof(temporary), ".%s.new", name);
	unlinkat(directory, temporary, 0);
	file = openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (file < 0)
		return -errno;
	fault = state_write_all(file, octets, length);
	if (!fault && fsync(file))
		fault = -errno;
	if (close(file) && !fault)
		fault = -errno;
	if (!fault && renameat(directory, temporary, directory, name))
		fault = -errno;
	if (!fault && fsync(directory))
		fault = -errno;
	if (fault)
		unlinkat(directory, temporary, 0);
	return fault;
}

static int state_read_all(int file, size_t limit, uint8_t **octets, size_t *length)
{
	struct stat facts;
	ssize_t got;

	if (fstat(file, &facts))
		return -errno;
	if (!S_ISREG(facts.st_mode))
		return S_ISDIR(facts.st_mode) ? -EISDIR : -ENXIO;
	if ((uint64_t)facts.st_size > limit)
		return -EFBIG;
	*octets = malloc(facts.st_size + 1);
	if (!*octets)
		return -ENOMEM;
	for (*length = 0; *length < (size_t)facts.st_size; *length += got) {
		got = read(file, *octets + *length, facts.st_size - *length);
		if (got < 0 && errno == EINTR)
			got = 0;
		else if (got <= 0)
			return got ? -errno : -EIO;
	}
	return 0;
}

static int state_read_at(int directory, const char *name, size_t limit, uint8_t **octets, size_t *length)
{
	int file = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK), fault;	/* a FIFO is refused, not waited for */

	*octets = NULL;
	*length = 0;
	if (file < 0)
		return -errno;
	fault = state_read_all(file, limit, octets, length);
	close(file);
	if (fault) {
		free(*octets);
		*octets = NULL;
	}
	return fault;
}

int state_read(const struct state *state, const char *name, size_t limit, uint8_t **octets, size_t *length)
{
	return state_read_at(state->directory, name, limit, octets, length);
}

int state_write(const struct state *state, const char *name, const void *octets, size_t length, unsigned int mode)
{
	return state_write_at(state->directory, name, octets, length, mode);
}

int state_append(const struct state *state, const char *name, unsigned int mode)
{
	int file = openat(state->directory, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode);

	return file < 0 ? -errno : file;
}

static int state_key(const struct state *state, const char *name, uint8_t key[STATE_KEY_OCTETS], bool may_make)
{
	uint8_t *octets;
	size_t length;
	int fault = state_read(state, name, 4096, &octets, &length);

	if (fault == -ENOENT && may_make) {
		if (getrandom(key, STATE_KEY_OCTETS, 0) != STATE_KEY_OCTETS)
			return -errno;
		return state_write(state, name, key, STATE_KEY_OCTETS, 0600);
	}
	if (fault)
		return fault;
	if (length == STATE_KEY_OCTETS)
		memcpy(key, octets, STATE_KEY_OCTETS);
	free(octets);
	return length == STATE_KEY_OCTETS ? 0 : -EINVAL;
}

int state_draw_key(const struct state *state, uint8_t key[STATE_KEY_OCTETS])
{
	return state_key(state, "draw.key", key, true);
}

int state_cookie_key(const struct state *state, uint8_t key[STATE_KEY_OCTETS], bool may_make)
{
	return state_key(state, "cookie.key", key, may_make);
}

static const char *state_bundle_name(uint32_t generation, char name[NAME_OCTETS])
{
	snprintf(name, NAME_OCTETS, "%" PRIu32 ".tar", generation);
	return name;
}

/* The number of a name that state_bundle_name() makes, or 0. */
static uint32_t state_bundle_number(const char *name)
{
	char again[NAME_OCTETS];
	uint32_t generation = strtoul(name, NULL, 10);

	return strcmp(state_bundle_name(generation, again), name) ? 0 : generation;
}

static int state_bundle_order(const void *one, const void *other)
{
	uint32_t a = ((const struct state_bundle *)one)->generation;
	uint32_t b = ((const struct state_bundle *)other)->generation;

	return a < b ? -1 : a > b;
}

static int state_bundle_add(const struct state *state, const char *name, struct state_bundle **bundles, size_t *count)
{
	struct state_bundle *more;
	struct stat facts;
	uint32_t generation = state_bundle_number(name);

	if (!generation || fstatat(state->generations, name, &facts, AT_SYMLINK_NOFOLLOW) || !S_ISREG(facts.st_mode))
		return 0;
	more = reallocarray(*bundles, *count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	*bundles = more;
	more[(*count)++] = (struct state_bundle){generation, facts.st_mtime, facts.st_size};
	return 0;
}

int state_bundles(const struct state *state, struct state_bundle **bundles, size_t *count)
{
	int fault = 0, directory = openat(state->generations, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	DIR *listing;

	*bundles = NULL;
	*count = 0;
	if (directory < 0)
		return -errno;
	listing = fdopendir(directory);
	if (!listing) {
		fault = -errno;
		close(directory);
		return fault;
	}
	while (!fault && (entry = readdir(listing)))
		fault = state_bundle_add(state, entry->d_name, bundles, count);
	closedir(listing);
	if (fault) {
		free(*bundles);
		*bundles = NULL;
		*count = 0;
	}
	if (*count)
		qsort(*bundles, *count, sizeof(**bundles), state_bundle_order);
	return fault;
}

int state_bundle_read(const struct state *state, uint32_t generation, uint8_t **octets, size_t *length)
{
	char name[NAME_OCTETS];

	return state_read_at(state->generations, state_bundle_name(generation, name), BUNDLE_OCTETS_MAX, octets, length);
}

/* Mode 0640: the fallback reads it, in the controller's group. */
int state_bundle_write(const struct state *state, uint32_t generation, const void *octets, size_t length)
{
	char name[NAME_OCTETS];

	return state_write_at(state->generations, state_bundle_name(generation, name), octets, length, 0640);
}

int state_bundle_open(const struct state *state, uint32_t generation, size_t *octets)
{
	char name[NAME_OCTETS];
	struct stat facts;
	int file = openat(state->generations, state_bundle_name(generation, name), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);

	if (file < 0)
		return -errno;
	if (fstat(file, &facts) || !S_ISREG(facts.st_mode)) {
		close(file);
		return -EINVAL;
	}
	*octets = facts.st_size;
	return file;
}

static const char *state_note_name(uint32_t generation, char name[NAME_OCTETS])
{
	snprintf(name, NAME_OCTETS, "%" PRIu32 ".json", generation);
	return name;
}

int state_note_read(const struct state *state, uint32_t generation, size_t limit, uint8_t **octets, size_t *length)
{
	char name[NAME_OCTETS];

	return state_read_at(state->generations, state_note_name(generation, name), limit, octets, length);
}

int state_note_write(const struct state *state, uint32_t generation, const void *octets, size_t length)
{
	char name[NAME_OCTETS];

	return state_write_at(state->generations, state_note_name(generation, name), octets, length, 0640);
}

int state_bundle_remove(const struct state *state, uint32_t generation)
{
	char name[NAME_OCTETS];

	unlinkat(state->generations, state_note_name(generation, name), 0);
	return unlinkat(state->generations, state_bundle_name(generation, name), 0) ? -errno : 0;
}

int state_live(const struct state *state, uint32_t *generation)
{
	char name[NAME_OCTETS];
	ssize_t length = readlinkat(state->generations, LIVE, name, sizeof(name) - 1);

	if (length < 0)
		return -errno;
	name[length] = 0;
	*generation = state_bundle_number(name);
	return *generation ? 0 : -ENOENT;
}

int state_set_live(const struct state *state, uint32_t generation)
{
	char name[NAME_OCTETS];

	unlinkat(state->generations, ".live.new", 0);
	if (symlinkat(state_bundle_name(generation, name), state->generations, ".live.new") ||
	    renameat(state->generations, ".live.new", state->generations, LIVE) || fsync(state->generations))
		return -errno;
	return 0;
}

int state_prune(const struct state *state, uint32_t live, size_t keep)
{
	struct state_bundle *bundles;
	size_t count, i, old = 0;
	int fault = state_bundles(state, &bundles, &count), failed;

	for (i = 0; i < count; i++)
		old += bundles[i].generation <= live;
	for (i = 0; i < count; i++) {
		if (bundles[i].generation == live || (bundles[i].generation < live && i + keep >= old))
			continue;
		failed = state_bundle_remove(state, bundles[i].generation);
		fault = fault ? fault : failed;
	}
	free(bundles);
	return fault;
}
