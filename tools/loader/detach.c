// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * ecsdns-loader detach IFACE...: the program off the interfaces; the tables stay, and a later attach answers at once.
 * ecsdns-loader unload: off every interface, and the tables too.
 */
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/loader/loader.h"

static int detach_one(struct loader *loader, const char *name)
{
	int ifindex = if_nametoindex(name), code;

	code = hook_detach(loader, name, ifindex);
	interface_forget(loader, ifindex);
	if (!ifindex)
		fprintf(stderr, "ecsdns-loader: no such interface: %s; what hung on it is gone with it\n", name);
	else if (code == -ENOENT)
		fprintf(stderr, "ecsdns-loader: %s does not carry the program of these tables\n", name);
	else if (code)
		fprintf(stderr, "ecsdns-loader: detaching from %s: %s\n", name, strerror(-code));
	else if (!loader->json)
		printf("%s: detached\n", name);
	return code;
}

int loader_detach(struct loader *loader)
{
	int code = 0, one;

	for (int i = 0; i < loader->interface_count; i++) {
		one = detach_one(loader, loader->interfaces[i]);
		code = code ? code : one;
	}
	if (!code && loader->json)
		loader_status(loader);	/* that nothing is attached any more, is what was asked for */
	return code;
}

static void unload_print_json(const struct loader *loader)
{
	json_t *reply = json_pack("{s:s, s:b}", "pins", loader->pins, "removed", 1);

	json_dumpf(reply, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(reply);
}

/* Every interface of this namespace that carries our program, every pinned link of one that is gone, half a set. */
int loader_unload(struct loader *loader)
{
	struct if_nameindex *all;
	struct attachment found;
	int code = 0;

	if (access(loader->pins, F_OK)) {
		fprintf(stderr, "ecsdns-loader: nothing to unload: no tables in %s\n", loader->pins);
		return -ENOENT;
	}
	all = if_nameindex();
	for (struct if_nameindex *at = all; at && at->if_index && !code; at++) {
		hook_find(loader, at->if_name, at->if_index, &found);
		if (found.how != ATTACHED_NOT)
			code = detach_one(loader, at->if_name);
	}
	if_freenameindex(all);
	if (code)
		return code;
	code = pins_remove(loader);
	if (!code && loader->json)
		unload_print_json(loader);
	else if (!code)
		printf("%s: tables removed\n", loader->pins);
	return code;
}
