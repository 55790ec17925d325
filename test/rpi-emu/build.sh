#!/usr/bin/env bash
# Fill the cache with what run.sh boots: Debian's kernels for arm64 and for the first
# Raspberry Pi, device trees of three models, an initramfs for each kernel and, with
# --systemd, a Debian root disk for arm64.
# Run it as root; a second run finds everything done and ends at once.
#
#   build.sh [--systemd] [--force]
#
# Everything comes from the Debian archive that this machine's apt already uses.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${RPI_EMU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tasmota-azd-rpi}
systemd=false force=false
for arg; do
	case $arg in
	--systemd) systemd=true ;;
	--force) force=true ;;
	*) echo "usage: build.sh [--systemd] [--force]" >&2; exit 2 ;;
	esac
done

# shellcheck disable=SC1091
codename=$(. /etc/os-release && echo "$VERSION_CODENAME") backports=''
[ "$codename" != bookworm ] || backports=bookworm-backports
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf '%s rpi-emu: %s\n' "$(date +%T)" "$*" >&2; }

# --- tools of this machine -------------------------------------------------

need=(qemu-system-arm:qemu-system-aarch64 qemu-utils:qemu-img
	device-tree-compiler:fdtput cpio:cpio kmod:depmod xz-utils:unxz python3:python3)
if $systemd; then need+=(mmdebstrap:mmdebstrap e2fsprogs:mke2fs); fi
missing=()
for n in "${need[@]}"; do
	command -v "${n#*:}" >/dev/null || missing+=("${n%%:*}")
