// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/common/bundle.h"

int bundle_new(struct bundle **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

static void file_free(struct bundle_file *file)
{
	if (!file)
		return;
	free(file->name);
	free(file->octets);
	free(file);
}

void bundle_free(struct bundle *bundle)
{
	if (!bundle)
		return;
	for (size_t i = 0; i < bundle->count; i++)
		file_free(bundle->files[i]);
	free(bundle->files);
	words_free(&bundle->names);
	free(bundle->directory);
	free(bundle);
}

/* "./x" and "x" are the same file: tar writes one, people the other. */
static const char *name_plain(const char *name)
{
	while (name[0] == '.' && name[1] == '/')
		for (name += 2; *name == '/'; name++)
			;
	return name;
}

static struct bundle_file *bundle_find(const struct bundle *bundle, const char *name)
{
	uint32_t number;

	name = name_plain(name);
	number = words_find(&bundle->names, name, strlen(name));
	return number == WORDS_NONE ? NULL : bundle->files[number];
}

/* A new file with room for `length` octets, not yet part of the bundle. */
static struct bundle_file *file_new(const char *name, size_t length)
{
	struct bundle_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->name = strdup(name_plain(name));
	file->octets = malloc(length + 1);
	file->length = length;
	if (file->name && file->octets) {
		file->octets[length] = 0;
		return file;
	}
	file_free(file);
	return NULL;
}

/* Takes the file over, even when it fails. */
static int bundle_take(struct bundle *bundle, struct bundle_file *file)
{
	struct bundle_file **files = bundle->files;

	if (bundle->count == bundle->room) {
		files = realloc(files, (bundle->room * 2 + 8) * sizeof(*files));
		if (!files)
			goto fail;
		bundle->files = files;
		bundle->room = bundle->room * 2 + 8;
	}
	if (words_add(&bundle->names, file->name, strlen(file->name)) == WORDS_NONE)
		goto fail;
	files[bundle->count++] = file;
	bundle->octets += file->length;
	return 0;
fail:
	file_free(file);
	return -ENOMEM;
}

int bundle_add(struct bundle *bundle, const char *name, const void *octets, size_t length)
{
	struct bundle_file *file;

	if (bundle_find(bundle, name))
		return -EEXIST;
	file = file_new(name, length);
	if (!file)
		return -ENOMEM;
	if (length)
		memcpy(file->octets, octets, length);
	return bundle_take(bundle, file);
}

/* -- from the disk -- */

static char *path_join(const char *directory, const char *name)
{
	char *path;

	if (name[0] == '/')
		return strdup(name);
	if (asprintf(&path, "%s%s%s", directory, directory[strlen(directory) - 1] == '/' ? "" : "/", name) < 0)
		return NULL;
	return path;
}

static int too_large(const struct bundle *bundle, const char *name, size_t length, size_t limit,
		     const struct place *from, struct faults *faults)
{
	if (limit && length > limit) {
		faults_error(faults, from, "%s is %zu octets long, at most %zu (%zu MiB) are read; tables of prefixes "
			     "belong into a file of their own (topologies: file:)", name, length, limit, limit >> 20);
		return -EFBIG;
	}
	if (length > BUNDLE_OCTETS_MAX - bundle->octets || bundle->count >= BUNDLE_FILES_MAX) {
		faults_error(faults, from,
			     "with %s the configuration has more than %lu MiB or %d files, which is the most "
			     "one push may hold",
			     name, BUNDLE_OCTETS_MAX >> 20, BUNDLE_FILES_MAX);
		return -EFBIG;
	}
	return 0;
}

/* What was there when it was opened: a file that grows meanwhile is cut, one that shrinks is short. */
static int file_fill(struct bundle_file *file, int fd)
{
	size_t got = 0;
	ssize_t n;

	while (got < file->length) {
		n = read(fd, file->octets + got, file->length - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		got += n;
	}
	file->length = got;
	file->octets[got] = 0;
	return 0;
}

static int bundle_read_fd(struct bundle *bundle, const char *name, int fd, size_t limit, const struct place *from,
			  struct faults *faults)
{
	struct bundle_file *file;
	struct stat status;
	int fault;

	if (fstat(fd, &status))
		return -errno;
	if (!S_ISREG(status.st_mode))
		return S_ISDIR(status.st_mode) ? -EISDIR : -ENXIO;
	fault = too_large(bundle, name, status.st_size, limit, from, faults);
	if (fault)
		return fault;
	file = file_new(name, status.st_size);
	if (!file)
		return -ENOMEM;
	fault = file_fill(file, fd);
	if (fault) {
		file_free(file);
		return fault;
	}
	return bundle_take(bundle, file);
}

char *bundle_path(const struct bundle *bundle, const char *name)
{
	return path_join(bundle->directory, name);
}

static const char *disk_text(int fault)
{
	if (fault == -EISDIR)
		return "it is a directory, expected a file";
	if (fault == -ENXIO)
		return "it is not a regular file";
	return strerror(-fault);
}

/* Opens without waiting, so that a FIFO is found out and not waited for. */
static int bundle_fetch(struct bundle *bundle, const char *name, size_t limit, const struct place *from,
			struct faults *faults)
{
	char *path = path_join(bundle->directory, name);
	size_t errors = faults->errors;
	int fd, fault;

	if (!path)
		return faults_memory(faults);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	fault = fd < 0 ? -errno : bundle_read_fd(bundle, name, fd, limit, from, faults);
	if (fault && faults->errors == errors)
		faults_error(faults, from, "cannot read %s: %s", path, disk_text(fault));
	if (fd >= 0)
		close(fd);
	free(path);
	return fault;
}

const struct bundle_file *bundle_file(struct bundle *bundle, const char *name, size_t limit, const struct place *from,
				      struct faults *faults)
{
	struct bundle_file *file = bundle_find(bundle, name);

	if (file)
		return limit && too_large(bundle, name, file->length, limit, from, faults) ? NULL : file;
	if (!*name_plain(name) || strlen(name) > BUNDLE_NAME_MAX) {
		faults_error(faults, from, "expected a file's name of 1 to %d octets", BUNDLE_NAME_MAX);
		return NULL;
	}
	if (!bundle->directory) {
		faults_error(faults, from,
			     "file %s is not in the bundle: push with ecsctl, which puts in every file the "
			     "configuration names",
			     name);
		return NULL;
	}
	if (bundle_fetch(bundle, name, limit, from, faults))
		return NULL;
	return bundle->files[bundle->count - 1];
}

int bundle_read_disk(const char *path, size_t limit, struct bundle **out, struct faults *faults)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	struct place place = {.file = path};
	struct bundle *bundle;
	int fault = bundle_new(&bundle);

	*out = NULL;
	if (fault)
		return faults_memory(faults);
	bundle->directory = !slash ? strdup(".") : strndup(path, slash == path ? 1 : slash - path);
	if (!bundle->directory)
		fault = faults_memory(faults);
	else if (!*name)
		fault = faults_error(faults, &place, "expected a file, not a directory");
	else
		fault = bundle_fetch(bundle, name, limit, &place, faults);
	if (fault) {
		bundle_free(bundle);
		return fault;
	}
	*out = bundle;
	return 0;
}

/* -- from a tar archive -- */

static int tar_error(struct faults *faults, const char *text, const char *detail)
{
	return faults_error(faults, NULL, "the bundle is not a tar archive as ecsctl makes it: %s%s%s", text,
			    detail ? ": " : "", detail ? detail : "");
}

static int tar_data(struct archive *tar, struct bundle_file *file, struct faults *faults)
{
	size_t got = 0;
	la_ssize_t n;

	while (got < file->length) {
		n = archive_read_data(tar, file->octets + got, file->length - got);
		if (n < 0)
			return tar_error(faults, file->name, archive_error_string(tar));
		if (!n)
			return tar_error(faults, file->name, "cut short");
		got += n;
	}
	return 0;
}

/* One member. A sparse one could be any size without any octets; nobody makes such bundles. */
static int tar_member(struct bundle *bundle, struct archive *tar, struct archive_entry *entry, size_t length,
		      struct faults *faults)
{
	const char *name = archive_entry_pathname(entry);
	la_int64_t size = archive_entry_size(entry);
	struct bundle_file *file;
	int fault;

	if (archive_entry_filetype(entry) == AE_IFDIR)
		return 0;
	if (!name || !*name_plain(name) || strlen(name) > BUNDLE_NAME_MAX)
		return tar_error(faults, "a member without a proper name", NULL);
	if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) ||
	    archive_entry_sparse_count(entry))
		return tar_error(faults, name, "not a regular file");
	if (size < 0 || (size_t)size > length)
		return tar_error(faults, name, "longer than the archive");
	if (bundle_find(bundle, name))
		return tar_error(faults, name, "it is there twice");
	fault = too_large(bundle, name, size, 0, NULL, faults);
	if (fault)
		return fault;
	file = file_new(name, size);
	if (!file)
		return faults_memory(faults);
	fault = tar_data(tar, file, faults);
	if (fault) {
		file_free(file);
		return fault;
	}
	return bundle_take(bundle, file) ? faults_memory(faults) : 0;
}

