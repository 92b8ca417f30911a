// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "tools/ecsctl/local.h"

int local_refused(const struct ecsctl *ecsctl, const struct faults *faults)
{
	json_t *reply = json_pack("{s:s, s:o}", "error", "refused; nothing was changed", "faults", faults_json(faults));

	output_error(ecsctl, reply);
	json_decref(reply);
	return REFUSED;
}

/* Zone files are loaded for what they $INCLUDE: the bundle has to hold it. */
static int local_fetch_zones(struct bundle *bundle, const struct config *config, struct faults *faults)
{
	struct zone *zone;
	int fault = 0, failed;

	for (size_t i = 0; i < config->zone_count && !faults_enough(faults); i++) {
		failed = zone_load(config->zones[i].origin.text, config->zones[i].file, bundle, &zone, faults);
		if (!failed)
			zone_free(zone);
		fault = fault ? fault : failed;
	}
	return fault;
}

int local_bundle(const struct ecsctl *ecsctl, const char *path, void **archive, size_t *length)
{
	struct bundle *bundle = NULL;
	struct config *config = NULL;
	struct faults faults;
	int fault;

	faults_init(&faults);
	fault = config_read_disk(path, &bundle, &config, &faults);
	if (!fault)
		fault = local_fetch_zones(bundle, config, &faults);
	if (!fault) {
		fault = bundle_write_tar(bundle, archive, length);
		if (fault)
			faults_memory(&faults);
	}
	if (fault)
		local_refused(ecsctl, &faults);
	config_free(config);
	bundle_free(bundle);
	faults_free(&faults);
	return fault ? REFUSED : DONE;
}
