// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Any octets as a configuration, with a zone and a table beside it; what is accepted is compiled. libFuzzer:
 *
 *	clang -fsanitize=fuzzer,address,undefined ... tests/fuzz/fuzz_config.c; ./fuzz_config
 *-dict=tests/fuzz/config.dict CORPUS
 */
#include <stdlib.h>
#include <string.h>

#include "user/controller/compile.h"

static const char zone_text[] =
	"$TTL 300\n@ SOA ns hostmaster 1 3600 600 604800 60\n@ NS ns\nns A 192.0.2.53\nsub NS ns\n"
	"text TXT text\nalias CNAME ns\n";
static const char table_text[] = "192.0.2.0/24,a\n2001:db8::/32,b\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void zones_read(const struct config *config, struct bundle *bundle, struct zone_set *zones,
		       struct faults *faults)
{
	struct zone *zone;

	for (size_t i = 0; i < config->zone_count; i++) {
		if (zone_load(config->zones[i].origin.text, config->zones[i].file, bundle, &zone, faults))
			continue;
		if (zone_set_add(zones, zone))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zone_set *zones = zone_set_new();
	struct compiled *compiled = NULL;
	struct config *config = NULL;
	struct faults faults;
	struct bundle *bundle;
	struct ids ids;

	faults_init(&faults);
	ids_init(&ids, 1024, 1024);
	if (bundle_new(&bundle) || bundle_add(bundle, "t.yaml", data, size) ||
	    bundle_add(bundle, "z", zone_text, strlen(zone_text)) ||
	    bundle_add(bundle, "t", table_text, strlen(table_text)))
		abort();
	if (config_parse(bundle, 0, &config, &faults)) {
		if (!faults.errors || config)
			abort();
		goto out;
	}
	if (faults.errors)
		abort();
	zones_read(config, bundle, zones, &faults);
	if (!faults.errors && compile(config, zones, NULL, &ids, &compiled, &faults) && !faults.errors)
		abort();
out:
	json_decref(faults_json(&faults));
	compiled_free(compiled);
	config_free(config);
	zone_set_free(zones);
	bundle_free(bundle);
	ids_free(&ids);
	faults_free(&faults);
	return 0;
}