static int tar_members(struct bundle *bundle, struct archive *tar, size_t length, struct faults *faults)
{
	struct archive_entry *entry;
	int result, fault;

	for (;;) {
		result = archive_read_next_header(tar, &entry);
		if (result == ARCHIVE_EOF)
			break;
		if (result != ARCHIVE_OK)
			return tar_error(faults, "broken header", archive_error_string(tar));
		fault = tar_member(bundle, tar, entry, length, faults);
		if (fault)
			return fault;
	}
	return bundle->count ? 0 : tar_error(faults, "it holds no file", NULL);
}

int bundle_read_tar(const void *archive, size_t length, struct bundle **out, struct faults *faults)
{
	struct archive *tar = archive_read_new();
	struct bundle *bundle = NULL;
	int fault = -ENOMEM;

	*out = NULL;
	if (!tar || bundle_new(&bundle) || archive_read_support_format_tar(tar) != ARCHIVE_OK) {
		faults_memory(faults);
		goto out;
	}
	if (!length || archive_read_open_memory(tar, archive, length) != ARCHIVE_OK)
		fault = tar_error(faults, length ? "cannot be opened" : "it is empty", archive_error_string(tar));
	else
		fault = tar_members(bundle, tar, length, faults);
out:
	archive_read_free(tar);
	if (fault)
		bundle_free(bundle);
	else
		*out = bundle;
	return fault;
}

