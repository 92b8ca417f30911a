// SPDX-License-Identifier: GPL-3.0-or-later
/* Any octets as a bundle. What is accepted must come back the same from the archive that we write of it. */
#include <stdlib.h>
#include <string.h>

#include "user/common/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void bundle_same(const struct bundle *one, const struct bundle *other)
{
	if (one->count != other->count || one->octets != other->octets)
		abort();
	for (size_t i = 0; i < one->count; i++)
		if (strcmp(one->files[i]->name, other->files[i]->name) ||
		    one->files[i]->length != other->files[i]->length ||
		    memcmp(one->files[i]->octets, other->files[i]->octets, one->files[i]->length))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bundle *bundle, *back;
	struct faults faults;
	void *archive;
	size_t length;

	faults_init(&faults);
	if (bundle_read_tar(data, size, &bundle, &faults)) {
		if (!faults.errors || bundle)
			abort();
		faults_free(&faults);
		return 0;
	}
	if (bundle_write_tar(bundle, &archive, &length) || bundle_read_tar(archive, length, &back, &faults))
		abort();
	bundle_same(bundle, back);
	free(archive);
	bundle_free(back);
	bundle_free(bundle);
	faults_free(&faults);
	return 0;
}
