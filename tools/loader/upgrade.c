// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * ecsdns-loader upgrade IFACE...: this binary's program in place of the one that runs, no gap; on the same tables, or
 * with --from on others.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>

#include "tools/loader/loader.h"

static int upgrade_one(struct loader *loader, const char *name)
{
	struct attachment before, after;
	int ifindex = interface_find(name), code;

	if (ifindex < 0)
		return ifindex;
	hook_find(loader, name, ifindex, &before);
	code = hook_upgrade(loader, name, ifindex);
	if (code)
		return code;
	code = interface_refresh(loader, name, ifindex);
	hook_find(loader, name, ifindex, &after);
	if (!loader->json)
		printf("%s: program %u replaced by %u\n", name, before.program_id, after.program_id);
	return code;
}

int loader_upgrade(struct loader *loader)
{
	int code;

	if (!pins_exist(loader)) {
		fprintf(stderr, "ecsdns-loader: no tables in %s (ABI %d); `ecsdns-loader %s` makes them\n", loader->pins,
			ECSDNS_ABI_VERSION, loader->from ? "prepare" : "attach IFACE");
		return -ENOENT;
	}
	code = pins_make(loader);	/* they stand: only compares the layout */
	if (!code && loader->from)
		code = move_all(loader);
	for (int i = 0; i < loader->interface_count && !code && !loader->from; i++)
		code = upgrade_one(loader, loader->interfaces[i]);
	return code ? code : loader->json ? loader_status(loader) : 0;
}
