#!/usr/bin/env bash
# Build the kernel (for who has none, or changes it) and the Debian disk for run.sh
# --debian and --systemd.
#
#   build.sh [--kernel] [--debian] [--force]
#
#   --kernel  compile User-Mode Linux from Debian's kernel source (the default
#             unless --debian is given; 4 minutes)
#   --debian  make the disk (a minute, as root)
#   --force   even if it is there
#
# All comes from the Debian archive that this machine's apt already uses. A second
# run finds everything done and ends at once.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${UML_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tasmota-azd-uml}
source=linux-source-6.1
kernel=false debian=false force=false
for arg; do
	case $arg in
	--kernel) kernel=true ;;
	--debian | --systemd) debian=true ;;
	--force) force=true ;;
	*) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
	esac
done
$debian || kernel=true

say() { printf '%s uml: %s\n' "$(date +%T)" "$*" >&2; }
die() { echo "build.sh: $*" >&2; exit 1; }

# need PACKAGE:PROGRAM...: install what is missing.
need() {
	local n missing=()
	for n; do command -v "${n#*:}" >/dev/null || missing+=("${n%%:*}"); done
	((${#missing[@]})) || return 0
	[ "$(id -u)" = 0 ] || die "missing: ${missing[*]} (apt install them, or run this as root)"
	say "installing ${missing[*]}"
	{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \
		--no-install-recommends "${missing[@]}"; } >/dev/null
}

mkdir -p "$cache"
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT

build_kernel() {
	need gcc:gcc make:make flex:flex bison:bison bc:bc xz-utils:xz patch:patch libc6-dev:ldd
	cd "$work"
	say "downloading $source (139 MB)"
	apt-get -qq -o APT::Sandbox::User=root download "$source" busybox-static
	dpkg-deb -x busybox-static_*.deb .
	say "unpacking"
	dpkg-deb --fsys-tarfile "$source"_*.deb | tar -xO "./usr/src/$source.tar.xz" |
		tar -xJ --one-top-level=src --strip-components=1 --exclude='*/Documentation/*/*' \
			--exclude='*/drivers/gpu/drm/*/*.[ch]' --exclude='*/arch/*/boot/dts/*' \
			--exclude='*/tools/perf/*' --exclude='*/tools/testing/*' --wildcards
	cd src
	patch -s -p1 <"$here/linux.patch"

	# In the kernel: busybox, and an /init that goes on with run.sh's folder.
	cat >initramfs.init <<'END'
#!/bin/busybox sh
/bin/busybox mount -t hostfs none /host && . /host/init
echo "no folder from the host: boot it with run.sh" >&2
/bin/busybox halt -f
END
	cat >initramfs.list <<END
dir /dev 755 0 0
nod /dev/console 600 0 0 c 5 1
dir /bin 755 0 0
dir /host 755 0 0
file /bin/busybox $work/bin/busybox 755 0 0
file /init initramfs.init 755 0 0
END
	make -s ARCH=um KCONFIG_ALLCONFIG="$here/config" allnoconfig >/dev/null
	if grep -v '^#' "$here/config" | grep . | grep -vxFf .config >missing; then
		die "not taken over from config: $(tr '\n' ' ' <missing)"
	fi
	say "compiling"
	KBUILD_BUILD_USER=tasmota-azd KBUILD_BUILD_HOST=uml \
		make -s ARCH=um -j"$(nproc)" linux >"$cache/build.log" 2>&1 ||
		{ tail -20 "$cache/build.log" >&2; die "the kernel did not compile"; }
	strip -o "$work/linux" linux
	cd "$work"
	mv linux "$cache/linux"
	cat "$here/config" "$here/linux.patch" | sha256sum >"$cache/linux.key"
	dpkg-deb -f "$source"_*.deb Version >"$cache/linux.source"
}

build_debian() {
	need mmdebstrap:mmdebstrap e2fsprogs:mke2fs
	[ "$(id -u)" = 0 ] || die "--debian needs root"
	local root=$work/debian codename name
	# shellcheck disable=SC1091
	codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
	say "installing Debian with systemd"
	mmdebstrap --quiet --variant=minbase \
		--include=systemd-sysv,udev,dbus,procps,adduser,iproute2,nftables,ca-certificates \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/i18n/*' \
		"$codename" "$root" /etc/apt/sources.list.d/debian.sources
	rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/etc/apt/sources.list.d/*
	echo raspberrypi >"$root/etc/hostname"
	printf '%s\n' '127.0.0.1 localhost raspberrypi' '192.0.2.1 host' >"$root/etc/hosts"
	echo '/dev/ubda / ext4 defaults,noatime 0 0' >"$root/etc/fstab"
	# Not the first boot, and nothing to update.
	tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
	touch "$root/etc/.updated" "$root/var/.updated"
	rm -f "$root/etc/resolv.conf"
	sed -i 's/^root:[^:]*:/root::/' "$root/etc/shadow"
	# Raspberry Pi OS: the group gpio may use the GPIO, and the user pi is in it.
	echo 'gpio:x:997:pi' >>"$root/etc/group"
	echo 'pi:x:1000:' >>"$root/etc/group"
	echo 'pi:x:1000:1000::/home/pi:/bin/bash' >>"$root/etc/passwd"
	echo 'pi:!:20000::::::' >>"$root/etc/shadow"
	install -d -o 1000 -g 1000 "$root/home/pi"
	mkdir -p "$root/etc/udev/rules.d" "$root/var/log/journal"
	echo 'SUBSYSTEM=="gpio", GROUP="gpio", MODE="0660"' >"$root/etc/udev/rules.d/99-gpio.rules"
	# Not needed here, and slow: a new process costs this kernel some milliseconds.
	for name in e2scrub_all.timer e2scrub_reap.service apt-daily.timer apt-daily-upgrade.timer \
		dpkg-db-backup.timer fstrim.timer systemd-tmpfiles-clean.timer getty.target \
		getty@.service serial-getty@.service console-getty.service modprobe@.service \
		systemd-logind.service systemd-user-sessions.service systemd-random-seed.service \
		systemd-update-utmp.service systemd-update-utmp-runlevel.service; do
		ln -sf /dev/null "$root/etc/systemd/system/$name"
	done
	# Of the devices there at boot, udev looks at these only (see also 99-gpio.rules).
	mkdir -p "$root/etc/systemd/system/systemd-udev-trigger.service.d"
	printf '%s\n' '[Service]' ExecStart= 'ExecStart=-udevadm trigger --action=add --subsystem-match=gpio --subsystem-match=net --subsystem-match=watchdog' \
		>"$root/etc/systemd/system/systemd-udev-trigger.service.d/uml.conf"
	mke2fs -q -t ext4 -O ^has_journal -L root -d "$root" "$work/debian.img" 768M >/dev/null
	mv "$work/debian.img" "$cache/debian.img"
}

key=$(cat "$here/config" "$here/linux.patch" | sha256sum)
if $kernel && { $force || [ ! -x "$cache/linux" ] || [ ! -e "$cache/linux.source" ] ||
	[ "$(cat "$cache/linux.key" 2>/dev/null)" != "$key" ]; }; then
	build_kernel
fi
if $debian && { $force || [ ! -e "$cache/debian.img" ]; }; then build_debian; fi
say "ready: $cache"