done
if ((${#missing[@]})); then
	say "installing ${missing[*]}"
	{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \
		--no-install-recommends "${missing[@]}"; } >/dev/null
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT

# apt for another architecture, with lists and state of its own: the machine's own
# apt, its list of architectures and its packages stay as they are. To the machine's
# sources it adds, on Debian 12, the backports, for Linux 6.12 on arm64.
apt_for() { # apt_for ARCHITECTURE ARGUMENT...
	local apt=$cache/apt/$1
	mkdir -p "$apt"/{sources,lists/partial,archives/partial}
	: >"$apt/status"
	cp /etc/apt/sources.list.d/* "$apt/sources" 2>/dev/null || true
	[ -z "$backports" ] ||
		sed -n "/^URIs:/{s,^URIs: *\\([^ ]*\\).*,deb [signed-by=$keyring] \\1 $backports main,p;q}" \
			/etc/apt/sources.list.d/debian.sources >"$apt/sources/backports.list"
	apt-get -qq -o APT::Architecture="$1" -o APT::Architectures="$1" \
		-o APT::Sandbox::User=root -o Dir::Etc::SourceParts="$apt/sources" \
		-o Dir::State::Lists="$apt/lists" \
		-o Dir::State::status="$apt/status" \
		-o Dir::Cache="$apt" "${@:2}"
}
apt_arm64() { apt_for arm64 "$@"; }

# base OUT: the initramfs's folders, busybox and init.
base() {
	mkdir -p "$1"/{bin,dev,etc,mnt,proc,root,run,sys,tmp,var}
	cp "$work/root/bin/busybox" "$1/bin/busybox"
	install -m 755 "$here/init" "$1/init"
}

# pack FOLDER OUT: as a cpio archive.
pack() { (cd "$1" && find . | LC_ALL=C sort | cpio -o --quiet -H newc -R 0:0) >"$2"; }

# --- kernel, device trees, initramfs ----------------------------------------

build_boot() {
	say "downloading the kernel (90 MB)"
	apt_arm64 update
	local image
	image=$(apt_arm64 -s install ${backports:+-t "$backports"} --no-install-recommends linux-image-arm64 |
		sed -n 's/^Inst \(linux-image-[0-9][^ ]*\) .*/\1/p')
	mkdir "$work/debs" "$work/root"
	(cd "$work/debs" && apt_arm64 download "$image" busybox-static)
	for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work/root"; done
	local version=${image#linux-image-}

	cp "$work/root/boot/vmlinuz-$version" "$work/Image"

	# Two models with the same SoC. periph's drivers reach the GPIO in another way on
	# each: by ioctl on the 3B, by memory on the Zero 2 W.
	board_dtb bcm2837-rpi-3-b a02082 "$work/3b.dtb"
	board_dtb bcm2837-rpi-zero-2-w 902120 "$work/zero2w.dtb"
	virt_dtb "$work/virt.dtb"

	say "making the initramfs"
	local fs=$work/initramfs modules=lib/modules/$version m
	base "$fs"
	mkdir -p "$fs/$modules"
	depmod -b "$work/root" "$version"
	for m in bcm2835_wdt bcm2835 bcm2835-rng phy-generic dwc2 cdc_ether \
		virtio_pci virtio_blk virtio_net virtio_console virtio-rng \
		crc32c_generic ext4; do
		sed -n "s,^\(.*/$m\.ko[.xz]*\): *,\1 ,p" "$work/root/$modules/modules.dep"
	done | tr ' ' '\n' | sort -u | sed '/^$/d' >"$work/modules"
	(cd "$work/root/$modules" && cpio -pdm --quiet "$fs/$modules" <"$work/modules")
	find "$fs/$modules" -name '*.xz' -exec unxz {} +
	cp "$work/root/$modules"/modules.{order,builtin,builtin.modinfo} "$fs/$modules"
	depmod -b "$fs" "$version"
	pack "$fs" "$work/initramfs.cpio"

	mv "$work"/{Image,3b.dtb,zero2w.dtb,virt.dtb,initramfs.cpio} "$cache"
	echo "$version" >"$cache/boot.done"
}

# build_zero: the same for the first Raspberry Pi, whose Zero QEMU has. Its kernel
# needs no modules.
build_zero() {
	say "downloading the kernel of the first Raspberry Pi (26 MB)"
	rm -rf "$work"/*
	mkdir "$work/debs" "$work/root" "$work/initramfs"
	apt_for armel update
	local image
	image=$(apt_for armel -s install --no-install-recommends linux-image-rpi |
		sed -n 's/^Inst \(linux-image-[0-9][^ ]*\) .*/\1/p')
	(cd "$work/debs" && apt_for armel download "$image" busybox-static)
	for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work/root"; done

	mkdir -p "$cache/zero"
	local dtb=$cache/zero/zero.dtb
	cp "$work/root/usr/lib/$image/bcm2835-rpi-zero.dtb" "$dtb"
	firmware_words "$dtb" 900092
	base "$work/initramfs"
	pack "$work/initramfs" "$cache/zero/initramfs.cpio"
	cp "$work/root/boot/vmlinuz-${image#linux-image-}" "$cache/zero/Image"
	echo "${image#linux-image-}" >"$cache/zero/boot.done"
}

# board_dtb NAME REVISION OUT: the model's device tree, with what the firmware
# of a real Pi adds (revision, serial), and with the console UART freed from
# Bluetooth, which QEMU does not have.
board_dtb() {
	cp "$work/root/usr/lib/linux-image-$version/broadcom/$1.dtb" "$3"
	chmod u+w "$3"
	firmware_words "$3" "$2"
	fdtput -r "$3" /soc/serial@7e201000/bluetooth
}

firmware_words() { # firmware_words DTB REVISION
	fdtput -c "$1" /system
	fdtput -t x "$1" /system linux,revision "$2"
	fdtput -t x "$1" /system linux,serial 0 1234567
}

# virt_dtb OUT: the device tree of QEMU's "virt" board, whose GPIO chip (an
# 8-line PL061) gets the line names GPIO16 to GPIO23. Its power button, on the
# chip's fourth line, is taken off, so that all lines are free.
virt_dtb() {
	qemu-system-aarch64 -M virt,dumpdtb="$1" -cpu cortex-a53 -smp 2 -m 1024 \
		-nic none -display none 2>/dev/null
	fdtput -r "$1" /gpio-keys
	fdtput -t s "$1" /pl061@9030000 gpio-line-names \
		GPIO16 GPIO17 GPIO18 GPIO19 GPIO20 GPIO21 GPIO22 GPIO23
}

$force && rm -f "$cache"/*.done "$cache"/zero/*.done
[ -e "$cache/boot.done" ] || build_boot
[ -e "$cache/zero/boot.done" ] || build_zero
if $systemd && ! [ -e "$cache/rootfs.done" ]; then
	# shellcheck source=rootfs.sh disable=SC1091
	. "$here/rootfs.sh"
	build_rootfs
fi
rm -rf "$work"
say "ready: $cache ($(du -sh "$cache" | cut -f1))"
