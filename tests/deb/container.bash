# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# container: the clean Debian of `root`, with a layer in memory that takes what is written, as the files of
# one host of the laboratory (../netns/lib.bash), with a systemd of its own as its first process. Knows
# nothing of Limpet.
#
# There is no systemd-nspawn: it would hide what is attached to interfaces and pinned. Namespaces of
# processes, mounts, names and control groups are the container's own; network and kernel are the host's.

# container_files: $CONTAINER, not running. `chroot "$CONTAINER" ...` works in it.
container_files()
{
	CONTAINER=$LAB/root
	export CONTAINER
	mkdir "$CONTAINER" "$LAB/written"
	mount -t tmpfs -o mode=755,size=1g tmpfs "$LAB/written"
	mkdir "$LAB/written/files" "$LAB/written/work"
	mount -t overlay -o "lowerdir=$BUILD/deb/root,upperdir=$LAB/written/files,workdir=$LAB/written/work" \
		overlay "$CONTAINER"
	# Those that have just been started are of interest, not the disks of the machine below.
	mkdir -p "$CONTAINER/etc/systemd/system/systemd-udev-trigger.service.d"
	cat >"$CONTAINER/etc/systemd/system/systemd-udev-trigger.service.d/network.conf" <<-EOT
		[Service]
		ExecStart=
		ExecStart=-udevadm trigger --type=devices --action=add --subsystem-match=net
	EOT
	ln -sf /lib/systemd/system/multi-user.target "$CONTAINER/etc/systemd/system/default.target"
	echo balancer >"$CONTAINER/etc/hostname"
}

# The first process's way to systemd, in its own namespaces: what a container manager would prepare.
container_init()
{
	cat <<-'EOT'
		set -e
		cd /
		root=$1
		mount --make-rprivate /
		mount --bind "$root" "$root"
		mount -t proc proc "$root/proc"
		mount -t sysfs sysfs "$root/sys"
		mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
		mount -t bpf -o mode=700 bpf "$root/sys/fs/bpf"
		mount -t tmpfs -o mode=755 tmpfs "$root/dev"
		for node in null zero full random urandom tty; do
			touch "$root/dev/$node"
			mount --bind "/dev/$node" "$root/dev/$node"
		done
		ln -s /proc/self/fd "$root/dev/fd"
		mkdir "$root/dev/pts" "$root/dev/shm"
		mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
		ln -s pts/ptmx "$root/dev/ptmx"
		mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
		mount -t tmpfs -o mode=755 tmpfs "$root/run"
		# Where /dev is not the kernel's own, systemd looks for this before it cares for devices.
		mkdir "$root/run/udev"
		touch "$root/run/udev/control"
		hostname balancer
		mkdir -p "$root/.before"
		cd "$root"
		pivot_root . .before
		umount -l /.before
		exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system
	EOT
}

# container_boot HOST: returns when systemd says that it is done with starting, or has failed to.
container_boot()
{
	local init=$LAB/init
	container_init >"$init"
	spawn container "$1" unshare --mount --pid --uts --ipc --cgroup --fork --kill-child \
		sh "$init" "$CONTAINER"
	wait_until 30 container_first || return 1
	wait_until 60 container_started
}

# container_first: its first process, as it is numbered here.
container_first()
{
	local first
	first=$(pgrep -P "$(<"$LAB/pid/container")") && [[ $(<"/proc/$first/comm") == systemd ]] &&
		echo "$first"
}

container_started()
{
	[[ $(inside systemctl is-system-running) =~ ^(running|degraded)$ ]]
}

# inside COMMAND...: as root in the running container.
inside()
{
	nsenter --target "$(container_first)" --all --root --wd \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

# Ends every process in it at once, as when the machine loses power.
container_halt()
{
	kill -KILL "$(container_first)"
	stop container KILL
}

container_remove()
{
	[[ ! -e $LAB/pid/container ]] || container_halt
	umount "$CONTAINER" "$LAB/written"
}

# unit UNIT PROPERTY: what systemd says of it.
unit() { inside systemctl show --value --property "$2" "$1"; }
unit_is() { [[ $(unit "$1" "$2") == "$3" ]]; }
journal() { inside journalctl --no-pager --output cat "$@"; }
