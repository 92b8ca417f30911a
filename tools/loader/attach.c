// SPDX-License-Identifier: GPL-3.0-or-later
/* ecsdns-loader attach IFACE...: tables if there are none, then the program on every interface, or on none of them. */
#include <errno.h>
#include <stdio.h>

#include "tools/loader/loader.h"

static const char *how_text(enum attachment_how how)
{
	return how == ATTACHED_DISPATCHER ? "behind libxdp's dispatcher" : "alone, pinned link";
}

/* Most interfaces have something to say; the whole of it is preflight's. */
static void hint(const char *name)
{
	json_t *findings = json_array();

	interface_warn(name, NULL, findings);
	if (json_array_size(findings))
		fprintf(stderr, "%s: `ecsdns-loader preflight %s` has %zu hints\n", name, name, json_array_size(findings));
	json_decref(findings);
}

static int attach_one(struct loader *loader, const char *name)
{
	struct attachment found;
	int ifindex = interface_find(name), code;

	if (ifindex < 0)
		return ifindex;
	hook_find(loader, name, ifindex, &found);
	if (found.how != ATTACHED_NOT) {
		fprintf(stderr, "ecsdns-loader: %s carries the program already; `ecsdns-loader upgrade %s` replaces it\n",
			name, name);
		return -EEXIST;
	}
	code = interface_register(loader, name, ifindex);
	if (code)
		return code;
	code = hook_attach(loader, name, ifindex);
	if (code) {
		interface_forget(loader, ifindex);
		return code;
	}
	hook_find(loader, name, ifindex, &found);
	if (!loader->json)
		printf("%s: attached in %s mode, %s, program %u\n", name, found.generic ? "generic" : "native",
		       how_text(found.how), found.program_id);
	hint(name);
	return 0;
}

int loader_attach(struct loader *loader)
{
	int code = 0, fresh, done;

	for (int i = 0; i < loader->interface_count; i++)
		if (interface_find(loader->interfaces[i]) < 0)
			return -ENODEV;
	fresh = !pins_exist(loader);
	code = pins_make(loader);
	if (code)
		return code;
	for (done = 0; done < loader->interface_count && !code; done++)
		code = attach_one(loader, loader->interfaces[done]);
	if (code) {
		for (int i = 0; i < done - 1; i++) {
			int ifindex = interface_find(loader->interfaces[i]);

			hook_detach(loader, loader->interfaces[i], ifindex);
			interface_forget(loader, ifindex);
			fprintf(stderr, "ecsdns-loader: %s: detached again\n", loader->interfaces[i]);
		}
		if (fresh)
			pins_remove(loader);
		return code;
	}
	return loader->json ? loader_status(loader) : 0;
}
