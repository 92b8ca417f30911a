// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * How the program hangs on an interface. Preferred is libxdp's dispatcher, which lets several programs share the
 * interface. Where kernel or libxdp refuse it (from 6.13 a program that grows packets, behind libxdp before 1.5.5; no
 * freplace at all), the program is attached alone through a pinned BPF link.
 *
 * libxdp attaches alone through netlink on its own when the dispatcher is refused, and says only that it worked;
 * nothing can then follow without a gap. So we ask beforehand, in a network namespace of the question's own.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_link.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/loader/loader.h"

#define LOOPBACK 1	/* ifindex in every fresh namespace */

static void link_path(const struct loader *loader, const char *name, char path[PATH_MAX])
{
	int pin = snprintf(path, PATH_MAX, "%s/" LINK_PREFIX, loader->pins);

	if (pin < PATH_MAX)
		snprintf(path + pin, PATH_MAX - pin, "%s", name);
	for (char *dot = path + strlen(path) - strlen(name); (dot = strchr(dot, '.')); )
		*dot = ':';	/* bpffs takes no dots, interfaces take no colons */
}

/* -- behind the dispatcher -- */

static int print_nothing_xdp(enum libxdp_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

static int print_nothing_bpf(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

/* Owns the object from here on, also when it fails. */
static struct xdp_program *dispatcher_program(struct bpf_object *object)
{
	DECLARE_LIBXDP_OPTS(xdp_program_opts, options, .obj = object, .prog_name = PROGRAM_NAME);
	struct xdp_program *program = xdp_program__create(&options);

	if (libxdp_get_error(program)) {
		bpf_object__close(object);
		return NULL;
	}
	xdp_program__set_chain_call_enabled(program, XDP_PASS, true);
	return program;
}

/*
 * In the child: namespaces of its own, where the loopback takes the program, and a bpffs over the one that libxdp uses,
 * whose path libxdp remembers, and that it made a directory there. The exit removes everything.
 */
static int dispatcher_try(struct bpf_object *object)
{
	const char *bpffs = getenv("LIBXDP_BPFFS");
	char path[PATH_MAX];
	struct xdp_multiprog *attached;
	struct xdp_program *program;
	bool legacy;

	libxdp_set_print(print_nothing_xdp);
	libbpf_set_print(print_nothing_bpf);
	if (!bpffs || unshare(CLONE_NEWNET | CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", bpffs, "bpf", 0, NULL))
		return 1;
	snprintf(path, sizeof(path), "%s/xdp", bpffs);
	if (mkdir(path, 0700))
		return 1;
	program = dispatcher_program(object);
	if (!program || xdp_program__attach(program, LOOPBACK, XDP_MODE_SKB, 0))
		return 1;
	attached = xdp_multiprog__get_from_ifindex(LOOPBACK);
	if (libxdp_get_error(attached))
		return 1;
	legacy = xdp_multiprog__is_legacy(attached);
	return legacy ? 1 : 0;
}

/* Would the dispatcher take our very program on this kernel? */
static bool dispatcher_works(const struct loader *loader)
{
	struct bpf_object *object;
	int status = 1;
	pid_t child;

	if (loader->chain == CHAIN_NO)
		return false;
	object = pins_open_program(loader);
	if (!object)
		return false;
	fflush(NULL);
	child = fork();
	if (!child)
		_exit(dispatcher_try(object));
	if (child > 0)
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
	bpf_object__close(object);
	return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Our program among those behind the interface's dispatcher, or NULL. Valid while `all` is open. */
static struct xdp_program *dispatcher_find(const struct loader *loader, const struct xdp_multiprog *all)
{
	struct xdp_program *program = NULL;

	if (xdp_multiprog__is_legacy(all))
		return NULL;
	while ((program = xdp_multiprog__next_prog(program, all)))
		if (pins_program_is_ours(loader, xdp_program__fd(program)))
			return program;
	return NULL;
}

static int dispatcher_attach(const struct loader *loader, int ifindex, enum xdp_attach_mode mode)
{
	struct bpf_object *object = pins_open_program(loader);
	struct xdp_program *program = object ? dispatcher_program(object) : NULL;
	int code;

	if (!program)
		return -EINVAL;
	libxdp_set_print(print_nothing_xdp);
	code = xdp_program__attach(program, ifindex, mode, 0);
	if (!code)
		code = pins_keep_program(loader, xdp_program__fd(program));
	xdp_program__close(program);
	return code;
}

static int dispatcher_detach(int ifindex, uint32_t program_id)
{
	struct xdp_multiprog *all = xdp_multiprog__get_from_ifindex(ifindex);
	struct xdp_program *program = NULL;
	int code = -ENOENT;

	if (libxdp_get_error(all))
		return -ENOENT;
	while (!xdp_multiprog__is_legacy(all) && (program = xdp_multiprog__next_prog(program, all))) {
		struct bpf_prog_info info = {};
		__u32 length = sizeof(info);

		if (bpf_obj_get_info_by_fd(xdp_program__fd(program), &info, &length) || info.id != program_id)
			continue;
		code = xdp_program__detach(program, ifindex, xdp_multiprog__attach_mode(all), 0);
		break;
	}
	xdp_multiprog__close(all);
	return code;
}

/* -- alone, through a link -- */

static int link_load(const struct loader *loader, struct bpf_object **object)
{
	int code;

	*object = pins_open_program(loader);
	if (!*object)
		return -EINVAL;
	code = bpf_object__load(*object);
	if (code) {
		fprintf(stderr, "ecsdns-loader: the kernel refused the program: %s\n", strerror(-code));
		bpf_object__close(*object);
		*object = NULL;
		return code;
	}
	return bpf_program__fd(bpf_object__find_program_by_name(*object, PROGRAM_NAME));
}

static int link_attach(const struct loader *loader, const char *name, int ifindex, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);
	struct bpf_object *object;
	int program, link, code = 0;
	char path[PATH_MAX];

	program = link_load(loader, &object);
	if (program < 0)
		return program;
	link_path(loader, name, path);
	link = bpf_link_create(program, ifindex, BPF_XDP, &options);
	if (link < 0) {
		code = -errno;
		goto out;
	}
	unlink(path);	/* of an interface that is gone */
	if (bpf_obj_pin(link, path)) {
		code = -errno;
		fprintf(stderr, "ecsdns-loader: pinning %s: %s\n", path, strerror(errno));
	} else {
		code = pins_keep_program(loader, program);
	}
	close(link);	/* unpinned, it detaches */
out:
	bpf_object__close(object);
	return code;
}

/* The pinned link of an interface: its descriptor and info, or -errno; -ENODEV if its interface is gone. */
static int link_open(const struct loader *loader, const char *name, struct bpf_link_info *info)
{
	__u32 length = sizeof(*info);
	char path[PATH_MAX];
	int fd;

	link_path(loader, name, path);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	memset(info, 0, sizeof(*info));
	if (bpf_obj_get_info_by_fd(fd, info, &length) || info->type != BPF_LINK_TYPE_XDP) {
		close(fd);
		return -EINVAL;
	}
	if (!info->xdp.ifindex) {
		close(fd);
		return -ENODEV;
	}
	return fd;
}

/*
 * Does the program of this link use these tables? While the interface moves to other tables, both directories have a pin
 * of its link (hook_move()). Half a set of tables, without that by which it is known, owns what is pinned there.
 */
static bool link_is_ours(const struct loader *loader, const struct bpf_link_info *info)
{
	int program = bpf_prog_get_fd_by_id(info->prog_id);
	bool is_ours = !pins_exist(loader) || program < 0 || pins_program_is_ours(loader, program);

	if (program >= 0)
		close(program);
	return is_ours;
}

static int link_upgrade(const struct loader *loader, const char *name)
{
	struct bpf_link_info info;
	struct bpf_object *object;
	int link, program, code;

	link = link_open(loader, name, &info);
	if (link < 0)
		return link;
	program = link_load(loader, &object);
	if (program < 0) {
		close(link);
		return program;
	}
	code = bpf_link_update(link, program, NULL) ? -errno : pins_keep_program(loader, program);
	if (code)
		fprintf(stderr, "ecsdns-loader: putting the new program on %s: %s; the old one goes on\n", name, strerror(-code));
	bpf_object__close(object);
	close(link);
	return code;
}

/* Detached before the pin goes: the kernel frees a link in its own time, and the caller may attach again at once. */
static int link_detach(const struct loader *loader, const char *name, const char *path)
{
	struct bpf_link_info info;
	int link = link_open(loader, name, &info), code;

	if (link < 0)
		return link;
	code = bpf_link_detach(link) ? -errno : 0;
	close(link);
	if (unlink(path) && !code)
		code = -errno;
	return code;
}

/*
 * The link gets a pin among the new tables first, then the program on these, then loses its old pin: at no time is it
 * without one, and whose tables it is on, the program tells.
 */
static int link_move(const struct loader *loader, const struct loader *from, const char *name)
{
	struct bpf_link_info info;
	char path[PATH_MAX];
	int link = link_open(from, name, &info), code;

	if (link < 0)
		return link;
	link_path(loader, name, path);
	unlink(path);	/* of a move that ended here, or of an interface that is gone */
	code = bpf_obj_pin(link, path) ? -errno : 0;
	close(link);
	if (code) {
		fprintf(stderr, "ecsdns-loader: pinning %s: %s; the old program goes on\n", path, strerror(-code));
		return code;
	}
	code = link_upgrade(loader, name);
	if (code)
		unlink(path);
	return code;
}

/* -- either -- */

static bool hook_is_generic(int ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, options);

	return !bpf_xdp_query(ifindex, 0, &options) && options.attach_mode == XDP_ATTACHED_SKB;
}

int hook_find(const struct loader *loader, const char *name, int ifindex, struct attachment *out)
{
	struct xdp_multiprog *all;
	struct xdp_program *program;
	struct bpf_link_info link;
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);
	int fd = link_open(loader, name, &link);

	memset(out, 0, sizeof(*out));
	if (fd >= 0) {
		close(fd);
		if ((int)link.xdp.ifindex != ifindex || !link_is_ours(loader, &link))
			return 0;
		out->how = ATTACHED_LINK;
		out->program_id = link.prog_id;
		out->generic = hook_is_generic(ifindex);
		return 0;
	}
	all = xdp_multiprog__get_from_ifindex(ifindex);
	if (libxdp_get_error(all))
		return 0;
	program = dispatcher_find(loader, all);
	if (program && !bpf_obj_get_info_by_fd(xdp_program__fd(program), &info, &length)) {
		out->how = ATTACHED_DISPATCHER;
		out->program_id = info.id;
		out->generic = xdp_multiprog__attach_mode(all) == XDP_MODE_SKB;
	}
	xdp_multiprog__close(all);
	return 0;
}

static int hook_attach_mode(const struct loader *loader, const char *name, int ifindex, bool generic, bool dispatcher)
{
	if (dispatcher)
		return dispatcher_attach(loader, ifindex, generic ? XDP_MODE_SKB : XDP_MODE_NATIVE);
	return link_attach(loader, name, ifindex, generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
}

/* Another program is there: in the same mode (EBUSY), or in the other (EEXIST). */
static bool hook_is_taken(int code)
{
	return code == -EBUSY || code == -EEXIST;
}

static int hook_complain(const char *name, int ifindex, int code)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, options);

	if (hook_is_taken(code) && !bpf_xdp_query(ifindex, 0, &options) && options.attach_mode)
		fprintf(stderr, "ecsdns-loader: %s carries another XDP program already (`ip link show dev %s`); "
			"detach that one first\n", name, name);
	else
		fprintf(stderr, "ecsdns-loader: attaching to %s: %s; `ecsdns-loader preflight %s` tells what stands in the way\n",
			name, strerror(-code), name);
	return code;
}

int hook_attach(const struct loader *loader, const char *name, int ifindex)
{
	bool dispatcher = dispatcher_works(loader), generic = loader->mode == MODE_GENERIC;
	int code;

	if (!dispatcher && loader->chain == CHAIN_YES) {
		fprintf(stderr, "ecsdns-loader: this kernel or libxdp does not take the program behind the dispatcher; "
			"leave out --dispatcher yes to attach it alone\n");
		return -EOPNOTSUPP;
	}
	code = hook_attach_mode(loader, name, ifindex, generic, dispatcher);
	if (code && !hook_is_taken(code) && loader->mode == MODE_AUTO) {
		fprintf(stderr, "ecsdns-loader: %s: native mode refused (%s); attaching in generic mode, which is several times "
			"slower\n", name, strerror(-code));
		generic = true;
		code = hook_attach_mode(loader, name, ifindex, generic, dispatcher);
	}
	if (code)
		return hook_complain(name, ifindex, code);
	return 0;
}

int hook_upgrade(const struct loader *loader, const char *name, int ifindex)
{
	struct attachment old;
	int code;

	hook_find(loader, name, ifindex, &old);
	if (old.how == ATTACHED_LINK)
		return link_upgrade(loader, name);
	if (old.how == ATTACHED_NOT) {
		fprintf(stderr, "ecsdns-loader: %s does not carry the program; `ecsdns-loader attach %s`\n", name, name);
		return -ENOENT;
	}
	/* Both behind the dispatcher for a moment: whichever comes first answers. */
	code = dispatcher_attach(loader, ifindex, old.generic ? XDP_MODE_SKB : XDP_MODE_NATIVE);
	if (code)
		return hook_complain(name, ifindex, code);
	return dispatcher_detach(ifindex, old.program_id);
}

/* What is left among the old tables of an interface that carries the program of the new ones. */
static int move_finish(const struct loader *from, const char *name, int ifindex, const struct attachment *old)
{
	char path[PATH_MAX];

	link_path(from, name, path);
	if (unlink(path) && errno != ENOENT) {
		fprintf(stderr, "ecsdns-loader: removing %s: %s\n", path, strerror(errno));
		return -errno;
	}
	return old->how == ATTACHED_DISPATCHER ? dispatcher_detach(ifindex, old->program_id) : 0;
}

int hook_move(const struct loader *loader, const struct loader *from, const char *name, int ifindex)
{
	struct attachment old, ours;
	int code = 0;

	hook_find(from, name, ifindex, &old);
	hook_find(loader, name, ifindex, &ours);
	if (ours.how == ATTACHED_NOT && old.how == ATTACHED_NOT) {
		fprintf(stderr, "ecsdns-loader: %s does not carry the program of the tables in %s; "
			"`ecsdns-loader attach %s` puts it on those in %s\n", name, from->pins, name, loader->pins);
		return -ENOENT;
	}
	if (ours.how == ATTACHED_NOT && old.how == ATTACHED_LINK)
		code = link_move(loader, from, name);
	else if (ours.how == ATTACHED_NOT)
		code = dispatcher_attach(loader, ifindex, old.generic ? XDP_MODE_SKB : XDP_MODE_NATIVE);
	if (code)
		return hook_complain(name, ifindex, code);
	return move_finish(from, name, ifindex, &old);
}

int hook_detach(const struct loader *loader, const char *name, int ifindex)
{
	struct attachment found;
	char path[PATH_MAX];

	hook_find(loader, name, ifindex, &found);
	link_path(loader, name, path);
	if (found.how == ATTACHED_LINK)
		return link_detach(loader, name, path);
	if (found.how == ATTACHED_DISPATCHER)
		return dispatcher_detach(ifindex, found.program_id);
	unlink(path);	/* of an interface that is gone, or that moved to other tables */
	return -ENOENT;
}
