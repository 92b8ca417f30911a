// SPDX-License-Identifier: GPL-3.0-or-later
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/controller/image.h"

static const struct {
	enum table table;
	uint32_t key_octets;
	uint32_t slot_at;
	uint32_t slot_octets;
} keyed[IMAGE_TABLE_COUNT] = {
#define X(name, key) { TABLE_##name, sizeof(key), offsetof(key, slot), sizeof(((key *)0)->slot) },
	IMAGE_TABLES(X)
#undef X
};

static const uint32_t value_octets[TABLE_COUNT] = {
#define X(name, key, value) value,
	TABLES(X)
#undef X
};

enum table image_table(enum image_table which)
{
	return keyed[which].table;
}

void image_init(struct image *image, uint32_t slot)
{
	memset(image, 0, sizeof(*image));
	image->slot = slot;
	for (int which = 0; which < IMAGE_TABLE_COUNT; which++)
		rows_init(&image->rows[which], keyed[which].key_octets, value_octets[keyed[which].table]);
}

void image_free(struct image *image)
{
	for (int which = 0; which < IMAGE_TABLE_COUNT; which++)
		rows_free(&image->rows[which]);
	free(image->indices);
	image_init(image, image->slot);
}

/* -- a configuration's image -- */

static uint32_t image_base(const struct image *image, const struct tables *tables, enum table table)
{
	return tables->entries[table] / GENERATION_SLOTS * image->slot;
}

static int image_add_addresses(struct image *image, const struct compiled *compiled)
{
	struct address_key key = {.slot = image->slot};
	uint32_t nothing = 0;
	int fault = 0;

	for (size_t i = 0; i < compiled->address_count && !fault; i++) {
		memcpy(key.address, compiled->addresses[i], sizeof(key.address));
		fault = rows_add(&image->rows[IMAGE_addresses], &key, &nothing);
	}
	return fault;
}

static int image_add_service(struct image *image, const struct compiled_service *service, uint32_t base)
{
	struct name_short_key in_short = {.slot = image->slot};
	struct name_long_key in_long = {.slot = image->slot};
	struct service value = service->value;

	value.index += base;
	if (service->name_length <= NAME_SHORT_OCTETS) {
		memcpy(in_short.name, service->name, service->name_length);
		return rows_add(&image->rows[IMAGE_names_short], &in_short, &value);
	}
	memcpy(in_long.name, service->name, service->name_length);
	return rows_add(&image->rows[IMAGE_names_long], &in_long, &value);
}

static int image_add_topology4(struct image *image, const struct compiled_topology *topology)
{
	struct topology4_key key = {.slot = image->slot, .topology = topology->number};
	struct rows *rows = &image->rows[IMAGE_topology4];
	int fault = rows_reserve(rows, rows->count + topology->v4.count);

	for (size_t i = 0; i < topology->v4.count && !fault; i++) {
		const struct topology_entry *entry = &topology->v4.entries[i];
		struct topology4_entry value = {
			.region_id = topology->regions[entry->region].id, .region = entry->region,
			.length = entry->scope, .target_length = entry->target_length,
		};

		key.prefixlen = TOPOLOGY_KEY_BITS + entry->length;
		memcpy(key.address, entry->address, sizeof(key.address));
		memcpy(value.target, entry->target, sizeof(value.target));
		fault = rows_add(rows, &key, &value);
	}
	return fault;
}

static int image_add_topology6(struct image *image, const struct compiled_topology *topology)
{
	struct topology6_key key = {.slot = image->slot, .topology = topology->number};
	struct rows *rows = &image->rows[IMAGE_topology6];
	int fault = rows_reserve(rows, rows->count + topology->v6.count);

	for (size_t i = 0; i < topology->v6.count && !fault; i++) {
		const struct topology_entry *entry = &topology->v6.entries[i];
		struct topology6_entry value = {
			.region_id = topology->regions[entry->region].id, .region = entry->region,
			.length = entry->scope, .target_length = entry->target_length,
		};

		key.prefixlen = TOPOLOGY_KEY_BITS + entry->length;
		memcpy(key.address, entry->address, sizeof(key.address));
		memcpy(value.target, entry->target, sizeof(value.target));
		fault = rows_add(rows, &key, &value);
	}
	return fault;
}

