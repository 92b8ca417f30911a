// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * ecsdns-loader prepare: the tables of this version's layout, in the sizes that are asked for, for nobody to read yet:
 * the controller fills them, and `upgrade --from` moves the interfaces to them.
 */
#include <stdio.h>

#include "tools/loader/loader.h"

static void prepare_print_json(const struct loader *loader, bool is_new)
{
	json_t *reply = json_pack("{s:s, s:i, s:b}", "pins", loader->pins, "abi", ECSDNS_ABI_VERSION, "made", is_new);

	json_dumpf(reply, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(reply);
}

int loader_prepare(struct loader *loader)
{
	bool is_new = !pins_exist(loader);
	int code = pins_make(loader);

	if (code)
		return code;
	if (loader->json)
		prepare_print_json(loader, is_new);
	else
		printf("%s: tables %s, ABI %d\n", loader->pins, is_new ? "made" : "stand already", ECSDNS_ABI_VERSION);
	return 0;
}