/* -- to a tar archive -- */

struct buffer {
	uint8_t *octets;
	size_t length, room;
};

static la_ssize_t buffer_write(struct archive *tar, void *context, const void *octets, size_t length)
{
	struct buffer *buffer = context;
	uint8_t *more;

	if (length > buffer->room - buffer->length) {
		more = realloc(buffer->octets, buffer->room * 2 + length);
		if (!more) {
			archive_set_error(tar, ENOMEM, "no memory");
			return -1;
		}
		buffer->octets = more;
		buffer->room = buffer->room * 2 + length;
	}
	memcpy(buffer->octets + buffer->length, octets, length);
	buffer->length += length;
	return length;
}

static int tar_write_file(struct archive *tar, const struct bundle_file *file)
{
	struct archive_entry *entry = archive_entry_new();
	int fault = 0;

	if (!entry)
		return -ENOMEM;
	archive_entry_set_pathname(entry, file->name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	archive_entry_set_size(entry, file->length);
	archive_entry_set_mtime(entry, 0, 0);
	if (archive_write_header(tar, entry) < ARCHIVE_WARN ||
	    archive_write_data(tar, file->octets, file->length) != (la_ssize_t)file->length)
		fault = archive_errno(tar) == ENOMEM ? -ENOMEM : -EIO;
	archive_entry_free(entry);
	return fault;
}

int bundle_write_tar(const struct bundle *bundle, void **archive, size_t *length)
{
	struct archive *tar = archive_write_new();
	struct buffer buffer = {0};
	int fault = -ENOMEM;

	*archive = NULL;
	if (!tar || archive_write_set_format_pax_restricted(tar) != ARCHIVE_OK ||
	    archive_write_set_options(tar, "hdrcharset=BINARY") < ARCHIVE_WARN ||
	    archive_write_open(tar, &buffer, NULL, buffer_write, NULL) != ARCHIVE_OK)
		goto out;
	fault = 0;
	for (size_t i = 0; i < bundle->count && !fault; i++)
		fault = tar_write_file(tar, bundle->files[i]);
	if (!fault && archive_write_close(tar) != ARCHIVE_OK)
		fault = -ENOMEM;
out:
	archive_write_free(tar);
	if (fault) {
		free(buffer.octets);
		return fault;
	}
	*archive = buffer.octets;
	*length = buffer.length;
	return 0;
}
