#!/usr/bin/env bash
# Boot an emulated Raspberry Pi, run one command in it, power it off, and end
# with that command's exit status. See README.md; build.sh must have run.
#
#   run.sh [options] --cmd 'shell command'
#
#   --machine NAME          the QEMU machine: raspi3b (default), raspi0, or virt, which
#                           has no BCM GPIO
#   --board 3b|zero2w       raspi3b's device tree (default 3b)
#   --bin FILE[:GUEST]      a program for it; GUEST defaults to /usr/local/bin/NAME
#   --file FILE:GUEST       another file (or folder); both may be repeated
#   --cmd COMMAND           what the guest runs, as root, with sh
#   --timeout SECONDS       then the power is cut, exit status 124 (default 120)
#   --ctl DIR               make in DIR: qmp.sock, qtest.sock and guest.sock for
#                           pin.py and guest.py (which raspi0 lacks), and gpio.log,
#                           every GPIO change
#   --qmp SOCK              a QMP socket of your own, at this path
#   --icount SHIFT          the guest's time is its work: 2^SHIFT ns an instruction, and
#                           waiting takes none of the host's (raspi0: 2)
#   --net                   a network card; the host's loopback is 10.0.2.2 ("host")
#   --hostfwd RULE          as in QEMU, tcp:127.0.0.1:8080-:80; implies --net
#   --no-clock              start in 1970, as a Pi does until it has the time
#   --systemd               Debian with systemd in place of the small system
#   --disk FILE             keep the systemd disk in FILE (made if absent)
#   --append 'WORDS'        more words for the kernel command line
#   --verbose               show the kernel's and systemd's messages
#   --check                 run nothing; say what is missing for that, and exit 3
# shellcheck disable=SC2054 # commas in QEMU's options
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${RPI_EMU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tasmota-azd-rpi}
usage() { sed -n '2,/^$/{/^# shellcheck/,$d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }
die() { echo "run.sh: $*" >&2; exit 2; }

machine=raspi3b board=3b check='' cmd='' limit=120 ctl='' qmp='' net='' now=$(date +%s)
disk='' systemd='' append='' icount='' quiet='quiet loglevel=1' forwards='' files=()
while (($#)); do
	case $1 in
	--net) net=1 ;;
	--systemd) systemd=1 ;;
	--no-clock) now='' ;;
	--verbose) quiet='' ;;
	--check) check=1 ;;
	-h | --help) usage; exit ;;
	--*)
		(($# > 1)) || die "$1 needs a value"
		case $1 in
		--machine) machine=$2 ;;
		--board) board=$2 ;;
		--bin)
			if [[ $2 == *:* ]]; then files+=("$2")
			else files+=("$2:/usr/local/bin/${2##*/}"); fi ;;
		--file) files+=("$2") ;;
		--cmd) cmd=$2 ;;
		--timeout) limit=$2 ;;
		--ctl) ctl=$2 ;;
		--qmp) qmp=$2 ;;
		--hostfwd) net=1 forwards+=,hostfwd=$2 ;;
		--disk) disk=$2 systemd=1 ;;
		--append) append=$2 ;;
		--icount) icount=$2 ;;
		*) die "unknown option $1" ;;
		esac
		shift ;;
	*) die "unknown argument $1" ;;
	esac
	shift
done
[ -n "$cmd$check" ] || { usage >&2; exit 2; }

missing() { echo "$*; see test/rpi-emu/README.md" >&2; exit 3; }
qemu=qemu-system-aarch64 parts=$cache
[ "$machine" != raspi0 ] || qemu=qemu-system-arm parts=$cache/zero
for tool in $qemu qemu-img fdtput cpio python3; do
	command -v $tool >/dev/null || missing "no program $tool (build.sh installs it)"
done
[ -e "$parts/boot.done" ] || missing "nothing for $machine in $cache (build.sh fills it)"
[ -z "$systemd" ] || [ -e "$cache/rootfs.done" ] || missing "no disk with systemd in $cache (build.sh --systemd makes it)"
[ -z "$check" ] || exit 0

