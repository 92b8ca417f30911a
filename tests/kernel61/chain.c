// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Somebody else's program behind libxdp's dispatcher, as any tool that uses libxdp would put it there.
 *
 *   chain attach IFACE OBJECT PRIORITY    lower numbers run first; ours has libxdp's default, 50
 *   chain detach IFACE NAME
 *   chain list IFACE                      the programs' names in the order in which they run
 *
 * Pins are where LIBXDP_BPFFS says. Exit 0, 1 if refused, 2 for wrong usage.
 */
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xdp/libxdp.h>

static int chain_attach(int ifindex, const char *object, unsigned int priority)
{
	struct xdp_program *program = xdp_program__open_file(object, NULL, NULL);
	int code;

	if (libxdp_get_error(program))
		return libxdp_get_error(program);
	xdp_program__set_run_prio(program, priority);
	xdp_program__set_chain_call_enabled(program, XDP_PASS, true);
	code = xdp_program__attach(program, ifindex, XDP_MODE_NATIVE, 0);
	xdp_program__close(program);
	return code;
}

static int chain_detach(int ifindex, const char *name)
{
	struct xdp_multiprog *all = xdp_multiprog__get_from_ifindex(ifindex);
	struct xdp_program *program = NULL;
	int code = -1;

	if (libxdp_get_error(all))
		return libxdp_get_error(all);
	while ((program = xdp_multiprog__next_prog(program, all)))
		if (!strcmp(xdp_program__name(program), name))
			break;
	if (program)
		code = xdp_program__detach(program, ifindex, xdp_multiprog__attach_mode(all), 0);
	xdp_multiprog__close(all);
	return code;
}

static int chain_list(int ifindex)
{
	struct xdp_multiprog *all = xdp_multiprog__get_from_ifindex(ifindex);
	struct xdp_program *program = NULL;

	if (libxdp_get_error(all))
		return libxdp_get_error(all);
	while ((program = xdp_multiprog__next_prog(program, all)))
		printf("%s\n", xdp_program__name(program));
	xdp_multiprog__close(all);
	return 0;
}

int main(int argc, char **argv)
{
	int ifindex = argc > 2 ? if_nametoindex(argv[2]) : 0, code;

	if (argc == 5 && !strcmp(argv[1], "attach"))
		code = chain_attach(ifindex, argv[3], atoi(argv[4]));
	else if (argc == 4 && !strcmp(argv[1], "detach"))
		code = chain_detach(ifindex, argv[3]);
	else if (argc == 3 && !strcmp(argv[1], "list"))
		code = chain_list(ifindex);
	else
		return 2;
	if (code)
		fprintf(stderr, "chain: %s: %s\n", argv[2], strerror(-code));
	return code ? 1 : 0;
}
