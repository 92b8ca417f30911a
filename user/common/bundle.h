/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A bundle: a configuration's main file and every file it names, in memory. As a tar archive it is what is pushed and
 * what is kept of a generation.
 *
 * A bundle read from the disk begins with the main file alone and fetches others when they are asked for, so that
 * after a configuration and its zones were read it holds all they name. One read from a tar never touches the disk.
 */
#ifndef ECSDNS_BUNDLE_H
#define ECSDNS_BUNDLE_H

#include <stddef.h>
#include <stdint.h>

#include "user/common/faults.h"
#include "user/common/words.h"

#define BUNDLE_OCTETS_MAX (512UL << 20)	/* all files together: a million prefixes are about 30 MB */
#define BUNDLE_FILES_MAX 65536
#define BUNDLE_NAME_MAX 4096

struct bundle_file {
	char *name;		/* as the configuration names it; the main file by its last component */
	uint8_t *octets;	/* followed by a 0 that does not count */
	size_t length;
};

struct bundle {
	char *directory;	/* the main file's, names are relative to it; null: no disk */
	struct bundle_file **files;	/* files[0] is the main file; they stay where they are until bundle_free() */
	size_t count, room;
	struct words names;	/* of the files, by the same numbers */
	size_t octets;		/* of all files */
};

/*
 * The main file at `path`; "-" is not special. `limit` as for bundle_file().
 * 0 with *out for the caller to bundle_free(); else an error in `faults` and -errno.
 */
int bundle_read_disk(const char *path, size_t limit, struct bundle **out, struct faults *faults);

/*
 * A tar archive (ustar or pax, not compressed): regular files only, none twice, the first is the main file.
 * Likewise.
 */
int bundle_read_tar(const void *archive, size_t length, struct bundle **out, struct faults *faults);

/* An empty bundle without a disk, and a file for it; the octets are copied. 0 or -ENOMEM, -EEXIST. */
int bundle_new(struct bundle **out);
int bundle_add(struct bundle *bundle, const char *name, const void *octets, size_t length);

/*
 * The file of that name, fetched from the disk if need be; relative names begin at the main file's directory. `limit`
 * is the most octets it may have, 0 for only the bundle's limit; `from` is the place that names it, for the error.
 * Null, with an error in `faults`, if there is no such file, it is not a regular one, cannot be read, or is too large.
 */
const struct bundle_file *bundle_file(struct bundle *bundle, const char *name, size_t limit, const struct place *from,
				      struct faults *faults);

/* Where a file of a bundle from the disk is. The caller frees it; null without memory. */
char *bundle_path(const struct bundle *bundle, const char *name);

/* The bundle as a tar archive, the same octets for the same files. The caller frees *archive. 0, -ENOMEM or -EIO. */
int bundle_write_tar(const struct bundle *bundle, void **archive, size_t *length);

void bundle_free(struct bundle *bundle);	/* null is fine */

#endif