static int image_add_rows(struct image *image, const struct compiled *compiled, const struct tables *tables)
{
	uint32_t base = image_base(image, tables, TABLE_indices);
	int fault = image_add_addresses(image, compiled);

	for (size_t i = 0; i < compiled->service_count && !fault; i++)
		fault = image_add_service(image, &compiled->services[i], base);
	for (size_t i = 0; i < compiled->topology_count && !fault; i++) {
		fault = image_add_topology4(image, &compiled->topologies[i]);
		if (!fault)
			fault = image_add_topology6(image, &compiled->topologies[i]);
	}
	for (int which = 0; which < IMAGE_TABLE_COUNT; which++)
		rows_sort(&image->rows[which]);
	return fault;
}

static int image_add_indices(struct image *image, const struct compiled *compiled, const struct tables *tables)
{
	uint32_t base = image_base(image, tables, TABLE_answers);

	image->index_count = compiled->index_count;
	image->answer_count = compiled->answer_count;
	image->answers = compiled->answers;
	image->indices = calloc(compiled->index_count + 1, sizeof(*image->indices));
	if (!image->indices)
		return -ENOMEM;
	for (size_t i = 0; i < compiled->index_count; i++)
		image->indices[i] = compiled->indices[i] == ANSWER_NONE ? ANSWER_NONE : base + compiled->indices[i];
	return 0;
}

/* The loader's options that set a table's size. */
static const char *const size_options[TABLE_COUNT] = {
	[TABLE_names_short] = "--names", [TABLE_names_long] = "--long-names",
	[TABLE_topology4] = "--topology4", [TABLE_topology6] = "--topology6",
	[TABLE_indices] = "--indices", [TABLE_answers] = "--answers",
	[TABLE_service_hits] = "--services", [TABLE_region_hits] = "--regions",
};

/*
 * What a table would need, and how to get it: two generations share it, and sizes are fixed when tables are made. `mine`
 * is this configuration's part: the advice has room for it twice, so that the push after it fits as well, and is a number
 * that the loader takes.
 */
static int image_too_small(struct faults *faults, const struct tables *tables, enum table table, size_t needed, size_t mine)
{
	size_t advised = needed > mine * GENERATION_SLOTS ? needed : mine * GENERATION_SLOTS;

	advised += advised % 2;
	if (size_options[table])
		faults_error(faults, NULL, "table %s is too small: it has %u entries, and this configuration beside the live one "
			     "needs %zu; make the tables anew: `ecsdns-loader unload`, then `ecsdns-loader attach %s %zu IFACE`",
			     table_name(table), tables->entries[table], needed, size_options[table], advised);
	else
		faults_error(faults, NULL, "table %s is too small: it has %u entries, and this configuration beside the live one "
			     "needs %zu; use fewer", table_name(table), tables->entries[table], needed);
	return -E2BIG;
}

static int image_fits_arrays(const struct image *image, const struct compiled *compiled, const struct tables *tables,
			     struct faults *faults)
{
	uint32_t service_ids = 0, region_ids = 0;
	int fault = 0;

	for (size_t i = 0; i < compiled->service_count; i++)
		if (compiled->services[i].value.id >= service_ids)
			service_ids = compiled->services[i].value.id + 1;
	for (size_t i = 0; i < compiled->topology_count; i++)
		for (size_t j = 0; j < compiled->topologies[i].region_count; j++)
			if (compiled->topologies[i].regions[j].id >= region_ids)
				region_ids = compiled->topologies[i].regions[j].id + 1;
	if (image->index_count > tables->entries[TABLE_indices] / GENERATION_SLOTS)
		fault = image_too_small(faults, tables, TABLE_indices, image->index_count * GENERATION_SLOTS,
					image->index_count);
	if (image->answer_count + 1 > tables->entries[TABLE_answers] / GENERATION_SLOTS)	/* number 0 is "none" */
		fault = image_too_small(faults, tables, TABLE_answers, (image->answer_count + 1) * GENERATION_SLOTS,
					image->answer_count + 1);
	if (service_ids > tables->entries[TABLE_service_hits])
		fault = image_too_small(faults, tables, TABLE_service_hits, service_ids, 0);
	if (region_ids > tables->entries[TABLE_region_hits])
		fault = image_too_small(faults, tables, TABLE_region_hits, region_ids, 0);
	return fault;
}

