// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What bpftool of Debian 12 does not tell about a pin.
 *
 *   pin program PATH    "verified N": the instructions that the verifier went through
 *   pin map PATH        "readable" if it opens for reading only, " writable" if for both
 *
 * Exit 0; 1 if the pin does not open at all; 2 for wrong usage.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *path)
{
	fprintf(stderr, "pin: %s: %s\n", path, strerror(errno));
	return 1;
}

static int print_map(const char *path)
{
	LIBBPF_OPTS(bpf_obj_get_opts, options, .file_flags = BPF_F_RDONLY);
	int fd = bpf_obj_get_opts(path, &options), writable;

	if (fd < 0)
		return fail(path);
	close(fd);
	writable = bpf_obj_get(path);
	printf("readable%s\n", writable >= 0 ? " writable" : "");
	if (writable >= 0)
		close(writable);
	return 0;
}

static int print_program(const char *path)
{
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);
	int fd = bpf_obj_get(path);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length))
		return fail(path);
	printf("verified %u\n", info.verified_insns);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "program"))
		return print_program(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "map"))
		return print_map(argv[2]);
	fprintf(stderr, "usage: pin program|map PATH\n");
	return 2;
}
