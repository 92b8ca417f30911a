// SPDX-License-Identifier: GPL-3.0-or-later
/* ecsdns-loader preflight IFACE...: what will not work or not work well there, and how to mend it. Exit 1 if anything. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "tools/loader/loader.h"

static void warn_kernel(FILE *to, json_t *into)
{
	struct utsname kernel;
	int major = 0, minor = 0;
	char text[128];

	if (uname(&kernel) || sscanf(kernel.release, "%d.%d", &major, &minor) != 2 || major > 6 || (major == 6 && minor >= 1))
		return;
	snprintf(text, sizeof(text), "kernel %.64s is older than 6.1, the oldest supported", kernel.release);
	if (to)
		fprintf(to, "%s\n", text);
	if (into)
		json_array_append_new(into, json_pack("{s:s}", "finding", text));
}

static void warn_jit(FILE *to, json_t *into)
{
	static const char text[] = "the BPF JIT is off: the program runs several times slower";
	FILE *file = fopen("/proc/sys/net/core/bpf_jit_enable", "r");
	int on = 1;

	if (!file)
		return;
	if (fscanf(file, "%d", &on) == 1 && !on) {
		if (to)
			fprintf(to, "%s\n  mend: sysctl net.core.bpf_jit_enable=1\n", text);
		if (into)
			json_array_append_new(into, json_pack("{s:s, s:s}", "finding", text, "mend",
							      "sysctl net.core.bpf_jit_enable=1"));
	}
	fclose(file);
}

int loader_preflight(struct loader *loader)
{
	json_t *findings = json_array();
	FILE *text = loader->json ? NULL : stdout;
	size_t count;

	warn_kernel(text, findings);
	warn_jit(text, findings);
	for (int i = 0; i < loader->interface_count; i++) {
		if (interface_find(loader->interfaces[i]) < 0) {
			json_decref(findings);
			return -ENODEV;
		}
		interface_warn(loader->interfaces[i], text, findings);
	}
	count = json_array_size(findings);
	if (loader->json) {
		json_dumpf(findings, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (!count) {
		printf("nothing stands in the way\n");
	}
	json_decref(findings);
	return count ? -EAGAIN : 0;
}