int image_build(struct image *image, uint32_t slot, const struct compiled *compiled, const struct tables *tables,
		const uint64_t draw_key[2], struct faults *faults)
{
	int fault;

	image_init(image, slot);
	image->settings = compiled->settings;
	memcpy(image->settings.draw_key, draw_key, sizeof(image->settings.draw_key));
	fault = image_add_rows(image, compiled, tables);
	if (!fault)
		fault = image_add_indices(image, compiled, tables);
	if (fault)
		faults_error(faults, NULL, "no memory for the tables' image");
	else
		fault = image_fits_arrays(image, compiled, tables, faults);
	if (fault)
		image_free(image);
	return fault;
}

int image_fits(const struct image *image, const struct image *other, const struct tables *tables, struct faults *faults)
{
	int fault = 0;

	for (int which = 0; which < IMAGE_TABLE_COUNT; which++) {
		size_t mine = image->rows[which].count, needed = mine + other->rows[which].count;

		if (needed > tables->entries[keyed[which].table])
			fault = image_too_small(faults, tables, keyed[which].table, needed, mine);
	}
	return fault;
}

/* -- a slot's image -- */

/* How much of a slot's half of an array is in use: up to its last entry that is not zero. */
static size_t image_used(const uint8_t *half, size_t stride, size_t count)
{
	static const uint8_t zeros[sizeof(struct answer)];

	while (count && !memcmp(half + (count - 1) * stride, zeros, stride))
		count--;
	return count;
}

static void image_read_arrays(struct image *image, const struct tables *tables)
{
	uint32_t base = image_base(image, tables, TABLE_indices);
	size_t used;

	image->settings = tables->settings[image->slot];
	image->index_count = image_used((const uint8_t *)tables_index(tables, base), 8,
					tables->entries[TABLE_indices] / GENERATION_SLOTS);
	base = image_base(image, tables, TABLE_answers);
	used = image_used((const uint8_t *)&tables->answers[base], sizeof(struct answer),
			  tables->entries[TABLE_answers] / GENERATION_SLOTS);
	image->answer_count = used ? used - 1 : 0;
}

int image_read(struct image images[GENERATION_SLOTS], const struct tables *tables)
{
	struct rows slots[GENERATION_SLOTS];
	int fault = 0;

	for (uint32_t slot = 0; slot < GENERATION_SLOTS; slot++) {
		image_free(&images[slot]);
		image_init(&images[slot], slot);
		image_read_arrays(&images[slot], tables);
	}
	for (int which = 0; which < IMAGE_TABLE_COUNT && !fault; which++) {
		slots[0] = images[0].rows[which];
		slots[1] = images[1].rows[which];
		fault = rows_read(tables->fd[keyed[which].table], keyed[which].slot_at, keyed[which].slot_octets, slots);
		images[0].rows[which] = slots[0];
		images[1].rows[which] = slots[1];
	}
	return fault;
}

int image_equal(const struct image *one, const struct image *other)
{
	for (int which = 0; which < IMAGE_TABLE_COUNT; which++) {
		const struct rows *a = &one->rows[which], *b = &other->rows[which];

		if (a->count != b->count ||
		    (a->count && memcmp(a->octets, b->octets, a->count * (a->key_octets + (size_t)a->value_octets))))
			return 0;
	}
	return !memcmp(&one->settings, &other->settings, sizeof(one->settings));
}

static int image_indices_equal(const struct image *image, const struct tables *tables)
{
	uint32_t base = image_base(image, tables, TABLE_indices);

	for (uint32_t i = 0; i < image->index_count; i++)
		if (__atomic_load_n(tables_index(tables, base + i), __ATOMIC_RELAXED) != image->indices[i])
			return 0;
	return 1;
}