tmp=$(mktemp -d)
pids=() decoder=''
# shellcheck disable=SC2317 # called by trap
cleanup() {
	((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# --- what the guest gets: a second cpio archive behind the cached one -------

nonce=$RANDOM$RANDOM
channel=$ctl # for guest.py
[ "$machine" != raspi0 ] || channel=''
stage=$tmp/stage/rpi-emu
mkdir -p "$stage"
cat >"$stage/env" <<EOF
NONCE=$nonce NOW=$now NET=$net DISK=$systemd CONTROL=$channel
EOF
printf '%s\n' "$cmd" >"$stage/cmd"
for f in "$here/gpio:/usr/local/bin/gpio" "${files[@]}"; do
	src=${f%%:*} dst=${f#*:}
	[ -e "$src" ] || die "no such file: $src"
	[[ $dst == /* ]] || die "$f: the guest's path must begin with /"
	mkdir -p "$stage/files$(dirname "$dst")"
	cp -rL --preserve=mode "$src" "$stage/files$dst"
done
(cd "$tmp/stage" && find . -mindepth 1 | cpio -o --quiet -H newc -R 0:0) >"$tmp/extra.cpio"
cat "$parts/initramfs.cpio" "$tmp/extra.cpio" >"$tmp/initrd"

# --- the machine --------------------------------------------------------------

args=(-kernel "$parts/Image" -initrd "$tmp/initrd" -display none -monitor none -no-reboot)
accel=tcg
case $machine in
raspi3b)
	# One host thread for all four cores: the three that wait for Linux to start
	# them spin, and with a thread each they would starve the one that works.
	accel+=,thread=single
	args+=(-M raspi3b)
	dtb=$cache/$board.dtb
	[ -e "$dtb" ] || die "unknown board $board"
	[ -z "$net" ] || args+=(-netdev "user,id=net$forwards" -device usb-net,netdev=net)
	disk_args=(-drive "if=sd,format=qcow2,file=")
	# The console is the mini UART: QEMU's cannot receive. The better one, PL011,
	# is for the control channel.
	tty=ttyS1 serial=(-serial "$([ -n "$ctl" ] && echo chardev:guest || echo null)" -serial "file:$tmp/console")
	;;
raspi0)
	[ -z "$systemd$net" ] || die "raspi0 has no network and no disk here"
	args+=(-M raspi0)
	dtb=$cache/zero/zero.dtb
	# QEMU lacks the device that this driver expects, and the driver breaks on that.
	append+=" initcall_blacklist=bcm2835_power_driver_init"
	# Its timer loses an interrupt, and with it the machine, when the host is late by
	# 15 us. So time is what the guest has worked: 250 million instructions a second.
	icount=${icount:-2}
	# Nothing but the console uses a UART, so it is the better one, the PL011.
	tty=ttyAMA0 serial=(-serial "file:$tmp/console")
	;;
virt)
	accel+=,thread=multi
	args+=(-M virt -cpu cortex-a53 -smp 2 -m 1024 -device virtio-rng-pci)
	dtb=$cache/virt.dtb
	if [ -n "$net" ]; then args+=(-netdev "user,id=net$forwards" -device virtio-net-pci,netdev=net,romfile=)
	else args+=(-nic none); fi
	disk_args=(-device virtio-blk-pci,drive=root -drive "if=none,id=root,format=qcow2,file=")
	tty=ttyAMA0 serial=(-serial "file:$tmp/console")
	[ -z "$ctl" ] || serial+=(-device virtio-serial-pci -device virtserialport,chardev=guest)
	;;
*) die "unknown machine $machine" ;;
esac
if [ -z "$icount" ]; then args+=(-accel "$accel")
else args+=(-accel tcg -icount "shift=$icount,sleep=off"); fi

# As the Pi's firmware does: random bytes for the kernel, new on every boot.
cp "$dtb" "$tmp/dtb"
# shellcheck disable=SC2046 # one word for each number
fdtput -t x "$tmp/dtb" /chosen rng-seed $(od -An -v -tx4 -N64 /dev/urandom)
args+=(-dtb "$tmp/dtb")

if [ -n "$systemd" ]; then
	[ -n "$disk" ] || disk=$tmp/disk.qcow2
	[ -e "$disk" ] || qemu-img create -q -f qcow2 -b "$cache/rootfs.img" -F raw "$disk"
	last=$((${#disk_args[@]} - 1))
	disk_args[last]+=$disk
	args+=("${disk_args[@]}")
fi

# As on Raspberry Pi OS: a released output stays as it is (with =n, the default of
# other kernels, it becomes an input). iomem=relaxed: root may map the GPIO.
kernel="console=$tty,115200 panic=-1 iomem=relaxed random.trust_bootloader=on"
kernel+=" pinctrl_bcm2835.persist_gpio_outputs=y"
kernel+=" $quiet ${quiet:+systemd.show_status=0} $append"
mkfifo "$tmp/console"
args+=(-append "$kernel" "${serial[@]}")
if [ -n "$ctl" ]; then
	mkdir -p "$ctl"
	rm -f "$ctl"/{qmp,qtest,guest}.sock "$ctl/gpio.log"
	args+=(-qmp "unix:$ctl/qmp.sock,server=on,wait=off"
		-qtest "unix:$ctl/qtest.sock,server=on,wait=off" -qtest-log none
		-chardev "socket,id=guest,path=$ctl/guest.sock,server=on,wait=off")
	# QEMU's trace of every write to a device register, down to those of the GPIO.
	mkfifo "$tmp/trace"
	python3 "$here/pin.py" decode <"$tmp/trace" >"$ctl/gpio.log" &
	decoder=$!
	args+=(-trace memory_region_ops_write -D "$tmp/trace" -msg timestamp=on)
fi
[ -z "$qmp" ] || args+=(-qmp "unix:$qmp,server=on,wait=off")

# --- run ------------------------------------------------------------------------

# Held open until QEMU has ended: who reads would wait for ever if it did not begin.
exec 3<>"$tmp/console"
[ -z "$ctl" ] || exec 4<>"$tmp/trace"

# The console goes to stdout up to the line with the exit status.
LC_ALL=C sed -u -e 's/\r$//;s/^[\x80-\xff]*//' -e "/RPI-EMU $nonce [0-9]/{w $tmp/status" \
	-e "s/RPI-EMU $nonce .*//;/./p;:rest" -e '$d;N;s/.*//;b rest' -e '}' <"$tmp/console" 3>&- 4>&- &
console=$!
timeout --foreground "$limit" $qemu "${args[@]}" </dev/null &
pids=($!)
code=0
wait "${pids[0]}" || code=$?
pids=()
exec 3>&- 4>&-
wait "$console" || true
[ -z "$decoder" ] || wait "$decoder" || true # gpio.log is whole

((code != 124)) || { echo "run.sh: timed out after $limit s" >&2; exit 124; }
if ! [ -s "$tmp/status" ]; then
	echo "run.sh: the guest ended without a status (QEMU: $code)" >&2
	exit 125
fi
exit "$(sed -n 's/.* //;1p' "$tmp/status")"
