/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The image of a slot: what its tables hold, or shall hold, in the form of the maps. Publishing is making the image of a
 * configuration, comparing it with that of the slot, and writing what differs.
 */
#ifndef ECSDNS_CONTROLLER_IMAGE_H
#define ECSDNS_CONTROLLER_IMAGE_H

#include "user/common/faults.h"
#include "user/common/tables.h"
#include "user/controller/compile.h"
#include "user/controller/rows.h"

/* The tables whose keys carry the slot: name, type of the key. */
#define IMAGE_TABLES(X)				\
	X(addresses, struct address_key)	\
	X(names_short, struct name_short_key)	\
	X(names_long, struct name_long_key)	\
	X(topology4, struct topology4_key)	\
	X(topology6, struct topology6_key)

enum image_table {
#define X(name, key) IMAGE_##name,
	IMAGE_TABLES(X)
#undef X
	IMAGE_TABLE_COUNT
};

struct image {
	uint32_t slot;
	struct settings settings;
	struct rows rows[IMAGE_TABLE_COUNT];
	size_t index_count;
	size_t answer_count;
	uint32_t *indices;		/* while a configuration is published; else null */
	const struct answer *answers;	/* the configuration's; likewise */
};

/* What a push changed, summed over the keyed tables, for people. */
struct image_changes {
	size_t deleted;
	size_t written;
};

enum table image_table(enum image_table which);

void image_init(struct image *image, uint32_t slot);
void image_free(struct image *image);

/*
 * Makes the image of a configuration. `answers` points into `compiled`, which must live until the image is written.
 * 0 or -errno; -E2BIG with a fault if it can never fit.
 */
int image_build(struct image *image, uint32_t slot, const struct compiled *compiled, const struct tables *tables,
		const uint64_t draw_key[2], struct faults *faults);

/* Reads both slots back from the maps. 0 or -errno. */
int image_read(struct image images[GENERATION_SLOTS], const struct tables *tables);

/* Is there room beside the other slot? 0, or -E2BIG with a fault for every table that is too small. */
int image_fits(const struct image *image, const struct image *other, const struct tables *tables, struct faults *faults);

/*
 * Writes the slot, which held `old`, and reads back what was written. 0, or -errno with a fault that names the table.
 * The slot is neither old nor new after a failure.
 */
int image_write(const struct image *image, const struct image *old, const struct tables *tables,
		struct image_changes *changes, struct faults *faults);

/* Do two images have the same keyed rows and settings? */
int image_equal(const struct image *one, const struct image *other);

#endif