static struct answer *image_first_answer(const struct image *image, const struct tables *tables)
{
	return &tables->answers[image_base(image, tables, TABLE_answers) + 1];
}

static int image_answers_equal(const struct image *image, const struct tables *tables)
{
	return !image->answer_count || !memcmp(image_first_answer(image, tables), image->answers,
					       image->answer_count * sizeof(struct answer));
}

/* -- from the image to the slot -- */

static int image_failed(struct faults *faults, enum table table, const char *doing, int fault)
{
	if (fault == -EIO)
		faults_error(faults, NULL, "table %s does not hold what was written to it", table_name(table));
	else
		faults_error(faults, NULL, "%s table %s: %s", doing, table_name(table), strerror(-fault));
	return fault;
}

/*
 * What changed is deleted and written anew, not updated: before Linux 6.13 an entry of a full LPM trie cannot be
 * updated, and nobody reads this slot.
 */
static int image_write_rows(const struct rows *rows, const struct rows *old, int which, const struct tables *tables,
			    struct image_changes *changes, struct faults *faults)
{
	enum table table = keyed[which].table;
	struct rows_difference difference;
	const char *doing = "comparing";
	size_t done = 0;
	int fault = rows_compare(old, rows, &difference), map = tables->fd[table];

	if (fault)
		goto out;
	doing = "deleting from";
	fault = rows_delete(map, old, difference.gone, difference.gone_count, &done);
	changes->deleted += done;
	if (fault)
		goto out;
	doing = "writing";
	fault = rows_write(map, rows, difference.fresh, difference.fresh_count, &done);
	changes->written += done;
	if (fault == -E2BIG || fault == -ENOSPC) {
		image_too_small(faults, tables, table, (size_t)tables->entries[table] + difference.fresh_count - done,
				rows->count);
		rows_difference_free(&difference);
		return -E2BIG;
	}
	if (fault)
		goto out;
	doing = "reading back";
	fault = rows_verify(map, rows, difference.fresh, difference.fresh_count);
	if (!fault)
		fault = rows_verify_gone(map, old, rows, &difference);
out:
	rows_difference_free(&difference);
	return fault ? image_failed(faults, table, doing, fault) : 0;
}

/* Only words that differ are written: a page that nothing changes in stays clean in every reader's cache. */
static int image_write_indices(const struct image *image, const struct tables *tables)
{
	uint32_t base = image_base(image, tables, TABLE_indices), half = tables->entries[TABLE_indices] / GENERATION_SLOTS;

	for (uint32_t i = 0; i < half; i++) {
		uint32_t *word = tables_index(tables, base + i), wanted = i < image->index_count ? image->indices[i] : 0;

		if (__atomic_load_n(word, __ATOMIC_RELAXED) != wanted)
			__atomic_store_n(word, wanted, __ATOMIC_RELAXED);
	}
	return image_indices_equal(image, tables) ? 0 : -EIO;
}

static int image_write_answers(const struct image *image, const struct image *old, const struct tables *tables)
{
	struct answer *first = image_first_answer(image, tables);
	size_t count = image->answer_count;

	if (count)
		memcpy(first, image->answers, count * sizeof(*first));
	if (old->answer_count > count)
		memset(first + count, 0, (old->answer_count - count) * sizeof(*first));
	return image_answers_equal(image, tables) ? 0 : -EIO;
}

int image_write(const struct image *image, const struct image *old, const struct tables *tables,
		struct image_changes *changes, struct faults *faults)
{
	int fault = 0;

	memset(changes, 0, sizeof(*changes));
	tables->settings[image->slot] = image->settings;
	if (image_write_indices(image, tables))
		return image_failed(faults, TABLE_indices, "writing", -EIO);
	if (image_write_answers(image, old, tables))
		return image_failed(faults, TABLE_answers, "writing", -EIO);
	for (int which = 0; which < IMAGE_TABLE_COUNT && !fault; which++)
		fault = image_write_rows(&image->rows[which], &old->rows[which], which, tables, changes, faults);
	return fault;
}
