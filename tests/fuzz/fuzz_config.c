// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Any octets as a configuration, with a zone and a table beside it; what is accepted is compiled and
 * warned of. libFuzzer:
 *
 *	clang -fsanitize=fuzzer,address,undefined ... tests/fuzz/fuzz_config.c; ./fuzz_config
 *-dict=tests/fuzz/config.dict CORPUS
 */
#include <stdlib.h>
#include <string.h>

#include "user/controller/generation.h"

static const char zone_text[] =
	"$TTL 300\n@ SOA ns hostmaster 1 3600 600 604800 60\n@ NS ns\nns A 192.0.2.53\nsub NS ns\n"
	"text TXT text\nalias CNAME ns\n";
static const char table_text[] = "192.0.2.0/24,a\n2001:db8::/32,b\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct generation *generation = NULL;
	struct faults faults;
	struct bundle *bundle;
	struct ids ids;
	int fault;

	faults_init(&faults);
	ids_init(&ids, 1024, 1024);
	if (bundle_new(&bundle) || bundle_add(bundle, "t.yaml", data, size) ||
	    bundle_add(bundle, "z", zone_text, strlen(zone_text)) ||
	    bundle_add(bundle, "t", table_text, strlen(table_text)))
		abort();
	fault = generation_make(bundle, NULL, NULL, &ids, &generation, &faults);
	if (!fault != !faults.errors || !fault != !!generation)
		abort();
	json_decref(faults_json(&faults));
	generation_free(generation);
	bundle_free(bundle);
	ids_free(&ids);
	faults_free(&faults);
	return 0;
}
